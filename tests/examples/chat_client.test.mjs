// SPDX-License-Identifier: BSL-1.0
// The client that loses nothing (examples/chat/page/client.js), rule by rule: docs/chat.md.
import assert from 'node:assert/strict';
import {test} from 'node:test';

import {Client} from '../../examples/chat/page/client.js';
import {closing, fullJitter} from '../../examples/chat/page/closing.js';
import {Memory} from '../../examples/chat/page/memory.js';
import {nameFlaw, textFlaw} from '../../examples/chat/page/words.js';

import {FakeNetwork, FakeStorage, VirtualTime} from './support/virtual.mjs';

/// A client of user "ada" in "general", and everything around it.
class Stage {
  time = new VirtualTime();
  network = new FakeNetwork();
  local = new FakeStorage();
  tab = new FakeStorage();
  notices = [];
  dice = 0.5;
  changes = 0;
  #ids = 0;

  open({channels = ['general'], ...more} = {}) {
    this.client = new Client({
      url: 'ws://chat',
      user: 'ada',
      channels,
      ...this.time.env,
      changed: () => {
        ++this.changes;
      },
      notice: (text) => this.notices.push(text),
      WebSocket: this.network.WebSocket,
      network: this.network.events,
      local: new Memory(() => this.local),
      tab: new Memory(() => this.tab),
      random: () => this.dice,
      randomId: () => `id${++this.#ids}`,
      ...more,
    });
    this.client.start();
    return this;
  }

  /// Opens, and the connection comes up.
  online(options) {
    if (!this.client) this.open(options);
    this.network.last.onopen();
    return this;
  }

  /// Is online, and in "general" with messages 1 to `seq`.
  joined(seq = 0, more = false) {
    this.online();
    const from = Math.max(1, seq - 9);
    this.hear(history('e1', seq, range(from, seq), {more}));
    this.socket.sent.length = 0;
    return this;
  }

  hear(...messages) {
    for (const m of messages) this.socket.onmessage({data: JSON.stringify({channel: 'general', ...m})});
  }

  lose(code = 1006, reason = '') { this.socket.onclose({code, reason}); }

  get socket() { return this.network.last; }

  get general() { return this.client.channels.get('general'); }

  get shown() { return this.general.messages.map((m) => m.seq); }

  get own() { return this.general.outgoing.list.map((m) => `${m.text} ${m.state}`); }

  /// What was sent since this was last asked, as short words.
  get sent() {
    const word = ({type, text, before, seq}) => [type, text ?? before ?? seq ?? ''].join(' ').trim();
    return this.socket.sent.splice(0).map(word);
  }
}

const stage = () => new Stage();
const range = (from, to) => Array.from({length: Math.max(0, to - from + 1)}, (_, i) => from + i);
const message = (seq, {user = 'bob', id = `b${seq}`, text = `text ${seq}`} = {}) =>
    ({user, text, id, seq, time: 1000 + seq});
const live = (seq, more) => ({type: 'message', ...message(seq, more)});
const history = (epoch, seq, seqs, more = {}) =>
    ({type: 'history', epoch, seq, messages: seqs.map((s) => (typeof s === 'number' ? message(s) : s)), ...more});

// ---- Joining, resuming ----

test('a first join says nothing of the past, and takes the newest page', () => {
  const s = stage().online();
  assert.deepEqual(s.socket.sent, [{type: 'join', channel: 'general', user: 'ada', device: 'id1'}]);
  s.hear(history('e1', 5, [3, 4, 5], {more: true}));
  assert.deepEqual(s.shown, [3, 4, 5]);
  assert.deepEqual(s.general.position, {epoch: 'e1', seq: 5});
  assert.equal(s.general.more, true);
  assert.equal(s.general.missed, null);
  assert.equal(s.general.unread, 0);
});

test('an empty channel has a position, too', () => {
  const s = stage().joined();
  s.lose();
  s.time.pass(250);
  s.network.last.onopen();
  assert.equal(s.socket.sent[0].epoch, 'e1');
  assert.equal(s.socket.sent[0].seq, 0);
  s.hear(history('e1', 2, [1, 2], {after: 0}));
  assert.deepEqual(s.shown, [1, 2]);
  assert.deepEqual(s.general.missed, {after: 0, count: 2});
});

test('a resume appends what was missed, and counts what others said', () => {
  const s = stage().joined(3);
  s.lose();
  s.time.pass(250);
  s.online();
  const {epoch, seq, ...more} = s.socket.sent[0];
  assert.deepEqual([epoch, seq], ['e1', 3]);
  assert.deepEqual(more, {type: 'join', channel: 'general', user: 'ada', device: 'id1'});
  s.hear(history('e1', 6, [4, message(5, {user: 'ada'}), 6], {after: 3}));
  assert.deepEqual(s.shown, range(1, 6));
  assert.deepEqual(s.general.missed, {after: 3, count: 2});
  assert.equal(s.general.reloaded, false);
  s.client.say('general', 'I see');
  assert.equal(s.general.missed, null);
});

