// SPDX-License-Identifier: BSL-1.0
// chat_server with --auth-jwt-key: who may speak, and as whom. Tokens are made by Node.js, for both algorithms.
import assert from 'node:assert/strict';
import {createHmac} from 'node:crypto';
import {writeFileSync} from 'node:fs';
import path from 'node:path';
import {test} from 'node:test';
import WebSocket from 'ws';

import {launch, openPage} from './support/browser.mjs';
import {bubble, enter, finish, say} from './support/chat.mjs';
import {Client} from './support/client.mjs';
import {formats, Mux} from './support/formats.mjs';
import {folder, run, startChat, unlimited} from './support/program.mjs';
import {RawSocket} from './support/raw.mjs';
import {Talker} from './support/talker.mjs';
import {hs256, rs256, seconds} from './support/tokens.mjs';

const leeway = 30;
const start = (t, {key}, ...more) => startChat(t, 'memory:', 0, [...unlimited, '--auth-jwt-key', key, ...more]);

/// The two ways of showing a token: a client that has just shown it.
const ways = {
  message: async (server, token, format) => {
    const client = await Client.open(server, {format});
    client.send({type: 'auth', token});
    return client;
  },
  subprotocol: (server, token, format) => Client.open(server, {format, token}),
};

for (const format of Object.keys(formats)) for (const [way, show] of Object.entries(ways)) {
  test(`${format}, by ${way}: the token says who somebody is, in every channel`, async (t) => {
    const tokens = hs256(folder(t));
    const server = await start(t, tokens);
    const exp = seconds() + 900;
    const ada = await show(server, tokens.token('ada', {exp}), format);
    assert.deepEqual(await ada.next('auth'), {type: 'auth', user: 'ada', expires: exp * 1000});
    assert.equal(ada.socket.protocol, format);
    ada.send({type: 'join', channel: 'general', device: 'd'});
    await ada.next('history');
    assert.deepEqual((await ada.next('presence')).users, ['ada']);
    ada.send({type: 'join', channel: 'random', user: 'eve'});
    const {code, channel} = await ada.next('error');
    assert.deepEqual([code, channel], ['forbidden', 'random']);
    await ada.join('random', 'ada');
    ada.say('general', 'Hello!', '1');
    assert.equal((await ada.next('message')).user, 'ada');
    ada.socket.terminate();
  });
}

for (const kind of [rs256, hs256]) for (const [way, show] of Object.entries(ways)) {
  test(`${kind.name}, by ${way}: a token with any flaw is refused, and ends the connection [hazard-73]`, async (t) => {
    const tokens = kind(folder(t));
    const other = kind(folder(t), 'another secret, which is known to somebody else');
    const server = await start(t, tokens, '--auth-issuer', 'https://id.example', '--auth-audience', 'chat');
    const ours = {iss: 'https://id.example', aud: ['mail', 'chat']};
    const make = (claims) => tokens.token('ada', {...ours, ...claims});
    const good = make({});
    const [head, body] = good.split('.');
    const plain = (what) => Buffer.from(JSON.stringify(what)).toString('base64url');
    const secret = tokens.publicKey ?? 'public';
    const confused = `${plain({alg: 'HS256', typ: 'JWT'})}.${body}`;
    const flaws = {
      'another key': other.token('ada', ours),
      'no algorithm': `${plain({alg: 'none', typ: 'JWT'})}.${body}.`,
      'the public key as a secret': `${confused}.${createHmac('sha256', secret).update(confused).digest('base64url')}`,
      'other claims': `${head}.${plain({sub: 'eve', exp: seconds() + 60, ...ours})}.${good.split('.')[2]}`,
      'expired': make({exp: seconds() - leeway - 1}),
      'not yet valid': make({nbf: seconds() + leeway + 60}),
      'another issuer': make({iss: 'https://evil.example'}),
      'another audience': make({aud: 'mail'}),
      'no end': make({exp: undefined}),
      'nobody': make({sub: undefined}),
      'no name': make({sub: 'ada\u202e'}),
      'a part': good.slice(0, -1),
      'nonsense': 'nonsense',
    };
    for (const [flaw, token] of Object.entries(flaws)) {
      const client = await show(server, token);
      const {code, message} = await client.next('error');
      assert.equal(code, 'unauthenticated', flaw);
      const end = await client.closed;
      assert.deepEqual(end, {code: 4401, reason: message}, flaw);
      assert.doesNotMatch(message, /[A-Za-z0-9_-]{30}/);  // nothing of the token
    }
    const client = await show(server, good);
    assert.equal((await client.next('auth')).user, 'ada');
    client.socket.terminate();
    assert.equal(server.err.replace(/^chat_server: memory: .*\n/, ''), '');
  });
}

