// SPDX-License-Identifier: BSL-1.0

/// Values in a Storage that may be full, forbidden, garbled or absent: what cannot be kept is forgotten.
export class Memory {
  #storage;

  /// `open` gives the Storage. It may throw, as the very name localStorage does where cookies are forbidden.
  constructor(open) {
    try {
      this.#storage = open();
    } catch { /* nothing is remembered */ }
  }

  get(key, otherwise) {
    try {
      return JSON.parse(this.#storage.getItem(`purews.${key}`)) ?? otherwise;
    } catch {
      return otherwise;
    }
  }

  /// Keeps a value; undefined removes it.
  set(key, value) {
    try {
      if (value === undefined) this.#storage.removeItem(`purews.${key}`);
      else this.#storage.setItem(`purews.${key}`, JSON.stringify(value));
    } catch { /* full or forbidden */ }
  }
}