test('what was missed and not seen yet adds up; what was seen does not', () => {
  const s = stage().joined(3);
  s.dice = 0;
  const away = (...args) => {
    s.lose();
    s.time.pass(1);
    s.online();
    s.hear(history(...args));
  };
  away('e1', 5, [4, 5], {after: 3});
  away('e1', 6, [6], {after: 5});
  assert.deepEqual(s.general.missed, {after: 3, count: 3});
  s.general.markRead();
  away('e1', 8, [7, 8], {after: 6});
  assert.deepEqual(s.general.missed, {after: 6, count: 2});
  away('e1', 8, [], {after: 8});
  assert.deepEqual(s.general.missed, {after: 6, count: 2});
});

test('a reload forgets: two histories are never joined', () => {
  const s = stage().joined(3);
  s.lose();
  s.time.pass(250);
  s.online();
  s.hear({type: 'reload'});
  assert.equal(s.general.reloading, true);
  assert.deepEqual(s.shown, []);
  s.hear(history('e2', 2, [1, 2], {more: false}));
  assert.deepEqual(s.shown, [1, 2]);
  assert.deepEqual(s.general.position, {epoch: 'e2', seq: 2});
  assert.equal(s.general.reloading, false);
  assert.equal(s.general.reloaded, true);
  assert.equal(s.general.missed, null);
});

test('after a reload of the same epoch the number of missed messages is known', () => {
  const s = stage().joined(3);
  s.hear({type: 'reload'}, history('e1', 400, range(351, 400), {more: true}));
  assert.deepEqual(s.general.missed, {after: 3, count: 397});
  assert.equal(s.shown[0], 351);
});

test('a reload comes to a joined client, too; messages before its history are in it', () => {
  const s = stage().joined(3);
  s.hear({type: 'reload'}, live(4), history('e2', 9, [8, 9], {more: true}), live(10));
  assert.deepEqual(s.shown, [8, 9, 10]);
  assert.deepEqual(s.sent, []);
});

test('a reload whose history never came: the next join says nothing of the past', () => {
  const s = stage().joined(3);
  s.hear({type: 'reload'});
  s.lose();
  s.time.pass(250);
  s.online();
  assert.equal('seq' in s.socket.sent[0], false);
  s.hear(history('e1', 5, [4, 5], {more: true}));
  assert.deepEqual(s.general.missed, {after: 3, count: 2});
});

test('a message that is known is dropped; a hole is resumed', () => {
  const s = stage().joined(3);
  s.hear(live(3), live(2), live(4));
  assert.deepEqual(s.shown, [1, 2, 3, 4]);
  s.hear(live(6));
  assert.deepEqual(s.sent, ['leave', 'join 4']);
  assert.equal(s.general.joined, false);
  s.hear(live(7));  // was under way
  assert.deepEqual(s.shown, [1, 2, 3, 4]);
  s.hear(history('e1', 7, [5, 6, 7], {after: 4}), live(8));
  assert.deepEqual(s.shown, range(1, 8));
});

test('what was asked for before a hole is asked for again', () => {
  const s = stage().joined(20, true);
  s.client.say('general', 'Hello');
  s.client.older('general');
  s.hear(live(22));
  assert.deepEqual(s.own, ['Hello waiting']);
  assert.equal(s.general.loading, false);
  s.sent;
  s.hear(history('e1', 22, [21, 22], {after: 20}));
  assert.deepEqual(s.socket.sent.map((m) => m.id), ['id2']);
});

test('the answer to an older join is not taken for that to the newer one', () => {
  const s = stage().joined(3);
  s.client.leave('general');
  s.client.join('general');
  s.hear(history('e1', 4, [4], {after: 3}));
  assert.equal(s.general.joined, false);
  s.hear(history('e1', 4, [3, 4], {more: true}));
  assert.deepEqual(s.shown, [3, 4]);

  const t = stage().joined(0);
  t.client.leave('general');
  t.client.join('general');
  t.hear(history('e1', 1, [1], {after: 0}));
  assert.deepEqual(t.shown, []);
  t.hear({type: 'reload'}, history('e2', 1, [1], {more: false}));
  assert.deepEqual(t.general.position, {epoch: 'e2', seq: 1});
});

test('a history that does not say what it is after replaces what is there', () => {
  const s = stage().joined(3);
  s.hear(history('e1', 60, [59, 60], {more: true}));
  assert.deepEqual(s.shown, [59, 60]);
});

