// SPDX-License-Identifier: BSL-1.0

import {closing, fullJitter} from './closing.js';

const quiet = 25_000;          // ms of silence until we ask whether the server is there
const steady = 5000;           // ms of use, after which the next loss begins with the shortest wait
export const patience = 10_000;  // ms for an answer, until the connection counts as dead

/// One timer, for whatever is due next.
export class Alarm {
  #env;
  #ring;
  #timer;

  constructor(env, ring) {
    this.#env = env;
    this.#ring = ring;
  }

  set(due) {
    this.#env.clearTimeout(this.#timer);
    if (due < Infinity) this.#timer = this.#env.setTimeout(this.#ring, Math.max(0, due - this.#env.now()));
  }
}

/// A WebSocket that comes back: with full jitter, when the close code allows it; and that notices when nobody answers.
///
/// Everything that happens to it runs within `turn`. It calls `opened()`, `received(message)`, and `dropped(end)` for
/// each connection that is gone, however; `end` is what closing.js says of it, or nothing if we dropped it.
export class Connection {
  state = 'stopped';  // 'connecting', 'online', 'waiting' (for the next try), 'ended' (for good: `reason`)
  reason = '';

  #url;
  #env;
  #on;
  #socket = null;
  #alarm;
  #tries = 0;           // since the last connection that was steady
  #retryAt = 0;
  #connectAsked = 0;
  #provenAt = null;
  #heard = 0;
  #pingAsked = null;

  constructor(url, env, {turn, opened, received, dropped}) {
    this.#url = url;
    this.#env = env;
    this.#on = {turn, opened, received, dropped};
    this.#alarm = new Alarm(env, () => turn(() => this.#ring()));
  }

  start() {
    this.#env.network.addEventListener?.('online', this.#networkCame);
    this.#env.network.addEventListener?.('offline', this.#networkWent);
    this.connect();
  }

  stop() {
    this.#env.network.removeEventListener?.('online', this.#networkCame);
    this.#env.network.removeEventListener?.('offline', this.#networkWent);
    this.#drop(1000);
    this.state = 'stopped';
  }

  connect() {
    this.#drop();
    this.state = 'connecting';
    this.reason = '';
    this.#connectAsked = this.#env.now();
    const socket = this.#socket = new this.#env.WebSocket(this.#url);
    const mine = (work) => (event) => { if (socket === this.#socket) this.#on.turn(() => work(event)); };
    socket.onopen = mine(() => {
      this.state = 'online';
      this.#heard = this.#env.now();
      this.#on.opened();
    });
    socket.onmessage = mine(({data}) => {
      this.#heard = this.#env.now();
      this.#pingAsked = null;
      this.#on.received(parsed(data));
    });
    socket.onclose = mine(({code, reason}) => this.lost(code, reason));
  }

  /// The server gave what we came for.
  proven() {
    this.#provenAt ??= this.#env.now();
  }

  send(message) {
    if (this.state === 'online') this.#socket.send(JSON.stringify(message));
  }

  /// The connection is gone, or counts as such.
  lost(code, reason) {
    const end = closing(code, reason, Boolean(this.#env.token));
    const {now, random} = this.#env;
    if (this.#provenAt !== null && now() >= this.#provenAt + steady) this.#tries = 0;
    this.#drop(undefined, end);
    this.state = end.back ? 'waiting' : 'ended';
    this.reason = end.says;
    if (end.back) this.#retryAt = now() + end.wait + fullJitter(this.#tries++, random);
  }

  /// Sets the timer; to be called at the end of each turn.
  arm() {
    this.#alarm.set(this.#due());
  }

  #due() {
    if (this.state === 'waiting') return this.#retryAt;
    if (this.state === 'connecting') return this.#connectAsked + patience;
    if (this.state !== 'online') return Infinity;
    return this.#pingAsked === null ? this.#heard + quiet : this.#pingAsked + patience;
  }

  #ring() {
    if (this.#env.now() < this.#due()) return;  // a timer may be early
    if (this.state === 'waiting') this.connect();
    else if (this.state === 'connecting' || this.#pingAsked !== null) this.lost(1006);
    else this.#ping();
  }

  #ping() {
    this.#pingAsked = this.#env.now();
    this.send({type: 'ping'});
  }

  #drop(code, end) {
    const socket = this.#socket;
    this.#socket = this.#pingAsked = this.#provenAt = null;
    if (!socket) return;
    this.#on.dropped(end);
    socket.close(code);
  }

  #networkCame = () => this.#on.turn(() => {
    if (this.state !== 'waiting') return;
    this.#tries = 0;
    this.#retryAt = this.#env.now() + fullJitter(this.#tries++, this.#env.random);
  });

  #networkWent = () => this.#on.turn(() => {
    if (this.#socket) this.lost(1006);
  });
}

function parsed(data) {
  try {
    return Object(JSON.parse(data));
  } catch {
    return {};  // not of this protocol: like an unknown type
  }
}
