// SPDX-License-Identifier: BSL-1.0
// Whether to come back after a connection was closed, and when: docs/chat.md, "Close codes".

const waitMax = 30_000;  // ms
const waitMin = 500;     // ms: the upper end of the first wait

const bug = 'this page and the server do not understand each other';
const lost = {back: true};
// Only with another token, if there is somebody who gives one.
const stranger = {back: true, needsToken: true, says: 'the server wants to know who you are'};

// A code that is not here is taken for a lost connection.
const table = {
  1000: {back: false, says: ''},
  1001: {back: true},
  1002: {back: false, says: bug},
  1003: {back: false, says: bug},
  1006: lost,  // no Close at all
  1007: {back: false, says: bug},
  1008: {back: false, says: 'the server refused what this page asked for'},
  1009: {back: false, says: 'a message was too large', tooLarge: true},
  1011: {back: true},
  1012: {back: true},
  1013: {back: true},
  4008: {back: true},
  4401: stranger,  // the token is not accepted, or has expired
  4408: stranger,  // there was none in time
  4429: {back: true, told: true},  // the reason says how many milliseconds to stay away
};

/// What a close code asks for: {back, says, tooLarge, wait}; `wait` is the least number of milliseconds.
/// `hasToken`: each connection comes with a new one.
export function closing(code, reason = '', hasToken = false) {
  const row = table[code] ?? lost;
  const back = row.back && (hasToken || !row.needsToken);
  const told = row.told ? Number(/\d+/.exec(reason)?.[0] ?? 1000) : 0;
  return {back, says: row.says ?? '', tooLarge: row.tooLarge ?? false, wait: Math.min(told, 600_000)};
}

/// Full jitter: a thousand clients that lost the same server come back spread over the whole wait.
/// `random` gives a number from 0 to 1.
export function fullJitter(tries, random) {
  return random() * Math.min(waitMax, waitMin * 2 ** tries);
}
