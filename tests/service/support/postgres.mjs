// SPDX-License-Identifier: BSL-1.0
// A PostgreSQL of one's own: in a new folder, on a local socket, and as a user that is not root.
import {execFileSync, spawn} from 'node:child_process';
import {once} from 'node:events';
import {chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';

/// Debian has each version's programs in a folder of its own, outside of the PATH.
function programs() {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => b - a) : [];
  const folders = [...versions.map((v) => path.join(debian, v, 'bin')),
                   '/opt/homebrew/opt/postgresql@16/bin', '/usr/local/opt/postgresql@16/bin', '/usr/bin'];
  const found = folders.find((folder) => existsSync(path.join(folder, 'initdb')));
  if (!found) throw new Error('PostgreSQL is not installed: make deps installs it');
  return found;
}

/// PostgreSQL refuses to run as root.
function somebody() {
  if (process.getuid() !== 0) return {};
  const [, , uid, gid] = readFileSync('/etc/passwd', 'utf8').match(/^postgres:.*$/m)[0].split(':');
  return {uid: Number(uid), gid: Number(gid)};
}

export class Postgres {
  #user = somebody();

  /// Makes a database and starts it; when the test `t` ends, it ends too.
  static async start(t) {
    const pg = new Postgres();
    pg.folder = mkdtempSync(path.join(tmpdir(), 'purews-pg-'));
    if (pg.#user.uid !== undefined) chownSync(pg.folder, pg.#user.uid, pg.#user.gid);
    t.after(async () => {
      await pg.end('SIGQUIT');
      rmSync(pg.folder, {recursive: true, force: true});
    });
    pg.data = path.join(pg.folder, 'data');
    // The machine does not crash, only programs do: nothing need reach the disk.
    execFileSync(path.join(programs(), 'initdb'), ['--pgdata', pg.data, '--username=chat', '--auth=trust',
      '--encoding=UTF8', '--locale=C', '--no-sync'], {...pg.#user, cwd: pg.folder, stdio: 'ignore'});
    pg.url = `postgres://chat@/postgres?host=${encodeURIComponent(pg.folder)}`;
    await pg.run();
    return pg;
  }

  /// Starts it, also again, and waits until it can be used.
  async run() {
    rmSync(path.join(this.data, 'postmaster.pid'), {force: true});  // of one that was killed
    this.log = '';
    this.child = spawn(path.join(programs(), 'postgres'), ['-D', this.data, '-k', this.folder, '-c', 'fsync=off',
      '-c', 'listen_addresses=', '-c', 'max_connections=50'], {...this.#user, cwd: this.folder,
      stdio: ['ignore', 'ignore', 'pipe']});
    this.ended = once(this.child, 'exit');
    await new Promise((done, failed) => {
      this.child.stderr.on('data', (data) => {
        this.log += data;
        if (this.log.includes('ready to accept connections')) done();
      });
      this.ended.then(() => failed(new Error(`PostgreSQL ended: ${this.log}`)));
    });
  }

  async end(signal = 'SIGINT') {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
    await this.ended;
  }

  /// The answer to a query, unaligned.
  query(sql) {
    const flags = ['-h', this.folder, '-U', 'chat', '-d', 'postgres', '-XAtq', '-c', sql];
    return execFileSync(path.join(programs(), 'psql'), flags, {encoding: 'utf8'}).trim();
  }

  /// The processes that serve the chat's connections.
  backends() {
    const pids = this.query("SELECT pid FROM pg_stat_activity WHERE application_name = 'chat_server'");
    return pids.split('\n').filter((pid) => pid).map(Number);
  }
}
