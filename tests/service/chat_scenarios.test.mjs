// SPDX-License-Identifier: BSL-1.0
// What the chat does, in each of its formats, on each of its stores.
import assert from 'node:assert/strict';
import {after, before, describe, test} from 'node:test';
import path from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import WebSocket from 'ws';

import {Client} from './support/client.mjs';
import {formats, Mux} from './support/formats.mjs';
import {Postgres} from './support/postgres.mjs';
import {folder, startChat, unlimited} from './support/program.mjs';
import {assertKept, talkThrough} from './support/traffic.mjs';

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);

/// Ends what a group of tests has started.
class Endings {
  #all = [];
  after(end) { this.#all.push(end); }
  async end() { for (const end of this.#all.reverse()) await end(); }
}

const stores = {
  memory: async () => 'memory:',
  sqlite: async (t) => `sqlite:${path.join(folder(t), 'chat.db')}`,
  postgres: async (t) => (await Postgres.start(t)).url,
};

for (const [store, place] of Object.entries(stores)) {
  describe(store, () => {
    const endings = new Endings();
    let server;
    before(async () => { server = await startChat(endings, await place(endings), 0, unlimited); });
    after(() => endings.end());
    for (const format of Object.keys(formats)) scenarios(format, () => server);
  });
}

function scenarios(format, serverNow) {
  const open = () => Client.open(serverNow(), {format});
  const channel = (name) => `${name} in ${format}`;

  test(`${format}: the subprotocol that is asked for is the one that is spoken`, async () => {
    assert.equal((await open()).socket.protocol, format);
  });

  test(`${format}: join, presence, message, ack, repeat, leave`, async () => {
    const general = channel('general');
    const [alice, bob] = [await open(), await open()];
    const {epoch, ...first} = await alice.join(general, 'alice', 'd1');
    assert.deepEqual(first, {type: 'history', channel: general, seq: 0, more: false, messages: []});
    assert.ok(epoch);
    await bob.join(general, 'bob');
    assert.deepEqual(await bob.next('presence'),
                     {type: 'presence', channel: general, users: ['alice', 'bob'], count: 2});
    alice.say(general, 'Grüße 👋', 'a1');
    const {time, ...ack} = await alice.next('ack');
    assert.deepEqual(ack, {type: 'ack', channel: general, id: 'a1', seq: 1});
    assert.ok(Math.abs(time - Date.now()) < 60_000);
    assert.deepEqual(await bob.next('message'),
                     {type: 'message', channel: general, user: 'alice', text: 'Grüße 👋', id: 'a1', seq: 1, time});
    alice.say(general, 'Grüße 👋', 'a1');
    assert.equal((await alice.next('ack')).seq, 1);
    bob.say(general, 'Hi!');
    assert.equal((await bob.next('message')).seq, 2);  // and no second one of alice
    bob.send({type: 'leave', channel: general});
    await alice.next('presence');
    alice.say(general, 'alone', 'a2');
    assert.equal((await alice.next('ack')).seq, 3);
    assert.deepEqual((await bob.join(general, 'bob')).messages.map((m) => m.seq), [1, 2, 3]);
  });

  test(`${format}: what was missed, in order, once; a reload; older pages; typing; ping`, async () => {
    const general = channel('resuming');
    const [alice, bob] = [await open(), await open()];
    const {epoch, seq} = await bob.join(general, 'bob');
    assert.equal(seq, 0);
    bob.socket.terminate();
    await alice.join(general, 'alice');
    for (let i = 1; i <= 60; ++i) alice.say(general, `m${i}`, `${i}`);
    for (let i = 1; i <= 60; ++i) await alice.next('ack');

    const back = await open();
    back.send({type: 'join', channel: general, user: 'bob', epoch, seq: 58});
    const {messages, ...missed} = await back.next('history');
    assert.deepEqual(missed, {type: 'history', channel: general, epoch, after: 58, seq: 60});
    assert.deepEqual(messages.map((m) => m.text), ['m59', 'm60']);
    alice.say(general, 'live', 'live');
    assert.equal((await back.next('message')).seq, 61);

    const fresh = await open();
    const newest = await fresh.join(general, 'carol');
    assert.deepEqual([newest.more, newest.seq, newest.messages[0].seq, newest.messages.length], [true, 61, 12, 50]);
    fresh.send({type: 'history', channel: general, before: 12, limit: 100});
    const oldest = await fresh.next('history');
    assert.deepEqual([oldest.before, oldest.more, oldest.messages.length], [12, false, 11]);

    const lost = await open();
    lost.send({type: 'join', channel: general, user: 'dave', epoch: 'another', seq: 3});
    assert.deepEqual(await lost.next('reload'), {type: 'reload', channel: general});
    assert.equal((await lost.next('history')).messages.length, 50);

    alice.send({type: 'typing', channel: general});
    assert.deepEqual(await back.next('typing'), {type: 'typing', channel: general, user: 'alice'});
    back.send({type: 'ping'});
    assert.deepEqual(await back.next('pong'), {type: 'pong'});
  });

  test(`${format}: several channels over one connection do not mix`, async () => {
    const [alice, bob] = [await open(), await open()];
    const [one, two] = [channel('one'), channel('two')];
    for (const where of [one, two]) await alice.join(where, 'alice');
    await bob.join(two, 'bob');
    alice.say(one, 'to one', 'a');
    alice.say(two, 'to two', 'b');
    assert.deepEqual((await bob.next('message')).text, 'to two');
    const got = [await alice.next('message'), await alice.next('message')];
    assert.deepEqual(new Set(got.map((m) => `${m.channel}: ${m.text}`)),
                     new Set([`${one}: to one`, `${two}: to two`]));
  });

  test(`${format}: bad input gets an error answer and the connection stays, until there are 10 in a row`, async () => {
    const general = channel('errors');
    const alice = await open();
    const expect = async (what, code) => {
      alice.send(what);
      const error = await alice.next('error');
      assert.equal(error.code, code, error.message);
      assert.ok(error.message.length > 0);
    };
    await expect({type: 'join', channel: general, user: ' '}, 'bad_name');
    await expect({type: 'message', channel: general, text: 'not in there'}, 'not_joined');
    await alice.join(general, 'alice');
    await expect({type: 'join', channel: general, user: 'alice'}, 'already_joined');
    await expect({type: 'message', channel: general, text: 'x'.repeat(16385)}, 'bad_text');
    await expect(format === 'chat.v1.json' ? Buffer.from('{}') : 'text', 'unsupported');
    alice.say(general, 'x'.repeat(16384), 'fits');
    assert.equal((await alice.next('ack')).seq, 1);
    const nonsense = Buffer.from('nonsense');
    for (let i = 0; i < 10; ++i) alice.send(format === 'chat.v1.json' ? 'nonsense' : nonsense);
    assert.deepEqual(await alice.closed, {code: 1008, reason: '10 invalid messages in a row'});
  });

  test(`${format}: people talk while their connections break (seed ${seed})`, async (t) => {
    const url = `ws://127.0.0.1:${serverNow().port}/ws`;
    const talk = await talkThrough({
      url, seed, times: 5, format, channel: channel('traffic'),
      fault: async (i, roll, speakers) => { for (const s of speakers) if (roll(2)) s.socket.terminate(); },
    });
    assertKept(t, talk);
  });

  if (format === 'chat.v1.mux') muxScenarios(open, channel);
}

function muxScenarios(open, channel) {
  test('chat.v1.mux: closing an id leaves its channel, and frees the id', async () => {
    const [alice, bob] = [await open(), await open()];
    const [one, two] = [channel('first'), channel('second')];
    await alice.join(one, 'alice');
    await bob.join(one, 'bob');
    await alice.next('presence');
    bob.send(Mux.control(2, 1));
    for (;;) if ((await alice.next('presence')).count === 1) break;
    alice.say(one, 'bob is gone', 'a1');
    await alice.next('ack');
    bob.speaks.opened.clear();
    await bob.join(two, 'bob');
    assert.deepEqual(bob.speaks.answers, [Mux.control(1, 1, one), Mux.control(2, 1), Mux.control(1, 1, two)]);
    assert.deepEqual(bob.taken('message'), []);
  });
}

test('an unknown subprotocol is refused, and the answer says which there are', async (t) => {
  const server = await startChat(t);
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/ws`, ['chat.v9', 'soap']);
  const {status, body} = await new Promise((done) => {
    socket.on('error', () => {});
    socket.on('unexpected-response', async (_, response) => {
      let text = '';
      for await (const piece of response) text += piece;
      done({status: response.statusCode, body: text});
    });
  });
  assert.equal(status, 400);
  assert.equal(body, 'This chat speaks the subprotocols chat.v1.json, chat.v1.mux, chat.v1.proto.\n');
});

test('who offers several subprotocols gets its first choice', async (t) => {
  const server = await startChat(t);
  for (const offered of [['chat.v9', 'chat.v1.mux', 'chat.v1.json'], ['chat.v1.proto', 'chat.v1.json']]) {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/ws`, offered);
    await new Promise((done) => socket.on('open', done));
    assert.equal(socket.protocol, offered.find((name) => name in formats));
    socket.terminate();
  }
  await sleep(0);
});
