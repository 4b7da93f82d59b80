// SPDX-License-Identifier: BSL-1.0
// Who may connect to chat_server at all: its limits of an address, and its list of origins.
import assert from 'node:assert/strict';
import {once} from 'node:events';
import {test} from 'node:test';
import WebSocket from 'ws';

import {run, startChat} from './support/program.mjs';

const start = (t, ...flags) => startChat(t, 'memory:', 0, flags);

/// Tries to connect: {status, retry}, and the socket where it may.
async function attempt(server, options = {}) {
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/ws`, options);
  socket.on('error', () => {});
  const refused = once(socket, 'unexpected-response').then(([, response]) => {
    socket.terminate();
    return {status: response.statusCode, retry: response.headers['retry-after']};
  });
  return Promise.race([refused, once(socket, 'open').then(() => ({status: 101, socket}))]);
}

const statusOf = async (...args) => (await attempt(...args)).status;
const from = (...forwarded) => ({headers: {'X-Forwarded-For': forwarded.join(', ')}});

test('one address has so many connections, and a new one when one of them has gone', async (t) => {
  const server = await start(t, '--ip-connections', '3', '--ip-rate', '0');
  const sockets = [];
  for (let i = 0; i < 3; ++i) sockets.push((await attempt(server)).socket);
  assert.deepEqual(await attempt(server), {status: 429, retry: '10'});
  assert.equal(await statusOf(server, from('198.51.100.7')), 429);  // nobody trusts whom it comes from
  assert.equal((await fetch(server.address)).status, 200);           // pages are no connections
  sockets[0].terminate();
  while (await statusOf(server) !== 101);  // as soon as the server has noticed
  assert.equal(await statusOf(server), 429);
});

test('an upgrade that fails takes no place', async (t) => {
  const server = await start(t, '--ip-connections', '1', '--ip-rate', '0');
  for (let i = 0; i < 3; ++i) assert.equal(await statusOf(server, {origin: 'http://evil.example'}), 403);
  assert.equal(await statusOf(server), 101);
  assert.equal(await statusOf(server), 429);
});

test('one address comes so often a second', async (t) => {
  const server = await start(t, '--ip-connections', '0', '--ip-rate', '1');
  for (let i = 0; i < 3; ++i) assert.equal(await statusOf(server), 101);
  const tries = await Promise.all(Array.from({length: 20}, () => attempt(server)));
  const refused = tries.filter(({status}) => status === 429);
  assert.ok(refused.length > 0);
  for (const {retry} of refused) assert.equal(retry, '1');
});

test('behind a trusted proxy each client counts for itself', async (t) => {
  const server = await start(t, '--ip-connections', '1', '--trusted-proxy', '127.0.0.0/8,10.0.0.0/8',
    '--trusted-proxy', '2001:db8::1');
  assert.equal(await statusOf(server, from('198.51.100.7')), 101);
  assert.equal(await statusOf(server, from('1.1.1.1', '198.51.100.7')), 429);  // what it says of itself does not count
  assert.equal(await statusOf(server, from('198.51.100.7', '10.0.0.1', '2001:db8::1')), 429);
  assert.equal(await statusOf(server, from('198.51.100.8')), 101);
  assert.equal(await statusOf(server), 101);  // the proxy itself
  assert.equal(await statusOf(server), 429);
});

test('pages of the listed origins connect, and no others [hazard-69] [hazard-70]', async (t) => {
  const server = await start(t, '--origin', 'https://chat.example,http://localhost:3000', '--origin', 'app://chat');
  const page = (origin) => statusOf(server, {origin, headers: {Cookie: 'session=valid'}});
  for (const origin of ['https://chat.example', 'https://chat.example:443', 'http://localhost:3000', 'app://chat'])
    assert.equal(await page(origin), 101, origin);
  for (const origin of ['http://chat.example', 'https://chat.example:444', 'https://a.chat.example', 'null',
    'https://chat.example.evil.example', 'http://localhost', `http://127.0.0.1:${server.port}`])
    assert.equal(await page(origin), 403, origin);
  assert.equal(await statusOf(server, {headers: {Cookie: 'session=valid'}}), 403);
  assert.equal(await statusOf(server), 101);  // no page, and nothing that a page could steal
});

test('a list of origins or proxies that cannot be meant: one sentence, exit status 2 [hazard-70]', async () => {
  for (const [flag, value, sentence] of [
    ['--origin', 'chat.example',
      "--origin 'chat.example' is no origin: write it as https://chat.example, without anything behind it"],
    ['--origin', 'https://a.example,https://A.example:443',
      "--origin 'https://a.example' and 'https://A.example:443' are the same"],
    ['--origin', '*,https://a.example', "--origin '*' allows all pages: do not name others beside it"],
    ['--origin', 'https://a.example,', '--origin has a value that is empty (see --help)'],
    ['--trusted-proxy', 'proxy', "--trusted-proxy: 'proxy' is no address of IPv4 or IPv6"],
    ['--trusted-proxy', '10.0.0.1/8',
      "--trusted-proxy: '10.0.0.1/8' is an address and a network at once: write the network's first address"],
  ]) assert.deepEqual(await run('chat_server', ['--store', 'memory:', flag, value]),
    {code: 2, signal: null, out: '', err: `chat_server: ${sentence}\n`});
});
