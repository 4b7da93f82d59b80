// SPDX-License-Identifier: BSL-1.0
// The page: what the user does, and when everything is drawn. It shows what a Client knows, and keeps nothing itself.

import {Client} from './client.js';
import {$, paint, setText} from './dom.js';
import {Log} from './log.js';
import {Memory} from './memory.js';
import {Notifier} from './notify.js';
import {closePanels, drawChannels, drawPeople, drawTyping} from './side.js';
import {nameFlaw, textFlaw} from './words.js';

const local = new Memory(() => localStorage);
const tab = new Memory(() => sessionStorage);
const touch = matchMedia('(pointer: coarse)');
const notifier = new Notifier(local, (name) => show(name));

let client = null;
let log = null;
let active = '';           // the channel on show
let drafts = new Map();    // channel -> text that is being written

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

function showChat(user, channels) {
  local.set('name', user);
  tab.set('name', user);
  drafts = new Map();
  const url = Object.assign(new URL('ws', location.href), {protocol: location.protocol === 'https:' ? 'wss:' : 'ws:'});
  const token = globalThis.chatToken;  // of a site that puts its own script, and its users' names, on this page
  client = new Client({url, user, channels, local, tab, token, changed: scheduleDraw, notice});
  log = new Log(client, scheduleDraw);
  active = channels.includes(tab.get('active', '')) ? tab.get('active') : channels[0] ?? '';
  paint($('my-avatar'), user);
  $('my-name').textContent = user;
  notice('');
  $('welcome').hidden = true;
  $('app').hidden = false;
  client.start();
  draw();
  focusText();
}

function notice(text) {
  setText($('notice-text'), text);
  $('notice').hidden = !text;
}

$('notice-close').addEventListener('click', () => {
  notice('');
  focusText();
});

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
  client = log = null;
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

const isSeen = () => document.visibilityState === 'visible' && log.atEnd;

function draw() {
  const channels = [...client.channels.values()];
  if (!client.channels.has(active)) active = channels[0]?.name ?? '';
  remember(channels.map(({name}) => name));
  const channel = client.channels.get(active);
  log.draw(channel);
  if (isSeen()) channel?.markRead();
  drawConnection(channels);
  drawChannels(channels, active, {
    unread: ({name, unread}) => (name === active && isSeen() ? 0 : unread),
    show,
    leave: (name) => {
      client.leave(name);
      focusText();
    },
  });
  drawPeople(channel?.users ?? [], channel?.count ?? 0, client.user);
  drawTyping(channel?.typists ?? []);
  drawNotify();
  for (const each of channels) notifier.tell(each, each === channel && isSeen());
  setText($('title'), active ? `# ${active}` : 'No channel');
  $('text').placeholder = active ? `Message #${active}` : '';
  $('text').disabled = $('send').disabled = !channel;
  const unread = channels.reduce((sum, c) => sum + c.unread, 0);
  document.title = `${unread ? `(${unread}) ` : ''}${active ? `#${active} · ` : ''}purews chat`;
}

/// A reload, and a new tab, open the same channels.
function remember(names) {
  if (JSON.stringify(names) === JSON.stringify(tab.get('channels', null))) return;
  local.set('channels', names);
  tab.set('channels', names);
}

function drawConnection(channels) {
  const waiting = channels.reduce((sum, {outgoing}) => sum + outgoing.in('waiting').length, 0);
  const texts = {
    connecting: 'Connecting…',
    online: 'Connected',
    waiting: `Connection lost. Trying again…${waiting ? ` ${waiting} to send.` : ''}`,
    ended: `Disconnected${client.reason ? `: ${client.reason}` : ''}.`,
  };
  // A try that follows a lost connection is no news.
  const trying = client.state === 'connecting' && $('connection').dataset.state === 'waiting';
  const steady = trying ? 'waiting' : client.state;
  $('connection').dataset.state = steady;
  $('app').dataset.state = steady;
  setText($('connection'), texts[steady] ?? '');
  $('try-now').hidden = steady !== 'waiting' && steady !== 'ended';
}

function drawNotify() {
  const {possible, blocked, on} = notifier;
  $('notify').hidden = !possible;
  $('notify').disabled = blocked;
  $('notify').setAttribute('aria-pressed', String(on));
  setText($('notify-text'), blocked ? 'Notifications are blocked by the browser' : 'Notify me of new messages');
}

// ---- What the user does ----

function focusText() {
  if (!touch.matches && !$('text').disabled) $('text').focus();
}

function show(name) {
  if (!client?.channels.has(name)) return;
  drafts.set(active, $('text').value);
  if (name !== active) Object.assign(client.channels.get(active) ?? {}, {missed: null, reloaded: false});
  active = name;
  tab.set('active', name);
  $('text').value = drafts.get(name) ?? '';
  setText($('compose-note'), '');
  closePanels();
  log.atEnd = true;
  draw();
  log.toEnd();
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

function fitText() {
  const text = $('text');
  text.style.setProperty('height', 'auto');
  text.style.setProperty('height', `${text.scrollHeight}px`);
  if (log.atEnd) log.toEnd();
}

$('text').addEventListener('input', () => {
  const text = $('text').value;
  setText($('compose-note'), text.trim() ? textFlaw(text.trim()) : '');
  if (text.trim()) client.typing(active);
  fitText();
});

$('text').addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $('compose').requestSubmit();
});

$('compose').addEventListener('submit', (event) => {
  event.preventDefault();
  const text = $('text').value.trim();
  if (!text) return;
  const flaw = client.say(active, text);
  setText($('compose-note'), flaw);
  if (flaw) return;
  $('text').value = '';
  log.atEnd = true;
  draw();
  fitText();
  $('text').focus();
});

$('log').addEventListener('scroll', () => log?.scrolled());
$('older').addEventListener('click', () => {
  log.older();
  $('log').focus();  // the button may go
});
$('latest').addEventListener('click', () => {
  log.toEnd();
  draw();
  focusText();
});
$('try-now').addEventListener('click', () => client.connect());
$('notify').addEventListener('click', () => notifier.toggle().then(scheduleDraw));
document.addEventListener('visibilitychange', scheduleDraw);
addEventListener('resize', () => { if (log?.atEnd) log.toEnd(); });

// A reload goes on where it was; a new tab asks for a name, so that two people can talk in one browser.
const name = tab.get('name', '');
if (name) showChat(name, tab.get('channels', ['general']));
else showWelcome();
