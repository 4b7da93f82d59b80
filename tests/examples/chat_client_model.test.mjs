// SPDX-License-Identifier: BSL-1.0
// The client that loses nothing against a server that keeps the truth, and everything that may go wrong between them:
// many short lives, each with its seed. CHAT_SEED=17 repeats one, CHAT_LIVES=5000 lives more of them.
import assert from 'node:assert/strict';
import {test} from 'node:test';

import {Client} from '../../examples/chat/page/client.js';
import {Memory} from '../../examples/chat/page/memory.js';

import {ModelServer} from './support/model_server.mjs';
import {chance, FakeStorage, VirtualTime} from './support/virtual.mjs';

const channels = ['general', 'random', 'third'];
const lives = Number(process.env.CHAT_LIVES ?? 100);

/// A tab of a browser: it says things, and its page is reloaded now and then.
class Tab {
  said = new Map();  // text -> 'once', 'never' (cancelled), 'maybe' (the channel was left)
  #storage = {local: new FakeStorage(), tab: new FakeStorage()};
  #network = new EventTarget();
  #checked = new Map();

  constructor(world, user) {
    Object.assign(this, {world, user, names: [...channels.slice(0, 2)]});
    this.open();
  }

  open() {
    const {server, time, random} = this.world;
    const {WebSocket} = server;
    const env = {
      ...time.env,
      random,
      network: this.#network,
      WebSocket,
      randomId: () => `${random()}`,
      local: new Memory(() => this.#storage.local),
      tab: new Memory(() => this.#storage.tab)
    };
    this.client = new Client({
      url: 'ws://chat',
      user: this.user,
      channels: this.names,
      ...env,
      changed: () => this.check(),
      notice: (text) => assert.fail(text)
    });
    this.client.start();
  }

  reloadPage() {
    this.client.stop();
    this.open();
  }

  act() {
    const {random} = this.world;
    const name = channels[Math.floor(random() * channels.length)];
    const channel = this.client.channels.get(name);
    const dice = random();
    if (!channel) return dice < 0.2 && this.join(name);
    if (dice < 0.6)
      this.say(name);
    else if (dice < 0.7)
      this.client.older(name);
    else if (dice < 0.78)
      this.cancel(channel);
    else if (dice < 0.8)
      this.leave(channel);
    else if (dice < 0.83)
      this.reloadPage();
    else if (dice < 0.86)
      this.#network.dispatchEvent(new Event(dice < 0.845 ? 'offline' : 'online'));
    else if (dice < 0.95)
      this.client.typing(name);
    else
      channel.markRead();
    return undefined;
  }

  say(name) {
    const text = `${this.user} ${this.world.next++}`;
    if (this.client.say(name, text) === '') this.said.set(text, 'once');
  }

  cancel({name, outgoing}) {
    for (const m of [...outgoing.list])
      if (this.client.cancel(name, m.id)) this.said.set(m.text, 'never');
  }

  join(name) {
    this.names.push(name);
    this.client.join(name);
  }

  leave({name, outgoing}) {
    for (const m of outgoing.list)
      if (m.state !== 'stored') this.said.set(m.text, 'maybe');
    this.names = this.names.filter((n) => n !== name);
    this.client.leave(name);
  }

  /// What is shown is a piece of the truth, at every moment.
  check() {
    for (const {name, epoch, seq, messages, outgoing} of this.client?.channels.values() ?? []) {
      const state = `${epoch} ${seq} ${messages.length} ${outgoing.list.length}`;
      if (this.#checked.get(name) === state) continue;
      this.#checked.set(name, state);
      if (epoch === null) {
        assert.equal(messages.length, 0);
        continue;
      }
      const truth = this.world.server.histories.get(`${name} ${epoch}`);
      const first = seq - messages.length;
      messages.forEach((m, i) => {
        assert.equal(m.seq, first + i + 1);
        assert.equal(m.text, truth[m.seq - 1].text);
      });
      const shown = new Set(messages.map((m) => m.id));
      for (const m of outgoing.list) assert.ok(!shown.has(m.id), 'shown, and on its way as well');
    }
  }
}

class World {
  next = 1;
  time = new VirtualTime();

  constructor(seed) {
    this.random = chance(seed);
    this.server = new ModelServer(this.time, this.random);
    this.tabs = ['ada', 'bob', 'ada'].map((user) => new Tab(this, user));  // ada has two devices
  }

  live(turns) {
    const {random, server, time} = this;
    for (let i = 0; i < turns; ++i) {
      for (const tab of this.tabs)
        if (random() < 0.5) tab.act();
      const name = channels[Math.floor(random() * channels.length)];
      const dice = random();
      if (dice < 0.2)
        for (let n = random() * random() * 45; n > 0; --n) server.bot(name, `bot ${this.next++}`);
      else if (dice < 0.26)
        server.cut(0.5);
      else if (dice < 0.27)
        server.close(0.5, [1001, 1011, 1012, 1013, 4008, 4429][Math.floor(random() * 6)]);
      else if (dice < 0.28)
        server.restore(name);
      time.pass(random() ** 4 * 20_000);
    }
  }

  /// All is well again, and everybody has time.
  rest() {
    const {server, time} = this;
    server.troubled = false;
    for (let i = 0; i < 3; ++i) {
      time.pass(60_000);
      for (const name of channels) server.bot(name, `bot ${this.next++}`);  // shows a hole at the end
    }
    time.pass(60_000);
  }

  judge() {
    const {server, time, tabs} = this;
    const counts = new Map();
    for (const {text} of channels.flatMap((name) => server.channel(name).messages)) {
      counts.set(text, (counts.get(text) ?? 0) + 1);
    }
    for (const tab of tabs) {
      const {client} = tab;
      assert.equal(client.state, 'online');
      for (const channel of client.channels.values()) {
        const {epoch, messages: truth} = server.channel(channel.name);
        for (let page = 0; channel.more && page < 100; ++page) {
          client.older(channel.name);
          time.pass(1000);
        }
        assert.equal(channel.joined, true);
        assert.equal(channel.epoch, epoch);
        assert.deepEqual(channel.outgoing.list, []);
        assert.deepEqual(channel.messages.map((m) => m.text), truth.map((m) => m.text));
      }
      for (const [text, times] of tab.said) {
        const found = counts.get(text) ?? 0;
        if (times === 'maybe')
          assert.ok(found <= 1, `${text}: ${found} times`);
        else
          assert.equal(found, times === 'once' ? 1 : 0, text);
      }
    }
  }
}

test('whatever happens: what is shown is the truth, and what was said is in it exactly once', () => {
  const only = process.env.CHAT_SEED;
  const first = only ? Number(only) : 1;
  let said = 0;
  for (let seed = first; seed < first + (only ? 1 : lives); ++seed) {
    try {
      const world = new World(seed);
      world.live(150);
      world.rest();
      world.judge();
      for (const tab of world.tabs) said += tab.said.size;
    } catch (error) {
      error.message = `CHAT_SEED=${seed}: ${error.message}`;
      throw error;
    }
  }
  assert.ok(said > 50 * (only ? 1 : lives), `only ${said} messages were said`);
});

test('a long queue gets through a server that lets 20 a second in, and is never closed for it', () => {
  const world = new World(1);
  world.server.troubled = false;
  const [tab] = world.tabs;
  const codes = [];
  world.server.onclosed = (code) => codes.push(code);
  for (let i = 0; i < 100; ++i) tab.say('general');
  for (let i = 0; i < 100; ++i) tab.say('random');
  world.rest();
  world.judge();
  assert.equal(tab.said.size, 200);
  assert.deepEqual(codes, []);
});
