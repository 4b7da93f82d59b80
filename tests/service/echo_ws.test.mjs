// SPDX-License-Identifier: BSL-1.0
// echo_server and poll_echo with the ws client of npm, and with bytes that no client sends.
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import net from 'node:net';
import path from 'node:path';
import {test} from 'node:test';
import WebSocket from 'ws';

import {binaries, folder, Server} from './support/program.mjs';
import {frame, frames, RawSocket} from './support/raw.mjs';

async function startEcho(t, ...args) {
  const server = await Server.start('echo_server', ['--port', '0', ...args]);
  t.after(() => server.end('SIGKILL'));
  return server;
}

async function open(port, {onAnswer, ...options} = {}) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`, {maxPayload: 0, ...options});
  if (onAnswer) socket.once('upgrade', (answer) => onAnswer(answer.headers));
  socket.closed = once(socket, 'close').then(([code, reason]) => ({code, reason: String(reason)}));
  await once(socket, 'open');
  return socket;
}

async function echo(socket, data, options) {
  const answer = once(socket, 'message');
  socket.send(data, options);
  const [got, isBinary] = await answer;
  return {got, isBinary};
}

async function close(socket, code, reason) {
  socket.close(code, reason);
  return socket.closed;
}

const pattern = (size) => Buffer.from(Array.from({length: size}, (_, i) => 97 + (i * 7 + (i >> 8)) % 26));

async function echoesEverything(port, options) {
  const socket = await open(port, options);
  for (const size of [0, 1, 125, 126, 127, 65535, 65536, 262144, 1048576]) {
    const data = pattern(size);
    const text = await echo(socket, String(data));
    assert.equal(text.isBinary, false);
    assert.ok(text.got.equals(data), `text of ${size} bytes`);
    const binary = await echo(socket, data);
    assert.equal(binary.isBinary, true);
    assert.ok(binary.got.equals(data), `binary of ${size} bytes`);
  }
  const text = 'Ünïcödé \u{1F600} \u0000 end';
  assert.equal(String((await echo(socket, text)).got), text);
  assert.deepEqual(await close(socket, 1000, 'done'), {code: 1000, reason: ''});
}

test('messages of all sizes come back as they were, from ws', async (t) => {
  await echoesEverything((await startEcho(t)).port);
});

test('compressed messages of all sizes come back as they were, with what ws and the server agree on', async (t) => {
  const server = await startEcho(t, '--deflate', '--window-bits', '12');
  for (const [offer, agreed] of [
    [{}, 'server_max_window_bits=12; client_max_window_bits=12'],
    [{serverMaxWindowBits: 9, clientMaxWindowBits: 10}, 'server_max_window_bits=9; client_max_window_bits=10'],
    [{serverMaxWindowBits: 8, clientMaxWindowBits: 9}, 'server_max_window_bits=8; client_max_window_bits=9'],
    [{serverNoContextTakeover: true, clientNoContextTakeover: true},
      'server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12; client_max_window_bits=12'],
  ]) {
    const answers = [];
    await echoesEverything(server.port, {
      perMessageDeflate: {threshold: 0, ...offer},
      onAnswer: (headers) => answers.push(headers['sec-websocket-extensions']),
    });
    assert.deepEqual(answers, [`permessage-deflate; ${agreed}`]);
  }
});

test('without --deflate nothing is compressed, whatever ws offers', async (t) => {
  const socket = await open((await startEcho(t)).port, {perMessageDeflate: true});
  assert.equal(socket.extensions, '');
  assert.deepEqual(await close(socket, 1000), {code: 1000, reason: ''});
});

// Each loop that this system has; one whose library is missing is a failure, as the tests install it.
const loops = process.platform === 'linux' ? ['epoll', 'uring', 'asio', 'libuv'] : ['kqueue', 'asio', 'libuv'];
for (const loop of loops) test(`three threads serve many clients, on ${loop}`, async (t) => {
  const {port} = await startEcho(t, '--threads', '3', '--loop', loop);
  await echoesEverything(port);
  const sockets = await Promise.all(Array.from({length: 60}, () => open(port)));
  for (let round = 0; round < 20; ++round) {
    const got = await Promise.all(sockets.map((socket, i) => echo(socket, `${i} ${round}`)));
    got.forEach(({got}, i) => assert.equal(String(got), `${i} ${round}`));
  }
  await Promise.all(sockets.map((socket) => close(socket, 1000)));
});

test('a local socket serves ws, on every loop', async (t) => {
  const place = folder(t);
  for (const loop of loops) {
    const file = path.join(place, loop);
    await startEcho(t, '--unix', file, '--threads', '2', '--loop', loop);
    const socket = new WebSocket(`ws+unix://${file}:/`);
    await once(socket, 'open');
    assert.equal(String((await echo(socket, 'hello')).got), 'hello');
    await close(socket, 1000);
  }
});

