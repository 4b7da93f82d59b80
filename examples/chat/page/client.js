// SPDX-License-Identifier: BSL-1.0
// The connection, and what is known of the channels: no DOM here. After every change it calls `changed`.

const kept = 500;                   // messages of a channel that stay in memory
const ackPatience = 10_000;         // ms without an ack until the connection counts as dead
const final = new Set([1000, 1002, 1003, 1007, 1008, 1009]);  // closed with one of these: coming back would not help

export const textBytesMax = 16384;
export const nameBytesMax = 64;

export const bytes = (text) => new TextEncoder().encode(text).length;

// randomUUID() exists only on https: and localhost.
export function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (b) => b.toString(16).padStart(2, '0')).join('');
}

/// Values in a Storage that may be full, forbidden or garbled.
export class Memory {
  #storage;

  constructor(open) {
    try {
      this.#storage = open();
    } catch { /* forbidden: then nothing is remembered */ }
  }

  get(key, otherwise) {
    try {
      return JSON.parse(this.#storage.getItem(`purews.${key}`)) ?? otherwise;
    } catch {
      return otherwise;
    }
  }

  set(key, value) {
    try {
      this.#storage.setItem(`purews.${key}`, JSON.stringify(value));
    } catch { /* full or forbidden */ }
  }
}

/// One channel as this page sees it: messages in the order of their seq, each once, and ours that have no seq yet.
class Channel {
  joined = false;
  epoch = null;
  messages = [];
  pending = [];  // {id, text, time, state: 'waiting' | 'sent' | 'failed', sentAt, reason}
  users = [];
  read = null;   // {epoch, seq}: what the user has seen

  constructor(name) {
    this.name = name;
  }

  get last() {
    return this.messages.at(-1)?.seq ?? 0;
  }

  unread(me) {
    const seen = this.read?.epoch === this.epoch ? this.read.seq : 0;
    return this.messages.filter((m) => m.seq > seen && m.user !== me).length;
  }

  /// Never joins two histories: what does not continue what we have replaces it.
  take(epoch, messages) {
    const continues = epoch === this.epoch && messages.length > 0 && messages[0].seq <= this.last + 1;
    if (!continues) this.messages = [];
    this.epoch = epoch;
    for (const m of messages) this.insert(m);
    this.read ??= {epoch, seq: this.last};  // at the first visit the past is not news
  }

  insert(message) {
    let at = this.messages.length;
    while (at > 0 && this.messages[at - 1].seq > message.seq) --at;
    if (at > 0 && this.messages[at - 1].seq === message.seq) return;
    this.messages.splice(at, 0, message);
    if (this.messages.length > kept) this.messages.splice(0, this.messages.length - kept);
  }

  settle(id) {
    const at = this.pending.findIndex((p) => p.id === id);
    return at < 0 ? null : this.pending.splice(at, 1)[0];
  }
}

export class Client {
  state = 'connecting';  // 'connecting', 'online', 'waiting' (for the next try), 'ended'
  reason = '';           // why it ended
  channels = new Map();

  #socket = null;
  #tries = 0;
  #timer = 0;
  #watch = 0;

  /// `local` outlives the tab, `tab` outlives a reload. `notice` is told what went wrong with a channel.
  constructor({url, user, names, local, tab, changed, notice}) {
    Object.assign(this, {url, user, local, tab, changed, notice});
    this.device = local.get('device', null) ?? randomId();
    local.set('device', this.device);
    for (const name of names) this.#open(name);
    this.#remember();
  }

