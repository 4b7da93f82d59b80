// SPDX-License-Identifier: BSL-1.0
// The messages of the channel on show.

import {$, avatar, button, clock, dayName, dayOf, element, fullTime, linked, named, reconcile, setText,
        tint} from './dom.js';

const groupedWithin = 5 * 60_000;  // ms between two messages of one sender that share a head
const nearTop = 300;               // px from the top where older messages are asked for
const foldedOver = {characters: 1500, lines: 20};

export class Log {
  atEnd = true;    // scrolled to the end

  #client;
  #drawn = '';     // what the nodes belong to
  #nodes = new Map();  // key -> element
  #shown = null;   // the channel on show

  /// `read` is called when the user came to the end.
  constructor(client, read) {
    this.#client = client;
    this.scrolled = () => {
      const log = $('log');
      this.atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 48;
      if (log.scrollTop < nearTop) this.older();
      if (!this.atEnd) return;
      $('latest').hidden = true;
      read();
    };
  }

  older() {
    if (this.#shown) this.#client.older(this.#shown.name);
  }

  toEnd() {
    this.atEnd = true;
    $('latest').hidden = true;
    $('log').scrollTop = $('log').scrollHeight;
  }

  draw(channel) {
    const log = $('log');
    const drawn = channel ? JSON.stringify([channel.name, channel.epoch]) : '';
    const anew = drawn !== this.#drawn;
    if (anew) {
      this.#nodes = new Map();
      $('messages').replaceChildren();
      this.atEnd = true;
    }
    if (this.#shown !== channel) this.#shown?.releasePages();
    this.#shown = channel;
    this.#drawn = drawn;
    // What was said before is not read aloud.
    const {first: oldest} = $('messages').dataset;
    const grows = anew || (channel && oldest !== String(channel.first));
    if (grows) log.setAttribute('aria-busy', 'true');
    if (channel) $('messages').dataset.first = channel.first;

    const last = $('messages').lastElementChild;
    this.#anchored(() => {
      this.#drawTop(channel);
      this.#nodes = this.#drawMessages(channel);
    });
    if (this.atEnd) log.scrollTop = log.scrollHeight;
    else if ($('messages').lastElementChild !== last) $('latest').hidden = false;
    if (grows) requestAnimationFrame(() => requestAnimationFrame(() => log.removeAttribute('aria-busy')));
    log.setAttribute('aria-label', channel ? `Messages in ${channel.name}` : 'Messages');
  }

