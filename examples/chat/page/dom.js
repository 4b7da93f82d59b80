// SPDX-License-Identifier: BSL-1.0
// Small helpers of the page. Text from others gets into it by textContent only.

export const $ = (id) => document.getElementById(id);

export function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

export function button(className, text, onclick) {
  const made = element('button', className, text);
  made.type = 'button';
  made.addEventListener('click', onclick);
  return made;
}

/// A name among other text: it cannot turn that around.
export function named(name, className = 'name') {
  const made = element('bdi', className, name);
  made.dir = 'auto';
  return made;
}

/// Changes a text only if it is another one: a live region speaks at every change.
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/// Brings children in line without touching those that stay.
export function reconcile(parent, wanted) {
  const stays = new Set(wanted);
  for (const child of [...parent.children]) if (!stays.has(child)) child.remove();
  let next = parent.firstElementChild;
  for (const node of wanted) {
    if (node === next) next = next.nextElementSibling;
    else parent.insertBefore(node, next);
  }
}

const formatted = (options) => {
  const format = new Intl.DateTimeFormat(undefined, options);
  return (time) => format.format(time);
};
export const clock = formatted({hour: '2-digit', minute: '2-digit'});
export const fullTime = formatted({dateStyle: 'medium', timeStyle: 'short'});
const longDate = formatted({weekday: 'long', day: 'numeric', month: 'long'});

export const dayOf = (time) => new Date(time).setHours(0, 0, 0, 0);

export function dayName(time) {
  const days = Math.round((dayOf(Date.now()) - dayOf(time)) / 86_400_000);
  return days === 0 ? 'Today' : days === 1 ? 'Yesterday' : longDate(time);
}

/// A colour from a name, the same on every page.
export function tint(target, name) {
  let hash = 7;
  for (const c of name) hash = (hash * 31 + c.codePointAt(0)) >>> 0;
  target.style.setProperty('--hue', (hash % 24) * 15);
}

function firstLetter(name) {
  if (!Intl.Segmenter) return [...name][0];
  return new Intl.Segmenter().segment(name)[Symbol.iterator]().next().value.segment;
}

export function paint(avatar, name) {
  tint(avatar, name);
  avatar.textContent = firstLetter(name).toLocaleUpperCase();
}

export function avatar(name) {
  const made = element('span', 'avatar');
  made.setAttribute('aria-hidden', 'true');
  paint(made, name);
  return made;
}

/// An address that a link may lead to. One with a user in it pretends to be another: https://bank.example@evil.example
function address(text) {
  try {
    const url = new URL(text);
    return /^https?:$/.test(url.protocol) && !url.username && !url.password ? url.href : '';
  } catch {
    return '';
  }
}

/// Text with its http and https addresses as links. Controls end an address: they could show another than it is.
export function linked(text) {
  const parts = document.createDocumentFragment();
  let from = 0;
  for (const found of text.matchAll(/https?:\/\/[^\s<>"\p{C}]*[^\s<>"'.,;:!?)\]\p{C}]/gu)) {
    const href = address(found[0]);
    if (!href) continue;
    const link = element('a', '', found[0]);
    Object.assign(link, {href, title: href, target: '_blank', rel: 'noopener noreferrer'});
    parts.append(text.slice(from, found.index), link);
    from = found.index + found[0].length;
  }
  parts.append(text.slice(from));
  return parts;
}