  start() {
    addEventListener('online', this.#comeBack);
    addEventListener('offline', this.#gone);
    this.#watch = setInterval(() => this.#checkAcks(), 2000);
    this.connect();
  }

  stop() {
    removeEventListener('online', this.#comeBack);
    removeEventListener('offline', this.#gone);
    clearInterval(this.#watch);
    clearTimeout(this.#timer);
    this.#drop(1000);
    this.tab.set('pending', {});
  }

  connect() {
    clearTimeout(this.#timer);
    this.#drop();
    this.state = 'connecting';
    this.reason = '';
    const socket = this.#socket = new WebSocket(this.url);
    socket.onopen = () => {
      this.state = 'online';
      for (const channel of this.channels.values()) this.#enter(channel);
      this.changed();
    };
    socket.onmessage = ({data}) => this.#receive(JSON.parse(data));
    socket.onclose = ({code, reason}) => this.#lost(code, reason);
    this.changed();
  }

  join(name) {
    if (this.channels.has(name)) return;
    const channel = this.#open(name);
    this.#remember();
    if (this.state === 'online') this.#enter(channel);
    this.changed();
  }

  leave(name) {
    const channel = this.channels.get(name);
    if (!channel) return;
    if (channel.joined) this.#send({type: 'leave', channel: name});
    this.channels.delete(name);
    this.#remember();
    this.#keepPending();
    this.changed();
  }

  say(name, text) {
    const channel = this.channels.get(name);
    channel.pending.push({id: randomId(), text, time: Date.now(), state: 'waiting'});
    this.#keepPending();
    this.#flush(channel);
    this.changed();
  }

  retry(name, id) {
    const channel = this.channels.get(name);
    const message = channel?.pending.find((p) => p.id === id);
    if (!message) return;
    message.state = 'waiting';
    this.#flush(channel);
    this.changed();
  }

  discard(name, id) {
    this.channels.get(name)?.settle(id);
    this.#keepPending();
    this.changed();
  }

  markRead(name) {
    const channel = this.channels.get(name);
    if (!channel?.epoch || (channel.read?.epoch === channel.epoch && channel.read.seq >= channel.last)) return;
    channel.read = {epoch: channel.epoch, seq: channel.last};
    this.#keepRead();
  }

  #open(name) {
    const channel = new Channel(name);
    channel.read = this.local.get(`read.${this.user}`, {})[name] ?? null;
    const {user, channels = {}} = this.tab.get('pending', {});
    if (user === this.user) channel.pending = (channels[name] ?? []).map((p) => ({...p, state: 'waiting'}));
    this.channels.set(name, channel);
    return channel;
  }

  #enter(channel) {
    this.#send({type: 'join', channel: channel.name, user: this.user, device: this.device});
  }

  #receive(m) {
    const channel = this.channels.get(m.channel);
    if (m.type === 'error') this.#refused(m, channel);
    else if (channel) this[`_${m.type}`]?.(channel, m);  // what a later server adds is not for us
    this.changed();
  }

  _history(channel, m) {
    this.#tries = 0;
    channel.joined = true;
    for (const known of m.messages) if (known.user === this.user) channel.settle(known.id);
    channel.take(m.epoch, m.messages);
    this.#keepPending();
    this.#keepRead();
    // The same ids again: whatever of it is stored already is acknowledged, and not stored twice.
    for (const message of channel.pending) if (message.state === 'sent') message.state = 'waiting';
    this.#flush(channel);
  }

  _reload(channel) {  // a history that follows replaces what we have
    channel.epoch = null;
  }

  _presence(channel, m) {
    channel.users = m.users;
  }

  _message(channel, {user, text, id, seq, time}) {
    if (!channel.joined) return;
    if (seq > channel.last + 1) {  // a hole: load the history anew
      channel.joined = false;
      this.#send({type: 'leave', channel: channel.name});
      this.#enter(channel);
      return;
    }
    if (user === this.user) this.#settled(channel, id);
    channel.insert({user, text, id, seq, time});
  }

  _ack(channel, {id, seq, time}) {
    const message = this.#settled(channel, id);
    // An ack comes before the message itself; that of an old repeat may belong to what is not loaded.
    if (message && seq === channel.last + 1) channel.insert({user: this.user, text: message.text, id, seq, time});
  }

  #settled(channel, id) {
    const message = channel.settle(id);
    if (message) this.#keepPending();
    return message;
  }

  #refused({code, message, id}, channel) {
    const mine = channel?.pending.find((p) => p.id === id);
    if (mine && (code === 'store_unavailable' || code === 'rate_limited')) {
      mine.state = 'waiting';
      setTimeout(() => this.#flush(channel), 2000 + Math.random() * 3000);
    } else if (mine) {
      Object.assign(mine, {state: 'failed', reason: message});
    } else if (channel && !channel.joined && code === 'store_unavailable') {
      setTimeout(() => this.state === 'online' && !channel.joined && this.#enter(channel), 2000 + Math.random() * 3000);
    } else if (channel && !channel.joined && code !== 'already_joined') {
      this.channels.delete(channel.name);
      this.#remember();
      this.notice(message);
    }
  }

  #flush(channel) {
    if (!channel.joined || this.state !== 'online') return;
    for (const message of channel.pending) {
      if (message.state !== 'waiting') continue;
      Object.assign(message, {state: 'sent', sentAt: Date.now()});
      this.#send({type: 'message', channel: channel.name, text: message.text, id: message.id});
    }
  }

  #send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #checkAcks() {
    const late = Date.now() - ackPatience;
    const isLate = (p) => p.state === 'sent' && p.sentAt < late;
    const anyLate = [...this.channels.values()].some((c) => c.pending.some(isLate));
    if (this.state === 'online' && anyLate) this.#lost(1006, '');
  }

  #lost(code, reason) {
    this.#drop();
    if (final.has(code)) {
      this.state = 'ended';
      this.reason = reason;
    } else {
      // Full jitter: a thousand pages that lost the same server come back spread over the whole wait.
      const wait = Math.random() * Math.min(30_000, 500 * 2 ** this.#tries++);
      this.state = 'waiting';
      this.#timer = setTimeout(() => this.connect(), wait);
    }
    this.changed();
  }

  #drop(code) {
    const socket = this.#socket;
    this.#socket = null;
    for (const channel of this.channels.values()) {
      channel.joined = false;
      for (const message of channel.pending) if (message.state === 'sent') message.state = 'waiting';
    }
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(code);
  }

  #comeBack = () => {
    if (this.state === 'waiting') this.connect();
  };

  #gone = () => {
    if (this.state !== 'ended') this.#lost(1006, '');
  };

  #remember() {
    const names = [...this.channels.keys()];
    this.local.set('channels', names);
    this.tab.set('channels', names);
  }

  #keepPending() {
    const channels = {};
    for (const {name, pending} of this.channels.values()) {
      if (pending.length) channels[name] = pending.map(({id, text, time}) => ({id, text, time}));
    }
    this.tab.set('pending', {user: this.user, channels});
  }

  #keepRead() {
    const read = this.local.get(`read.${this.user}`, {});
    for (const channel of this.channels.values()) if (channel.read) read[channel.name] = channel.read;
    this.local.set(`read.${this.user}`, read);
  }
}
