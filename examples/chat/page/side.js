// SPDX-License-Identifier: BSL-1.0
// The channels, the people, and the panels that they are in.

import {$, avatar, button, element, named} from './dom.js';

/// `unread` says how many messages of a channel are to be marked; `show` and `leave` are called with a name.
export function drawChannels(channels, active, {unread, show, leave}) {
  let elsewhere = false;
  const focused = document.activeElement?.closest?.('.channels button');
  const focusKey = focused && `${focused.dataset.channel} ${focused.className}`;
  const items = channels.map((channel) => {
    const {name} = channel;
    const count = unread(channel);
    elsewhere ||= count > 0 && name !== active;
    const item = element('li', name === active ? 'active' : '');
    const open = button('channel', '', () => show(name));
    open.append(element('span', 'hash', '#'), named(name));
    open.firstChild.setAttribute('aria-hidden', 'true');
    open.dataset.channel = name;
    if (name === active) open.setAttribute('aria-current', 'page');
    if (count) {
      item.classList.add('unread');
      const badge = element('span', 'badge', count > 99 ? '99+' : count);
      badge.append(element('span', 'sr', ' unread'));
      open.append(badge);
    }
    const away = button('leave', '×', () => leave(name));
    away.setAttribute('aria-label', `Leave ${name}`);
    away.title = 'Leave';
    away.dataset.channel = name;
    item.append(open, away);
    return item;
  });
  $('channels').replaceChildren(...items);
  if (focusKey) {
    const same = (b) => `${b.dataset.channel} ${b.className}` === focusKey;
    [...$('channels').querySelectorAll('button')].find(same)?.focus();
  }
  $('elsewhere').hidden = !elsewhere;
  $('show-channels').setAttribute('aria-label', elsewhere ? 'Channels, unread messages' : 'Channels');
}

export function drawPeople(users, count, me) {
  $('people').replaceChildren(...users.map((user) => {
    const item = element('li');
    item.append(avatar(user), named(user));
    if (user === me) item.append(element('span', 'you', 'you'));
    return item;
  }));
  const others = count - users.length;
  $('people-more').textContent = others > 0 ? `and ${others} more` : '';
  $('people-total').textContent = $('people-count').textContent = count || '';
  $('show-people').setAttribute('aria-label', `People here: ${count}`);
}

/// "ada, bob and 2 others are typing…"
export function drawTyping(typists) {
  const key = JSON.stringify(typists);
  if ($('typing').dataset.key === key) return;
  $('typing').dataset.key = key;
  const shown = typists.length > 3 ? typists.slice(0, 2) : typists;
  const others = typists.length - shown.length;
  const parts = shown.flatMap((name, i) => {
    const joint = i === 0 ? '' : i === shown.length - 1 && !others ? ' and ' : ', ';
    return [joint, named(name)];
  });
  if (others) parts.push(` and ${others} others`);
  if (typists.length) parts.push(typists.length === 1 ? ' is typing…' : ' are typing…');
  $('typing').replaceChildren(...parts);
}

// ---- Panels that slide in where there is no room for three columns ----

const panels = [[$('show-channels'), $('channels-panel')], [$('show-people'), $('people-panel')]];

function openPanel(opener, panel) {
  panel.classList.add('open');
  opener.setAttribute('aria-expanded', 'true');
  $('shade').hidden = false;
  $('conversation').inert = true;
  panel.tabIndex = -1;
  panel.focus();
}

export function closePanels() {
  $('shade').hidden = true;
  $('conversation').inert = false;
  for (const [opener, panel] of panels) {
    if (!panel.classList.contains('open')) continue;
    panel.classList.remove('open');
    opener.setAttribute('aria-expanded', 'false');
    opener.focus();
  }
}

for (const [opener, panel] of panels) opener.addEventListener('click', () => openPanel(opener, panel));
$('shade').addEventListener('click', closePanels);
matchMedia('(max-width: 860px)').addEventListener('change', closePanels);
addEventListener('keydown', (event) => {
  if (event.key === 'Escape') closePanels();
});
