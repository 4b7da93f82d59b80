// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../loop/entropy.hpp"
#include "../loop/source.hpp"
#include "peer.hpp"

namespace purews::inline v0 {

/// One loop of a server with the connections on it: it accepts them, ends them, and keeps an eye on their memory.
/// Everything in it belongs to the loop's thread.
template <class Loop>
class server_worker : public session_home {
 public:
  using loop_type = Loop;

  /// Makes its loop from `arguments`.
  template <class... A>
  explicit server_worker(server_shared& shared, A&... arguments);
  ~server_worker() { end_all(); }

  /// Why it cannot run.
  os_error error() const noexcept { return error_; }
  Loop& loop() noexcept { return loop_; }
  server_shared& shared() const noexcept { return shared_; }

  /// Accepts connections from a socket that listens on `bound`, and gives each to `to`, which may be on another thread.
  /// When it stops listening, the file of a local socket is removed.
  [[nodiscard]] os_error listen(descriptor socket, socket_address const& bound,
                                callback<void(descriptor, socket_address const&)> to) noexcept;

  /// Undoes the last listen(). Precondition: there was one.
  void unlisten() noexcept;

  /// Takes an accepted connection. Without memory for it, it is closed.
  void adopt(descriptor socket, socket_address const& peer) noexcept;

  /// Runs until the server is stopped and has drained. A loop that somebody else drives does that by itself.
  void run() noexcept;

  /// Why its thread is not where it should be. Of that thread, until it has ended.
  os_error unpinned{};

  // For its peers.

  using peer = server_peer<server_worker>;

  void add_session() noexcept;
  void forget(peer& p) noexcept;
  void count_memory(peer& p) noexcept;

 private:
  struct listening {
    typename Loop::listener* listener;
    socket_address bound;
    listening* next;
  };

  static constexpr std::size_t batch_min = 100;
  static constexpr int steps = 20;  // of drain_options::spread

  void on_inbox() noexcept;
  void begin_drain() noexcept;
  void drain() noexcept;
  void close_batch() noexcept;
  void finish() noexcept;
  void shed() noexcept;
  void release(peer& p) noexcept;
  void close_listeners() noexcept;
  void end_all() noexcept;

