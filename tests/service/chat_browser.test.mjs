// SPDX-License-Identifier: BSL-1.0
// The chat as people use it: chat_server and Chromium.
import assert from 'node:assert/strict';
import path from 'node:path';
import {after, before, test} from 'node:test';

import {launch, openPage, watched} from './support/browser.mjs';
import {bubble, enter, eventually, finish, join as joined, online, people, say, shot, stored,
        texts} from './support/chat.mjs';
import {folder, startChat} from './support/program.mjs';

let browser;
before(async () => { browser = await launch(); });
after(() => browser?.close());

const join = (...args) => joined(browser, ...args);

test('two people join, talk, and see each other come and go', async (t) => {
  const server = await startChat(t);
  const alice = await join(server, 'alice');
  const bob = await join(server, 'bob');
  await eventually(() => people(alice), ['alice', 'bob']);
  await say(alice, 'Hello, bob!');
  await stored(alice, 'Hello, bob!').waitFor();
  await bubble(bob, 'Hello, bob!').waitFor();
  await say(bob, '<b>not bold</b> & https://example.org/?a=1.');
  await bubble(alice, '<b>not bold</b> & https://example.org/?a=1.').waitFor();
  const link = alice.getByRole('link', {name: 'https://example.org/?a=1', exact: true});
  assert.equal(await link.getAttribute('rel'), 'noopener noreferrer');
  assert.equal(await alice.locator('.bubble b').count(), 0);
  assert.deepEqual(await texts(alice), await texts(bob));
  await finish(bob);
  await eventually(() => people(alice), ['alice']);
  await finish(alice);
});

test('a reload shows the history, once, under the same name; a new tab asks for a name', async (t) => {
  const server = await startChat(t);
  const alice = await join(server, 'alice');
  const said = ['one', 'two\nlines', 'three'];
  for (const text of said) await say(alice, text);
  await stored(alice, 'three').waitFor();
  await alice.reload();
  await online(alice);
  await eventually(() => texts(alice), said);
  assert.equal(await alice.locator('#my-name').textContent(), 'alice');

  const tab = await watched(await alice.context().newPage());
  await tab.goto(server.address);
  assert.equal(await tab.getByRole('textbox', {name: 'Your name'}).inputValue(), 'alice');  // remembered
  await enter(tab, 'bob');
  await eventually(() => people(alice), ['alice', 'bob']);
  await eventually(() => texts(tab), said);
  assert.deepEqual(tab.complaints, []);
  await finish(alice);
});

test('other channels are marked unread, until they are read', async (t) => {
  const server = await startChat(t);
  const alice = await join(server, 'alice');
  const bob = await join(server, 'bob');
  await bob.getByRole('textbox', {name: 'Join a channel'}).fill('#random');
  await bob.keyboard.press('Enter');
  await bob.getByRole('heading', {name: '# random'}).waitFor();
  await say(alice, 'first');
  await say(alice, 'second');
  const unread = bob.getByRole('button', {name: 'general 2 unread'});
  await unread.waitFor();
  assert.equal(await bob.title(), '(2) #random · purews chat');
  await bob.reload();  // what was not read stays so
  await unread.waitFor();
  await unread.click();
  await bubble(bob, 'second').waitFor();
  await eventually(() => bob.locator('.badge').count(), 0);
  assert.equal(await bob.title(), '#general · purews chat');
  await bob.getByRole('button', {name: 'Leave random'}).click();
  await eventually(() => bob.locator('.channel').count(), 1);
  await finish(alice, bob);
});

