// SPDX-License-Identifier: BSL-1.0
// What the protocol allows as names and texts: docs/chat.md, "Words". The server judges; this says it sooner.

export const nameBytesMax = 64;
export const textBytesMax = 16_384;
const requestBytesMax = 65_536 - 1024;  // of a message's text in JSON: the server closes at 64 KiB

const deceptive = /[\p{Cc}\p{Zl}\p{Zp}\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]/u;

/// The length in UTF-8.
export const bytes = (text) => new TextEncoder().encode(text).length;

/// The text with U+FFFD for what the server does not take: U+0000, and halves of surrogate pairs, which have no UTF-8.
export const wellFormed = (text) => text.replace(/[\0\p{Cs}]/gu, '\ufffd');

/// Says what is wrong with a name; nothing ('') if it may be used.
export function nameFlaw(what, name) {
  if (!name) return `Please enter ${what}.`;
  if (bytes(name) > nameBytesMax) return `This is too long for ${what}.`;
  return deceptive.test(name) ? `There is an invisible character in ${what}.` : '';
}

/// Says what is wrong with the text of a message; nothing ('') if it may be sent.
export function textFlaw(text) {
  if (!text.trim()) return 'This is empty.';
  const size = bytes(text);
  if (size > textBytesMax) return `This is too long: ${size} of ${textBytesMax} bytes.`;
  return bytes(JSON.stringify(text)) > requestBytesMax ? 'There are too many control characters in this.' : '';
}
