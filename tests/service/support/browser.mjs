// SPDX-License-Identifier: BSL-1.0
// The system's Chromium, and pages that remember what they complained about.
import {existsSync} from 'node:fs';
import {chromium} from 'playwright-core';

const executablePath = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/google-chrome',
                        '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'].find((p) => p && existsSync(p));

export function launch() {
  return chromium.launch({executablePath, args: [
    '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
  ]});
}

/// Opens a page of its own (its own cookies and storage). `page.complaints` has console errors, exceptions and
/// violations of the Content-Security-Policy; a refused connection while a server is away is none.
export async function openPage(browser, options = {}) {
  const context = await browser.newContext(options);
  return watched(await context.newPage());
}

export async function watched(page) {
  page.complaints = [];
  page.setDefaultTimeout(15_000);
  page.on('pageerror', (error) => page.complaints.push(String(error)));
  page.on('console', (message) => {
    const expected = /WebSocket connection to .* failed/.test(message.text());
    if (['error', 'warning'].includes(message.type()) && !expected) page.complaints.push(message.text());
  });
  await page.exposeFunction('complain', (text) => page.complaints.push(text));
  await page.addInitScript(() => addEventListener('securitypolicyviolation', (event) =>
    window.complain(`CSP: ${event.violatedDirective} ${event.blockedURI}`)));
  return page;
}