test('several channels are joined, each with its own position', () => {
  const s = stage().open({channels: ['general', 'random']}).online();
  s.hear(history('e1', 1, [1]), {...history('x9', 7, [7], {more: true}), channel: 'random'});
  s.lose();
  s.time.pass(250);
  s.online();
  assert.deepEqual(s.socket.sent.map((m) => [m.channel, m.epoch, m.seq]), [['general', 'e1', 1], ['random', 'x9', 7]]);
  s.client.leave('random');
  s.client.join('third');
  assert.deepEqual(s.socket.sent.slice(2).map((m) => `${m.type} ${m.channel}`), ['leave random', 'join third']);
  s.hear({...live(8), channel: 'random'});  // was under way
  assert.deepEqual([...s.client.channels.keys()], ['general', 'third']);
});

// ---- Sending ----

test('a message is sent, acknowledged, and comes: it is shown once', () => {
  const s = stage().joined(3);
  assert.equal(s.client.say('general', 'Hello'), '');
  assert.deepEqual(s.socket.sent.splice(0), [{type: 'message', channel: 'general', text: 'Hello', id: 'id2'}]);
  assert.deepEqual(s.own, ['Hello sent']);
  s.hear({type: 'ack', id: 'id2', seq: 5, time: 7});
  assert.deepEqual(s.own, ['Hello stored']);
  assert.equal(s.general.seq, 3);  // an ack tells nothing about the messages before it
  s.hear(live(4), live(5, {user: 'ada', id: 'id2', text: 'Hello'}));
  assert.deepEqual(s.own, []);
  assert.deepEqual(s.shown, [1, 2, 3, 4, 5]);
  assert.equal(s.general.unread, 1);
});

test('the message itself is as good as its ack', () => {
  const s = stage().joined(3);
  s.client.say('general', 'Hello');
  s.hear(live(4, {user: 'bob', id: 'id2'}));  // an id of somebody else
  assert.deepEqual(s.own, ['Hello sent']);
  s.hear(live(5, {user: 'ada', id: 'id2'}));
  assert.deepEqual(s.own, []);
});

test('without an ack it is sent again with the same id, in the same order', () => {
  const s = stage().joined(3);
  for (const text of ['one', 'two', 'three']) s.client.say('general', text);
  s.hear({type: 'ack', id: 'id2', seq: 4, time: 7});
  s.lose();
  s.client.say('general', 'four');
  assert.deepEqual(s.own, ['one stored', 'two waiting', 'three waiting', 'four waiting']);
  s.time.pass(250);
  s.online();
  assert.deepEqual(s.sent, ['join 3']);  // nothing before the history is here
  s.hear(history('e1', 5, [message(4, {user: 'ada', id: 'id2'}), message(5, {user: 'ada', id: 'id3'})], {after: 3}));
  assert.deepEqual(s.socket.sent.map((m) => `${m.text} ${m.id}`), ['three id4', 'four id5']);
  assert.deepEqual(s.own, ['three sent', 'four sent']);
  assert.equal(s.general.missed, null);
});

test('what was acknowledged, and then lost with the history, is not waited for', () => {
  const s = stage().joined(50);
  s.client.say('general', 'Hello');
  s.hear({type: 'ack', id: 'id2', seq: 51, time: 7}, {type: 'reload'}, history('e2', 2, [1, 2], {more: false}));
  assert.deepEqual(s.own, []);
});

test('an ack of a repeat that is history already', () => {
  const s = stage().joined(3);
  s.client.say('general', 'again');
  s.hear({type: 'ack', id: 'id2', seq: 2, time: 7});
  assert.deepEqual(s.own, []);
});

test('what is written without a connection survives a reload of the page, and keeps its id', () => {
  const s = stage().joined(3);
  s.lose();
  s.client.say('general', 'from the train');
  const t = Object.assign(stage(), {local: s.local, tab: s.tab}).open();
  assert.deepEqual(t.own, ['from the train waiting']);
  t.joined(3);
  t.hear(history('e1', 3, [1, 2, 3]));
  assert.equal(t.general.outgoing.list[0].id, 'id2');
  assert.equal(t.client.device, 'id1');
  t.hear({type: 'ack', id: 'id2', seq: 4, time: 7}, live(4, {user: 'ada', id: 'id2'}));
  const u = Object.assign(stage(), {local: s.local, tab: s.tab}).open();
  assert.deepEqual(u.own, []);
});

