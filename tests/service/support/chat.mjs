// SPDX-License-Identifier: BSL-1.0
// The chat in a browser, as its tests use it: pages, and what is on them.
import assert from 'node:assert/strict';
import {mkdirSync} from 'node:fs';
import path from 'node:path';

import {openPage} from './browser.mjs';
import {binaries} from './program.mjs';

const shots = path.join(binaries, '../screenshots');

export async function join(browser, server, name, {channel = 'general', ...options} = {}) {
  const page = await openPage(browser, options);
  await page.goto(server.address);
  await enter(page, name, channel);
  return page;
}

export async function enter(page, name, channel = 'general') {
  await page.getByRole('textbox', {name: 'Your name'}).fill(name);
  await page.getByRole('textbox', {name: 'Channel'}).fill(channel);
  await page.getByRole('button', {name: 'Join the chat'}).click();
  await online(page);
}

export const online = (page) => page.locator('#connection[data-state=online]').waitFor();

export async function say(page, text) {
  await page.getByRole('textbox', {name: 'Message', exact: true}).fill(text);
  await page.keyboard.press('Enter');
}

export const bubble = (page, text) => page.locator('.message .bubble').getByText(text, {exact: true});
export const stored = (page, text) =>
  page.locator('.message.own[data-state=stored] .bubble').getByText(text, {exact: true});
export const texts = (page) => page.locator('.message .bubble').allTextContents();
export const people = (page) => page.locator('#people .name').allTextContents();

/// Waits until it is so.
export async function eventually(get, wanted) {
  const end = Date.now() + 15_000;
  for (;;) {
    const got = await get();
    try {
      return assert.deepEqual(got, wanted);
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((done) => setTimeout(done, 50));
    }
  }
}

/// Closes pages which must have nothing to complain about.
export async function finish(...pages) {
  for (const page of pages) {
    assert.deepEqual(page.complaints, []);
    await page.context().close();
  }
}

/// Keeps what a page looks like, for people.
export async function shot(page, name) {
  mkdirSync(shots, {recursive: true});
  await page.screenshot({path: path.join(shots, `${name}.png`)});
}
