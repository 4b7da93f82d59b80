// SPDX-License-Identifier: BSL-1.0

const outgoingMax = 100;

/// The messages of one user to one channel that have not come back yet, oldest first.
///
/// Each is {id, text, time, state, tried, reason, seq, sentAt}. state: 'waiting' (for a connection, or its turn),
/// 'sent', 'stored' (acknowledged; the message itself is to come) or 'failed' (for good: `reason`). `tried`: it was
/// sent once, so that it may be stored although nobody told us. What has no ack is kept in `tab`, and so survives a
/// reload of the page.
export class Outgoing {
  list = [];

  #tab;
  #key;
  #kept = true;  // there may be something in `tab`

  constructor(tab, user, channel) {
    this.#tab = tab;
    this.#key = `outgoing ${JSON.stringify([user, channel])}`;
    const kept = tab.get(this.#key, []);
    const sound = (m) => typeof m?.id === 'string' && typeof m.text === 'string' && Number.isFinite(m.time);
    this.list = (Array.isArray(kept) ? kept.filter(sound) : []).map(({id, text, time, tried, reason}) =>
      ({id, text, time, tried: tried !== false, reason, state: reason ? 'failed' : 'waiting'}));
  }

  get full() {
    return this.list.length >= outgoingMax;
  }

  in(state) {
    return this.list.filter((m) => m.state === state);
  }

  add(id, text, time) {
    this.list.push({id, text, time, state: 'waiting', tried: false});
    this.keep();  // before it is sent: a page that is reloaded now sends it again, with the same id
  }

  /// Marks up to `room` messages as sent, in their order, and gives them.
  take(room, now) {
    const taken = this.in('waiting').slice(0, Math.max(0, room));
    for (const m of taken) Object.assign(m, {state: 'sent', tried: true, sentAt: now});
    if (taken.length) this.keep();
    return taken;
  }

  /// The message with this id, if the server has not answered it yet.
  sent(id) {
    return this.list.find((m) => m.id === id && m.state === 'sent');
  }

  fail(message, reason) {
    Object.assign(message, {state: 'failed', reason});
    this.keep();
  }

  /// A message that failed is to be sent again.
  retry(id) {
    const message = this.in('failed').find((m) => m.id === id);
    if (message) Object.assign(message, {state: 'waiting', reason: undefined});
    this.keep();
  }

  /// True if it will not be sent. One that was tried cannot be taken back, unless it was refused.
  cancel(id) {
    const message = this.list.find((m) => m.id === id);
    if (message?.state !== 'failed' && (message?.state !== 'waiting' || message.tried)) return false;
    this.#drop((m) => m === message);
    return true;
  }

  clear() {
    this.#drop(() => true);
  }

  stored(id, seq, time) {
    const message = this.list.find((m) => m.id === id);
    if (message) Object.assign(message, {state: 'stored', seq, time});
    this.keep();
  }

  /// Of what is acknowledged up to number `seq`, all has come.
  arrived(seq, ids = []) {
    if (this.list.length) this.#drop((m) => ids.includes(m.id) || (m.state === 'stored' && m.seq <= seq));
  }

  disconnected() {
    for (const m of this.in('sent')) m.state = 'waiting';
  }

  keep() {
    const kept = this.list.filter((m) => m.state !== 'stored')
        .map(({id, text, time, tried, reason}) => ({id, text, time, tried, reason}));
    if (kept.length || this.#kept) this.#tab.set(this.#key, kept.length ? kept : undefined);
    this.#kept = kept.length > 0;
  }

  #drop(which) {
    const stays = this.list.filter((m) => !which(m));
    if (stays.length === this.list.length) return;
    this.list = stays;
    this.keep();
  }
}