  server_shared& shared_;
  Loop loop_;
  typename Loop::watch_handle inbox_watch_;
  typename Loop::timer_handle chore_;  // drain()
  os_error error_;
  listening* listeners_ = nullptr;
  peer* first_ = nullptr;
  std::size_t sessions_ = 0;
  std::size_t kept_ = 0;  // of shared().buffered_bytes
  std::size_t batch_ = 0;
  instant next_batch_{};
  instant drain_end_{};
  bool draining_ = false;
  bool finished_ = false;
};

template <class Loop>
template <class... A>
server_worker<Loop>::server_worker(server_shared& shared, A&... arguments)
    : session_home(shared.with.inbox_max, shared.with.workers != 0 ? &shared.pool : nullptr),
      shared_(shared),
      loop_(arguments...),
      inbox_watch_(loop_.watch(inbox.number(), interest::read, [this](interest) { on_inbox(); })),
      chore_(loop_.after(forever, [this] { drain(); })),
      error_(loop_.error()) {
  if (!error_) error_ = inbox.error();
  if (!error_) error_ = inbox_watch_.error();
  if (!error_ && !chore_) error_ = {ENOMEM, "new", os_error_kind::system};
  __atomic_add_fetch(&shared_.running, 1, __ATOMIC_RELAXED);
}

template <class Loop>
os_error server_worker<Loop>::listen(descriptor socket, socket_address const& bound,
                                     callback<void(descriptor, socket_address const&)> to) noexcept {
  using listener = typename Loop::listener;
  os_error error{ENOMEM, "listen", os_error_kind::system};
  listener* made = nullptr;
  listening* added = nullptr;
  try {
    made = new listener(loop_, static_cast<descriptor&&>(socket),
                        static_cast<callback<void(descriptor, socket_address const&)>&&>(to));
    added = new listening{made, bound, listeners_};
    error = made->start();
  } catch (std::bad_alloc const&) {
  }
  if (!error) {
    listeners_ = added;
    return {};
  }
  // Nobody would accept what connects to it.
  remove_socket_file(bound);
  delete made;
  delete added;
  return error;
}

template <class Loop>
void server_worker<Loop>::adopt(descriptor socket, socket_address const& from) noexcept {
  if (finished_) return;
  std::uint64_t const id = __atomic_add_fetch(&shared_.last_id, 1, __ATOMIC_RELAXED);
  peer* made = nullptr;
  try {
    made = new peer(*this, static_cast<descriptor&&>(socket), from, id);
  } catch (std::bad_alloc const&) {
    return;
  }
  made->next = first_;
  if (first_ != nullptr) first_->previous = made;
  first_ = made;
  counters.add(&server_counters::connections_accepted);
  if (made->start()) delete made;
}

template <class Loop>
void server_worker<Loop>::run() noexcept {
  while (!finished_ && !error_) loop_.run();
  if (!finished_) finish();
}

template <class Loop>
void server_worker<Loop>::add_session() noexcept {
  ++sessions_;
  counters.add(&server_counters::upgrades_accepted);
  counters.add(&server_counters::sessions);
}

template <class Loop>
void server_worker<Loop>::forget(peer& p) noexcept {
  if (p.next != nullptr) p.next->previous = p.previous;
  (p.previous != nullptr ? p.previous->next : first_) = p.next;
  counters.add(&server_counters::connections_ended);
  if (p.is_session()) {
    --sessions_;
    counters.subtract(&server_counters::sessions);
  }
  release(p);
  if (draining_ && !finished_) chore_.restart(duration{});
}

template <class Loop>
void server_worker<Loop>::count_memory(peer& p) noexcept {
  std::size_t const now = p.buffered_bytes();
  if (now == p.kept || p.shed) return;
  kept_ += now - p.kept;
  __atomic_add_fetch(&shared_.buffered_bytes, now - p.kept, __ATOMIC_RELAXED);  // wraps if it is less
  bool const more = now > p.kept;
  p.kept = now;
  using enum server_shared::shedding;
  if (more && shared_.is_above(90) && shared_.turn(calm, wanted)) shared_.wake_all();
}

template <class Loop>
void server_worker<Loop>::on_inbox() noexcept {
  inbox.clear_wake();
  if (finished_ || error_) return;
  if (shared_.draining()) chore_.restart(duration{});  // later, so that what was published before is sent
  counters.add(&server_counters::stale_commands, inbox.run([](session& who, session_inbox::command& task) {
    static_cast<peer&>(who).call([&] { task(who); });
  }));
  using enum server_shared::shedding;
  if (shared_.turn(wanted, going_on)) shed();
}

/// Ends sessions, those first that keep the most, until enough memory is free or the other loops keep more than this
/// one. One loop always keeps no less than the average, so that all of them one after another free enough.
template <class Loop>
void server_worker<Loop>::shed() noexcept {
  while (shared_.is_above(90) && kept_ >= shared_.buffered() / shared_.with.threads) {
    peer* largest = nullptr;
    for (peer* p = first_; p != nullptr; p = p->next)
      if (largest == nullptr || p->kept > largest->kept) largest = p;
    if (largest == nullptr || largest->kept == 0) break;
    counters.add(&server_counters::shed);
    largest->shed = true;
    release(*largest);  // at the end of this turn, in truth
    largest->abort();
  }
  using enum server_shared::shedding;
  shared_.turn(going_on, shared_.is_above(90) ? wanted : calm);
  if (shared_.is_above(90)) shared_.wake_all();
}

/// Counts nothing of `p` any more.
template <class Loop>
void server_worker<Loop>::release(peer& p) noexcept {
  kept_ -= p.kept;
  __atomic_sub_fetch(&shared_.buffered_bytes, p.kept, __ATOMIC_RELAXED);
  p.kept = 0;
}

template <class Loop>
void server_worker<Loop>::begin_drain() noexcept {
  draining_ = true;
  drain_end_ = loop_.now() + shared_.with.drain.deadline;
  next_batch_ = loop_.now();
  std::size_t const part = (sessions_ + steps - 1) / steps;
  batch_ = part > batch_min ? part : batch_min;
}

template <class Loop>
void server_worker<Loop>::drain() noexcept {
  if (finished_) return;
  if (!draining_) begin_drain();
  if (loop_.now() >= drain_end_ || shared_.hurried()) return finish();
  if (loop_.now() >= next_batch_) close_batch();
  if (sessions_ == 0) {
    close_listeners();
    // Those that have not asked for anything yet; what is being answered is finished.
    for (peer* p = first_; p != nullptr; p = p->next)
      if (p->current() == state::connecting) p->abort();
  }
  if (first_ == nullptr) return finish();
  instant const again = next_batch_ < drain_end_ ? next_batch_ : drain_end_;
  chore_.restart(again - loop_.now());
}

/// Closes some of the sessions that are open, and says when the next are to follow.
template <class Loop>
void server_worker<Loop>::close_batch() noexcept {
  std::size_t left = batch_;
  for (peer* p = first_; p != nullptr; p = p->next) {
    if (p->current() != state::open) continue;
    if (left-- == 0) break;
    static_cast<void>(p->close(shared_.with.drain.code));
  }
  std::uint16_t random = 0;
  os_entropy({reinterpret_cast<std::byte*>(&random), sizeof random});
  // Between a half and one and a half times the average.
  std::int64_t const step = shared_.with.drain.spread.ns / steps;
  next_batch_ = loop_.now() + duration{step / 2 + (step >> 16) * random};
}

/// Ends what is left, and run().
template <class Loop>
void server_worker<Loop>::finish() noexcept {
  finished_ = true;
  end_all();
  inbox.close();
  loop_.stop();
  if (__atomic_sub_fetch(&shared_.running, 1, __ATOMIC_ACQ_REL) == 0 && shared_.ended) shared_.ended();
}

template <class Loop>
void server_worker<Loop>::unlisten() noexcept {
  listening* const closes = listeners_;
  listeners_ = closes->next;
  remove_socket_file(closes->bound);
  delete closes->listener;
  delete closes;
}

template <class Loop>
void server_worker<Loop>::close_listeners() noexcept {
  while (listeners_ != nullptr) unlisten();
}

template <class Loop>
void server_worker<Loop>::end_all() noexcept {
  close_listeners();
  while (first_ != nullptr) first_->end();
}

}  // namespace purews::inline v0
