// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "callback.hpp"
#include "clock.hpp"
#include "handover_queue.hpp"
#include "listener.hpp"
#include "page_buffer.hpp"
#include "stream.hpp"
#include "timer_handle.hpp"
#include "waker.hpp"
#include "watch_handle.hpp"

namespace purews::inline v0 {

/// What a loop asks of the kernel: which descriptors are ready. Level-triggered. `from` and `to` are never equal; a
/// descriptor without interest is unknown to the kernel, so that a broken one cannot wake the loop for ever. One that
/// completes operations as well says with serve() what was completed, and is told by finish() that no turn follows at
/// once, so that it must not keep anything until the next wait().
template <class P>
concept loop_poller = requires(P& p, P const& c, int fd, interest i, loop_source* who, std::span<ready_event> out,
                               std::int64_t milliseconds) {
  { c.error() }
  noexcept->std::same_as<os_error>;
  { c.number() }
  noexcept->std::same_as<int>;  // readable when wait() would find something
  { p.change(fd, i, i, who) }
  noexcept->std::same_as<os_error>;
  { p.wait(out, milliseconds) }
  noexcept->std::same_as<std::size_t>;  // -1: no limit. 0 events after a signal
};

/// An event loop over what the kernel reports. One thread runs it, and everything on it belongs to that thread; only
/// post() and stop() are for all. What is on it (streams, listeners, watches, timers) must be destroyed before it
/// (asserted).
///
/// A turn: wait, serve what is ready, run what was posted, fire timers, flush what was touched. Owners and callbacks
/// are called from a turn only, never from inside one of the functions below, and must not throw.
///
/// It can live inside the loop of somebody else (Asio, libuv, a toolkit): call host(), then make a turn, run_once of no
/// time, whenever number() is readable and at next_turn(). Ask for next_turn() again after each turn; what is done
/// between turns makes number() readable.
template <class Poller>
class event_loop {
  static_assert(loop_poller<Poller>);

 public:
  using timer_handle = loop_timer<event_loop>;
  using watch_handle = loop_watch<event_loop>;
  using listener = typename Poller::template listener_on<event_loop>;
  template <byte_machine Machine, class Owner>
  using stream = typename Poller::template stream_on<event_loop, Machine, Owner>;

  event_loop() noexcept;
  event_loop(event_loop const&) = delete;
  event_loop& operator=(event_loop const&) = delete;
  ~event_loop();

  /// Why the loop cannot run: ask once after construction. With an error, run() returns at once.
  os_error error() const noexcept { return error_; }

  /// Turns until stop(). May be called again afterwards.
  void run() noexcept;

  /// Makes one turn, and waits for at most `timeout` in it. Not from inside a turn (asserted).
  void run_once(duration timeout = forever) noexcept;

  /// Ends run() after the turn that it is in, or the next run() at once. Any thread, async-signal-safe.
  void stop() noexcept;

  /// Whether stop() was called, since this was asked: for who makes the turns.
  bool take_stop() noexcept { return __atomic_exchange_n(&stop_, false, __ATOMIC_ACQUIRE); }

  /// Runs `task` on the loop's thread, in a later turn; tasks keep their order. What is left when the loop is
  /// destroyed is destroyed without being run. Any thread; throws only std::bad_alloc.
  void post(callback<void()> task);

  /// The time at which this turn began: monotonic, read once a turn.
  instant now() const noexcept { return now_; }

  /// Calls `done` once, `delay` from now. The handle cancels it when destroyed, and can start it again.
  [[nodiscard]] timer_handle after(duration delay, callback<void()> done) {
    return timer_handle(*this, steady_now() + delay, static_cast<callback<void()>&&>(done));
  }

  /// Calls `ready` in every turn in which `fd` is ready for a part of `what`, until the handle is destroyed: do that
  /// before the descriptor is closed. An error on the descriptor counts as ready. Refusals: the handle's error().
  [[nodiscard]] watch_handle watch(int fd, interest what, callback<void(interest)> ready) {
    return watch_handle(*this, fd, what, static_cast<callback<void(interest)>&&>(ready));
  }

  // Inside another loop.

  /// From now on somebody else's loop makes the turns.
  void host() noexcept {
    hosted_ = true;
    finish();
  }

  /// A descriptor that is readable when a turn has something to do; it stays the loop's.
  int number() const noexcept { return poller_.number(); }

  /// When a turn must be made, even if number() does not become readable: a time in the past, or never.
  instant next_turn() const noexcept { return marked_.alone() ? timers_.next() : instant{}; }

  // What follows is for the sources: streams, listeners, and whoever writes another kind.

