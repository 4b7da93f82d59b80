// SPDX-License-Identifier: BSL-1.0
// A client of the chat that loses nothing; docs/chat.md is its protocol. No DOM, no dependency: for any program.
//
//   const client = new Client({url: 'wss://example.org/ws', user: 'ada', channels: ['general'], changed: draw});
//   client.start();
//   client.say('general', 'Hello!');                       // also while there is no connection
//   for (const m of client.channels.get('general').messages) console.log(m.user, m.text);
//
// `changed` is called after whatever happened: draw everything from `state`, `reason` and `channels` (channel.js says
// what a channel has). `notice` is told in words if a channel could not be joined.
//
// `token`, beside `url`: a function that gives a new token, or a promise of one, for a server that wants to know who
// its users are. `user` is then the name in the token.
//
//   start() stop()               comes; goes for good
//   connect()                    tries now, instead of when the wait is over
//   join(channel) leave(channel)
//   say(channel, text)           gives what is wrong with the text, or '' if it is in the channel's `outgoing`
//   cancel(channel, id)          one that failed, or was never sent; retry(channel, id): one that failed
//   older(channel)               asks for the page before what is there
//   typing(channel)              at each key; the others are told now and then
//
// state: 'stopped', 'connecting', 'online', 'waiting' (for the next try), 'ended' (`reason` says why; connect() tries).
//
// Outside of a browser, or in a test, give it any of its surroundings (see `browser`) beside `url`.

import {Channel} from './channel.js';
import {Alarm, Connection, patience} from './connection.js';
import {Memory} from './memory.js';
import {textFlaw, wellFormed} from './words.js';

const again = [2000, 5000];    // ms between which to ask again, when the store was unavailable
const flightMax = 16;          // messages without an answer
const pageMessages = 50;
const typingEvery = 3000;      // ms
const typingFor = 5000;        // ms
const renewBefore = 60_000;    // ms before a token expires, or half of what is left
const renewWaitMin = 5000;     // ms, also where the clocks differ

const browser = () => ({
  WebSocket: globalThis.WebSocket,
  local: new Memory(() => localStorage),    // the name of this device, and what the user has read
  tab: new Memory(() => sessionStorage),    // messages without an ack: they survive a reload of the page
  network: globalThis,                      // tells 'online' and 'offline'
  now: () => performance.now(),             // ms, never back
  time: () => Date.now(),                   // ms since 1970
  setTimeout: (work, ms) => setTimeout(work, ms),
  clearTimeout: (timer) => clearTimeout(timer),
  random: Math.random,                      // from 0 to 1
  randomId,
});

// randomUUID() exists only on https: and localhost.
function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (b) => b.toString(16).padStart(2, '0')).join('');
}

export class Client {
  channels = new Map();  // name -> Channel

  #env;
  #connection;
  #alarm;
  #flight = flightMax;   // how many messages may be without an answer
  #holdUntil = 0;        // until then none is sent
  #typed = new Map();    // channel -> when we told that we type
  #known = false;        // the server knows who we are, or does not ask
  #tokenAsked = null;    // {at}: when
  #renewAt = Infinity;

  constructor({url, user, channels = [], changed, notice = () => {}, ...env}) {
    this.#env = {...browser(), ...env};
    Object.assign(this, {user, changed, notice});
    this.device = this.#env.local.get('device', null) ?? this.#env.randomId();
    this.#env.local.set('device', this.device);
    for (const name of channels) this.channels.set(name, new Channel(name, user, this.#env));
    this.#alarm = new Alarm(this.#env, () => this.#turn(() => this.#ring()));
    this.#connection = new Connection(url, this.#env, {
      turn: (work) => this.#turn(work),
      opened: () => this.#opened(),
      received: (m) => this.#received(m),
      dropped: (end) => this.#dropped(end),
    });
  }

  get state() {
    return this.#connection.state;
  }

  get reason() {
    return this.#connection.reason;
  }

  start() {
    this.#turn(() => this.#connection.start());
  }

  stop() {
    this.#turn(() => this.#connection.stop());
  }

  connect() {
    this.#turn(() => this.#connection.connect());
  }

