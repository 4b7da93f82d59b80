// SPDX-License-Identifier: BSL-1.0
// echo_server and echo_client as programs: command lines, pipes, signals, descriptors.
import assert from 'node:assert/strict';
import {spawn, spawnSync} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, openSync, readFileSync, writeFileSync} from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import {test} from 'node:test';
import WebSocket from 'ws';

import {binaries, folder, run, Server} from './support/program.mjs';
import {frame, RawSocket} from './support/raw.mjs';

// Freed memory is not to be counted as memory when a sanitizer keeps it.
const env = {...process.env, ASAN_OPTIONS: `${process.env.ASAN_OPTIONS ?? ''}:quarantine_size_mb=1`};

async function startEcho(t, ...args) {
  const server = await Server.start('echo_server', ['--port', '0', ...args], {env});
  t.after(() => server.end('SIGKILL'));
  return server;
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const oneSentence = (program) => new RegExp(`^${program}: [^\\n]+\\n$`);

test('echo_server refuses bad command lines with status 2 and one sentence', async () => {
  for (const args of [['--prot', '1'], ['--port'], ['--port', ''], ['--port', 'http'], ['--port', '-1'],
                      ['--port', '65536'], ['--port', '80 '], ['--port', '0x50'], ['--port=99999999999999999999'],
                      ['--threads', '0'], ['--threads', '1025'], ['--threads', '1.5'], ['--message-max', '0'],
                      ['--deflate', '12'], ['--deflate=1'], ['--window-bits', '7'], ['--window-bits', '16'],
                      ['--loop', 'select'], ['--loop', ''], ['--loop', 'epoll|uring'], ['--loop'], ['--pin=no'],
                      ['--handshake-timeout', '0'], ['--idle-timeout', '0'], ['--unix', ''],
                      ['--host', ''], ['--host='], ['9001'], ['-p', '1'], ['--'], ['--port', '0', 'more']]) {
    const {code, out, err} = await run('echo_server', args);
    assert.equal(code, 2, args.join(' '));
    assert.match(err, oneSentence('echo_server'), args.join(' '));
    assert.equal(out, '', args.join(' '));
  }
  const {err} = await run('echo_server', ['--port', '70000']);
  assert.match(err, /--port needs a number from 0 to 65535, not '70000'/);
});

test('--help explains every flag, and is no error', async () => {
  const {code, out, err} = await run('echo_server', ['--help']);
  assert.equal(code, 0);
  assert.equal(err, '');
  for (const flag of ['--host', '--port', '--unix', '--loop', '--threads', '--pin', '--message-max', '--deflate',
                      '--window-bits', '--handshake-timeout', '--idle-timeout'])
    assert.ok(out.includes(`\n  ${flag} `), flag);
  assert.equal((await run('echo_client', ['-h'])).code, 0);
});

test('a port in use, and a host that is not ours, end with status 1 and say how to choose another', async (t) => {
  const {port} = await startEcho(t);
  for (const threads of ['1', '3']) {
    const {code, out, err} = await run('echo_server', ['--port', String(port), '--threads', threads]);
    assert.equal(code, 1);
    assert.equal(out, '');
    assert.match(err, oneSentence('echo_server'));
    assert.match(err, /in use.*--port/);
  }
  const elsewhere = await run('echo_server', ['--port', '0', '--host', '192.0.2.1']);
  assert.equal(elsewhere.code, 1);
  assert.match(elsewhere.err, /192\.0\.2\.1.*--host/);
});

test('a loop that was not built in ends with status 1 and says what to do', async () => {
  const absent = process.platform === 'linux' ? 'kqueue' : 'epoll';
  const {code, out, err} = await run('echo_server', ['--port', '0', '--loop', absent]);
  assert.equal(code, 1);
  assert.equal(out, '');
  assert.match(err, oneSentence('echo_server'));
  assert.match(err, new RegExp(`'${absent}' was not built in`));
});

test('a local socket in use, and one that cannot be, end with status 1; a stale one is taken over', async (t) => {
  const place = folder(t);
  const file = path.join(place, 'echo.sock');
  const first = await startEcho(t, '--unix', file, '--pin');
  assert.equal(first.address, `unix:${file}`);
  for (const bad of [file, path.join(place, 'no/such/folder'), path.join(place, 'x'.repeat(200))]) {
    const {code, err} = await run('echo_server', ['--unix', bad]);
    assert.equal(code, 1, bad);
    assert.match(err, oneSentence('echo_server'), bad);
    assert.match(err, /--unix/, bad);
  }
  await first.end('SIGKILL');
  assert.ok(existsSync(file));
  const second = await startEcho(t, '--unix', file);
  assert.equal(await second.end(), 0);
  assert.ok(!existsSync(file));
});

test('the line "listening on HOST:PORT" is all that echo_server prints', async (t) => {
  const server = await startEcho(t, '--host=127.0.0.1', '--threads=2');
  assert.match(server.address, /^127\.0\.0\.1:\d+$/);
  const six = await startEcho(t, '--host=::1');
  assert.match(six.address, /^\[::1\]:\d+$/);
  assert.equal(await six.end(), 0);
  assert.equal(await server.end(), 0);
  assert.equal(server.err, '');
});

test('SIGTERM and SIGINT close every client with 1001 and end with status 0', async (t) => {
  for (const [signal, threads] of [['SIGTERM', '1'], ['SIGINT', '3']]) {
    const server = await startEcho(t, '--threads', threads);
    const sockets = await Promise.all(Array.from({length: 5}, async () => {
      const socket = new WebSocket(`ws://127.0.0.1:${server.port}/`);
      await once(socket, 'open');
      return socket;
    }));
    const codes = Promise.all(sockets.map((socket) => once(socket, 'close').then(([code]) => code)));
    const idle = await RawSocket.connect(server.port);
    assert.equal(await server.end(signal), 0);
    assert.deepEqual(await codes, Array(5).fill(1001));
    assert.equal((await idle.ended).length, 0);
  }
});

test('a second SIGTERM ends at once, also when it comes with the first', async (t) => {
  const server = await startEcho(t);
  const rude = await RawSocket.open(server.port);
  server.child.kill('SIGTERM');
  await rude.until(Buffer.from('880203e9', 'hex'));
  const began = Date.now();
  assert.equal(await server.end('SIGTERM'), 0);
  assert.ok(Date.now() - began < 4000, 'it waited for a client that does not answer');

  for (let i = 0; i < 10; ++i) {
    const other = await startEcho(t, '--threads', '2');
    for (let k = 0; k < 20; ++k) other.child.kill('SIGTERM');
    assert.equal(await other.end('SIGTERM'), 0, other.err);
  }
});

test('a server that runs out of descriptors rests, and accepts again when some are free', {
  skip: process.platform !== 'linux' && 'it needs prlimit and /proc',
}, async (t) => {
  const {err} = await run('echo_server', ['--help'], {env: {...process.env, ASAN_OPTIONS: 'help=1'}});
  if (err.includes('Sanitizer')) return t.skip('sanitizers need descriptors of their own');
  const server = await startEcho(t);
  const {pid} = server.child;
  assert.equal(spawnSync('prlimit', ['--pid', String(pid), '--nofile=32:32']).status, 0);
  const ticks = () => {
    const [user, system] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ').slice(11, 13);
    return Number(user) + Number(system);
  };
  const opened = [];
  const sockets = Array.from({length: 60}, () => {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/`, {handshakeTimeout: 60_000});
    socket.on('open', () => opened.push(socket));
    socket.on('error', () => {});
    return socket;
  });
  while (opened.length < 20) await pause(20);
  const before = ticks();
  await pause(1000);
  const spent = ticks() - before;
  assert.ok(opened.length < 32, `${opened.length} connections with 32 descriptors`);
  assert.ok(spent < 30, `${spent} ticks of processor time in a second of waiting`);
  const first = [...opened];
  for (const socket of first) socket.close();
  for (let i = 0; i < 300 && opened.length < first.length + 20; ++i) await pause(20);
  assert.ok(opened.length >= first.length + 20, `only ${opened.length - first.length} of those who waited got in`);
  const late = opened.at(-1);
  const answer = once(late, 'message');
  late.send('still here');
  assert.equal(String((await answer)[0]), 'still here');
  for (const socket of sockets) socket.terminate();
});

test('echo_client prints the answers to what it is given in a pipe or a file', async (t) => {
  const server = await startEcho(t);
  const program = path.join(binaries, 'echo_client');
  const url = `ws://127.0.0.1:${server.port}/`;
  const piped = (input) => {
    const {status, stdout, stderr} = spawnSync(program, [url], {input, timeout: 20_000, maxBuffer: 1 << 27});
    return {status, out: String(stdout), err: String(stderr)};
  };
  assert.deepEqual(piped('one\ntwo\n\nthree'), {status: 0, out: 'one\ntwo\n\nthree\n', err: ''});
  assert.deepEqual(piped(''), {status: 0, out: '', err: ''});
  assert.deepEqual(piped('\n'), {status: 0, out: '\n', err: ''});
  const many = Array.from({length: 20_000}, (_, i) => `line ${i} ${'x'.repeat(i % 300)}\n`).join('');
  assert.ok(piped(many).out === many);
  const long = `${'y'.repeat(1048576)}\n`;
  assert.ok(piped(long).out === long);
  const bad = piped(Buffer.from('good\n\xFF\nagain\n', 'latin1'));
  assert.equal(bad.status, 1);
  assert.equal(bad.out, 'good\nagain\n');
  assert.match(bad.err, /UTF-8/);

  const file = path.join(folder(t), 'lines.txt');
  writeFileSync(file, many);
  const {code, out} = await run('echo_client', [url], {stdio: [openSync(file, 'r'), 'pipe', 'pipe']});
  assert.equal(code, 0);
  assert.ok(out === many);
});

test('echo_client answers line by line while its input stays open', async (t) => {
  const server = await startEcho(t);
  const child = spawn(path.join(binaries, 'echo_client'), [`ws://127.0.0.1:${server.port}/`],
                      {stdio: ['pipe', 'pipe', 'inherit']});
  t.after(() => child.kill('SIGKILL'));
  for (const line of ['one\n', 'two\n']) {
    child.stdin.write(line);
    assert.equal(String((await once(child.stdout, 'data'))[0]), line);
  }
  const ended = once(child, 'exit');
  child.stdin.end('last');
  assert.equal(String((await once(child.stdout, 'data'))[0]), 'last\n');
  assert.deepEqual(await ended, [0, null]);
});

test('echo_client says what is wrong: usage 2, the rest 1', async (t) => {
  for (const args of [[], ['http://127.0.0.1:1/'], ['wss://127.0.0.1/'], ['ws://'], ['ws://a b/'], ['ws://h:0/'],
                      ['ws://h:65536/'], ['ws://h/#part'], ['--fast', 'ws://h/'], ['ws://h/', 'ws://h/']]) {
    const {code, out, err} = await run('echo_client', args);
    assert.equal(code, 2, args.join(' '));
    assert.match(err, oneSentence('echo_client'));
    assert.equal(out, '');
  }
  const taken = net.createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const {port} = taken.address();
  taken.close();
  await once(taken, 'close');
  const nobody = await run('echo_client', [`ws://127.0.0.1:${port}/`]);
  assert.equal(nobody.code, 1);
  assert.match(nobody.err, oneSentence('echo_client'));
  assert.match(nobody.err, /is the server running/);

  const web = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n'));
  }).listen(0, '127.0.0.1');
  await once(web, 'listening');
  t.after(() => web.close());
  const refused = await run('echo_client', [`ws://127.0.0.1:${web.address().port}/`]);
  assert.equal(refused.code, 1);
  assert.match(refused.err, oneSentence('echo_client'));

  const server = await startEcho(t, '--message-max', '5');
  const {status, stderr} = spawnSync(path.join(binaries, 'echo_client'), [`ws://127.0.0.1:${server.port}/`],
                                     {input: 'too long for it\n', timeout: 20_000});
  assert.equal(status, 1);
  assert.match(String(stderr), oneSentence('echo_client'));
});

test('a client that only pings or only asks, and never reads, does not make echo_server grow', {
  skip: process.platform !== 'linux' && 'it needs /proc',
}, async (t) => {
  const server = await startEcho(t);
  const resident = () => Number(readFileSync(`/proc/${server.child.pid}/status`, 'utf8').match(/VmRSS:\s+(\d+)/)[1]);
  const before = resident();
  const pings = Buffer.concat(Array(160_000).fill(frame(0x89, 'p'.repeat(125))));
  const messages = Buffer.concat(Array(20).fill(frame(0x82, Buffer.alloc(1_000_000))));
  const deaf = [];
  for (let i = 0; i < 8; ++i) {
    const raw = await RawSocket.open(server.port);
    raw.socket.pause();
    raw.write(i % 2 === 0 ? pings : messages);
    deaf.push(raw);
  }
  await pause(1500);
  assert.ok(resident() - before < 8 * 2.5 * 1024, `grew by ${resident() - before} KiB for eight clients`);
  const other = new WebSocket(`ws://127.0.0.1:${server.port}/`);
  await once(other, 'open');
  other.send('alive');
  assert.equal(String((await once(other, 'message'))[0]), 'alive');
  for (const raw of deaf) raw.drop();
  other.terminate();
});