  /// Makes room for `source`. On an error nothing has changed.
  [[nodiscard]] os_error attach(loop_source& source) noexcept;

  /// Forgets `source` altogether: its descriptor, deadline and mark, and what this turn still had for it. Does
  /// nothing when it is not attached. The descriptor stays open.
  void detach(loop_source& source) noexcept;

  /// Changes what `source` waits for. Precondition: attached.
  [[nodiscard]] os_error change(loop_source& source, interest what) noexcept;

  /// Sets, moves or drops the deadline of `source`. It fires in a later turn than this. Precondition: attached.
  void arm(loop_source& source, instant when) noexcept;
  /// The same, but leaves an earlier deadline as it is: on_timer() is to look at the real one.
  void arm_earlier(loop_source& source, instant when) noexcept;
  void disarm(loop_source& source) noexcept { timers_.disarm(source); }

  /// Calls on_marked() at the end of this turn; if it has begun to end, of the next. Precondition: attached.
  void mark(loop_source& source) noexcept;
  void unmark(loop_source& source) noexcept;

  /// Where to receive, and where to let a machine write its frames; for one source at a time. The sizes are equal,
  /// so that the echo of what was received fits.
  bytes receive_buffer() const noexcept { return buffers_.data().first(buffer_bytes); }
  bytes send_buffer() const noexcept { return buffers_.data().last(buffer_bytes); }

  Poller& poller() noexcept { return poller_; }

 protected:
  // For the loops that live inside another.

  /// Makes the loop one that cannot run; the first reason stays.
  void fail(os_error why) noexcept {
    if (!error_) error_ = why;
  }
  /// Makes number() readable. Any thread.
  void wake() noexcept { waker_.wake(); }
  /// Destroys what was posted and has not run.
  void drop_posts() noexcept { posts_.clear(); }

 private:
  static constexpr std::size_t buffer_bytes = 256U << 10;
  static constexpr std::size_t batch_max = 256;

  /// Wakes the loop; the posts are looked at in every turn anyway.
  struct wake_source final : loop_source {
    explicit wake_source(waker& w) noexcept : loop_source(w.number()), woken(w) {}
    void on_ready(interest) noexcept override { woken.clear(); }
    void on_timer() noexcept override {}
    void on_marked() noexcept override {}
    waker& woken;
  };

  /// A deadline that fires after this turn, so that a turn always ends.
  instant later(instant when) const noexcept { return when > now_ ? when : instant{now_.ns + 1}; }
  std::int64_t wait_milliseconds(duration timeout) const noexcept;
  /// Between turns of a hosted loop: asks for one.
  void ask_for_turn() noexcept {
    if (hosted_ && !turning_) waker_.wake();
  }
  void turn(duration timeout) noexcept;
  void finish() noexcept;
  void serve_ready() noexcept;
  void fire_timers() noexcept;
  void serve_marked() noexcept;