test('a client that is silent for --idle-timeout is gone, and one that answers pings is not', async (t) => {
  const {port} = await startEcho(t, '--idle-timeout', '1');
  const alive = await open(port);
  const silent = await open(port, {autoPong: false});
  const [code] = await once(silent, 'close');
  assert.notEqual(code, 1000);
  assert.equal(String((await echo(alive, 'still here')).got), 'still here');
  await close(alive, 1000);
});

test('fragments become one message, with a ping between them', async (t) => {
  const socket = await open((await startEcho(t)).port);
  const answer = once(socket, 'message');
  socket.send('one ', {fin: false});
  socket.send('', {fin: false});
  const pong = once(socket, 'pong');
  socket.ping('between');
  socket.send('two ', {fin: false});
  socket.send('three', {fin: true});
  assert.equal(String((await pong)[0]), 'between');
  assert.equal(String((await answer)[0]), 'one two three');
  await close(socket);
});

test('a thousand messages at once keep their order', async (t) => {
  const socket = await open((await startEcho(t)).port);
  const got = [];
  const all = new Promise((done) => socket.on('message', (data) => got.push(String(data)) === 1000 && done()));
  for (let i = 0; i < 1000; ++i) socket.send(`${i} ${'x'.repeat(i)}`);
  await all;
  assert.deepEqual(got, Array.from({length: 1000}, (_, i) => `${i} ${'x'.repeat(i)}`));
  await close(socket);
});

test('ws may offer compression and subprotocols: none is agreed on', async (t) => {
  const {port} = await startEcho(t);
  const socket = await open(port, {perMessageDeflate: true});
  assert.equal(socket.extensions, '');
  assert.equal(String((await echo(socket, 'x'.repeat(5000))).got), 'x'.repeat(5000));
  await close(socket);
});

test('close codes are answered with the same code', async (t) => {
  const {port} = await startEcho(t);
  for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]) {
    const raw = await RawSocket.open(port);
    raw.write(frame(0x88, Buffer.from([code >> 8, code & 255, ...Buffer.from('why')])));
    assert.equal(await raw.closeCode(), code);
  }
  assert.deepEqual(await close(await open(port), 4999, 'r'.repeat(123)), {code: 4999, reason: ''});
  assert.deepEqual(await close(await open(port)), {code: 1005, reason: ''});
});