  join(name) {
    if (this.channels.has(name)) return;
    this.#turn(() => {
      const channel = new Channel(name, this.user, this.#env);
      this.channels.set(name, channel);
      this.#enter(channel);
    });
  }

  leave(name) {
    const channel = this.channels.get(name);
    if (!channel) return;
    this.#turn(() => {
      if (channel.joined || channel.joinAsked !== null) this.#connection.send({type: 'leave', channel: name});
      channel.outgoing.clear();
      this.channels.delete(name);
    });
  }

  say(name, text) {
    const channel = this.channels.get(name);
    const whole = wellFormed(text);
    const flaw = !channel ? `#${name} is not joined.` :
        channel.outgoing.full ? 'Too many messages are waiting already.' : textFlaw(whole);
    if (flaw) return flaw;
    this.#turn(() => {
      channel.outgoing.add(this.#env.randomId(), whole, this.#env.time());
      Object.assign(channel, {missed: null, reloaded: false});
      this.#typed.delete(name);
    });
    return '';
  }

  retry(name, id) {
    this.#turn(() => this.channels.get(name)?.outgoing.retry(id));
  }

  /// True if the message will not be sent. One that was tried cannot be taken back: it may be stored already.
  cancel(name, id) {
    let done = false;
    this.#turn(() => { done = this.channels.get(name)?.outgoing.cancel(id) ?? false; });
    return done;
  }

  older(name) {
    const channel = this.channels.get(name);
    if (!channel?.joined || !channel.more || channel.loading || this.#env.now() < channel.pageAgain) return;
    this.#turn(() => {
      channel.pageAsked = this.#env.now();
      this.#connection.send({type: 'history', channel: name, before: channel.first, limit: pageMessages});
    });
  }

  typing(name) {
    const now = this.#env.now();
    if (!this.channels.get(name)?.joined || now < (this.#typed.get(name) ?? -Infinity) + typingEvery) return;
    this.#typed.set(name, now);
    this.#connection.send({type: 'typing', channel: name});
  }

  // ---- The connection ----

  #opened() {
    this.#flight = flightMax;
    this.#holdUntil = 0;
    this.#known = !this.#env.token;
    if (this.#known) this.#enterAll();
    else this.#introduce();
  }

  /// Gets a token and shows it; where there is none, it is tried again like a lost connection.
  async #introduce() {
    const asked = this.#tokenAsked = {at: this.#env.now()};
    this.#renewAt = Infinity;
    const token = await Promise.resolve().then(this.#env.token).catch(() => null);
    if (this.#tokenAsked !== asked) return;  // the connection is gone
    this.#turn(() => (token ? this.#connection.send({type: 'auth', token}) : this.#connection.lost(1006)));
  }

  #introduced({expires}) {
    const {now, time} = this.#env;
    const left = expires - time();
    this.#tokenAsked = null;
    this.#renewAt = now() + Math.max(left - renewBefore, left / 2, renewWaitMin);
    if (!this.#known) {
      this.#known = true;
      this.#enterAll();
    }
  }

  #enterAll() {
    for (const channel of this.channels.values()) this.#enter(channel);
  }

  #enter(channel) {
    if (this.state !== 'online' || !this.#known) return;
    Object.assign(channel, {joined: false, joinAsked: this.#env.now(), joinAgain: null});
    const {name, position} = channel;
    this.#connection.send({type: 'join', channel: name, user: this.user, device: this.device, ...position});
  }

  #rejoin(channel) {
    this.#connection.send({type: 'leave', channel: channel.name});
    channel.disconnected();
    this.#enter(channel);
  }

  #dropped(end) {
    this.#typed.clear();
    this.#tokenAsked = null;
    this.#renewAt = Infinity;
    for (const channel of this.channels.values()) {
      const {outgoing} = channel;
      if (end?.tooLarge) for (const m of outgoing.in('sent')) outgoing.fail(m, end.says);
      channel.disconnected();
    }
  }

  // ---- What the server says ----

  #answers = {
    history: (channel, m) => this.#history(channel, m),
    reload: (channel) => channel.forget(),
    message: (channel, {user, text, id, seq, time}) => {
      if (channel.joined && !channel.take({user, text, id, seq, time})) this.#rejoin(channel);
    },
    ack: (channel, {id, seq, time}) => {
      channel.acknowledge(id, seq, time);
      this.#flight = Math.min(flightMax, this.#flight + 1);
    },
    presence: (channel, {users, count}) => Object.assign(channel, {users, count: count ?? users.length}),
    typing: (channel, {user}) => channel.typed(user, this.#env.now() + typingFor),
  };

  #received(m) {
    const channel = this.channels.get(m.channel);
    if (m.type === 'error') this.#refused(m, channel);
    else if (m.type === 'auth') this.#introduced(m);
    else if (channel && Object.hasOwn(this.#answers, m.type)) this.#answers[m.type](channel, m);
  }

  #history(channel, m) {
    if ('before' in m) {
      channel.pageAsked = null;
      return channel.prepend(m);
    }
    // What does not continue what we have answers an older join of ours; that to the newer one comes.
    if ('after' in m && !channel.resume(m)) return;
    if (!('after' in m)) channel.replace(m);
    Object.assign(channel, {joined: true, joinAsked: null, joinAgain: null});
    this.#connection.proven();
  }

  #refused({code, message, id, channel: name, retry_ms: told}, channel) {
    if (code === 'unauthenticated') return this.#connection.lost(4401);  // as the server will say, or has
    if (name !== undefined && !channel) return;  // it was left
    const {now, random} = this.#env;
    const busy = code === 'store_unavailable' || code === 'rate_limited';
    const at = now() + (code === 'rate_limited' ? told ?? 1000 : again[0] + random() * (again[1] - again[0]));
    const mine = channel?.outgoing.sent(id);
    if (mine && busy) {
      mine.state = 'waiting';
      this.#flight = 1;  // one by one, until it works again
      this.#holdUntil = Math.max(this.#holdUntil, at);
    } else if (code === 'already_joined') {
      if (channel) this.#rejoin(channel);
    } else if (code === 'not_joined') {
      channel?.outgoing.disconnected();
      if (channel?.joined) this.#enter(channel);
    } else if (mine) {
      channel.outgoing.fail(mine, message);
    } else if (channel?.joined && code !== 'removed') {
      if (channel.loading) Object.assign(channel, {pageAsked: null, pageAgain: at});
    } else if (channel && busy) {
      Object.assign(channel, {joinAsked: null, joinAgain: at});
    } else if (id === undefined) {
      if (channel) this.channels.delete(name);
      this.notice(message);
    }
  }

  /// Sends what waits, in its order, no more at once than the server takes.
  #flush() {
    const now = this.#env.now();
    if (this.state !== 'online' || now < this.#holdUntil) return;
    const channels = [...this.channels.values()];
    let room = this.#flight - channels.reduce((sum, {outgoing}) => sum + outgoing.in('sent').length, 0);
    for (const {name, joined, outgoing} of channels) {
      const taken = joined ? outgoing.take(room, now) : [];
      room -= taken.length;
      for (const {text, id} of taken) this.#connection.send({type: 'message', channel: name, text, id});
    }
  }

  // ---- Time ----

  /// Everything that happens is a turn.
  #turn(work) {
    work();
    this.#flush();
    this.#connection.arm();
    this.#alarm.set(this.#due());
    this.changed();
  }

  #due() {
    if (this.state !== 'online') return Infinity;
    const dues = [this.#patienceEnds(), this.#renewAt];
    if (this.#env.now() < this.#holdUntil) dues.push(this.#holdUntil);
    for (const {joinAgain, typingEnds} of this.channels.values()) dues.push(joinAgain ?? Infinity, typingEnds);
    return Math.min(...dues);
  }

  /// When what was asked first should have its answer.
  #patienceEnds() {
    const asked = [this.#tokenAsked?.at ?? Infinity];
    for (const {joinAsked, pageAsked, outgoing} of this.channels.values()) {
      asked.push(joinAsked ?? Infinity, pageAsked ?? Infinity, ...outgoing.in('sent').map((m) => m.sentAt));
    }
    return Math.min(...asked) + patience;
  }

  #ring() {
    const now = this.#env.now();
    if (this.state !== 'online') return;
    if (now >= this.#patienceEnds()) return this.#connection.lost(1006);
    if (now >= this.#renewAt) this.#introduce();
    for (const channel of this.channels.values()) {
      channel.forgetTyping(now);
      if (channel.joinAgain !== null && now >= channel.joinAgain) this.#enter(channel);
    }
  }
}