test('what waits belongs to a user; garbled and forbidden storage is no storage', () => {
  const s = stage().open();
  s.client.say('general', 'mine');
  const other = Object.assign(stage(), {local: s.local, tab: s.tab}).open({user: 'eve'});
  assert.deepEqual(other.own, []);
  const key = [...s.tab.values.keys()][0];
  for (const garbled of ['{', '7', '{"a":1}', '[null,{"id":1},{"id":"x","text":"y"}]']) {
    s.tab.values.set(key, garbled);
    assert.deepEqual(Object.assign(stage(), {tab: s.tab}).open().own, []);
  }
  const none = new Memory(() => {
    throw new Error('forbidden');
  });
  const t = stage().open({local: none, tab: none});
  assert.equal(t.client.say('general', 'still works'), '');
});

test('what was never sent can be cancelled; what was tried cannot', () => {
  const s = stage().open();
  s.client.say('general', 'one');
  assert.equal(s.client.cancel('general', 'id2'), true);
  assert.deepEqual(s.own, []);
  assert.equal(s.tab.values.size, 0);
  s.joined(3);
  s.client.say('general', 'two');
  s.lose();
  assert.equal(s.client.cancel('general', 'id3'), false);
  const t = Object.assign(stage(), {local: s.local, tab: s.tab}).open();
  assert.equal(t.client.cancel('general', 'id3'), false);
  assert.equal(t.client.cancel('general', 'nothing'), false);
});

test('a text that the server would refuse is not taken', () => {
  const s = stage().joined(0);
  for (const text of ['', ' \n ', 'ü'.repeat(8193), '\u0001'.repeat(16_384)]) {
    assert.notEqual(s.client.say('general', text), '');
  }
  assert.notEqual(s.client.say('nowhere', 'Hello'), '');
  assert.equal(s.client.say('general', 'x'.repeat(16_384)), '');
  assert.equal(s.client.say('general', 'half \ud83d\0'), '');
  assert.deepEqual(s.socket.sent.map((m) => m.text.length), [16_384, 7]);
  assert.equal(s.socket.sent[1].text, 'half \ufffd\ufffd');
  const t = stage().open();
  for (let i = 0; i < 100; ++i) assert.equal(t.client.say('general', 'x'), '');
  assert.notEqual(t.client.say('general', 'x'), '');
});

test('no more than 16 messages are without an answer', () => {
  const s = stage().open();
  for (let i = 1; i <= 40; ++i) s.client.say('general', `m${i}`);
  s.joined(0);
  assert.equal(s.general.outgoing.in('sent').length, 16);
  s.hear({type: 'ack', id: 'id2', seq: 1, time: 7});
  assert.deepEqual(s.sent, ['message m17']);
});

// ---- Errors ----

test('store_unavailable: the same id again, after 2 to 5 seconds', () => {
  const s = stage().joined(0);
  s.client.say('general', 'one');
  s.client.say('general', 'two');
  s.hear({type: 'error', code: 'store_unavailable', message: 'later', id: 'id2'});
  s.hear({type: 'error', code: 'store_unavailable', message: 'later', id: 'id3'});
  s.client.say('general', 'three');
  s.socket.sent.length = 0;
  assert.deepEqual(s.own, ['one waiting', 'two waiting', 'three waiting']);
  s.time.pass(3499);
  assert.deepEqual(s.sent, []);
  s.time.pass(1);
  assert.deepEqual(s.socket.sent.splice(0).map((m) => m.id), ['id2']);  // one by one, until it works again
  s.hear({type: 'ack', id: 'id2', seq: 1, time: 7});
  assert.deepEqual(s.sent, ['message two', 'message three']);
});

test('rate_limited: the same id again, after the time told', () => {
  const s = stage().joined(0);
  s.client.say('general', 'one');
  s.sent;
  s.hear({type: 'error', code: 'rate_limited', message: 'slower', id: 'id2', retry_ms: 700});
  s.time.pass(699);
  assert.deepEqual(s.sent, []);
  s.time.pass(1);
  assert.deepEqual(s.sent, ['message one']);
  s.hear({type: 'error', code: 'rate_limited', message: 'slower'});  // of typing: nothing to do
  assert.deepEqual(s.own, ['one sent']);
});

test('bad_text: it has failed; it can be tried again or thrown away', () => {
  const s = stage().joined(0);
  s.client.say('general', 'one');
  s.hear({type: 'error', code: 'bad_text', message: 'too long', id: 'id2'});
  assert.deepEqual(s.own, ['one failed']);
  assert.equal(s.general.outgoing.list[0].reason, 'too long');
  const t = Object.assign(stage(), {local: s.local, tab: s.tab}).open();
  assert.deepEqual(t.own, ['one failed']);
  s.sent;
  s.client.retry('general', 'id2');
  assert.deepEqual(s.sent, ['message one']);
  s.hear({type: 'error', code: 'bad_text', message: 'too long', id: 'id2'});
  assert.equal(s.client.cancel('general', 'id2'), true);
  assert.deepEqual(s.own, []);
});