for (const format of Object.keys(formats)) {
  test(`${format}: nothing is done or told before somebody has said who they are [hazard-71]`, async (t) => {
    const tokens = hs256(folder(t));
    const server = await start(t, tokens);
    const ada = await ways.subprotocol(server, tokens.token('ada'), format);
    await ada.join('general');
    const nobody = await Client.open(server, {format});
    const requests = [
      {type: 'join', channel: 'general', user: 'ada'}, {type: 'message', channel: 'general', text: 'x'},
      {type: 'history', channel: 'general', before: 9}, {type: 'typing', channel: 'general'},
      {type: 'leave', channel: 'general'}, {type: 'ping'}, 'nonsense', Buffer.from('nonsense'),
    ];
    for (const what of requests) {
      nobody.send(what);
      assert.equal((await nobody.next('error')).code, 'unauthenticated');
    }
    ada.say('general', 'among us', '1');
    assert.equal((await ada.next('ack')).seq, 1);
    nobody.send({type: 'ping'});
    await nobody.next('error');
    for (const type of ['history', 'message', 'presence', 'typing', 'pong', 'control'])
      assert.deepEqual(nobody.taken(type), []);
    nobody.socket.terminate();
    const late = await Client.open(server, {format});
    late.send({type: 'ping'});
    await late.next('error');
    late.send({type: 'auth', token: tokens.token('bob')});  // it is not too late
    await late.next('auth');
    assert.deepEqual((await late.join('general')).messages.map(({text}) => text), ['among us']);
    for (const client of [ada, late]) client.socket.terminate();
  });
}

test('chat.v1.mux: what a stranger opens is not open, and may be opened later', async (t) => {
  const tokens = hs256(folder(t));
  const ada = await Client.open(await start(t, tokens), {format: 'chat.v1.mux'});
  ada.send(Mux.control(1, 7, 'general'));
  assert.equal((await ada.next('error')).code, 'unauthenticated');
  ada.send({type: 'auth', token: tokens.token('ada')});
  await ada.next('auth');
  ada.send(Mux.control(1, 7, 'general'));
  await ada.next('control');
  assert.deepEqual(ada.speaks.answers, [Mux.control(1, 7, 'general')]);
  ada.socket.terminate();
});

test('a connection ends with its token; a new one of the same user, and no other, lets it go on', async (t) => {
  const tokens = hs256(folder(t));
  const server = await start(t, tokens);
  const soon = () => ({exp: seconds() - leeway + 3});
  const [gone, renewed, other] = await Promise.all(['ada', 'bob', 'eve'].map(async (user) => {
    const client = await ways.message(server, tokens.token(user, soon()));
    await client.next('auth');
    await client.join('general');
    return client;
  }));
  renewed.send({type: 'auth', token: tokens.token('bob')});
  assert.equal((await renewed.next('auth')).user, 'bob');
  other.send({type: 'auth', token: tokens.token('bob')});
  assert.equal((await other.next('error')).code, 'forbidden');
  for (const client of [gone, other])
    assert.deepEqual(await client.closed, {code: 4401, reason: 'the token has expired'});
  renewed.say('general', 'still here', '1');
  await renewed.next('ack');
  const watcher = await ways.message(server, tokens.token('carol'));
  await watcher.join('general');
  assert.deepEqual((await watcher.next('presence')).users, ['bob', 'carol']);
  watcher.socket.terminate();
  renewed.socket.terminate();
});

test('a user has ten connections', async (t) => {
  const tokens = hs256(folder(t));
  const server = await start(t, tokens);
  const open = () => ways.message(server, tokens.token('ada'));
  const all = [];
  for (let i = 0; i < 10; ++i) {
    all.push(await open());
    await all.at(-1).next('auth');
  }
  const late = await open();
  assert.equal((await late.next('error')).code, 'too_many_connections');
  assert.deepEqual(await late.closed, {code: 4429, reason: '10000'});
  all[0].socket.close();
  await all[0].closed;
  all[0] = await open();
  await all[0].next('auth');
  for (const client of all) client.socket.terminate();
});

