// SPDX-License-Identifier: BSL-1.0
// What the page shows. Text from others gets into it by textContent only.

import {bytes, Client, Memory, nameBytesMax, textBytesMax} from './client.js';

const groupedWithin = 5 * 60_000;  // ms between two messages of one sender that share a head
const local = new Memory(() => localStorage);
const tab = new Memory(() => sessionStorage);
const narrow = matchMedia('(max-width: 860px)');
const touch = matchMedia('(pointer: coarse)');
const $ = (id) => document.getElementById(id);

let client = null;
let active = '';           // the channel on show
let drawn = '';            // the channel whose messages are in the log
let drafts = new Map();    // channel -> text not sent yet
let nodes = new Map();     // key -> element of the log
let atEnd = true;          // the log is scrolled to its end

// ---- Small helpers ----

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function button(className, text, onclick) {
  const made = element('button', className, text);
  made.type = 'button';
  made.addEventListener('click', onclick);
  return made;
}

const formatted = (options) => (time) => new Intl.DateTimeFormat(undefined, options).format(time);
const clock = formatted({hour: '2-digit', minute: '2-digit'});
const fullTime = formatted({dateStyle: 'medium', timeStyle: 'short'});
const longDate = formatted({weekday: 'long', day: 'numeric', month: 'long'});

function dayName(time) {
  const days = Math.round((new Date().setHours(0, 0, 0, 0) - new Date(time).setHours(0, 0, 0, 0)) / 86_400_000);
  return days === 0 ? 'Today' : days === 1 ? 'Yesterday' : longDate(time);
}

/// A colour from a name, the same on every page.
function tint(target, name) {
  let hash = 7;
  for (const c of name) hash = (hash * 31 + c.codePointAt(0)) >>> 0;
  target.style.setProperty('--hue', (hash % 24) * 15);
}

function paint(avatar, name) {
  tint(avatar, name);
  avatar.textContent = [...name][0].toLocaleUpperCase();
}

function avatar(name) {
  const made = element('span', 'avatar');
  made.setAttribute('aria-hidden', 'true');
  paint(made, name);
  return made;
}

