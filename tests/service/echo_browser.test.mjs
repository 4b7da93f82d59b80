// SPDX-License-Identifier: BSL-1.0
// echo_server with Chromium's WebSocket, from a page of another origin.
import assert from 'node:assert/strict';
import {once} from 'node:events';
import http from 'node:http';
import {after, before, test} from 'node:test';

import {launch, openPage} from './support/browser.mjs';
import {Server} from './support/program.mjs';

let browser;
let pages;
before(async () => {
  browser = await launch();
  pages = http.createServer((request, response) => {
    response.setHeader('Content-Type', 'text/html');
    response.end('<!doctype html><link rel=icon href=data:,><title>page</title>');
  });
  pages.listen(0, '127.0.0.1');
  await once(pages, 'listening');
});
after(async () => {
  await browser?.close();
  pages.close();
});

/// A page with helpers for talking to the server.
async function start(t, ...args) {
  const server = await Server.start('echo_server', ['--port', '0', ...args]);
  t.after(() => server.end('SIGKILL'));
  const page = await openPage(browser);
  t.after(() => page.context().close());
  await page.goto(`http://127.0.0.1:${pages.address().port}/`);
  await page.evaluate((port) => {
    globalThis.open = (protocols = []) => new Promise((done, failed) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/`, protocols);
      socket.binaryType = 'arraybuffer';
      socket.ended = new Promise((end) => {
        socket.onclose = ({code, reason, wasClean}) => {
          end({code, reason, wasClean});
          failed(new Error(`closed ${code}`));
        };
      });
      socket.onopen = () => done(socket);
    });
    globalThis.echo = (socket, data) => new Promise((done, failed) => {
      socket.onmessage = (event) => done(event.data);
      socket.ended.then(({code}) => failed(new Error(`closed ${code}`)));
      socket.send(data);
    });
    globalThis.pattern = (size) => Uint8Array.from({length: size}, (_, i) => 97 + (i * 7 + (i >> 8)) % 26);
  }, server.port);
  return {server, page};
}

// Chromium offers compression by itself.
const deflate = [['0', ''], ['15', 'permessage-deflate'], ['9', 'permessage-deflate']];
for (const [bits, agreed] of deflate) test(`all sizes come back, cleanly: deflate ${bits} [hazard-74]`, async (t) => {
  const {page} = await start(t, ...(bits === '0' ? [] : ['--deflate', '--window-bits', bits]));
  const wrong = await page.evaluate(async (agreed) => {
    const socket = await open();
    const wrong = [];
    if (socket.extensions.split(';')[0] !== agreed) wrong.push(socket.extensions);
    if (socket.protocol !== '') wrong.push('negotiated');
    for (const size of [0, 1, 125, 126, 127, 65535, 65536, 1048576]) {
      const bytes = pattern(size);
      const text = new TextDecoder().decode(bytes);
      if (await echo(socket, text) !== text) wrong.push(`text of ${size} bytes`);
      const back = new Uint8Array(await echo(socket, bytes));
      if (back.length !== size || back.some((b, i) => b !== bytes[i])) wrong.push(`binary of ${size} bytes`);
      if (await echo(socket, new Blob([bytes])).then((b) => b.byteLength) !== size) wrong.push(`blob of ${size} bytes`);
    }
    const letters = 'Ünïcödé \u{1F600} \u0000 end';
    if (await echo(socket, letters) !== letters) wrong.push('letters');
    socket.close(4000, 'bye');
    return [...wrong, await socket.ended];
  }, agreed);
  assert.deepEqual(wrong, [{code: 4000, reason: '', wasClean: true}]);
  assert.deepEqual(page.complaints, []);
});

test('ten sockets send at once and keep their order', async (t) => {
  const {page} = await start(t, '--threads', '3');
  const ends = await page.evaluate(async () => {
    const sockets = await Promise.all(Array.from({length: 10}, () => open()));
    return Promise.all(sockets.map(async (socket, n) => {
      const got = [];
      const all = new Promise((done) => { socket.onmessage = ({data}) => got.push(data) === 200 && done(); });
      for (let i = 0; i < 200; ++i) socket.send(`${n} ${i} ${'x'.repeat(i * 10)}`);
      await all;
      socket.close();
      const {wasClean} = await socket.ended;
      return wasClean && got.every((text, i) => text === `${n} ${i} ${'x'.repeat(i * 10)}`);
    }));
  });
  assert.deepEqual(ends, Array(10).fill(true));
});

test('a server that stops says 1001, one that is killed 1006, and a message too big 1009', async (t) => {
  const {server, page} = await start(t, '--message-max', '1000');
  const big = await page.evaluate(async () => {
    const socket = await open();
    socket.send('x'.repeat(1001));
    return socket.ended;
  });
  assert.equal(big.code, 1009);
  await page.evaluate(async () => { globalThis.socket = await open(); });
  assert.equal(await server.end('SIGTERM'), 0);
  assert.deepEqual(await page.evaluate(() => socket.ended), {code: 1001, reason: '', wasClean: true});

  const killed = await start(t);
  await killed.page.evaluate(async () => { globalThis.socket = await open(); });
  await killed.server.end('SIGKILL');
  assert.equal((await killed.page.evaluate(() => socket.ended)).code, 1006);
});

test('a subprotocol that the server does not speak fails in the browser alone', async (t) => {
  const {page} = await start(t);
  const outcome = await page.evaluate(() => open(['chat.v1']).then(() => 'open', (error) => error.message));
  assert.equal(outcome, 'closed 1006');
  assert.equal(await page.evaluate(() => open().then((socket) => echo(socket, 'fine'))), 'fine');
});
