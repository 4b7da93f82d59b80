// SPDX-License-Identifier: BSL-1.0
// What the chat's page promises when things go wrong, or come from people who mean no good: chat_server and Chromium.
import assert from 'node:assert/strict';
import path from 'node:path';
import {after, before, test} from 'node:test';
import axe from 'axe-core';

import {bubble, enter, eventually, finish, join, online, people, say, shot, stored,
        texts} from './support/chat.mjs';
import {launch, openPage} from './support/browser.mjs';
import {folder, startChat, unlimited} from './support/program.mjs';
import {Talker} from './support/talker.mjs';

let browser;
before(async () => { browser = await launch(); });
after(() => browser?.close());

const range = (from, to) => Array.from({length: to - from + 1}, (_, i) => from + i);
const missed = (page) => page.locator('.missed').allTextContents();
const waiting = (page) => page.locator('#connection[data-state=waiting]').waitFor();

async function accessible(page, what) {
  await page.evaluate(axe.source);
  const {violations} = await page.evaluate(() => globalThis.axe.run());
  const serious = violations.filter(({impact}) => impact === 'serious' || impact === 'critical');
  assert.deepEqual(serious.map(({id, nodes}) => [what, id, nodes.map((n) => n.html)]), []);
}

test('the network goes and comes: what was missed is there, once, under a line that says how much', async (t) => {
  const server = await startChat(t);
  const [alice, bob, carol] = await Promise.all(['alice', 'bob', 'carol'].map((name) => join(browser, server, name)));
  await eventually(() => people(alice), ['alice', 'bob', 'carol']);
  await say(alice, 'before');
  await bubble(bob, 'before').waitFor();
  await bob.context().setOffline(true);
  await waiting(bob);
  await say(bob, 'written in the tunnel');
  await say(bob, 'never mind');
  await bob.getByText('2 to send').waitFor();
  await bob.locator('.own', {hasText: 'never mind'}).getByRole('button', {name: 'Cancel'}).click();
  await eventually(() => bob.locator('.own').count(), 1);
  await bob.locator('.own[data-state=waiting]', {hasText: 'written in the tunnel'}).waitFor();
  for (const text of ['one', 'two']) await say(alice, text);
  await say(carol, 'three');
  await stored(carol, 'three').waitFor();
  await bob.context().setOffline(false);
  await online(bob);
  await stored(bob, 'written in the tunnel').waitFor();
  const all = ['before', 'one', 'two', 'three', 'written in the tunnel'];
  for (const page of [alice, bob, carol]) {
    await eventually(async () => (await texts(page)).sort(), [...all].sort());
    assert.deepEqual(await texts(page), await texts(alice));
  }
  assert.deepEqual(await missed(bob), ['You missed 3 messages']);
  assert.deepEqual(await missed(alice), []);
  const order = await bob.locator('#messages > :is(.missed, .message)').evaluateAll((all) =>
    all.map((n) => (n.className === 'missed' ? '-' : n.querySelector('.bubble').textContent)));
  assert.equal(order[1], '-');
  await shot(bob, 'chat-missed');
  await say(bob, 'I am back');
  await eventually(() => missed(bob), []);
  await finish(alice, bob, carol);
});

test('what was written without a server survives a reload of the tab, and is sent exactly once', async (t) => {
  const where = `sqlite:${path.join(folder(t), 'chat.db')}`;
  const server = await startChat(t, where);
  const alice = await join(browser, server, 'alice');
  await say(alice, 'before');
  await stored(alice, 'before').waitFor();
  await server.end('SIGTERM');
  await waiting(alice);
  await say(alice, 'first');
  await say(alice, 'second');
  await alice.goto('about:blank');
  const next = await startChat(t, where, server.port);
  await alice.goto(server.address);
  await stored(alice, 'second').waitFor();
  await eventually(() => texts(alice), ['before', 'first', 'second']);
  await alice.reload();
  await eventually(() => texts(alice), ['before', 'first', 'second']);
  const bob = await join(browser, next, 'bob');
  await eventually(() => texts(bob), ['before', 'first', 'second']);
  await finish(alice, bob);
});

test('another history: the page says that it reloads, and shows nothing of the old one', async (t) => {
  const server = await startChat(t);
  const alice = await join(browser, server, 'alice');
  await say(alice, 'of the first history');
  await stored(alice, 'of the first history').waitFor();
  await server.end('SIGKILL');
  const next = await startChat(t, 'memory:', server.port);
  const bob = await Talker.open(next, 'bob');
  await bob.say('of the second history');
  await bubble(alice, 'of the second history').waitFor();
  await alice.getByText('The history was reloaded.').waitFor();
  assert.deepEqual(await texts(alice), ['of the second history']);
  bob.close();
  await finish(alice);
});

