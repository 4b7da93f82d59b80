// SPDX-License-Identifier: BSL-1.0
// chat_load, which other people's servers are measured by too: what it says of a server that keeps its promises, of one
// that lies and of none.
import assert from 'node:assert/strict';
import {once} from 'node:events';
import path from 'node:path';
import {test} from 'node:test';
import {WebSocketServer} from 'ws';

import {folder, run, startChat, unlimited} from './support/program.mjs';

const load = (args) => run('chat_load', args, {timeout: 60_000});
const number = (out, line) => Number(out.match(new RegExp(`${line} +(\\d+)`))[1]);

test('every message is acknowledged, stored and delivered to each user of its channel', async (t) => {
  const server = await startChat(t);
  const {code, out, err} = await load(
    ['--users', '6', '--channels', '2', '--seconds', '1', `ws://127.0.0.1:${server.port}/ws`]);
  assert.equal(err, '');
  assert.equal(code, 0, out);
  const sent = number(out, 'sent');
  assert.ok(sent >= 50, out);
  assert.equal(number(out, 'acknowledged'), sent);
  assert.equal(number(out, 'stored'), sent);
  assert.equal(number(out, 'delivered'), 3 * sent);
  assert.match(out, /every promise was kept\n$/);
});

test('a server that is killed meanwhile and started again keeps its promises', async (t) => {
  const where = `sqlite:${path.join(folder(t), 'chat.db')}`;
  const start = (port) => startChat(t, where, port, unlimited);
  let server = await start(0);
  const {port} = server;
  const loading = load(
    ['--users', '10', '--channels', '2', '--seconds', '3', '--rate', '0', `ws://127.0.0.1:${port}/ws`]);
  for (let i = 0; i < 2; ++i) {
    await new Promise((done) => setTimeout(done, 1000));
    await server.end('SIGKILL');
    server = await start(port);
  }
  const {code, out, err} = await loading;
  assert.equal(code, 0, out + err);
  assert.ok(number(out, 'connections lost') >= 10, out);
});

/// A chat that keeps everything in one list, and lies as it is told to.
async function lying(t, {deliver = (m) => [m], keep = () => true}) {
  const server = new WebSocketServer({port: 0, host: '127.0.0.1'});
  await once(server, 'listening');
  t.after(() => server.close());
  const stored = [];
  server.on('connection', (client) => client.on('message', (data) => {
    const m = JSON.parse(data);
    const answer = (what) => client.send(JSON.stringify({channel: m.channel, ...what}));
    if (m.type === 'join')
      answer({type: 'history', epoch: 'e', seq: stored.length, more: false, messages: stored});
    if (m.type === 'history') answer({type: 'history', epoch: 'e', before: m.before, more: false, messages: stored});
    if (m.type !== 'message') return;
    const seq = stored.length + 1;
    answer({type: 'ack', id: m.id, seq, time: 0});
    if (!keep(seq)) return;
    const message = {type: 'message', channel: m.channel, user: `load-0`, id: m.id, text: m.text, seq, time: 0};
    stored.push(message);
    for (const each of deliver(message)) client.send(JSON.stringify(each));
  }));
  return load(['--users', '1', '--channels', '1', '--seconds', '1', '--patience', '3',
    `ws://127.0.0.1:${server.address().port}`]);
}

test('a server that lies is found out', async (t) => {
  assert.equal((await lying(t, {})).code, 0);
  const twice = await lying(t, {deliver: (m) => (m.seq === 9 ? [m, m] : [m])});
  assert.match(twice.out, /FAULT load-\d+-0: observer 0 got 9 after 9\n/);
  assert.equal(twice.code, 1);
  const skipped = await lying(t, {deliver: (m) => (m.seq === 9 ? [] : [m])});
  assert.match(skipped.out, /FAULT load-\d+-0: observer 0 got 10 after 8\n/);
  let left = 1;
  const early = await lying(t, {keep: (seq) => seq !== 9 || left-- === 0});
  assert.match(early.out, /FAULT load-\d+-0: 9 is both load-0's \S+ and load-0's \S+\n/);
});

test('without a server, or without a chat, it says so', async (t) => {
  const nobody = await load(['--patience', '1', 'ws://127.0.0.1:1/ws']);
  assert.equal(nobody.code, 1);
  assert.equal(nobody.err, 'chat_load: waited in vain for all users to join\n');
  const echo = new WebSocketServer({port: 0, host: '127.0.0.1'});
  await once(echo, 'listening');
  t.after(() => echo.close());
  echo.on('connection', (client) => client.on('message', () => client.send('hello')));
  const other = await load([`ws://127.0.0.1:${echo.address().port}`]);
  assert.equal(other.code, 1);
  assert.equal(other.err, "chat_load: this is not the chat's protocol: hello\n");
  for (const [url, sentence] of [
    ['http://x/', "it needs a URL such as ws://127.0.0.1:8080/ws, not 'http://x/'"],
    ['ws://127.0.0.1:1/,', "it needs a URL such as ws://127.0.0.1:8080/ws, not ''"],
  ]) assert.deepEqual(await load([url]), {code: 2, signal: null, out: '', err: `chat_load: ${sentence}\n`});
});