test("the page's client comes back with a new token when the old one has expired", async (t) => {
  const tokens = rs256(folder(t));
  const server = await start(t, tokens);
  let given = 0;
  const talker = await Talker.open(server, 'ada', {
    token: async () => tokens.token('ada', ++given === 1 ? {exp: seconds() - leeway + 2} : {})});
  await talker.say('one');
  while (given < 2) await talker.change();
  await talker.until(({joined}) => joined);
  await talker.say('two');
  assert.deepEqual(talker.client.channels.get('general').messages.map(({text}) => text), ['one', 'two']);
  talker.close();
  const stranger = await Talker.begin(server, 'eve');
  while (stranger.client.state !== 'ended') await stranger.change();
  assert.equal(stranger.client.reason, 'the server wants to know who you are');
  stranger.close();
});

test('the page says that it needs a token, and talks with one that its site gives', async (t) => {
  const tokens = hs256(folder(t));
  const server = await start(t, tokens);
  const browser = await launch();
  t.after(() => browser.close());
  const open = async () => {
    const page = await openPage(browser);
    await page.goto(server.address);
    return page;
  };
  const stranger = await open();
  await stranger.getByRole('textbox', {name: 'Your name'}).fill('eve');
  await stranger.getByRole('button', {name: 'Join the chat'}).click();
  await stranger.getByText('Disconnected: the server wants to know who you are.').waitFor();
  const ada = await openPage(browser);
  await ada.exposeFunction('chatToken', () => tokens.token('ada'));
  await ada.goto(server.address);
  await enter(ada, 'ada');
  await say(ada, 'Hello!');
  await bubble(ada, 'Hello!').waitFor();
  await finish(stranger, ada);
});

test('slow heads and silent connections end at their deadlines, and nobody else notices [hazard-75]', async (t) => {
  const tokens = hs256(folder(t));
  const server = await start(t, tokens);
  const each = (count, work) => Promise.all(Array.from({length: count}, (_, i) => work(i)));
  const head = `GET /ws HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nUpgrade: websocket\r\nX-Slow: ${'x'.repeat(999)}`;
  const slow = await each(1000, async () => {
    const raw = await RawSocket.connect(server.port);
    let at = 0;
    const dribble = setInterval(() => raw.socket.write(head[at++]), 500);
    raw.ended.then(() => clearInterval(dribble));
    return raw;
  });
  const silent = await each(1000, () => RawSocket.open(server.port, {path: '/ws'}));
  const good = await each(20, async (i) => {
    const client = await ways.message(server, tokens.token(`user ${i}`));
    await client.join('general');
    return client;
  });
  let ended = false;
  const talking = (async () => {
    for (let said = 1; ; ++said) {
      await Promise.all(good.map(async (client, i) => {
        client.say('general', 'Hello!', String(said));
        assert.equal((await client.next('ack')).id, String(said), `user ${i}`);
      }));
      if (ended) return said;
    }
  })();
  for (const raw of slow) assert.match(String(await raw.ended), /^HTTP\/1\.1 408 /);
  for (const raw of silent) assert.equal(await raw.closeCode(), 4408);
  ended = true;
  assert.ok(await talking > 10);
  for (const client of good) {
    assert.equal(client.socket.readyState, WebSocket.OPEN);
    client.socket.terminate();
  }
});

test('without a key nobody is asked for a token, and one that is shown is refused', async (t) => {
  const server = await startChat(t, 'memory:');
  const client = await ways.subprotocol(server, 'a.b.c');
  assert.equal((await client.next('error')).code, 'unsupported');
  client.send({type: 'join', channel: 'general'});
  assert.equal((await client.next('error')).code, 'bad_message');
  await client.join('general', 'ada');
  client.socket.terminate();
});

test('a key that cannot be meant: one sentence, exit status 2', async (t) => {
  const here = folder(t);
  const file = (name, content) => {
    writeFileSync(path.join(here, name), content);
    return path.join(here, name);
  };
  const short = file('short', 'secret\n');
  const secret = file('private.pem', rs256(here).privateKey);
  for (const [args, sentence] of [
    [['--auth-jwt-key', '/nowhere'], '--auth-jwt-key: the key file /nowhere cannot be read, or is empty'],
    [['--auth-jwt-key', short], `--auth-jwt-key: the key file ${short} has a secret of 6 bytes: it needs 32 or more`],
    [['--auth-jwt-key', secret], `--auth-jwt-key: the key file ${secret} has a private key, which does not belong on ` +
      'this server: give its public one (openssl pkey -pubout)'],
    [['--auth-audience', 'chat'], '--auth-issuer and --auth-audience need --auth-jwt-key'],
  ]) assert.deepEqual(await run('chat_server', ['--store', 'memory:', ...args]),
    {code: 2, signal: null, out: '', err: `chat_server: ${sentence}\n`});
});
