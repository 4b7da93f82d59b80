// SPDX-License-Identifier: BSL-1.0
// chat_server on a real PostgreSQL: what every store does, and faults of the server, of a connection and of PostgreSQL.
import assert from 'node:assert/strict';
import {once} from 'node:events';
import {after, before, test} from 'node:test';
import {setTimeout as sleep} from 'node:timers/promises';
import WebSocket from 'ws';

import {Postgres} from './support/postgres.mjs';
import {run, startChat, unlimited} from './support/program.mjs';
import {assertKept, talkThrough} from './support/traffic.mjs';

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
const kills = Number(process.env.KILLS ?? 5);

let pg;
const endings = [];
before(async () => { pg = await Postgres.start({after: (end) => endings.push(end)}); });
after(async () => { for (const end of endings) await end(); });

let schemas = 0;

/// A place for one test.
function place() {
  const name = `place${++schemas}`;
  pg.query(`CREATE SCHEMA ${name}`);
  return `${pg.url}&options=-csearch_path%3D${name}`;
}

const start = (t, where, port) => startChat(t, where, port, unlimited);

const chat = (server) => `ws://127.0.0.1:${server.port}/ws`;

test('it does what every store does', async () => {
  const {code, out} = await run('test_examples', ['[store]'], {
    env: {...process.env, CHAT_TEST_POSTGRES: pg.url}, timeout: 240_000,
  });
  assert.equal(code, 0, out);
  assert.match(out, /All tests passed \(\d+ assertions in [1-9]\d* test cases\)/);
});

test(`kill -9 of the server (seed ${seed})`, async (t) => {
  const where = place();
  let server = await start(t, where);
  const talk = await talkThrough({url: chat(server), seed, times: kills, fault: async () => {
    await server.end('SIGKILL');
    server = await start(t, where, server.port);
  }});
  assertKept(t, talk);
});

test(`kill -9 of one of two servers on one database (seed ${seed})`, async (t) => {
  const where = place();
  const servers = await Promise.all([start(t, where), start(t, where)]);
  const talk = await talkThrough({
    url: servers.map(chat), seed, times: kills,
    fault: async (i, roll) => {
      const one = roll(2);
      await servers[one].end('SIGKILL');
      servers[one] = await start(t, where, servers[one].port);
    },
  });
  assertKept(t, talk);
});

test(`kill -9 of a PostgreSQL backend, which ends all its connections (seed ${seed})`, async (t) => {
  const server = await start(t, place());
  const talk = await talkThrough({url: chat(server), seed, times: kills, fault: async (i, roll) => {
    const pids = pg.backends();
    process.kill(pids[roll(pids.length)], 'SIGKILL');
  }});
  assertKept(t, talk);
});

test(`a connection that is ended by the operator (seed ${seed})`, async (t) => {
  const server = await start(t, place());
  const talk = await talkThrough({url: chat(server), seed, times: kills, fault: async () => {
    pg.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'chat_server'");
  }});
  assertKept(t, talk);
});

test(`kill -9 of PostgreSQL (seed ${seed})`, async (t) => {
  const server = await start(t, place());
  const talk = await talkThrough({url: chat(server), seed, times: kills, fault: async (i, roll) => {
    await pg.end('SIGKILL');
    assert.equal((await fetch(`${server.address}/healthz`)).status, 200);
    await sleep(roll(300));
    await pg.run();
  }});
  assertKept(t, talk);
  assert.equal((await fetch(`${server.address}/readyz`)).status, 200);
  assert.match(server.err, /^chat_server: PostgreSQL does not work \(.*\): see to it/m);
});

test(`the processes of PostgreSQL stand still for longer than any patience (seed ${seed})`, async (t) => {
  const server = await start(t, place());
  const talk = await talkThrough({url: chat(server), seed, times: 1, fault: async () => {
    const still = pg.backends();
    for (const pid of still) process.kill(pid, 'SIGSTOP');
    await sleep(13_000);  // the server gives them up after 10 s
    const others = pg.backends().filter((pid) => !still.includes(pid));
    for (const pid of still) process.kill(pid, 'SIGCONT');
    assert.ok(others.length > 0);
  }});
  assertKept(t, talk);
});

/// Somebody who has joined on each of two servers on one database.
async function two(t) {
  const where = place();
  return Promise.all([0, 1].map(async (i) => {
    const server = await start(t, where);
    const socket = new WebSocket(chat(server));
    t.after(() => socket.terminate());
    const got = [];
    const joined = new Promise((done) => socket.on('message', (data) => {
      got.push(JSON.parse(data));
      if (got.at(-1).type === 'history') done();
    }));
    await once(socket, 'open');
    socket.send(JSON.stringify({type: 'join', channel: 'general', user: `u${i}`}));
    await joined;
    const seqs = (type) => got.filter((m) => m.type === type).map((m) => m.seq);
    const until = async (so) => { while (!so()) await once(socket, 'message'); };
    const say = (id) => socket.send(JSON.stringify({type: 'message', channel: 'general', text: 't', id: `${id}`}));
    return {say, until, acks: () => seqs('ack'), delivered: () => seqs('message')};
  }));
}

test('two servers on one database give no number twice', {timeout: 60_000}, async (t) => {
  const both = await two(t);
  const all = Array.from({length: 100}, (_, i) => i + 1);
  for (let i = 0; i < 50; ++i)
    for (const each of both) each.say(i);
  for (const {until, acks, delivered} of both) await until(() => acks().length === 50 && delivered().at(-1) === 100);
  assert.deepEqual(both.flatMap(({acks}) => acks()).sort((a, b) => a - b), all);
  for (const {delivered} of both) assert.deepEqual(delivered(), all);
});

test('what one server has stored reaches who only listens on another', {timeout: 60_000}, async (t) => {
  const [speaker, listener] = await two(t);
  for (let i = 1; i <= 3; ++i) {
    speaker.say(i);
    await listener.until(() => listener.delivered().length === i);
  }
  assert.deepEqual(listener.delivered(), [1, 2, 3]);
});

test('--check-config says whether PostgreSQL can be reached', async () => {
  const check = (where) => run('chat_server', ['--port', '0', '--check-config', '--store', where]);
  const good = await check(place());
  assert.equal(good.code, 0, good.err);
  assert.match(good.out, /^the store works, and .* is free\n$/);
  const bad = await check('postgres://chat@/postgres?host=/no/such/folder');
  assert.equal(bad.code, 1);
  assert.match(bad.err, /^chat_server: PostgreSQL does not work \(.*no\/such\/folder.*\): see to it[^\n]*\n$/);
  for (const where of ['postgres://[::1/db', 'postgres://host/db?no_such_option=1']) {
    const wrong = await check(where);
    assert.equal(wrong.code, 1);
    assert.match(wrong.err, /^chat_server: this is no URL of PostgreSQL \(.*\): use --store postgres:[^\n]*\n$/);
  }
});

test('tables of a newer chat_server are left alone', async () => {
  const where = place();
  pg.query(`CREATE TABLE place${schemas}.chat_version(version integer NOT NULL)`);
  pg.query(`INSERT INTO place${schemas}.chat_version VALUES (2)`);
  const {code, err} = await run('chat_server', ['--port', '0', '--check-config', '--store', where]);
  assert.equal(code, 1);
  assert.match(err, /belong to a newer chat_server/);
});
