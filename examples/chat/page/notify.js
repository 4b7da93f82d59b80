// SPDX-License-Identifier: BSL-1.0

const shownMax = 200;  // characters of a message

/// Notifications of the system, only after the user asked for them.
export class Notifier {
  #memory;
  #open;
  #told = new Map();  // channel -> {epoch, seq}: up to here nothing is to be told any more

  /// `open` is called with the channel of a notification that was clicked.
  constructor(memory, open) {
    this.#memory = memory;
    this.#open = open;
  }

  get possible() {
    return 'Notification' in globalThis;
  }

  get blocked() {
    return this.possible && Notification.permission === 'denied';
  }

  get on() {
    return this.possible && Notification.permission === 'granted' && this.#memory.get('notify', false);
  }

  async toggle() {
    const wanted = !this.on;
    if (wanted) await Notification.requestPermission();
    this.#memory.set('notify', wanted && Notification.permission === 'granted');
  }

  /// Tells of what is new in a channel, unless the user sees it anyway.
  tell(channel, seen) {
    const {name, epoch, seq, me} = channel;
    if (epoch === null) return;
    const told = this.#told.get(name);
    this.#told.set(name, {epoch, seq});
    if (told?.epoch !== epoch || seen || !this.on) return;
    const news = channel.messages.filter((m) => m.seq > told.seq && m.user !== me);
    if (news.length) this.#show(name, news);
  }

  #show(name, news) {
    const last = news.at(-1);
    const text = (s) => [...s.replace(/[\p{Cc}\p{Cf}]/gu, ' ')].slice(0, shownMax).join('');
    const title = news.length > 1 ? `${news.length} new messages in #${name}` : `${last.user} in #${name}`;
    try {
      const shown = new Notification(title, {body: `${news.length > 1 ? `${last.user}: ` : ''}${text(last.text)}`,
                                             tag: `purews-chat ${name}`, icon: 'icon.svg'});
      shown.onclick = () => {
        focus();
        this.#open(name);
        shown.close();
      };
    } catch {
      this.#memory.set('notify', false);  // browsers of phones want a service worker for it
    }
  }
}
