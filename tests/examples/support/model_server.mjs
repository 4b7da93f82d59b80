// SPDX-License-Identifier: BSL-1.0
// A chat server that keeps the truth in memory and does whatever the protocol allows to happen to a client.

const resumeMax = 30;
const pageMax = 50;
const newest = 10;
const burst = 40;
const perSecond = 20;

/// One end of a connection: what goes in comes out of the other one later, in order, or never.
class Link {
  constructor(server, socket) {
    Object.assign(this, {server, socket, cut: false, joined: new Map(), tokens: burst, filled: server.time.now,
                         tooFast: 0, lastUp: 0, lastDown: 0});
  }

  up(text) {
    this.lastUp = this.#later(this.lastUp, () => this.server.received(this, JSON.parse(text)));
  }

  down(message) {
    const data = JSON.stringify(message);
    this.lastDown = this.#later(this.lastDown, () => this.socket.onmessage({data}));
  }

  close(code, reason = '') {
    this.server.onclosed?.(code);
    this.server.forget(this);
    this.lastDown = this.#later(this.lastDown, () => {
      this.cut = true;
      this.socket.onclose({code, reason});
    });
  }

  #later(last, work) {
    const {time} = this.server;
    const at = Math.max(last, time.now + this.server.random() * 200);
    time.setTimeout(() => { if (!this.cut) work(); }, at - time.now);
    return at;
  }
}

export class ModelServer {
  troubled = true;   // faults happen
  histories = new Map();  // "channel epoch" -> messages, also those of former epochs

  #links = new Set();
  #channels = new Map();
  #epochs = 0;

  constructor(time, random) {
    Object.assign(this, {time, random});
  }

  get WebSocket() {
    const server = this;
    return class {
      constructor() {
        const {time, random} = server;
        const fate = server.troubled ? random() : 1;
        if (fate < 0.1) return;  // nobody ever answers
        time.setTimeout(() => {
          if (this.closed) return;
          if (fate < 0.3) return this.onclose({code: 1006, reason: ''});
          this.link = new Link(server, this);
          server.#links.add(this.link);
          this.onopen();
        }, random() * 300);
      }

      send(text) {
        this.link.up(text);
      }

      close() {
        this.closed = true;
        if (!this.link) return;
        this.link.cut = true;
        server.forget(this.link);
      }
    };
  }