test('what breaks the protocol is answered with 1002, 1007 or 1009, and others go on', async (t) => {
  const {port} = await startEcho(t);
  const other = await open(port);
  const hex = (text) => Buffer.from(text.replaceAll(' ', ''), 'hex');
  const cases = [
    ['unmasked', frame(0x81, 'hello', {masked: false}), 1002],
    ['a reserved bit', frame(0xC1, 'hello'), 1002],
    ['an unknown opcode', frame(0x83, ''), 1002],
    ['a continuation of nothing', frame(0x80, ''), 1002],
    ['a fragmented ping', frame(0x09, ''), 1002],
    ['a ping of 126 bytes', frame(0x89, 'p'.repeat(126)), 1002],
    ['a length of 2^63', hex('82FF 8000000000000000 00000000'), 1002],
    ['text that is not UTF-8', frame(0x81, hex('C080')), 1007],
    ['text cut inside a character', frame(0x81, hex('E282')), 1007],
    ['a close code that is none', frame(0x88, hex('03E7')), 1002],
    ['a close reason that is not UTF-8', frame(0x88, hex('03E8FF')), 1007],
    ['a message over the limit', hex('82FF 0000000000100001 00000000 00'), 1009],
    ['a frame that promises 2^40 bytes', hex('82FF 0000010000000000 00000000'), 1009],
  ];
  for (const [name, bytes, code] of cases) {
    const raw = await RawSocket.open(port);
    raw.write(frame(0x81, 'before'), bytes, frame(0x81, 'after'));
    const got = frames(await raw.ended);
    assert.deepEqual(got.map((f) => f.first), [0x81, 0x88], name);
    assert.equal(got[1].payload.readUInt16BE(0), code, name);
    assert.equal(String((await echo(other, name)).got), name);
  }
  await close(other);
});

test('--message-max sets the largest message', async (t) => {
  const {port} = await startEcho(t, '--message-max', '10');
  const socket = await open(port);
  assert.equal(String((await echo(socket, '0123456789')).got), '0123456789');
  socket.send('0123456789a');
  assert.equal((await socket.closed).code, 1009);
});

test('plain requests are refused politely', async (t) => {
  const {port} = await startEcho(t);
  const answer = await fetch(`http://127.0.0.1:${port}/any`);
  assert.equal(answer.status, 426);
  assert.equal(answer.headers.get('upgrade'), 'websocket');
  const raw = await RawSocket.connect(port);
  raw.write('GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.equal(String(await raw.ended).match(/HTTP\/1.1 /g).length, 1);
});

test('poll_echo, a loop of its own over the core, talks to ws too', async (t) => {
  const probe = net.createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const {port} = probe.address();
  probe.close();
  await once(probe, 'close');
  const child = spawn(path.join(binaries, 'poll_echo'), [String(port)], {stdio: 'inherit'});
  t.after(() => child.kill('SIGKILL'));
  for (let tries = 0; ; ++tries) {
    try {
      (await RawSocket.connect(port)).drop();
      break;
    } catch (error) {
      if (tries === 100) throw error;
      await new Promise((done) => setTimeout(done, 50));
    }
  }
  await echoesEverything(port);
  const raw = await RawSocket.open(port);
  raw.write(frame(0x81, Buffer.from([0xFF])));
  assert.equal(await raw.closeCode(), 1007);
  const vanishing = await RawSocket.open(port);
  vanishing.write(frame(0x82, Buffer.alloc(1000000)));
  vanishing.drop();
  await echoesEverything(port);
  assert.equal(child.exitCode, null);
});

test('chat_tiny shows its page and passes messages on', async (t) => {
  const child = spawn(path.join(binaries, 'chat_tiny'), ['0'], {stdio: ['ignore', 'pipe', 'inherit']});
  t.after(() => child.kill('SIGKILL'));
  const ready = await once(child.stdout, 'data');
  const port = Number(String(ready[0]).match(/:(\d+)/)[1]);
  const page = await fetch(`http://127.0.0.1:${port}/`);
  assert.match(page.headers.get('content-type'), /^text\/html/);
  assert.match(await page.text(), /<title>tiny chat/);
  const talk = async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`);
    socket.lines = [];
    socket.on('message', (data) => socket.lines.push(String(data)));
    socket.until = async (pattern) => {
      while (!socket.lines.some((line) => pattern.test(line))) await once(socket, 'message');
    };
    await once(socket, 'open');
    return socket;
  };
  const [alice, bob] = [await talk(), await talk()];
  await bob.until(/is here/);
  alice.send('Hello!');
  await Promise.all([alice.until(/^guest \d+: Hello!$/), bob.until(/^guest \d+: Hello!$/)]);
  alice.close();
  await bob.until(/has left/);
  bob.close();
});
