// SPDX-License-Identifier: BSL-1.0
// People who talk through every fault, and a checker of what the chat has promised them.
import assert from 'node:assert/strict';
import {once} from 'node:events';
import {setTimeout as sleep} from 'node:timers/promises';
import WebSocket from 'ws';

import {makeFormat} from './formats.mjs';

/// Numbers from a seed, so that a failure can be repeated as far as faults can.
export function dice(seed) {
  let state = seed >>> 0 || 1;
  return (sides) => {
    state ^= state << 13, state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5, state >>>= 0;
    return state % sides;
  };
}

/// Keeps all that docs/chat.md tells a client to keep, and what the checker wants to know.
export class Speaker {
  received = [];      // in the order in which it came
  acks = new Map();   // id -> seq
  pending = new Map();  // id -> text
  flaws = [];
  givenUp = 0;  // connections

  #position = {epoch: null, seq: 0};
  #said = 0;
  #joined = false;
  #stopped = false;
  #timers = [];
  #heard = 0;

  /// Who has heard nothing for `patience` ms takes the connection for dead.
  constructor({url, user, channel, roll, format, patience = Infinity}) {
    Object.assign(this, {url, user, channel, roll, format});
    this.#connect();
    this.#timers.push(setInterval(() => {
      if (Date.now() - this.#heard < patience) return;
      ++this.givenUp;
      this.#heard = Date.now();
      this.socket.terminate();
    }, 50));
    this.#timers.push(setInterval(() => this.pending.size < 20 && this.#say(), 8 + roll(16)));
  }

  /// Says nothing new any more, but goes on until all is acknowledged.
  quiet() {
    for (const timer of this.#timers) clearInterval(timer);
  }

  stop() {
    this.#stopped = true;
    this.quiet();
    this.socket.terminate();
  }

  get seq() {
    return this.#position.seq;
  }

  #connect() {
    const socket = this.socket = new WebSocket(this.url, this.format ?? []);
    const speaks = this.speaks = makeFormat(this.format);
    this.#joined = false;
    this.#heard = Date.now();
    socket.on('error', () => {});
    socket.on('open', () => {
      const {epoch, seq} = this.#position;
      const known = epoch === null ? {} : {epoch, seq};
      this.#send({type: 'join', channel: this.channel, user: this.user, device: 'd', ...known});
    });
    socket.on('message', (data) => {
      const m = speaks.decode(data);
      this.#heard = Date.now();
      this[`_${m.type}`]?.(m);
    });
    socket.on('close', () => this.#stopped || setTimeout(() => this.#connect(), 10 + this.roll(60)));
  }

  #send(what) {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    for (const payload of this.speaks.encode(what)) this.socket.send(payload);
  }

  #say() {
    const id = `${++this.#said}`;
    this.pending.set(id, `${this.user} says ${id}`);
    if (this.#joined) this.#repeat(id);
  }

  #repeat(id) {
    if (this.pending.has(id)) this.#send({type: 'message', channel: this.channel, text: this.pending.get(id), id});
  }

  _history({epoch, seq, after, messages}) {
    const {epoch: had, seq: at} = this.#position;
    if (after !== undefined && (after !== at || epoch !== had)) this.flaws.push(`continued at ${after}, not ${at}`);
    if (after === undefined && had !== null) this.flaws.push('the history was sent instead of what was missed');
    if (after === undefined) this.#position = {epoch, seq: seq - messages.length};
    for (const m of messages) this._message(m);
    if (this.#position.seq !== seq) this.flaws.push(`the history ends at ${this.#position.seq}, not ${seq}`);
    this.#joined = true;
    for (const id of this.pending.keys()) this.#repeat(id);
  }

  _message({user, id, text, seq}) {
    if (seq !== this.#position.seq + 1) this.flaws.push(`${this.user} got ${seq} after ${this.#position.seq}`);
    this.#position.seq = Math.max(seq, this.#position.seq);
    this.received.push({user, id, text, seq});
  }

  _ack({id, seq}) {
    const before = this.acks.get(id) ?? seq;
    if (before !== seq) this.flaws.push(`${id} of ${this.user} was acknowledged as ${before} and ${seq}`);
    this.acks.set(id, seq);
    this.pending.delete(id);
  }

  _error({code, id, message}) {
    if (code !== 'store_unavailable') return this.flaws.push(message);
    const again = () => (id === undefined ? this.socket.terminate() : this.#repeat(id));
    setTimeout(again, 20 + this.roll(100));
  }

  _reload() {
    this.#position.epoch = null;
    this.flaws.push('a reload');
  }
}

/// All that a channel has, by pages.
export async function readAll(url, channel) {
  const socket = new WebSocket(url);
  await once(socket, 'open');
  const ask = (what) => new Promise((done, failed) => {
    for (const event of ['message', 'close']) socket.removeAllListeners(event);
    socket.on('message', (data) => {
      const m = JSON.parse(data);
      if (m.type === 'history') done(m);
    });
    socket.once('close', () => failed(new Error('the connection for the truth was lost')));
    socket.send(JSON.stringify(what));
  });
  let page = await ask({type: 'join', channel, user: 'checker'});
  const all = page.messages;
  while (page.more) {
    page = await ask({type: 'history', channel, before: all[0].seq, limit: 100});
    all.unshift(...page.messages);
  }
  socket.terminate();
  return all;
}

/// What is wrong with what the speakers have seen, if all is over and this is stored: sentences.
export function check(stored, speakers) {
  const wrong = speakers.flatMap((s) => s.flaws);
  const name = (m) => `${m.user} ${m.id}`;
  const seqs = new Map();
  stored.forEach((m, i) => {
    if (m.seq !== i + 1) wrong.push(`stored number ${i + 1} is ${m.seq}`);
    if (seqs.has(name(m))) wrong.push(`${name(m)} is stored twice`);
    seqs.set(name(m), m.seq);
  });
  for (const s of speakers) {
    for (const [id, seq] of s.acks) {
      const is = seqs.get(`${s.user} ${id}`);
      if (is !== seq) wrong.push(`${id} of ${s.user} is acknowledged as ${seq} and stored as ${is}`);
    }
    for (const id of s.pending.keys()) wrong.push(`${id} of ${s.user} was never acknowledged`);
    const first = s.received[0]?.seq ?? 1;
    const expected = stored.slice(first - 1);
    if (s.received.length !== expected.length) wrong.push(`${s.user} got ${s.received.length} of ${expected.length}`);
    s.received.forEach((m, i) => {
      const e = expected[i];
      const same = e && e.seq === m.seq && name(e) === name(m) && e.text === m.text;
      if (!same) wrong.push(`${s.user} got ${m.seq} at place ${i}`);
    });
  }
  return wrong;
}

/// Lets people talk while `fault` happens `times` times, and checks all afterwards. `url` is where the chat is, or the
/// urls of its servers, and `truth` a way to it without faults.
export async function talkThrough({url, truth = [url].flat()[0], fault, times, seed, people = 4, channel = 'general',
                                   format, patience}) {
  const roll = dice(seed);
  const urls = [url].flat();
  const person = (_, i) => new Speaker({url: urls[i % urls.length], user: `user${i}`, channel, roll, format, patience});
  const speakers = Array.from({length: people}, person);
  const acked = () => speakers.reduce((sum, s) => sum + s.acks.size, 0);
  try {
    for (let i = 0; i < times; ++i) {
      const enough = acked() + 50 + roll(50);  // so that there is traffic between any two
      await eventually(() => acked() >= enough, () => `${acked()} acknowledged, not ${enough}`);
      await sleep(roll(30));
      await fault(i, roll, speakers);
    }
    const enough = acked() + 20;
    await eventually(() => acked() >= enough, () => `after the faults: ${acked()} acknowledged, not ${enough}`);
    for (const s of speakers) s.quiet();
    await eventually(() => speakers.every((s) => s.pending.size === 0), () => 'not all is acknowledged');
    const stored = await readAll(truth, channel);
    // Who has a flaw may never get there.
    await eventually(() => speakers.every((s) => s.flaws.length > 0 || s.seq === stored.length),
                     () => `seqs ${speakers.map((s) => s.seq)} of ${stored.length}`);
    await sleep(50);  // for what must not come any more
    const givenUp = speakers.reduce((sum, s) => sum + s.givenUp, 0);
    return {wrong: check(stored, speakers), stored: stored.length, acked: acked(), givenUp};
  } finally {
    for (const s of speakers) s.stop();
  }
}

/// Asserts that the chat has kept its promises, and tells how many times.
export function assertKept(t, {wrong, stored, acked}) {
  assert.deepEqual(wrong, []);
  assert.equal(acked, stored);
  t.diagnostic(`${stored} messages, each of them acknowledged, stored, and delivered to all once`);
}

async function eventually(holds, otherwise, patience = 40_000) {
  for (const end = Date.now() + patience; !holds();) {
    if (Date.now() > end) throw new Error(otherwise());
    await sleep(10);
  }
}
