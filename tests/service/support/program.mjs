// SPDX-License-Identifier: BSL-1.0
// Starts the project's programs, and ends them by their process alone.
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {fileURLToPath} from 'node:url';

const project = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
export const binaries = path.resolve(project, process.env.PUREWS_BIN ?? 'build/bin');
const stdio = ['ignore', 'pipe', 'pipe'];

/// Runs a program to its end.
export async function run(name, args, options = {}) {
  const child = spawn(path.join(binaries, name), args, {stdio, timeout: 20_000, ...options});
  let out = '';
  let err = '';
  child.stdout.on('data', (data) => { out += data; });
  child.stderr.on('data', (data) => { err += data; });
  const [code, signal] = await once(child, 'close');
  return {code, signal, out, err};
}

/// A server that has printed its line "listening on ADDRESS".
export class Server {
  static async start(name, args, options = {}) {
    const server = new Server();
    const child = server.child = spawn(path.join(binaries, name), args, {stdio, ...options});
    server.err = '';
    child.stderr.on('data', (data) => { server.err += data; });
    server.ended = once(child, 'exit');
    let out = '';
    const listening = new Promise((done) => child.stdout.on('data', (data) => {
      out += data;
      if (out.includes('\n')) done();
    }));
    await Promise.race([listening, server.ended]);
    const line = out.match(/^listening on (unix:.*|.*:(\d+))\n/);
    if (!line) throw new Error(`${name} did not start: ${out}${server.err}`);
    server.address = line[1];
    server.port = Number(line[2]);
    return server;
  }

  /// Ends it with a signal; gives its exit status, or null after a SIGKILL.
  async end(signal = 'SIGTERM') {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
    const [code] = await this.ended;
    return code;
  }
}

/// chat_server's flags for who sends more, and comes from one address more often, than people do.
export const unlimited = ['--rate', '0', '--ip-connections', '0', '--ip-rate', '0'];

/// chat_server on a store, which ends with the test at the latest.
export async function startChat(t, where = 'memory:', port = 0, more = []) {
  const server = await Server.start('chat_server', ['--port', String(port), '--store', where, ...more]);
  t.after(() => server.end('SIGKILL'));
  return server;
}

/// A folder that is removed when the test ends.
export function folder(t) {
  const made = mkdtempSync(path.join(tmpdir(), 'purews-'));
  t.after(() => rmSync(made, {recursive: true, force: true}));
  return made;
}
