// SPDX-License-Identifier: BSL-1.0
// Somebody who talks to chat_server without a browser: with the page's own client, and npm's ws.
import WebSocket from 'ws';

import {Client} from '../../../examples/chat/page/client.js';
import {Memory} from '../../../examples/chat/page/memory.js';

export class Talker {
  #wake = () => {};

  static async open(...who) {
    const talker = Talker.begin(...who);
    await talker.until((own) => own.joined);
    return talker;
  }

  static begin(server, user, {channel = 'general', ...more} = {}) {
    const talker = new Talker();
    const none = new Memory(() => { throw new Error('none'); });
    let ids = 0;
    const randomId = () => `${process.pid}-${performance.now()}-${++ids}`;
    talker.channel = channel;
    talker.client = new Client({url: `ws://127.0.0.1:${server.port}/ws`, user, channels: [channel], WebSocket, randomId,
                                local: none, tab: none, changed: () => talker.#wake(), ...more});
    talker.client.start();
    return talker;
  }

  /// Says something, and waits until it has come back.
  async say(text) {
    const flaw = this.client.say(this.channel, text);
    if (flaw) throw new Error(flaw);
    await this.until(({outgoing}) => outgoing.list.length === 0 || outgoing.in('failed').length > 0);
    for (const m of this.client.channels.get(this.channel).outgoing.in('failed')) throw new Error(m.reason);
  }

  async until(is) {
    while (!is(this.client.channels.get(this.channel))) await this.change();
  }

  change() {
    return new Promise((wake) => { this.#wake = wake; });
  }

  close() {
    this.client.stop();
  }
}
