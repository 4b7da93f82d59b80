// SPDX-License-Identifier: BSL-1.0
// The surroundings of a chat client as a test wants them: time that is told, a network of its own, chance from a seed.

/// Time that passes only when it is told to.
export class VirtualTime {
  now = 0;
  #timers = new Map();  // id -> {id, at, work}
  #last = 0;

  setTimeout(work, ms) {
    const id = ++this.#last;
    this.#timers.set(id, {id, at: this.now + ms, work});
    return id;
  }

  clearTimeout(id) {
    this.#timers.delete(id);
  }

  /// Runs what is due within `ms`, in its order.
  pass(ms) {
    const end = this.now + ms;
    for (;;) {
      let next = null;
      for (const timer of this.#timers.values()) if (timer.at <= end && !(timer.at >= next?.at)) next = timer;
      if (!next) break;
      this.#timers.delete(next.id);
      this.now = Math.max(this.now, next.at);
      next.work();
    }
    this.now = end;
  }

  /// What a client takes of it.
  get env() {
    return {
      now: () => this.now,
      time: () => 1_764_000_000_000 + this.now,
      setTimeout: (work, ms) => this.setTimeout(work, ms),
      clearTimeout: (id) => this.clearTimeout(id),
    };
  }
}

/// Numbers from 0 to 1, the same ones for the same seed.
export function chance(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return ((z ^ (z >>> 16)) >>> 0) / 2 ** 32;
  };
}

/// A Storage.
export class FakeStorage {
  values = new Map();

  getItem(key) {
    return this.values.get(key) ?? null;
  }

  setItem(key, value) {
    this.values.set(key, String(value));
  }

  removeItem(key) {
    this.values.delete(key);
  }
}

/// A WebSocket whose other end is the test: `network.sockets` has all that were opened.
export class FakeNetwork {
  sockets = [];
  events = new EventTarget();

  get WebSocket() {
    const network = this;
    return class {
      sent = [];
      closedWith = undefined;

      constructor(url) {
        this.url = url;
        network.sockets.push(this);
      }

      send(text) {
        this.sent.push(JSON.parse(text));
      }

      close(code = 1005) {
        this.closedWith ??= code;
      }
    };
  }

  get last() {
    return this.sockets.at(-1);
  }
}