test('a join that could not be read is asked for again; one that is refused is told', () => {
  const s = stage().online();
  s.sent;
  s.hear({type: 'error', code: 'store_unavailable', message: 'later'});
  s.time.pass(3499);
  assert.deepEqual(s.sent, []);
  s.time.pass(1);
  assert.deepEqual(s.sent, ['join']);
  s.hear({type: 'error', code: 'too_many_channels', message: 'leave another first'});
  assert.deepEqual(s.notices, ['leave another first']);
  assert.equal(s.client.channels.size, 0);
});

test('already_joined and not_joined: it joins anew, and sends what it had', () => {
  const s = stage().online();
  s.sent;
  s.hear({type: 'error', code: 'already_joined', message: '?'});
  assert.deepEqual(s.sent, ['leave', 'join']);
  s.hear(history('e1', 0, []));
  s.client.say('general', 'one');
  s.client.say('general', 'two');
  s.sent;
  for (const id of ['id2', 'id3']) s.hear({type: 'error', code: 'not_joined', message: '?', id});
  assert.deepEqual(s.sent, ['join 0']);
  s.hear(history('e1', 0, [], {after: 0}));
  assert.deepEqual(s.sent, ['message one', 'message two']);
});

test('an error that came too late does no harm', () => {
  const s = stage().joined(3);
  s.client.say('general', 'Hello');
  s.hear(live(5));  // a hole
  s.hear({type: 'error', code: 'bad_text', message: 'no', id: 'id2'});
  s.hear({type: 'error', code: 'store_unavailable', message: 'later'}, history('e1', 5, [4, 5], {after: 3}));
  s.hear({type: 'error', code: 'bad_name', message: 'no', channel: 'left'});
  s.sent;
  s.time.pass(5000);
  assert.deepEqual(s.sent, []);
  assert.equal(s.client.channels.size, 1);
  assert.deepEqual(s.notices, []);
  s.hear({type: 'error', code: 'bad_json', message: 'what?', channel: undefined});
  assert.deepEqual(s.notices, ['what?']);
});

test('a message of an unknown type, or none at all, does no harm', () => {
  const s = stage().joined(3);
  s.hear({type: 'reaction', seq: 9}, {type: 'constructor'}, {type: 'toString'}, {});
  for (const data of ['{', '7', 'null', '[]', '"x"']) s.socket.onmessage({data});
  s.socket.onmessage({data: JSON.stringify({type: 'message', channel: 'nowhere', seq: 1})});
  s.hear(live(4));
  assert.deepEqual(s.shown, [1, 2, 3, 4]);
});

// ---- Coming back ----

test('the close codes: who comes back, and who stays away', () => {
  const back = [1001, 1005, 1006, 1011, 1012, 1013, 4008, 4429, 4999];
  const away = [1000, 1002, 1003, 1007, 1008, 1009];
  for (const code of [...back, ...away]) {
    const s = stage().joined(3);
    s.client.say('general', 'under way');
    s.lose(code, '10 invalid messages in a row');
    assert.equal(s.client.state, back.includes(code) ? 'waiting' : 'ended', code);
    s.time.pass(60_000);
    assert.equal(s.network.sockets.length > 1, back.includes(code), code);
    assert.deepEqual(s.own, [code === 1009 ? 'under way failed' : 'under way waiting'], code);
  }
});

test('a client that ended comes back when it is told to', () => {
  const s = stage().joined(3);
  s.lose(1008, 'no');
  assert.notEqual(s.client.reason, '');
  s.client.connect();
  assert.equal(s.client.state, 'connecting');
  assert.equal(s.client.reason, '');
});

test('4429: not before the milliseconds that the reason says', () => {
  const s = stage().joined(3);
  s.dice = 0;
  s.lose(4429, '1700');
  s.time.pass(1699);
  assert.equal(s.network.sockets.length, 1);
  s.time.pass(1);
  assert.equal(s.network.sockets.length, 2);
  assert.equal(closing(4429, 'come back in 2500 ms').wait, 2500);
  assert.equal(closing(4429, '').wait, 1000);
  assert.equal(closing(4429, '9'.repeat(30)).wait, 600_000);
  assert.equal(closing(4008, '2500').wait, 0);
});

// ---- Who we are ----

const settled = () => new Promise((done) => { setImmediate(done); });

/// Is asked for tokens: "t1", "t2", ...; the connection is up, and the first one was sent.
async function introduced(more = {}) {
  const s = stage();
  let tokens = 0;
  s.online({token: () => `t${++tokens}`, ...more});
  await settled();
  return s;
}

const auth = (s, ms) => s.socket.onmessage({data: JSON.stringify(
  {type: 'auth', user: 'ada', expires: s.time.env.time() + ms})});

