// SPDX-License-Identifier: BSL-1.0

import {Outgoing} from './outgoing.js';

const keptMax = 500;     // messages in memory, besides pages that were asked for
const typistsMax = 50;

/// What one client knows of one channel: messages in the order of their numbers, each once, without a hole; our own
/// that are on their way; who is here, and who types. It sends nothing.
export class Channel {
  joined = false;     // the server has answered our join on this connection
  reloading = false;  // what we had is forgotten, and the history that follows is not here yet
  reloaded = false;   // this has happened: for the page to say so, until we speak
  epoch = null;
  seq = 0;            // of this epoch we have everything up to this number
  messages = [];      // {user, text, id, seq, time}: consecutive, the last one is number `seq`
  more = false;       // there are older messages than these
  missed = null;      // {after, count}: what others said while we were away, behind number `after`; until we speak
  read = null;        // {epoch, seq}: what the user has seen
  users = [];         // who is here, sorted, the first 100 ...
  count = 0;          // ... of so many

  // What was asked, and when; null: not under way. When to ask again.
  joinAsked = null;
  joinAgain = null;
  pageAsked = null;
  pageAgain = 0;

  #local;
  #readKey;
  #typing = new Map();  // user -> when to forget
  #paged = 0;           // messages that came by pages
  #had = null;          // the position that a reload made us forget

  constructor(name, me, {local, tab}) {
    this.name = name;
    this.me = me;
    this.outgoing = new Outgoing(tab, me, name);
    this.#local = local;
    this.#readKey = `read ${JSON.stringify([me, name])}`;
    this.read = local.get(this.#readKey, null);
  }

  /// What a join says about the past.
  get position() {
    return this.epoch === null ? {} : {epoch: this.epoch, seq: this.seq};
  }

  /// The number of the oldest message here.
  get first() {
    return this.messages[0]?.seq ?? this.seq + 1;
  }

  /// A page of older messages is under way.
  get loading() {
    return this.pageAsked !== null;
  }

  /// Takes what was missed; false if it does not continue what we have: then it is not for us.
  resume({epoch, after, seq, messages}) {
    if (epoch !== this.epoch || after !== this.seq) return false;
    const others = messages.filter((m) => m.user !== this.me).length;
    if (others) {
      const unseen = this.missed && (this.read?.epoch !== epoch || this.read.seq <= this.missed.after);
      this.missed = unseen ? {...this.missed, count: this.missed.count + others} : {after, count: others};
    }
    return messages.every((m) => this.take(m)) && this.seq === seq;
  }

  /// Takes the newest page instead of all that we have. Two histories are never joined.
  replace({epoch, seq, more, messages}) {
    const base = this.#had ?? (this.epoch === null ? this.read : this.position);
    const behind = base?.epoch === epoch ? seq - base.seq : 0;
    const others = behind - messages.filter((m) => m.seq > base?.seq && m.user === this.me).length;
    this.missed = behind > 0 && others > 0 ? {after: base.seq, count: others} : null;
    Object.assign(this, {epoch, seq, more: more === true, messages: [...messages], reloading: false});
    this.#paged = 0;
    this.#had = null;
    this.#arrived(messages);
    if (!this.read) this.markRead();  // at the first visit the past is not news
  }

  /// Takes a page of older messages, if it ends right before what we have.
  prepend({epoch, before, more, messages}) {
    if (epoch !== this.epoch || before !== this.first) return;
    this.messages.unshift(...messages);
    this.#paged += messages.length;
    this.more = more === true && messages.length > 0;
    this.#arrived(messages);
  }

  /// Takes a message; what is known already is dropped. False if one before it is missing.
  take(message) {
    if (message.seq > this.seq + 1) return false;
    this.#typing.delete(message.user);
    if (message.seq === this.seq + 1) {
      this.messages.push(message);
      this.seq = message.seq;
      this.#trim();
    }
    this.#arrived([message]);
    return true;
  }

  /// One of ours is durable. The message itself comes later, unless it is here or in an older page.
  acknowledge(id, seq, time) {
    this.outgoing.stored(id, seq, time);
    this.outgoing.arrived(this.seq);
  }

  /// The server cannot tell what was missed.
  forget() {
    if (this.epoch !== null) {
      this.#had = this.position;
      this.reloaded = true;
    }
    Object.assign(this, {joined: false, reloading: true, epoch: null, seq: 0, more: false, messages: [], missed: null});
    this.outgoing.arrived(Infinity);  // what was acknowledged is in the history to come, or lost with the other one
  }

  /// The connection is gone, and with it all that was asked.
  disconnected() {
    Object.assign(this, {joined: false, joinAsked: null, joinAgain: null, pageAsked: null, pageAgain: 0});
    this.#typing.clear();
    this.outgoing.disconnected();
  }

  /// The user sees the newest message.
  markRead() {
    if (this.epoch === null || (this.read?.epoch === this.epoch && this.read.seq >= this.seq)) return;
    this.read = this.position;
    this.#local.set(this.#readKey, this.read);
  }

  /// How many messages of others the user has not seen.
  get unread() {
    if (this.epoch === null || !this.read) return 0;
    const seen = this.read.epoch === this.epoch ? this.read.seq : this.first - 1;
    return this.messages.filter((m) => m.seq > seen && m.user !== this.me).length + Math.max(0, this.first - 1 - seen);
  }

  /// Forgets pages that were asked for; more of them can be asked for again.
  releasePages() {
    this.#paged = 0;
    this.#trim();
  }

  typed(user, until) {
    if (user !== this.me && (this.#typing.size < typistsMax || this.#typing.has(user))) this.#typing.set(user, until);
  }

  forgetTyping(now) {
    for (const [user, until] of this.#typing) if (until <= now) this.#typing.delete(user);
  }

  get typists() {
    return [...this.#typing.keys()];
  }

  get typingEnds() {
    return Math.min(...this.#typing.values());
  }

  #trim() {
    const surplus = this.messages.length - keptMax - this.#paged;
    if (surplus <= 0) return;
    this.messages.splice(0, surplus);
    this.more = true;
  }

  #arrived(messages) {
    this.outgoing.arrived(this.seq, messages.filter((m) => m.user === this.me).map((m) => m.id));
  }
}