  Poller poller_;
  waker waker_;
  wake_source wake_source_{waker_};
  page_buffer buffers_{2 * buffer_bytes};
  os_error error_;
  instant now_ = steady_now();
  timer_heap timers_;
  mark_link marked_;
  handover_queue<callback<void()>> posts_;
  std::uint32_t sources_ = 0;
  std::uint32_t batch_at_ = 0;
  std::uint32_t batch_size_ = 0;
  bool stop_ = false;
  bool turning_ = false;
  bool hosted_ = false;
  ready_event batch_[batch_max];
};

template <class Poller>
event_loop<Poller>::event_loop() noexcept : error_(poller_.error()) {
  if (!error_) error_ = waker_.error();
  if (!error_ && buffers_.data().empty()) error_ = {ENOMEM, "mmap", os_error_kind::system};
  if (!error_) error_ = attach(wake_source_);
  if (!error_) error_ = change(wake_source_, interest::read);
}

template <class Poller>
event_loop<Poller>::~event_loop() {
  posts_.clear();  // they may hold handles
  detach(wake_source_);
  PUREWS_ASSERT(sources_ == 0);
}

template <class Poller>
void event_loop<Poller>::run() noexcept {
  while (!error_ && !take_stop()) turn(forever);
  finish();
}

template <class Poller>
void event_loop<Poller>::run_once(duration timeout) noexcept {
  turn(timeout);
  finish();
}

template <class Poller>
void event_loop<Poller>::turn(duration timeout) noexcept {
  PUREWS_ASSERT(!turning_);
  turning_ = true;
  batch_size_ = static_cast<std::uint32_t>(poller_.wait(batch_, wait_milliseconds(timeout)));
  now_ = steady_now();
  serve_ready();
  posts_.take([](callback<void()>& task) { task(); });
  fire_timers();
  serve_marked();
  turning_ = false;
}

template <class Poller>
void event_loop<Poller>::finish() noexcept {
  if constexpr (requires { poller_.finish(); }) {
    turning_ = true;
    poller_.finish();
    turning_ = false;
  }
}

template <class Poller>
void event_loop<Poller>::stop() noexcept {
  __atomic_store_n(&stop_, true, __ATOMIC_RELEASE);
  waker_.wake();
}

template <class Poller>
void event_loop<Poller>::post(callback<void()> task) {
  if (posts_.push(static_cast<callback<void()>&&>(task))) waker_.wake();
}

template <class Poller>
os_error event_loop<Poller>::attach(loop_source& source) noexcept {
  PUREWS_ASSERT(!source.attached_);
  if (error_) return error_;
  if (!timers_.reserve(sources_ + 1)) return {ENOMEM, "realloc", os_error_kind::system};
  source.attached_ = true;
  ++sources_;
  return {};
}

template <class Poller>
void event_loop<Poller>::detach(loop_source& source) noexcept {
  if (!source.attached_) return;
  // Not left to close(): a copy of the descriptor in a forked child would keep it known to the kernel.
  static_cast<void>(change(source, interest::none));
  disarm(source);
  unmark(source);
  for (std::uint32_t i = batch_at_; i < batch_size_; ++i) {
    if (batch_[i].who == &source) batch_[i].who = nullptr;
  }
  source.attached_ = false;
  --sources_;
}

template <class Poller>
os_error event_loop<Poller>::change(loop_source& source, interest what) noexcept {
  PUREWS_ASSERT(source.attached_);
  if (source.interest_ == what) return {};
  os_error const error = poller_.change(source.number_, source.interest_, what, &source);
  if (!error || what == interest::none) source.interest_ = what;
  return error;
}

template <class Poller>
void event_loop<Poller>::arm(loop_source& source, instant when) noexcept {
  instant const before = timers_.next();
  timers_.arm(source, later(when));
  if (timers_.next() < before) ask_for_turn();
}

template <class Poller>
void event_loop<Poller>::arm_earlier(loop_source& source, instant when) noexcept {
  instant const before = timers_.next();
  timers_.arm_earlier(source, later(when));
  if (timers_.next() < before) ask_for_turn();
}

template <class Poller>
void event_loop<Poller>::mark(loop_source& source) noexcept {
  PUREWS_ASSERT(source.attached_);
  mark_link& link = source;
  if (!link.alone()) return;
  if (marked_.alone()) ask_for_turn();
  link.join(marked_);
}

template <class Poller>
void event_loop<Poller>::unmark(loop_source& source) noexcept {
  mark_link& link = source;
  link.leave();
}

/// How long to wait: rounded up, since a turn before the deadline would be in vain.
template <class Poller>
std::int64_t event_loop<Poller>::wait_milliseconds(duration timeout) const noexcept {
  if (!marked_.alone()) return 0;
  instant const fires = timers_.next();
  if (fires == never && timeout == forever) return -1;
  duration wait = timeout;
  if (fires != never) {
    duration const left = fires - steady_now();
    if (left < wait) wait = left;
  }
  if (wait.ns <= 0) return 0;
  constexpr std::int64_t day = 86'400'000;  // epoll_wait takes an int; one spurious turn a day does no harm
  std::int64_t const rounded = (wait.ns - 1) / 1'000'000 + 1;
  return rounded < day ? rounded : day;
}

template <class Poller>
void event_loop<Poller>::serve_ready() noexcept {
  batch_at_ = 0;
  while (batch_at_ < batch_size_) {
    ready_event const event = batch_[batch_at_++];
    if (event.who == nullptr) continue;  // destroyed since the kernel spoke
    interest const what = event.what & event.who->interest_;
    if (what != interest::none) event.who->on_ready(what);
  }
  batch_at_ = batch_size_ = 0;
  if constexpr (requires { poller_.serve(now_); }) poller_.serve(now_);
}

template <class Poller>
void event_loop<Poller>::fire_timers() noexcept {
  while (timer_node* const due = timers_.pop_due(now_)) static_cast<loop_source*>(due)->on_timer();
}

/// Serves what was marked until now; what is marked meanwhile waits for the next turn, which then does not wait.
template <class Poller>
void event_loop<Poller>::serve_marked() noexcept {
  mark_link now_marked;
  if (!marked_.alone()) {
    now_marked.join(marked_);
    marked_.leave();  // and so the others have changed their head
  }
  while (!now_marked.alone()) {
    auto* const source = static_cast<loop_source*>(now_marked.next);
    unmark(*source);
    source->on_marked();
  }
}

}  // namespace purews::inline v0
