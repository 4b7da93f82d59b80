// SPDX-License-Identifier: BSL-1.0
// kill -9 of chat_server during traffic; and planted bugs, which the checker must find.
import assert from 'node:assert/strict';
import path from 'node:path';
import {test} from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';
import WebSocket, {WebSocketServer} from 'ws';

import {folder, startChat, unlimited} from './support/program.mjs';
import {RoughNetwork} from './support/rough.mjs';
import {assertKept, check, dice, talkThrough} from './support/traffic.mjs';

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
const kills = Number(process.env.KILLS ?? 5);

const start = (t, where, port) => startChat(t, where, port, unlimited);

test(`kill -9 of the server: what was acknowledged is stored, and all is delivered once (seed ${seed})`, async (t) => {
  const where = `sqlite:${path.join(folder(t), 'chat.db')}`;
  let server = await start(t, where);
  const {port} = server;
  const talk = await talkThrough({
    url: `ws://127.0.0.1:${port}/ws`, seed, times: kills,
    fault: async () => {
      await server.end('SIGKILL');
      server = await start(t, where, port);
    },
  });
  assertKept(t, talk);
  assert.ok(talk.acked >= 50 * kills, `${talk.acked}`);
});

test(`the server stands still for longer than its clients wait (seed ${seed})`, async (t) => {
  const server = await start(t, `sqlite:${path.join(folder(t), 'chat.db')}`);
  const talk = await talkThrough({
    url: `ws://127.0.0.1:${server.port}/ws`, seed, times: kills, patience: 500,
    fault: async () => {
      server.child.kill('SIGSTOP');
      await sleep(1200);
      server.child.kill('SIGCONT');
    },
  });
  assertKept(t, talk);
  assert.ok(talk.givenUp >= kills, `${talk.givenUp}`);
});

test(`a network that delays, slices and resets connections (seed ${seed})`, async (t) => {
  const server = await start(t, `sqlite:${path.join(folder(t), 'chat.db')}`);
  const network = await RoughNetwork.start(t, {port: server.port, roll: dice(seed + 1)});
  const talk = await talkThrough({
    url: `ws://127.0.0.1:${network.port}/ws`, truth: `ws://127.0.0.1:${server.port}/ws`,
    seed, times: kills, fault: async (i, roll) => network.reset(roll),
  });
  assertKept(t, talk);
  assert.ok(network.resets > 0);
});

/// Stands between the speakers and the server, and lies once: `lie(message, to)` gives what is sent instead.
async function lying(t, {down = (m) => [m], up = (m) => [m]}) {
  const server = await start(t, 'memory:');
  const proxy = new WebSocketServer({port: 0});
  t.after(() => {
    for (const client of proxy.clients) client.terminate();
    proxy.close();
  });
  proxy.on('connection', (client) => {
    const real = new WebSocket(`ws://127.0.0.1:${server.port}/ws`);
    const early = [];
    const pass = (data) => {
      const answer = (m) => client.send(JSON.stringify(m));
      for (const m of up(JSON.parse(data), answer)) real.send(JSON.stringify(m));
    };
    client.on('message', (data) => (real.readyState === WebSocket.OPEN ? pass(data) : early.push(data)));
    real.on('open', () => early.forEach(pass));
    real.on('message', (data) => {
      for (const m of down(JSON.parse(data))) client.send(JSON.stringify(m));
    });
    client.on('close', () => real.terminate());
    real.on('close', () => client.terminate());
    for (const each of [client, real]) each.on('error', () => {});
  });
  return talkThrough({url: `ws://127.0.0.1:${proxy.address().port}/ws`, seed, times: 1, fault: async () => {}});
}

/// Does `what` to the 30th message of a kind, and lets all others pass.
function once30(is, what) {
  let count = 0;
  return (m, ...rest) => (is(m) && ++count === 30 ? what(m, ...rest) : [m]);
}

test('the checker finds nothing where there is nothing', async (t) => {
  assert.deepEqual((await lying(t, {})).wrong, []);
});

test('the checker finds an ack of what was never committed', async (t) => {
  const {wrong} = await lying(t, {up: once30((m) => m.type === 'message', (m, answer) => {
    answer({type: 'ack', channel: m.channel, id: m.id, seq: 30, time: 0});
    return [];
  })});
  assert.match(wrong.join('\n'), /is acknowledged as 30 and stored as undefined/);
});

test('the checker finds a message that one client did not get', async (t) => {
  const {wrong} = await lying(t, {down: once30((m) => m.type === 'message', () => [])});
  assert.match(wrong.join('\n'), /user\d got \d+ after \d+/);
  assert.match(wrong.join('\n'), /user\d got \d+ of \d+/);
});

test('the checker finds a number that was left out, and a message that was stored twice', () => {
  const m = (seq, id) => ({user: 'u', id, text: 't', seq});
  assert.deepEqual(check([m(1, 'a'), m(2, 'b')], []), []);
  assert.deepEqual(check([m(1, 'a'), m(3, 'b')], []), ['stored number 2 is 3']);
  assert.deepEqual(check([m(1, 'a'), m(2, 'a')], []), ['u a is stored twice']);
});

test('the checker finds a message that was delivered twice', async (t) => {
  const {wrong} = await lying(t, {down: once30((m) => m.type === 'message', (m) => [m, m])});
  assert.match(wrong.join('\n'), /user\d got (\d+) after \1/);
});
