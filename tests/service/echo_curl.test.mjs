// SPDX-License-Identifier: BSL-1.0
// curl's opening handshake with echo_server. curl 7.88 of Debian 12 knows no ws: yet, so its headers are written here.
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {after, before, test} from 'node:test';

import {Server} from './support/program.mjs';

let server;
before(async () => { server = await Server.start('echo_server', ['--port', '0']); });
after(() => server.end('SIGKILL'));

const upgrade = ['-H', 'Connection: Upgrade', '-H', 'Upgrade: websocket', '-H', 'Sec-WebSocket-Version: 13',
                 '-H', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='];

/// The head of the answer, from what --verbose says at once; curl is ended then, as after a 101 it waits for more.
async function head(...args) {
  const child = spawn('curl', ['--silent', '--verbose', '--http1.1', '--max-time', '20', ...args,
                               `http://127.0.0.1:${server.port}/`], {stdio: ['ignore', 'ignore', 'pipe']});
  const ended = once(child, 'close');
  let said = '';
  for await (const data of child.stderr) {
    said += data;
    if (said.includes('\n< \r\n')) break;
  }
  child.kill();
  await ended;
  return said.split('\r\n').join('\n').split('\n').filter((line) => line.startsWith('< ')).slice(0, -1)
    .map((line) => line.slice(2));
}

test('the handshake of RFC 6455 1.3 is accepted', async () => {
  assert.deepEqual(await head(...upgrade), [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
  ]);
});

test('a request without upgrade, of another version, or with a bad key is refused', async () => {
  const plain = await head();
  assert.equal(plain[0], 'HTTP/1.1 426 Upgrade Required');
  assert.ok(plain.includes('Upgrade: websocket'));
  const old = await head(...upgrade.slice(0, 4), '-H', 'Sec-WebSocket-Version: 8', ...upgrade.slice(6));
  assert.match(old[0], /^HTTP\/1.1 4(00|26) /);
  assert.ok(old.includes('Sec-WebSocket-Version: 13'));
  const bad = await head(...upgrade.slice(0, 6), '-H', 'Sec-WebSocket-Key: short');
  assert.match(bad[0], /^HTTP\/1.1 400 /);
  const posted = await head(...upgrade, '-X', 'POST');
  assert.match(posted[0], /^HTTP\/1.1 405 /);
});
