// SPDX-License-Identifier: BSL-1.0
// chat_server as its clients and its operator see it: the ws client of npm, and the command line.
import assert from 'node:assert/strict';
import {once} from 'node:events';
import {mkdirSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {test} from 'node:test';
import WebSocket from 'ws';

import {Client} from './support/client.mjs';
import {folder, run, startChat, unlimited} from './support/program.mjs';

const start = (t, where) => startChat(t, where, 0, unlimited);

test('a frame over 64 KiB is closed with 1009', async (t) => {
  const server = await start(t);
  const alice = await Client.open(server);
  alice.say('general', 'x'.repeat(64 * 1024));
  assert.equal((await alice.closed).code, 1009);
});

test('20 messages a second and a burst of 40; who does not listen is closed with 4429', async (t) => {
  const server = await startChat(t);
  const alice = await Client.open(server);
  await alice.join('general', 'alice');
  for (let i = 0; i < 60; ++i) alice.say('general', 'spam', `${i}`);
  const {code, id, retry_ms: wait} = await alice.next('error');
  assert.equal(code, 'rate_limited');
  await new Promise((done) => setTimeout(done, wait + 1000));
  alice.say('general', 'sorry', id);
  for (;;) if ((await alice.next('ack')).id === id) break;
  for (let i = 0; i < 500; ++i) alice.say('general', 'spam', `more ${i}`);
  const closed = await alice.closed;
  assert.equal(closed.code, 4429);
  assert.ok(Number(closed.reason) > 0);
});

test('what was acknowledged survives kill -9, and keeps its number', async (t) => {
  const where = `sqlite:${path.join(folder(t), 'chat.db')}`;
  let server = await start(t, where);
  let alice = await Client.open(server);
  const {epoch} = await alice.join('general', 'alice', 'd1');
  const acks = new Map();
  for (let i = 0; i < 500; ++i) alice.say('general', `message ${i}`, `m${i}`);
  while (acks.size < 100) {
    const ack = await alice.next('ack');
    acks.set(ack.id, ack.seq);
  }
  await server.end('SIGKILL');
  server = await start(t, where);
  alice = await Client.open(server);
  const history = await alice.join('general', 'alice', 'd1');
  assert.equal(history.epoch, epoch);
  for (let i = 0; i < 500; ++i) alice.say('general', `message ${i}`, `m${i}`);
  const seqs = [];
  for (let i = 0; i < 500; ++i) {
    const ack = await alice.next('ack');
    seqs.push(ack.seq);
    if (acks.has(ack.id)) assert.equal(ack.seq, acks.get(ack.id));
  }
  assert.deepEqual(seqs, Array.from({length: 500}, (_, i) => i + 1));
});

test('bad input is told to who sent it, and to nobody else', async (t) => {
  const server = await start(t);
  const bob = await Client.open(server);
  await bob.join('general', 'bob');
  const alice = await Client.open(server);
  await alice.join('general', 'alice');
  for (const text of ['{', '[]', '{"type":"shout"}']) {
    alice.send(text);
    await alice.next('error');
  }
  alice.say('general', 'fits', 'fits');
  assert.equal((await alice.next('ack')).seq, 1);
  for (let i = 0; i < 10; ++i) alice.send('nonsense');
  assert.equal((await alice.closed).code, 1008);
  assert.equal((await bob.next('message')).id, 'fits');
  assert.deepEqual((await bob.next('presence')).users, ['bob']);
  assert.deepEqual(bob.taken('error'), []);
});

test('pages of other origins are refused [hazard-69]', async (t) => {
  const server = await start(t);
  const attempt = async (origin) => {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/ws`, {origin});
    socket.on('error', () => {});
    const [, response] = await once(socket, 'unexpected-response');
    socket.terminate();
    return response.statusCode;
  };
  assert.equal(await attempt('http://evil.example'), 403);
  assert.equal(await attempt(`http://127.0.0.1:${server.port + 1}`), 403);
  assert.equal(await attempt('null'), 403);
  const same = await Client.open(server, {origin: `http://127.0.0.1:${server.port}`});
  same.socket.terminate();
});

test('the page has strict headers', async (t) => {
  const server = await start(t);
  for (const file of ['/', '/chat.js', '/client.js', '/style.css', '/icon.svg']) {
    const {status, headers} = await fetch(server.address + file);
    assert.equal(status, 200);
    assert.match(headers.get('content-security-policy'), /^default-src 'none'; script-src 'self'; style-src 'self'; /);
    assert.doesNotMatch(headers.get('content-security-policy'), /unsafe|\*/);
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
    assert.equal(headers.get('referrer-policy'), 'no-referrer');
  }
  assert.equal((await fetch(`${server.address}/../main.cpp`)).status, 404);
  assert.equal((await fetch(`${server.address}/ws`)).status, 426);
});

test('SIGTERM: 1001 to all, exit status 0', async (t) => {
  const server = await start(t);
  const alice = await Client.open(server);
  await alice.join('general', 'alice');
  server.child.kill('SIGTERM');
  assert.equal((await alice.closed).code, 1001);
  assert.equal(await server.end(), 0);
});

test('a client that does not read is cut off, and the others are not disturbed', async (t) => {
  const server = await start(t);
  const slow = await Client.open(server);
  await slow.join('general', 'slow');
  slow.socket.pause();
  const alice = await Client.open(server);
  await alice.join('general', 'alice');
  const text = 'x'.repeat(16_000);
  for (let i = 0; i < 1000; ++i) {  // 16 MB: more than the kernel's buffers and the server's queue hold
    alice.say('general', text, `${i}`);
    await alice.next('ack');
  }
  // It does not answer the Close either: the deadlines end it.
  const present = async () => {
    const visitor = await Client.open(server);
    await visitor.join('general', 'visitor');
    const {users} = await visitor.next('presence');
    visitor.socket.terminate();
    return users;
  };
  const end = Date.now() + 30_000;
  while ((await present()).includes('slow') && Date.now() < end) await new Promise((done) => setTimeout(done, 200));
  assert.deepEqual(await present(), ['alice', 'visitor']);
  slow.socket.resume();
  assert.match(String((await slow.closed).code), /^(4008|1006)$/);  // 1006: it was too slow for the Close, too
  const got = slow.taken('message').map((m) => m.seq);
  assert.ok(got.length > 0);
  assert.deepEqual(got, got.map((_, i) => i + 1));
});

test('wrong flags: one sentence, exit status 2', async () => {
  for (const args of [['--bogus'], ['--port'], ['--port', 'x'], ['--port', '65536'], ['extra'], ['--store', 'mysql:x'],
                      ['--store', 'sqlite:'], ['--rate', '-1'], ['--check-config=1'], ['--host', '']]) {
    const {code, out, err} = await run('chat_server', args);
    assert.equal(code, 2, args.join(' '));
    assert.equal(out, '');
    assert.match(err, /^chat_server: [^\n]+\n$/);
  }
  assert.equal((await run('chat_server', ['--help'])).code, 0);
});

test('--check-config says whether the store works and the port is free, and serves nothing', async (t) => {
  const where = `sqlite:${path.join(folder(t), 'chat.db')}`;
  const check = (...args) => run('chat_server', ['--check-config', ...args]);
  const good = await check('--port', '0', '--store', where);
  assert.equal(good.code, 0);
  assert.match(good.out, /^the store works, and 127\.0\.0\.1:\d+ is free\n$/);
  assert.equal(good.err, '');
  const server = await start(t);
  assert.equal((await check('--port', String(server.port), '--store', where)).code, 1);
  const bad = await check('--port', '0', '--store', 'sqlite:/no/such/folder/chat.db');
  assert.equal(bad.code, 1);
  assert.match(bad.err, /^chat_server: [^\n]+--store sqlite:FILE\n$/);
});

test('/readyz is 200 while the store works, and --keep bounds the history', async (t) => {
  const server = await startChat(t, 'memory:', 0, ['--keep', '10']);
  for (const where of ['/healthz', '/readyz']) assert.equal((await fetch(server.address + where)).status, 200);
  const alice = await Client.open(server);
  const {epoch} = await alice.join('general', 'alice');
  for (let i = 0; i < 25; ++i) alice.say('general', 'm', `${i}`);
  for (let i = 0; i < 25; ++i) await alice.next('ack');
  const bob = await Client.open(server);
  bob.send({type: 'join', channel: 'general', user: 'bob', epoch, seq: 15});
  assert.equal((await bob.next('history')).messages.length, 10);
  const carol = await Client.open(server);
  carol.send({type: 'join', channel: 'general', user: 'carol', epoch, seq: 14});
  await carol.next('reload');
  const {messages, more} = await carol.next('history');
  assert.deepEqual([messages.length, messages[0].seq, more], [10, 16, false]);
});

test('a port in use: one sentence that says how to choose another, exit status 1', async (t) => {
  const server = await start(t);
  const {code, err} = await run('chat_server', ['--port', String(server.port), '--store', 'memory:']);
  assert.equal(code, 1);
  assert.match(err, /\nchat_server: cannot listen .* in use.*--port[^\n]*\n$/);
});

test('a store that cannot be used: one sentence, exit status 1', async (t) => {
  const here = folder(t);
  mkdirSync(path.join(here, 'folder'));
  const text = 'This is not a database, but long enough to look like a file of one. '.repeat(9);
  writeFileSync(path.join(here, 'text.db'), text);
  for (const file of ['no/such/folder/chat.db', 'folder', 'text.db']) {
    const {code, err} = await run('chat_server', ['--port', '0', '--store', `sqlite:${path.join(here, file)}`]);
    assert.equal(code, 1, file);
    assert.match(err, /^chat_server: [^\n]+--store sqlite:FILE\n$/);
  }
});
