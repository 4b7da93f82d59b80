// SPDX-License-Identifier: BSL-1.0
// A bare TCP connection to a WebSocket server: for bytes that no client sends.
import {once} from 'node:events';
import net from 'node:net';

/// A client's frame with the key zero: `first` is its first byte. With {masked: false} as a server would send it.
export function frame(first, payload = '', {masked = true} = {}) {
  const data = Buffer.from(payload);
  const mask = masked ? 0x80 : 0;
  const form = data.length < 126 ? data.length : data.length < 65536 ? 126 : 127;
  const head = Buffer.alloc(form < 126 ? 2 : form === 126 ? 4 : 10);
  head[0] = first;
  head[1] = mask | form;
  if (form === 126) head.writeUInt16BE(data.length, 2);
  if (form === 127) head.writeBigUInt64BE(BigInt(data.length), 2);
  return Buffer.concat([head, Buffer.alloc(masked ? 4 : 0), data]);
}

/// Takes a server's frames apart: [{first, payload}].
export function frames(data) {
  const all = [];
  for (let at = 0; at < data.length;) {
    const short = data[at + 1];
    let from = at + 2;
    let size = short;
    if (short === 126) size = data.readUInt16BE(at + 2), from += 2;
    if (short === 127) size = Number(data.readBigUInt64BE(at + 2)), from += 8;
    all.push({first: data[at], payload: data.subarray(from, from + size)});
    at = from + size;
  }
  return all;
}

export class RawSocket {
  static async connect(port, host = '127.0.0.1') {
    const raw = new RawSocket();
    raw.socket = net.connect({port, host});
    raw.received = Buffer.alloc(0);
    raw.socket.on('data', (data) => { raw.received = Buffer.concat([raw.received, data]); });
    raw.socket.on('error', () => {});  // a reset is an end
    raw.ended = new Promise((done) => raw.socket.on('close', () => done(raw.received)));
    await once(raw.socket, 'connect');
    return raw;
  }

  /// A connection that is open, with the bytes behind the 101 in `received`.
  static async open(port, {path = '/', headers = ''} = {}) {
    const raw = await RawSocket.connect(port);
    raw.socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\n` +
      'Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n' +
      `${headers}\r\n`);
    const end = await raw.until('\r\n\r\n');
    raw.head = String(raw.received.subarray(0, end));
    raw.received = raw.received.subarray(end);
    return raw;
  }

  write(...parts) {
    for (const part of parts) this.socket.write(part);
  }

  /// Waits for `mark`, and gives the place behind it.
  async until(mark) {
    for (;;) {
      const at = this.received.indexOf(mark);
      if (at >= 0) return at + mark.length;
      if (this.socket.destroyed) throw new Error(`the stream ended before ${JSON.stringify(mark)}: ${this.received}`);
      await Promise.race([once(this.socket, 'data'), this.ended]);
    }
  }

  /// The code of the Close frame with which the server ends the stream; 0 without one.
  async closeCode() {
    const last = frames(await this.ended).at(-1);
    return last?.first === 0x88 ? last.payload.readUInt16BE(0) : 0;
  }

  drop() { this.socket.destroy(); }
}
