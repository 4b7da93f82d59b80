// SPDX-License-Identifier: BSL-1.0
// A network between clients and a server that delays, slices, and resets connections.
import {once} from 'node:events';
import net from 'node:net';
import {setTimeout as sleep} from 'node:timers/promises';

export class RoughNetwork {
  resets = 0;
  #cuts = new Set();  // one for each connection

  /// Gives one that leads to `port`; when the test `t` ends, it ends too. One piece in `reset` is the last.
  static async start(t, {port, roll, reset = 1000}) {
    const rough = new RoughNetwork();
    const open = new Set();
    const server = net.createServer((client) => {
      const real = net.connect(port, '127.0.0.1');
      const both = [client, real];
      const cut = () => {
        ++rough.resets;
        both.forEach((socket) => socket.resetAndDestroy());
      };
      rough.#cuts.add(cut);
      both.forEach((from, i) => {
        open.add(from);
        from.on('error', () => {});
        from.on('close', () => {
          open.delete(from);
          rough.#cuts.delete(cut);
          both[1 - i].destroy();
        });
        rough.#carry(from, both[1 - i], roll, () => roll(reset) === 0 && (cut(), true));
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => {
      server.close();
      for (const socket of open) socket.destroy();
    });
    rough.port = server.address().port;
    return rough;
  }

  /// Resets one of the connections, if there is one.
  reset(roll) {
    const cuts = [...this.#cuts];
    if (cuts.length > 0) cuts[roll(cuts.length)]();
  }

  async #carry(from, to, roll, ends) {
    try {
      for await (const data of from) {
        for (let at = 0; at < data.length;) {
          const size = Math.min(data.length - at, 1 + roll(roll(2) ? 10 : 2000));
          if (ends()) return;
          if (roll(3) === 0) await sleep(roll(5));
          to.write(data.subarray(at, at + size));
          at += size;
        }
      }
    } catch { /* it was reset */ }
  }
}