  /// What the user looks at stays where it is, whatever comes before or behind it.
  #anchored(work) {
    const log = $('log');
    const {top} = log.getBoundingClientRect();
    const inView = (node) => node.classList.contains('message') && node.getBoundingClientRect().bottom > top;
    const anchor = this.atEnd ? null : [...$('messages').children].find(inView);
    const was = anchor?.getBoundingClientRect().top;
    work();
    if (anchor?.isConnected) log.scrollTop += anchor.getBoundingClientRect().top - was;
  }

  #drawTop(channel) {
    const cut = channel && !channel.more && channel.first > 1;
    const any = channel && (cut || channel.messages.length > 0 || channel.outgoing.list.length > 0);
    $('older').hidden = !channel?.more;
    $('older').disabled = Boolean(channel?.loading || !channel?.joined);
    setText($('older'), channel?.loading ? 'Loading…' : 'Show older messages');
    $('beginning').hidden = !any || channel.more || channel.epoch === null;
    setText($('beginning'), !any ? '' :
        cut ? `Older messages of #${channel.name} are not kept.` : `This is the beginning of #${channel.name}.`);
    setText($('empty-text'), !channel ? 'Join a channel to begin.' :
        channel.joined ? `Nothing has been said in #${channel.name} yet. Say hello!` : '');
    $('empty').hidden = any || !$('empty-text').textContent;
    setText($('history-note'), channel?.reloading ? 'Reloading history…' :
        channel?.reloaded ? 'The history was reloaded.' : '');
  }

  #drawMessages(channel) {
    const keys = new Map();
    const wanted = [];
    const put = (key, make, other) => {
      const node = this.#nodes.get(key) ?? this.#nodes.get(other) ?? make();
      keys.set(key, node);
      wanted.push(node);
      return node;
    };
    let previous = null;
    let missed = channel?.missed;
    for (const m of [...channel?.messages ?? [], ...channel?.outgoing.list ?? []]) {
      const user = m.user ?? channel.me;
      const day = dayOf(m.time);
      if (day !== previous?.day) {
        put(`day ${day}`, () => element('li', 'day')).replaceChildren(element('span', '', dayName(m.time)));
      }
      if (missed && m.seq > missed.after) {
        const text = `You missed ${missed.count === 1 ? 'one message' : `${missed.count} messages`}`;
        put(`missed ${missed.after} ${missed.count}`, () => element('li', 'missed', text));
        missed = null;
        previous = {...previous, user: null};  // who speaks behind it is named again
      }
      const own = user === channel.me;
      // One of ours keeps its element when it gets its number.
      const key = m.seq ? `number ${m.seq}` : `id ${m.id}`;
      const node = put(key, () => messageNode(user, m, own), own ? `id ${m.id}` : undefined);
      const follows = previous?.user === user && previous.day === day && m.time - previous.time < groupedWithin;
      node.classList.toggle('first', !follows);
      this.#drawStanding(channel.name, node, m, own);
      previous = {user, day, time: m.time};
    }
    reconcile($('messages'), wanted);
    return keys;
  }

  /// When it was said, and whether it is stored yet.
  #drawStanding(channel, node, m, own) {
    const state = m.user ? 'stored' : m.state;
    const cancels = state === 'waiting' && !m.tried;
    const is = `${state} ${cancels} ${m.time}`;
    if (node.dataset.is === is) return;
    Object.assign(node.dataset, {is, state});
    const time = node.querySelector('time');
    time.dateTime = new Date(m.time).toISOString();
    time.textContent = clock(m.time);
    time.title = fullTime(m.time);
    const standing = node.querySelector('.standing');
    standing.replaceChildren();
    const cancel = (text) => button('link', text, () => {
      this.#client.cancel(channel, m.id);
      $('text').focus();
    });
    if (state === 'failed') {
      const retry = button('link', 'Try again', () => this.#client.retry(channel, m.id));
      standing.append(`Not sent: ${m.reason}. `, retry, ' ', cancel('Delete'));
    } else if (own && state === 'stored') {
      const mark = element('span', 'mark', '✓');
      mark.title = `Stored, ${fullTime(m.time)}`;
      mark.setAttribute('role', 'img');
      mark.setAttribute('aria-label', 'Stored');
      standing.append(mark);
    } else if (own) {
      standing.append(element('span', 'mark', state === 'sent' ? 'Sending…' : 'Waiting…'));
      if (cancels) standing.append(' ', cancel('Cancel'));
    }
  }
}

function messageNode(user, m, own) {
  const node = element('li', own ? 'message own' : 'message');
  const head = element('p', 'head');
  const name = named(own ? 'You' : user);
  if (!own) tint(name, user);
  head.append(name, element('time'));
  const bubble = element('p', 'bubble');
  bubble.dir = 'auto';
  bubble.append(linked(m.text));
  const body = element('div', 'body');
  body.append(head, bubble, element('p', 'standing'));
  const long = m.text.length > foldedOver.characters || m.text.split('\n').length > foldedOver.lines;
  if (long) bubble.after(folded(bubble));
  if (!own) node.append(avatar(user));
  node.append(body);
  return node;
}

/// A long text takes little room until it is asked for.
function folded(bubble) {
  bubble.classList.add('folded');
  const fold = button('link fold', 'Show all', () => {
    const open = !bubble.classList.toggle('folded');
    fold.setAttribute('aria-expanded', String(open));
    setText(fold, open ? 'Show less' : 'Show all');
  });
  fold.setAttribute('aria-expanded', 'false');
  return fold;
}