test('the server is killed and comes back: every message is there, and none twice', async (t) => {
  const where = `sqlite:${path.join(folder(t), 'chat.db')}`;
  let server = await startChat(t, where);
  const {port} = server;
  const alice = await join(server, 'alice');
  const bob = await join(server, 'bob');
  const said = [];
  const acknowledged = new Set();
  for (let round = 0; round < 3; ++round) {
    for (let i = 0; i < 8; ++i) {
      said.push(`round ${round} message ${i}`);
      await say(alice, said.at(-1));
    }
    for (const text of await alice.locator('.own[data-state=stored] .bubble').allTextContents()) acknowledged.add(text);
    await server.end('SIGKILL');
    await alice.locator('#connection[data-state=waiting]').waitFor();
    said.push(`round ${round} while it was away`);
    await say(alice, said.at(-1));
    if (round === 1) await alice.goto('about:blank');  // what waits is not lost with the page
    server = await startChat(t, where, port);
    if (round === 1) await alice.goto(server.address);
    await online(alice);
    await online(bob);
    await stored(alice, said.at(-1)).waitFor();
  }
  assert.ok(acknowledged.size > 0);
  await eventually(() => texts(bob), said);
  await eventually(() => texts(alice), said);
  await bob.reload();
  await eventually(() => texts(bob), said);
  assert.equal(await alice.locator('.own:not([data-state=stored])').count(), 0);
  await finish(alice, bob);
});

test('a stopping server says goodbye, and the page comes back to the next one', async (t) => {
  const where = `sqlite:${path.join(folder(t), 'chat.db')}`;
  const server = await startChat(t, where);
  const alice = await join(server, 'alice');
  await say(alice, 'before');
  await stored(alice, 'before').waitFor();
  assert.equal(await server.end('SIGTERM'), 0);
  await alice.locator('#connection[data-state=waiting]').waitFor();
  assert.equal(await alice.getByRole('status').textContent(), 'Connection lost. Trying again…');
  await startChat(t, where, server.port);
  await alice.getByRole('button', {name: 'Try now'}).click({timeout: 2000}).catch(() => {});  // it may be back already
  await online(alice);
  await eventually(() => texts(alice), ['before']);
  await finish(alice);
});

test('on a phone everything fits, and the panels slide in and out', async (t) => {
  const server = await startChat(t);
  const phone = {viewport: {width: 360, height: 740}, isMobile: true, hasTouch: true};
  const grace = await join(server, 'grace', phone);
  const other = await join(server, 'ada', {colorScheme: 'dark'});
  await say(other, 'A long word: ' + 'x'.repeat(200));
  await say(grace, 'From the phone');
  await stored(grace, 'From the phone').waitFor();
  const width = () => grace.evaluate(() => document.documentElement.scrollWidth);
  assert.equal(await width(), 360);
  await shot(grace, 'chat-phone');

  const channels = grace.getByRole('button', {name: 'Channels'});
  await channels.click();
  await grace.getByRole('textbox', {name: 'Join a channel'}).fill('random');
  await grace.getByRole('button', {name: 'Join', exact: true}).click();
  await grace.getByRole('heading', {name: '# random'}).waitFor();
  await eventually(() => channels.getAttribute('aria-expanded'), 'false');
  await grace.getByRole('button', {name: 'People here: 1'}).click();
  await grace.locator('#people .name').getByText('grace').waitFor();
  await grace.keyboard.press('Escape');
  await eventually(() => grace.evaluate(() => document.activeElement.id), 'show-people');
  assert.equal(await width(), 360);
  await finish(grace, other);
});

test('it works with the keyboard alone', async (t) => {
  const server = await startChat(t);
  const page = await openPage(browser);
  await page.goto(server.address);
  await page.keyboard.press('Enter');
  await page.getByRole('alert').getByText('Please enter a name.').waitFor();
  await page.keyboard.type('alice');  // the name field has the focus
  await page.keyboard.press('Enter');
  await online(page);
  await page.keyboard.type('Hello');
  await page.keyboard.press('Shift+Enter');
  await page.keyboard.type('world');
  await page.keyboard.press('Enter');
  await stored(page, 'Hello\nworld').waitFor();
  await page.getByRole('textbox', {name: 'Message', exact: true}).fill('ü'.repeat(8193));
  await page.getByRole('alert').getByText('too long').waitFor();
  await page.keyboard.press('Enter');
  assert.deepEqual(await texts(page), ['Hello\nworld']);
  await page.getByRole('button', {name: 'Sign out'}).press('Enter');
  await page.getByRole('textbox', {name: 'Your name'}).waitFor();
  await finish(page);
});