  channel(name) {
    if (!this.#channels.has(name)) this.#channels.set(name, this.#begin(name, [], new Set()));
    return this.#channels.get(name);
  }

  get names() {
    return [...this.#channels.keys()];
  }

  forget(link) {
    this.#links.delete(link);
  }

  /// A message that comes from nowhere.
  bot(name, text) {
    this.#publish(name, this.#store(name, 'bot', '', text, text).message);
  }

  cut(chance) {
    for (const link of [...this.#links]) if (this.random() < chance) this.#cut(link);
  }

  /// Closes some with a code.
  close(chance, code) {
    for (const link of [...this.#links]) if (this.random() < chance) link.close(code, '300');
  }

  /// The history was restored: some of what the bot said is lost, and everything has another number.
  restore(name) {
    const {messages, keys} = this.channel(name);
    const kept = messages.filter((m) => m.user !== 'bot' || this.random() < 0.7);
    const anew = this.#begin(name, kept.map((m, i) => ({...m, seq: i + 1})), keys);
    this.#channels.set(name, anew);
    for (const link of this.#links) {
      if (!link.joined.has(name)) continue;
      link.down({type: 'reload', channel: name});
      this.#newest(link, name, anew);
    }
  }

  received(link, m) {
    const fate = this.troubled ? this.random() : 1;
    const fail = (code, more = {}) =>
      link.down({type: 'error', code, message: code, channel: m.channel, ...(m.id && {id: m.id}), ...more});
    if (m.type === 'ping') return link.down({type: 'pong'});
    if (m.type === 'leave') return link.joined.delete(m.channel) ? undefined : fail('not_joined');
    if (m.type === 'join') {
      if (fate < 0.1) return fail('store_unavailable');
      return link.joined.has(m.channel) ? fail('already_joined') : this.#join(link, m);
    }
    if (!link.joined.has(m.channel)) return fail('not_joined');
    if (m.type === 'history') return fate < 0.2 ? fail('store_unavailable') : this.#page(link, m);
    if (!this.#pays(link)) {
      if (++link.tooFast > 40) return link.close(4429, '500');
      return fail('rate_limited', {retry_ms: Math.ceil((1 - link.tokens) * 1000 / perSecond)});
    }
    link.tooFast = 0;
    return m.type === 'message' ? this.#say(link, m, fate, fail) : undefined;
  }

  #say(link, m, fate, fail) {
    if (fate < 0.05) return fail('store_unavailable');
    const {user, device} = link.joined.get(m.channel);
    const {message, isNew} = this.#store(m.channel, user, device, m.id, m.text);
    const {id, seq, time} = message;
    if (fate < 0.1) fail('store_unavailable');  // and yet it is stored
    else if (fate < 0.15) this.#cut(link);
    else if (fate >= 0.18) link.down({type: 'ack', channel: m.channel, id, seq, time});
    if (isNew) this.#publish(m.channel, message);
  }

  #join(link, {channel: name, user, device, epoch, seq}) {
    const channel = this.channel(name);
    const {messages} = channel;
    link.joined.set(name, {user, device});
    const knows = epoch === channel.epoch && seq <= messages.length && messages.length - seq <= resumeMax;
    if (knows) {
      link.down({type: 'history', channel: name, epoch, after: seq, seq: messages.length,
                 messages: messages.slice(seq)});
    } else {
      if (epoch) link.down({type: 'reload', channel: name});
      this.#newest(link, name, channel);
    }
    link.down({type: 'presence', channel: name, users: [user], count: 1});
  }

  #newest(link, name, {epoch, messages}) {
    const page = messages.slice(-newest);
    link.down({type: 'history', channel: name, epoch, seq: messages.length, more: page.length < messages.length,
               messages: page});
  }

  #page(link, {channel: name, before, limit}) {
    const {epoch, messages} = this.channel(name);
    const page = messages.slice(Math.max(0, before - 1 - Math.min(limit, pageMax)), before - 1);
    const more = page.length > 0 && page[0].seq > 1;
    link.down({type: 'history', channel: name, epoch, before, more, messages: page});
  }

  #begin(name, messages, keys) {
    const epoch = `e${++this.#epochs}`;
    this.histories.set(`${name} ${epoch}`, messages);
    return {epoch, messages, keys};
  }

  #pays(link) {
    link.tokens = Math.min(burst, link.tokens + (this.time.now - link.filled) * perSecond / 1000);
    link.filled = this.time.now;
    if (link.tokens < 1) return false;
    --link.tokens;
    return true;
  }

  #store(name, user, device, id, text) {
    const {messages, keys} = this.channel(name);
    const key = JSON.stringify([user, device, id]);
    if (keys.has(key)) return {message: messages.find((m) => m.key === key), isNew: false};
    const message = {user, text, id, seq: messages.length + 1, time: this.time.now, key};
    keys.add(key);
    messages.push(message);
    return {message, isNew: true};
  }

  #publish(name, message) {
    for (const link of [...this.#links]) {
      const fate = this.troubled ? this.random() : 1;
      if (!link.joined.has(name) || fate < 0.02) continue;  // a hole, for nobody should rely on there being none
      link.down({type: 'message', channel: name, ...message});
      if (fate < 0.04) link.down({type: 'message', channel: name, ...message});
      else if (fate < 0.05) link.close(4008);
    }
  }

  #cut(link) {
    this.forget(link);
    link.cut = true;
    // Half of the clients hear of it.
    if (this.random() < 0.5) this.time.setTimeout(() => link.socket.closed || link.socket.onclose({code: 1006}), 10);
  }
}