/// Text with its http and https addresses as links.
function linked(text) {
  const parts = document.createDocumentFragment();
  let from = 0;
  for (const found of text.matchAll(/https?:\/\/[^\s<>"]*[^\s<>"'.,;:!?)\]]/g)) {
    const link = element('a', '', found[0]);
    link.href = found[0];
    link.target = '_blank';
    link.rel = 'noopener noreferrer';
    parts.append(text.slice(from, found.index), link);
    from = found.index + found[0].length;
  }
  parts.append(text.slice(from));
  return parts;
}

/// What is wrong with a name, in the server's terms; empty if nothing is.
function nameFlaw(what, name) {
  if (!name) return `Please enter ${what}.`;
  if (bytes(name) > nameBytesMax) return `This is too long for ${what}.`;
  return /[\p{Cc}\p{Zl}\p{Zp}\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]/u.test(name) ?
      `There is an invisible character in ${what}.` : '';
}

const channelName = (input) => input.value.trim().replace(/^#+\s*/, '');

function invalid(input, note, flaw) {
  note.textContent = flaw;
  input.toggleAttribute('aria-invalid', Boolean(flaw));
  if (flaw) input.focus();
  return Boolean(flaw);
}

// ---- The two views ----

function showWelcome() {
  $('app').hidden = true;
  $('welcome').hidden = false;
  $('name').value = local.get('name', '');
  $('first-channel').value = local.get('channels', [])[0] ?? 'general';
  document.title = 'purews chat';
  $('name').focus();
  $('name').select();
}

function showChat(user, names) {
  local.set('name', user);
  tab.set('name', user);
  drafts = new Map();
  drawn = '';
  client = new Client({
    url: Object.assign(new URL('ws', location.href), {protocol: location.protocol === 'https:' ? 'wss:' : 'ws:'}),
    user, names, local, tab,
    changed: scheduleDraw,
    notice: (text) => { $('join-error').textContent = text; },
  });
  active = names.includes(tab.get('active', '')) ? tab.get('active') : names[0] ?? '';
  paint($('my-avatar'), user);
  $('my-name').textContent = user;
  $('welcome').hidden = true;
  $('app').hidden = false;
  client.start();
  focusText();
}

$('enter').addEventListener('submit', (event) => {
  event.preventDefault();
  const user = $('name').value.trim();
  const channel = channelName($('first-channel'));
  const note = $('enter-error');
  if (invalid($('name'), note, nameFlaw('a name', user))) return;
  if (invalid($('first-channel'), note, nameFlaw('a channel', channel))) return;
  tab.set('active', channel);
  showChat(user, [...new Set([channel, ...local.get('channels', [])])]);
});

$('sign-out').addEventListener('click', () => {
  closePanels();
  client.stop();
  client = null;
  tab.set('name', '');
  showWelcome();
});

// ---- Drawing: everything from the client's state, at most once per turn ----

let scheduled = false;

function scheduleDraw() {
  if (scheduled) return;
  scheduled = true;
  queueMicrotask(() => {
    scheduled = false;
    if (client) draw();
  });
}

function draw() {
  if (!client.channels.has(active)) active = [...client.channels.keys()][0] ?? '';
  const channel = client.channels.get(active);
  if (isSeen()) client.markRead(active);
  drawConnection();
  drawChannels();
  drawPeople(channel?.users ?? []);
  drawLog(channel);
  $('title').textContent = active ? `# ${active}` : 'No channel';
  $('text').placeholder = active ? `Message #${active}` : '';
  $('text').disabled = $('send').disabled = !channel;
  const unread = [...client.channels.values()].reduce((sum, c) => sum + c.unread(client.user), 0);
  document.title = `${unread ? `(${unread}) ` : ''}${active ? `#${active} · ` : ''}purews chat`;
}

const isSeen = () => document.visibilityState === 'visible' && atEnd;

function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;  // a live region speaks at every change
}

function drawConnection() {
  const texts = {
    connecting: 'Connecting…',
    online: 'Connected',
    waiting: 'Connection lost. Trying again…',
    ended: `Disconnected${client.reason ? `: ${client.reason}` : ''}`,
  };
  // A try that follows a lost connection is no news.
  const trying = client.state === 'connecting' && $('connection').dataset.state === 'waiting';
  const steady = trying ? 'waiting' : client.state;
  $('connection').dataset.state = steady;
  setText($('connection'), texts[steady]);
  $('try-now').hidden = steady !== 'waiting' && steady !== 'ended';
}

function drawChannels() {
  let elsewhere = false;
  const focused = document.activeElement?.closest?.('.channels button');
  const focusKey = focused && `${focused.dataset.channel} ${focused.className}`;
  const items = [...client.channels.values()].map((channel) => {
    const {name} = channel;
    const unread = name === active && isSeen() ? 0 : channel.unread(client.user);
    elsewhere ||= unread > 0 && name !== active;
    const item = element('li', name === active ? 'active' : '');
    const open = button('channel', '', () => show(name));
    open.append(element('span', 'hash', '#'), element('span', 'name', name));
    open.firstChild.setAttribute('aria-hidden', 'true');
    open.dataset.channel = name;
    if (name === active) open.setAttribute('aria-current', 'page');
    if (unread) {
      item.classList.add('unread');
      const badge = element('span', 'badge', unread > 99 ? '99+' : unread);
      badge.append(element('span', 'sr', ' unread'));
      open.append(badge);
    }
    const leave = button('leave', '×', () => {
      client.leave(name);
      focusText();
    });
    leave.setAttribute('aria-label', `Leave ${name}`);
    leave.title = 'Leave';
    leave.dataset.channel = name;
    item.append(open, leave);
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

function drawPeople(users) {
  $('people').replaceChildren(...users.map((user) => {
    const item = element('li');
    const name = element('span', 'name', user);
    name.dir = 'auto';
    item.append(avatar(user), name);
    if (user === client.user) item.append(element('span', 'you', 'you'));
    return item;
  }));
  $('people-count').textContent = users.length || '';
  $('show-people').setAttribute('aria-label', `People here: ${users.length}`);
}

function drawLog(channel) {
  const log = $('log');
  if (drawn !== active) {
    log.setAttribute('aria-busy', 'true');  // what was said before is not read aloud
    nodes = new Map();
    $('messages').replaceChildren();
    atEnd = true;
  }
  const before = $('messages').childElementCount;
  const wanted = [];
  const keys = new Map();
  const put = (key, make) => {
    const node = nodes.get(key) ?? make();
    keys.set(key, node);
    wanted.push(node);
    return node;
  };
  let previous = null;
  for (const m of [...channel?.messages ?? [], ...channel?.pending ?? []]) {
    const user = m.user ?? client.user;
    const day = new Date(m.time).setHours(0, 0, 0, 0);
    if (day !== previous?.day) {
      put(`day ${day}`, () => element('li', 'day')).replaceChildren(element('span', '', dayName(m.time)));
    }
    const follows = previous?.user === user && previous.day === day && m.time - previous.time < groupedWithin;
    const node = put(`${user} ${m.id}`, () => messageNode(user, m));
    node.classList.toggle('first', !follows);
    drawStanding(node, m, user === client.user);
    previous = {user, day, time: m.time};
  }
  nodes = keys;
  reconcile($('messages'), wanted);
  setText($('empty-text'), !channel ? 'Join a channel to begin.' :
      channel.joined ? `Nothing has been said in #${active} yet. Say hello!` : '');
  $('empty').hidden = wanted.length > 0 || !$('empty-text').textContent;
  if (atEnd) log.scrollTop = log.scrollHeight;
  else if (wanted.length > before) $('latest').hidden = false;
  log.setAttribute('aria-label', active ? `Messages in ${active}` : 'Messages');
  if (drawn !== active || log.hasAttribute('aria-busy')) requestAnimationFrame(() => log.removeAttribute('aria-busy'));
  drawn = active;
}

/// Brings children in line without touching those that stay.
function reconcile(parent, wanted) {
  const stays = new Set(wanted);
  for (const child of [...parent.children]) if (!stays.has(child)) child.remove();
  let next = parent.firstElementChild;
  for (const node of wanted) {
    if (node === next) next = next.nextElementSibling;
    else parent.insertBefore(node, next);
  }
}

function messageNode(user, m) {
  const own = user === client.user;
  const node = element('li', own ? 'message own' : 'message');
  const head = element('p', 'head');
  const name = element('span', 'name', own ? 'You' : user);
  name.dir = 'auto';
  if (!own) tint(name, user);
  head.append(name, element('time'));
  const bubble = element('p', 'bubble');
  bubble.dir = 'auto';
  bubble.append(linked(m.text));
  const body = element('div', 'body');
  body.append(head, bubble, element('p', 'standing'));
  if (!own) node.append(avatar(user));
  node.append(body);
  return node;
}

/// When it was said, and whether it is stored yet.
function drawStanding(node, m, own) {
  const state = m.seq ? 'stored' : m.state;
  if (node.dataset.state === state && node.dataset.time === String(m.time)) return;
  Object.assign(node.dataset, {state, time: m.time});
  const time = node.querySelector('time');
  time.dateTime = new Date(m.time).toISOString();
  time.textContent = clock(m.time);
  time.title = fullTime(m.time);
  const standing = node.querySelector('.standing');
  standing.replaceChildren();
  if (state === 'failed') {
    const channel = active;
    standing.append(`Not sent: ${m.reason}. `, button('link', 'Try again', () => client.retry(channel, m.id)), ' ',
                    button('link', 'Delete', () => client.discard(channel, m.id)));
  } else if (own) {
    const mark = element('span', 'mark', state === 'stored' ? '✓' : state === 'sent' ? 'Sending…' : 'Waiting…');
    if (state === 'stored') {
      mark.title = `Stored, ${fullTime(m.time)}`;
      mark.setAttribute('role', 'img');
      mark.setAttribute('aria-label', 'Stored');
    }
    standing.append(mark);
  }
}

// ---- What the user does ----

function focusText() {
  if (!touch.matches && !$('text').disabled) $('text').focus();
}

function show(name) {
  drafts.set(active, $('text').value);
  active = name;
  tab.set('active', name);
  $('text').value = drafts.get(name) ?? '';
  atEnd = true;
  $('latest').hidden = true;
  noteCompose();
  closePanels();
  draw();
  fitText();
  focusText();
}

$('join').addEventListener('submit', (event) => {
  event.preventDefault();
  const input = $('new-channel');
  const name = channelName(input);
  if (invalid(input, $('join-error'), nameFlaw('a channel', name))) return;
  input.value = '';
  client.join(name);
  show(name);
});

function noteCompose() {
  const size = bytes($('text').value.trim());
  setText($('compose-note'), size > textBytesMax ? `This is too long: ${size} of ${textBytesMax} bytes.` : '');
  return size > 0 && size <= textBytesMax;
}

function fitText() {
  const text = $('text');
  text.style.setProperty('height', 'auto');
  text.style.setProperty('height', `${text.scrollHeight}px`);
  if (atEnd) $('log').scrollTop = $('log').scrollHeight;
}

$('text').addEventListener('input', () => {
  noteCompose();
  fitText();
});

$('text').addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $('compose').requestSubmit();
});

$('compose').addEventListener('submit', (event) => {
  event.preventDefault();
  if (!client.channels.has(active) || !noteCompose()) return;
  const text = $('text').value.trim();
  $('text').value = '';
  atEnd = true;
  client.say(active, text);
  fitText();
  $('text').focus();
});

$('log').addEventListener('scroll', () => {
  const log = $('log');
  atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 48;
  if (!atEnd) return;
  $('latest').hidden = true;
  scheduleDraw();  // what is at the end counts as read now
});

$('latest').addEventListener('click', () => {
  atEnd = true;
  $('latest').hidden = true;
  draw();
  focusText();
});

$('try-now').addEventListener('click', () => client.connect());
document.addEventListener('visibilitychange', scheduleDraw);
addEventListener('resize', () => { if (atEnd) $('log').scrollTop = $('log').scrollHeight; });

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

function closePanels() {
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
narrow.addEventListener('change', closePanels);
addEventListener('keydown', (event) => {
  if (event.key === 'Escape') closePanels();
});

// A reload goes on where it was; a new tab asks for a name, so that two people can talk in one browser.
const name = tab.get('name', '');
if (name) showChat(name, tab.get('channels', ['general']));
else showWelcome();