test('with a token it says first who it is, and joins when the server knows', async () => {
  const s = await introduced();
  s.client.join('random');
  s.client.say('general', 'Hello');
  assert.deepEqual(s.socket.sent.splice(0), [{type: 'auth', token: 't1'}]);
  auth(s, 600_000);
  assert.deepEqual(s.socket.sent.map(({type, channel}) => [type, channel]),
    [['join', 'general'], ['join', 'random']]);
  s.hear(history('e1', 0, []));
  assert.equal(s.sent.at(-1), 'message Hello');
});

test('each connection comes with a new token, also one that comes from afar', async () => {
  const s = await introduced({token: async () => 'from afar'});
  assert.deepEqual(s.socket.sent, [{type: 'auth', token: 'from afar'}]);
  const t = await introduced();
  for (const [code, token] of [[1006, 't2'], [4401, 't3'], [4408, 't4']]) {
    t.lose(code);
    assert.equal(t.client.state, 'waiting');
    t.time.pass(2000);
    t.online();
    await settled();
    assert.deepEqual(t.socket.sent, [{type: 'auth', token}]);
  }
});

test('a token is renewed a minute before it expires, or after half of its time, and not all the time', async () => {
  for (const [lives, after] of [[600_000, 540_000], [100_000, 50_000], [4000, 5000], [-10_000, 5000]]) {
    const s = await introduced();
    auth(s, lives);
    s.hear(history('e1', 0, []));
    s.socket.sent.length = 0;
    for (let left = after - 1; left > 0; left -= 20_000) {
      s.time.pass(Math.min(left, 20_000));
      s.hear({type: 'pong'});
    }
    await settled();
    assert.deepEqual(s.sent.filter((what) => what === 'auth'), [], String(lives));
    s.time.pass(1);
    await settled();
    assert.deepEqual(s.socket.sent, [{type: 'auth', token: 't2'}], String(lives));
    s.socket.sent.length = 0;
    auth(s, 600_000);
    assert.deepEqual(s.sent, []);  // it is in its channels already
    assert.equal(s.general.joined, true);
  }
});

test('without a token where the server wants one it ends, and says why', () => {
  for (const end of [(s) => s.lose(4401), (s) => s.lose(4408),
    (s) => s.hear({type: 'error', code: 'unauthenticated', message: 'say who you are first'})]) {
    const s = stage().online();
    end(s);
    assert.equal(s.client.state, 'ended');
    assert.equal(s.client.reason, 'the server wants to know who you are');
    assert.equal(s.client.channels.size, 1);
  }
});

test('a token that is refused, or that nobody gives, is tried again with back-off', async () => {
  const refused = await introduced();
  refused.hear({type: 'error', code: 'unauthenticated', message: 'the token has expired'});
  assert.equal(refused.client.state, 'waiting');
  assert.deepEqual(refused.notices, []);
  for (const token of [() => { throw new Error('none'); }, () => Promise.reject(new Error('none')), () => null]) {
    const s = await introduced({token});
    assert.equal(s.client.state, 'waiting');
    assert.equal(s.network.sockets.length, 1);
  }
});

test('a token for a connection that is gone is not sent on the next one', async () => {
  const gives = [];
  const s = await introduced({token: () => new Promise((give) => gives.push(give))});
  s.lose();
  s.time.pass(250);
  s.online();
  await settled();
  gives[0]('old');
  await settled();
  assert.deepEqual(s.socket.sent, []);
  gives[1]('new');
  await settled();
  assert.deepEqual(s.socket.sent, [{type: 'auth', token: 'new'}]);
});

test('a token that does not come, and one that is not answered, count as a lost connection', async () => {
  for (const token of [() => new Promise(() => {}), () => 't']) {
    const s = await introduced({token});
    s.time.pass(9999);
    assert.equal(s.client.state, 'online');
    s.time.pass(1);
    assert.equal(s.client.state, 'waiting');
  }
});

test('who is removed from a channel leaves it and hears why; a request that is forbidden changes nothing', () => {
  const s = stage().joined(3);
  s.hear({type: 'error', code: 'forbidden', message: 'no', channel: undefined});
  s.hear({type: 'error', code: 'forbidden', message: 'no', channel: 'general'});
  assert.equal(s.client.channels.size, 1);
  s.hear({type: 'error', code: 'removed', message: 'you may not be here any more', channel: 'general'});
  assert.equal(s.client.channels.size, 0);
  assert.deepEqual(s.notices, ['no', 'you may not be here any more']);
});

