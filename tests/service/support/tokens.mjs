// SPDX-License-Identifier: BSL-1.0
// JSON Web Tokens and their keys, as an identity provider makes them.
import {createHmac, createSign, generateKeyPairSync} from 'node:crypto';
import {writeFileSync} from 'node:fs';
import path from 'node:path';

const encode = (what) => Buffer.from(typeof what === 'string' ? what : JSON.stringify(what)).toString('base64url');

export const seconds = () => Math.floor(Date.now() / 1000);

/// Signs for `sub`, for ten minutes.
function sign(alg, by, sub, more = {}) {
  const text = `${encode({alg, typ: 'JWT'})}.${encode({sub, exp: seconds() + 600, ...more})}`;
  return `${text}.${by(text)}`;
}

/// A kind of token: its `key` is in a file of `folder`, `token(user, claims)` makes one.
export function hs256(folder, secret = 'a secret that nobody guesses: 32 bytes or more') {
  const key = path.join(folder, 'secret');
  writeFileSync(key, `${secret}\n`);
  const by = (text) => createHmac('sha256', secret).update(text).digest('base64url');
  return {key, token: (user, more) => sign('HS256', by, user, more)};
}

export function rs256(folder) {
  const {publicKey, privateKey} = generateKeyPairSync('rsa', {
    modulusLength: 2048, publicKeyEncoding: {type: 'spki', format: 'pem'},
    privateKeyEncoding: {type: 'pkcs8', format: 'pem'}});
  const key = path.join(folder, 'public.pem');
  writeFileSync(key, publicKey);
  const by = (text) => createSign('sha256').update(text).sign(privateKey, 'base64url');
  return {key, publicKey, privateKey, token: (user, more) => sign('RS256', by, user, more)};
}
