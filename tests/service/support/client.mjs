// SPDX-License-Identifier: BSL-1.0
// One connection to the chat, for tests that ask and wait.
import {once} from 'node:events';
import WebSocket from 'ws';

import {makeFormat} from './formats.mjs';

/// A client with what it received and did not take yet.
export class Client {
  #got = [];
  #wake = () => {};

  /// Without a format it offers no subprotocol; a token is offered behind that of the format.
  static async open(server, {format, token, ...options} = {}) {
    const client = new Client();
    client.speaks = makeFormat(format);
    const protocols = token === undefined ? format ?? [] : [format ?? 'chat.v1.json', `bearer.${token}`];
    client.socket = new WebSocket(`ws://127.0.0.1:${server.port}/ws`, protocols, options);
    client.socket.on('message', (data) => {
      client.#got.push(client.speaks.decode(data));
      client.#wake();
    });
    client.closed = once(client.socket, 'close').then(([code, reason]) => ({code, reason: String(reason)}));
    await once(client.socket, 'open');
    return client;
  }

  /// A request, or a payload as it is.
  send(what) {
    const whole = typeof what !== 'object' || Buffer.isBuffer(what);
    for (const payload of whole ? [what] : this.speaks.encode(what)) this.socket.send(payload);
  }

  /// The next message of a type; what came before it is dropped.
  async next(type) {
    for (;;) {
      while (this.#got.length) {
        const m = this.#got.shift();
        if (m.type === type) return m;
      }
      await new Promise((wake) => { this.#wake = wake; });
    }
  }

  /// All messages of a type that nobody has asked for.
  taken(type) {
    return this.#got.filter((m) => m.type === type);
  }

  async join(channel, user, device) {
    this.send({type: 'join', channel, user, device});
    return this.next('history');
  }

  say(channel, text, id) {
    this.send({type: 'message', channel, text, id});
  }
}