test('older messages come by scrolling up, and what is being read stays where it is', async (t) => {
  const server = await startChat(t, 'memory:', 0, unlimited);
  const bob = await Talker.open(server, 'bob');
  for (const i of range(1, 170)) await bob.say(`message ${i}`);
  const alice = await join(browser, server, 'alice');
  await bubble(alice, 'message 170').waitFor();
  assert.deepEqual(await texts(alice), range(121, 170).map((i) => `message ${i}`));
  const place = (text) => bubble(alice, text).evaluate((n) => Math.round(n.getBoundingClientRect().top));
  await alice.locator('#log').evaluate((log) => { log.scrollTop = 200; });
  const was = await place('message 130');
  await bubble(alice, 'message 71').waitFor({state: 'attached'});
  assert.ok(Math.abs(await place('message 130') - was) <= 2, 'the place was lost');
  await bob.say('message 171');  // and not for what comes, either
  await alice.locator('#latest').waitFor();
  assert.ok(Math.abs(await place('message 130') - was) <= 2, 'the place was lost');
  for (let i = 0; i < 20 && await alice.locator('#beginning').isHidden(); ++i) {
    await alice.locator('#log').evaluate((log) => { log.scrollTop = 0; });
    await alice.waitForTimeout(100);
  }
  await alice.getByText('This is the beginning of #general.').waitFor();
  assert.deepEqual(await texts(alice), range(1, 171).map((i) => `message ${i}`));
  await alice.locator('#latest').click();
  await eventually(() => alice.locator('#latest').isHidden(), true);
  bob.close();
  await finish(alice);
});

test('the page does not call it the beginning when older messages are not kept', async (t) => {
  const server = await startChat(t, 'memory:', 0, ['--keep', '2']);
  const alice = await join(browser, server, 'alice');
  await say(alice, 'one');
  await say(alice, 'two');
  await alice.getByText('This is the beginning of #general.').waitFor();
  await say(alice, 'three');
  await stored(alice, 'three').waitFor();
  await alice.reload();
  await alice.getByText('Older messages of #general are not kept.').waitFor();
  assert.deepEqual(await texts(alice), ['two', 'three']);
  await finish(alice);
});

test('the others see who types, for a while', async (t) => {
  const server = await startChat(t);
  const alice = await join(browser, server, 'alice');
  const bob = await join(browser, server, 'bob');
  await alice.getByRole('textbox', {name: 'Message', exact: true}).pressSequentially('Hel');
  await bob.locator('#typing').getByText('alice').waitFor();
  assert.equal(await bob.locator('#typing').textContent(), 'alice is typing…');
  assert.equal(await alice.locator('#typing').textContent(), '');
  await alice.keyboard.press('Enter');
  await bubble(bob, 'Hel').waitFor();
  await eventually(() => bob.locator('#typing').textContent(), '');
  await finish(alice, bob);
});

test('notifications only for those who asked for them, and only of what they do not see', async (t) => {
  const server = await startChat(t);
  const alice = await openPage(browser);
  await alice.addInitScript(() => {  // a browser without a head has no place to show them
    globalThis.asked = 0;
    globalThis.told = [];
    globalThis.Notification = class {
      static permission = 'default';
      static async requestPermission() {
        ++globalThis.asked;
        return (this.permission = 'granted');
      }
      constructor(title, {body}) { globalThis.told.push(`${title}: ${body}`); }
    };
    globalThis.hide = (state) => {
      Object.defineProperty(document, 'visibilityState', {configurable: true, value: state});
      document.dispatchEvent(new Event('visibilitychange'));
    };
  });
  await alice.goto(server.address);
  await enter(alice, 'alice');
  const bob = await Talker.open(server, 'bob');
  const told = () => alice.evaluate(() => globalThis.told);
  await alice.evaluate(() => globalThis.hide('hidden'));
  await bob.say('nobody asked for it');
  await eventually(() => alice.title(), '(1) #general · purews chat');
  assert.deepEqual(await told(), []);
  assert.equal(await alice.evaluate(() => globalThis.asked), 0);
  await alice.evaluate(() => globalThis.hide('visible'));
  const toggle = alice.getByRole('button', {name: 'Notify me of new messages'});
  await toggle.click();
  await eventually(() => toggle.getAttribute('aria-pressed'), 'true');
  assert.equal(await alice.evaluate(() => globalThis.asked), 1);
  await bob.say('seen');
  await bubble(alice, 'seen').waitFor();
  await alice.evaluate(() => globalThis.hide('hidden'));
  await bob.say('\u202enot seen');
  await eventually(told, ['bob in #general:  not seen']);
  await toggle.click();
  await bob.say('not any more');
  await bubble(alice, 'not any more').waitFor();
  assert.equal((await told()).length, 1);
  bob.close();
  await finish(alice);
});