test('back-off: a random part of 0.5 s, 1 s, 2 s, ... up to 30 s', () => {
  const tops = range(0, 8).map((tries) => fullJitter(tries, () => 1));
  assert.deepEqual(tops, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  assert.equal(fullJitter(2000, () => 0.5), 15_000);
  assert.equal(fullJitter(3, () => 0), 0);

  const s = stage().open();
  s.dice = 0.999;
  for (const top of tops) {
    const tried = s.network.sockets.length;
    s.lose();
    s.time.pass(top * 0.99);
    assert.equal(s.network.sockets.length, tried);
    s.time.pass(top * 0.01);
    assert.equal(s.network.sockets.length, tried + 1);
  }
});

test('the waits begin anew after a connection that was of use for a while, and not before', () => {
  const waits = (used) => {
    const s = stage().open();
    s.dice = 0.999;
    for (let i = 0; i < 6; ++i) {
      s.lose();
      s.time.pass(30_000);
    }
    s.joined(3);
    s.time.pass(used);
    s.lose();
    const tried = s.network.sockets.length;
    s.time.pass(500);
    return s.network.sockets.length === tried;
  };
  assert.equal(waits(4999), true);
  assert.equal(waits(5000), false);
});

test('an attempt that nobody answers is given up', () => {
  const s = stage().open();
  s.time.pass(10_000);
  assert.equal(s.client.state, 'waiting');
  assert.equal(s.network.sockets[0].closedWith, 1005);
  s.time.pass(500);
  assert.equal(s.network.sockets.length, 2);
  s.network.sockets[0].onopen();  // too late
  assert.equal(s.client.state, 'connecting');
});

test('silence is asked about, and without an answer the connection counts as dead', () => {
  const s = stage().joined(3);
  s.time.pass(20_000);
  s.hear(live(4));
  s.time.pass(24_999);
  assert.deepEqual(s.sent, []);
  s.time.pass(1);
  assert.deepEqual(s.sent, ['ping']);
  s.time.pass(9999);
  s.hear({type: 'pong'});
  s.time.pass(25_000);
  assert.deepEqual(s.sent, ['ping']);
  s.time.pass(10_000);
  assert.equal(s.client.state, 'waiting');
  assert.equal(s.network.sockets[0].closedWith, 1005);
});

test('a join, a message and a page without an answer: the connection counts as dead', () => {
  const asks = {
    join: (s) => s.client.join('second'),
    message: (s) => s.client.say('general', 'Hello'),
    page: (s) => s.client.older('general'),
  };
  for (const [name, ask] of Object.entries(asks)) {
    const s = stage().joined(20, true);
    ask(s);
    s.time.pass(9000);
    s.hear({type: 'pong'});  // it is alive, and yet
    s.time.pass(999);
    assert.equal(s.client.state, 'online', name);
    s.time.pass(1);
    assert.equal(s.client.state, 'waiting', name);
  }
});

test('the network goes and comes: it does not wait for the end of its wait', () => {
  const s = stage().joined(3);
  s.network.events.dispatchEvent(new Event('offline'));
  assert.equal(s.client.state, 'waiting');
  for (let i = 0; i < 8; ++i) {
    s.time.pass(30_000);
    s.lose();
  }
  const tried = s.network.sockets.length;
  s.network.events.dispatchEvent(new Event('online'));
  s.time.pass(250);
  assert.equal(s.network.sockets.length, tried + 1);
});

test('a client that stopped stays away, and remembers what waits', () => {
  const s = stage().joined(3);
  s.client.say('general', 'Hello');
  s.client.stop();
  assert.equal(s.socket.closedWith, 1000);
  s.socket.onmessage({data: JSON.stringify({channel: 'general', ...live(4)})});  // was under way
  s.network.events.dispatchEvent(new Event('online'));
  s.time.pass(60_000);
  assert.equal(s.network.sockets.length, 1);
  assert.deepEqual(s.shown, [1, 2, 3]);
  assert.deepEqual(Object.assign(stage(), {local: s.local, tab: s.tab}).open().own, ['Hello waiting']);
});

// ---- Pages of history ----

test('pages come before what is there, once, until there are no more', () => {
  const s = stage().joined(100, true);
  assert.equal(s.shown[0], 91);
  s.client.older('general');
  s.client.older('general');
  assert.deepEqual(s.socket.sent.splice(0), [{type: 'history', channel: 'general', before: 91, limit: 50}]);
  assert.equal(s.general.loading, true);
  s.hear(live(101), {...history('e1', undefined, range(41, 90)), before: 91, more: true});
  assert.deepEqual(s.shown, range(41, 101));
  assert.equal(s.general.loading, false);
  assert.deepEqual(s.general.position, {epoch: 'e1', seq: 101});
  s.client.older('general');
  s.hear({...history('e1', undefined, range(1, 40)), before: 41, more: false});
  s.client.older('general');
  assert.deepEqual(s.shown, range(1, 101));
  assert.deepEqual(s.sent, ['history 41'], 'there are no more');
});

test('what waits is found in a page, too', () => {
  const s = stage().joined(100, true);
  s.client.older('general');
  s.client.say('general', 'Hello');
  s.hear({...history('e1', undefined, [message(90, {user: 'ada', id: 'id2'})]), before: 91, more: true});
  assert.deepEqual(s.own, []);
});

test('a page of another history, or from another place, is dropped', () => {
  const s = stage().joined(100, true);
  s.client.older('general');
  s.hear({...history('e2', undefined, range(41, 90)), before: 91, more: true});
  s.hear({...history('e1', undefined, range(31, 80)), before: 81, more: true});
  assert.equal(s.shown[0], 91);
  s.client.older('general');
  s.hear({type: 'reload'}, history('e2', 7, [6, 7], {more: true}));
  s.hear({...history('e1', undefined, range(41, 90)), before: 91, more: true});
  assert.deepEqual(s.shown, [6, 7]);
});

test('a page that could not be read is asked for again, a little later', () => {
  const s = stage().joined(100, true);
  s.client.older('general');
  s.hear({type: 'error', code: 'store_unavailable', message: 'later'});
  assert.equal(s.general.joined, true);
  s.sent;
  s.client.older('general');
  assert.deepEqual(s.sent, []);
  s.time.pass(3500);
  s.client.older('general');
  assert.deepEqual(s.sent, ['history 91']);
});

test('memory is bounded: old messages go, and can be asked for again', () => {
  const s = stage().joined(0);
  for (let seq = 1; seq <= 600; ++seq) s.hear(live(seq));
  assert.deepEqual(s.shown, range(101, 600));
  assert.equal(s.general.more, true);
  s.client.older('general');
  s.hear({...history('e1', undefined, range(51, 100)), before: 101, more: true}, live(601));
  assert.deepEqual(s.shown, range(52, 601));
  s.general.releasePages();
  assert.deepEqual(s.shown, range(102, 601));
});

// ---- Who is here, who types, what is read ----

test('presence and typing', () => {
  const s = stage().joined(3);
  s.hear({type: 'presence', users: ['ada', 'bob'], count: 240});
  assert.deepEqual(s.general.users, ['ada', 'bob']);
  assert.equal(s.general.count, 240);
  s.hear({type: 'typing', user: 'bob'}, {type: 'typing', user: 'ada'}, {type: 'typing', user: 'eve'});
  assert.deepEqual(s.general.typists, ['bob', 'eve']);
  s.hear(live(4));  // what bob typed
  assert.deepEqual(s.general.typists, ['eve']);
  const {changes} = s;
  s.time.pass(5000);
  assert.deepEqual(s.general.typists, []);
  assert.ok(s.changes > changes);
  for (let i = 0; i < 1000; ++i) s.hear({type: 'typing', user: `user ${i}`});
  assert.equal(s.general.typists.length, 50);
});

test('typing is told every 3 seconds at most, and again after a message', () => {
  const s = stage().joined(3);
  for (let i = 0; i < 10; ++i) {
    s.client.typing('general');
    s.time.pass(500);
  }
  assert.deepEqual(s.sent, ['typing', 'typing']);
  s.client.say('general', 'Hello');
  s.client.typing('general');
  assert.deepEqual(s.sent, ['message Hello', 'typing']);
  s.lose();
  s.client.typing('general');
  s.client.typing('nowhere');
});

test('unread is what others said behind the place that was read; it survives a reload of the page', () => {
  const s = stage().joined(3);
  s.hear(live(4), live(5, {user: 'ada'}), live(6));
  assert.equal(s.general.unread, 2);
  s.general.markRead();
  assert.equal(s.general.unread, 0);
  const t = Object.assign(stage(), {local: s.local, tab: s.tab}).open();
  t.online();
  t.hear(history('e1', 80, range(31, 80), {more: true}));
  assert.equal(t.general.unread, 74);
  assert.deepEqual(t.general.missed, {after: 6, count: 74});
  const u = Object.assign(stage(), {local: s.local, tab: s.tab}).open();
  u.online();
  u.hear(history('e2', 80, range(31, 80), {more: true}));  // nobody knows what of it was read
  assert.equal(u.general.unread, 50);
  assert.equal(u.general.missed, null);
});

// ---- Words ----

test('names and texts: what the server would refuse', () => {
  for (const name of ['ada', 'Ä 1', '👩‍💻', 'x'.repeat(64)]) assert.equal(nameFlaw('a name', name), '', name);
  const deceptive = [...'\n\u0007\u202e\u2066\u200b\ufeff\u00ad\u061c\u2028'].map((c) => `a${c}b`);
  const flawed = ['', 'x'.repeat(65), ...deceptive];
  for (const name of flawed) assert.notEqual(nameFlaw('a name', name), '', JSON.stringify(name));
  assert.equal(textFlaw('\u202e anything else is a text'), '');
});