test('hostile texts are shown, and do no harm', async (t) => {
  const server = await startChat(t, 'memory:', 0, unlimited);
  const phone = {viewport: {width: 360, height: 740}, isMobile: true, hasTouch: true};
  const alice = await join(browser, server, 'alice', phone);
  const zalgo = [...'zalgo'].map((c) => c + '\u0316\u0321\u0334\u0353\u035c\u0300\u0346\u0357'.repeat(20)).join('');
  const hostile = [
    '<script>document.title = "taken"</script>',
    '<img src=x onerror="document.title = \'taken\'">',
    '"><svg/onload=document.title="taken">',
    '<a href="javascript:alert(1)">here</a> javascript:alert(1) data:text/html,<b>1</b>',
    '\u202eabc\u202d \u2066def\u2069 \u200f\u061c\u2067turned around',
    zalgo,
    '😀👩‍👩‍👧‍👦🏴󠁧󠁢󠁥󠁮󠁧󠁿'.repeat(20),
    'w'.repeat(1400),
    'https://user:pass@evil.example/ https://evil.example/\u202egpj.exe https://' + '.'.repeat(500),
    `${'{{constructor.constructor("return 1")()}}'} \${1} %s %n`,
    '\u0001\u001b[31m\u007f',
  ];
  const bob = await Talker.open(server, '<b>bob</b>');
  for (const text of hostile) await bob.say(text);
  await bob.say('line\n'.repeat(3000));
  await bob.say('the end');
  await bubble(alice, 'the end').waitFor();
  assert.deepEqual((await texts(alice)).slice(0, hostile.length), hostile);
  assert.match(await alice.title(), /#general · purews chat$/);
  assert.equal(await alice.locator('#messages :is(script, img, svg, b, iframe)').count(), 0);
  const links = await alice.locator('.bubble a').evaluateAll((all) => all.map((a) => [a.textContent, a.href, a.rel]));
  assert.deepEqual(links, [['https://evil.example/', 'https://evil.example/', 'noopener noreferrer']]);

  // Nothing is wider than the screen, and marks piled up high are cut off at their bubble.
  assert.equal(await alice.evaluate(() => document.documentElement.scrollWidth), 360);
  assert.ok(await alice.locator('#log').evaluate((log) => log.scrollWidth <= log.clientWidth));
  const clipped = await alice.locator('.bubble').evaluateAll((all) => all.map((n) => getComputedStyle(n).overflow));
  assert.deepEqual([...new Set(clipped)], ['hidden']);
  const tall = alice.locator('.bubble').nth(hostile.length);
  assert.ok((await tall.boundingBox()).height < 400);
  await alice.getByRole('button', {name: 'Show all'}).last().click();
  await eventually(async () => (await tall.boundingBox()).height > 10_000, true);
  await alice.getByRole('button', {name: 'Show less'}).click();
  await shot(alice, 'chat-hostile');
  await accessible(alice, 'hostile texts');
  bob.close();
  await finish(alice);
});

test('no serious barrier: welcome, chat, the panels of a phone, without a connection, in light and dark', async (t) => {
  for (const colorScheme of ['light', 'dark']) {
    const server = await startChat(t);
    const page = await openPage(browser, {colorScheme});
    await page.goto(server.address);
    await page.getByRole('textbox', {name: 'Your name'}).waitFor();
    await accessible(page, `welcome, ${colorScheme}`);
    await enter(page, 'alice');
    const bob = await Talker.open(server, 'bob');
    await bob.say(`Hello, see https://example.org/${colorScheme}`);
    await say(page, 'Hello, bob');
    await stored(page, 'Hello, bob').waitFor();
    await accessible(page, `chat, ${colorScheme}`);
    await shot(page, `chat-desktop-${colorScheme}`);
    bob.close();
    await page.setViewportSize({width: 360, height: 740});
    await page.getByRole('button', {name: 'Channels'}).click();
    await page.locator('#channels-panel.open').waitFor();
    await page.waitForTimeout(300);  // it has slid in
    await accessible(page, `channels, ${colorScheme}`);
    await shot(page, `chat-phone-channels-${colorScheme}`);
    await page.keyboard.press('Escape');
    await page.context().setOffline(true);
    await waiting(page);
    await say(page, 'later');
    await page.locator('.own[data-state=waiting]').waitFor();
    await accessible(page, `waiting, ${colorScheme}`);
    await shot(page, `chat-phone-waiting-${colorScheme}`);
    await finish(page);
  }
});
