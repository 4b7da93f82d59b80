// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../protocol/byte_machine.hpp"
#include "link.hpp"
#include "trace.hpp"

namespace purews::inline v0::sim {

/// How a loop treats its machine, within the contract of byte_machine: so many times in a thousand. The default is a
/// plain loop that does everything at once.
struct habits {
  unsigned parks = 0;         ///< keeps what is left of its input for later
  unsigned pauses = 0;        ///< does not read for up to `pause_max`
  unsigned small_reads = 0;   ///< reads a few bytes
  unsigned late_reads = 0;    ///< hands over one buffer more after wants_input() turned false
  unsigned lends = 0;         ///< lends room for output while it reads, and takes it away later
  unsigned small_writes = 0;  ///< sends less than was gathered, or nothing
  unsigned late_writes = 0;   ///< keeps what was gathered for up to `pause_max`, as a completion-based loop does
  unsigned idle_calls = 0;    ///< makes calls that say nothing: advance, gather without spans, consume_output(0)
  duration pause_max = milliseconds(3);

  static habits any(dice& rolls) noexcept {
    habits with;
    for (unsigned* const how_often : {&with.parks, &with.pauses, &with.small_reads, &with.late_reads, &with.lends,
                                      &with.small_writes, &with.late_writes, &with.idle_calls})
      if (rolls.happens(350)) *how_often = static_cast<unsigned>(rolls.below(rolls.happens(300) ? 700 : 100));
    with.pause_max = duration{rolls.between(1, 3'000'000)};
    return with;
  }
};

/// What one step of a host came to.
enum class progress : std::uint8_t {
  quiet,     ///< there was nothing to do at this time
  worked,    ///< it did something
  reported,  ///< the machine reported an event
};

/// A loop with one machine, between two links. It does one thing at a time, and watches whether the machine keeps its
/// promises: see broken_promise().
template <byte_machine Machine>
class host {
 public:
  /// The machine and the links must outlive it.
  host(role own, Machine& machine, link& in, link& out, dice rolls, habits const& how, trace& log) noexcept
      : machine_(machine), in_(in), out_(out), log_(log), rolls_(rolls), how_(how), own_(own) {}
  host(host const&) = delete;
  host& operator=(host const&) = delete;

  /// Does one of the things that can be done at `t`. The payload of `out` is valid until the next step.
  progress step(instant t, event& out);

  /// The application has called the machine: next() has to be asked again.
  void touch() noexcept {
    if (!pending_) after_call();
  }

  /// When there is something to do again, deadlines of the machine aside; never, if only the peer can change that.
  instant wakes_at() const noexcept;

  /// The machine's deadline; never after the end.
  instant deadline() const noexcept { return ended_ ? never : machine_.deadline(); }

  /// Whether the socket was closed or is of no use any more.
  bool ended() const noexcept { return ended_; }

  /// Terminal events so far. At the end there was one, unless the application itself aborted.
  int terminals() const noexcept { return terminals_; }

  /// The first promise of byte_machine that the machine did not keep, as a sentence; null as long as it keeps them.
  char const* broken_promise() const noexcept { return broken_promise_; }

  /// Is given a copy of all bytes that the socket takes from the machine.
  using tap = void (*)(void* context, bytes_view sent);
  void watch(tap to, void* context) noexcept {
    tap_ = to;
    tap_context_ = context;
  }

 private:
  static constexpr std::size_t spans_max = 8;
  static constexpr std::size_t scratch_bytes = 4096;
  enum class turn : std::uint8_t { read, write, complete, advance, unlend, idle_call };
  static constexpr unsigned turns = 6;

  void promise(bool kept, char const* sentence) noexcept {
    if (!kept && broken_promise_ == nullptr) broken_promise_ = sentence;
  }
  void after_call() noexcept {
    pending_ = true;
    parked_ = false;
  }
  bool notice_reset() noexcept;
  progress drain(instant t, event& out);
  bool take(turn what, instant t);
  bool may_read() const noexcept { return !eof_told_ && machine_.wants_input(); }
  bool readable(instant t) const noexcept { return in_.readable(t) != 0 || in_.ended(t); }
  bool read(instant t);
  void receive(instant t, bool wanted);
  bool write(instant t);
  bool complete(instant t);
  void send(std::size_t size, instant t);
  std::uint64_t hash_gathered() const noexcept;
  bool advance(instant t);
  bool unlend(instant t);
  bool idle_call(instant t);
  bool follow_transport(instant t);
  void end(instant t, char const* how);

  Machine& machine_;
  link& in_;
  link& out_;
  trace& log_;
  dice rolls_;
  habits how_;
  role own_;
  std::vector<std::byte> lent_input_{};
  std::vector<std::byte> room_{};  // on loan
  bytes_view spans_[spans_max]{};
  std::size_t span_count_ = 0;
  std::size_t taken_ = 0;  // of an outstanding gather: what the socket takes
  std::uint64_t gathered_hash_ = 0;
  instant completes_at_ = never;
  instant reads_from_{INT64_MIN};
  transport_action last_wish_ = transport_action::keep;
  char const* broken_promise_ = nullptr;
  tap tap_ = nullptr;
  void* tap_context_ = nullptr;
  int terminals_ = 0;
  int hasty_deadlines_ = 0;  // in a row
  bool pending_ = false;     // next() was not called until none
  bool parked_ = false;      // but park() was
  bool read_late_ = false;
  bool eof_told_ = false;
  bool shut_ = false;
  bool broken_ = false;  // the transport is
  bool ended_ = false;
};

template <byte_machine Machine>
progress host<Machine>::step(instant t, event& out) {
  if (ended_) return progress::quiet;
  bool worked = notice_reset();
  if (pending_ && (!parked_ || rolls_.happens(500))) return drain(t, out);
  if (!pending_ && follow_transport(t)) return progress::worked;
  auto const first = static_cast<unsigned>(rolls_.below(turns));
  for (unsigned i = 0; i < turns && !worked; ++i) worked = take(static_cast<turn>((first + i) % turns), t);
  return worked || pending_ ? progress::worked : progress::quiet;
}

template <byte_machine Machine>
bool host<Machine>::notice_reset() noexcept {
  if (broken_ || !(in_.broken() || out_.broken())) return false;
  broken_ = true;
  in_.reset();
  out_.reset();
  return true;
}

template <byte_machine Machine>
progress host<Machine>::drain(instant t, event& out) {
  if (!parked_ && rolls_.happens(how_.parks)) {
    machine_.park();
    std::vector<std::byte>(lent_input_.size(), std::byte{0xDD}).swap(lent_input_);
    std::vector<std::byte>().swap(lent_input_);
    parked_ = true;
    log_.note(t, own_, "parks", 0);
    return progress::worked;
  }
  out = machine_.next();
  if (out.what == kind::none) {
    for (std::byte& b : lent_input_) b = std::byte{0xDD};
    std::vector<std::byte>().swap(lent_input_);
    pending_ = false;
    return progress::worked;
  }
  log_.note(t, own_, out);
  promise(terminals_ == 0, "there is an event after the terminal one");
  if (out.what == kind::closed || out.what == kind::failed) ++terminals_;
  hasty_deadlines_ = 0;
  return progress::reported;
}

template <byte_machine Machine>
bool host<Machine>::take(turn what, instant t) {
  switch (what) {
    case turn::read:
      return read(t);
    case turn::write:
      return write(t);
    case turn::complete:
      return complete(t);
    case turn::advance:
      return advance(t);
    case turn::unlend:
      return unlend(t);
    case turn::idle_call:
      return idle_call(t);
  }
  return false;
}

template <byte_machine Machine>
bool host<Machine>::read(instant t) {
  if (eof_told_ || t < reads_from_ || !readable(t)) return false;
  bool const wanted = machine_.wants_input();
  if (wanted) read_late_ = false;
  bool const late = !wanted && !read_late_ && in_.readable(t) != 0 && rolls_.happens(how_.late_reads);
  if (!wanted && !late) return false;
  if (wanted && rolls_.happens(how_.pauses)) {
    reads_from_ = t + duration{rolls_.between(1, how_.pause_max.ns)};
    return false;
  }
  receive(t, wanted);
  return true;
}

template <byte_machine Machine>
void host<Machine>::receive(instant t, bool wanted) {
  if (in_.readable(t) == 0) {
    eof_told_ = true;
    in_.mark_end_told();
    log_.note(t, own_, "reads the end", 0);
    machine_.receive_eof(t);
    return after_call();
  }
  if (room_.empty() && rolls_.happens(how_.lends)) {
    std::uint64_t const size_max = rolls_.happens(500) ? 40 : 5000;
    room_ = std::vector<std::byte>(1 + static_cast<std::size_t>(rolls_.below(size_max)));
    machine_.lend_output(room_);
    log_.note(t, own_, "lends room", room_.size());
  }
  bytes room = rolls_.happens(100) ? bytes{} : machine_.receive_room();
  std::size_t size = room.empty() ? scratch_bytes : room.size();
  if (rolls_.happens(how_.small_reads)) size = 1 + static_cast<std::size_t>(rolls_.below(size < 20 ? size : 20));
  if (size > in_.readable(t)) size = in_.readable(t);
  if (room.empty()) {
    lent_input_ = std::vector<std::byte>(size);
    room = lent_input_;
  }
  room = room.first(in_.take(room.first(size), t));
  log_.note(t, own_, "reads", room.size());
  machine_.receive(room, t);
  after_call();
  if (wanted) return;
  read_late_ = true;
  machine_.park();
  std::vector<std::byte>().swap(lent_input_);
  parked_ = true;
}

template <byte_machine Machine>
bool host<Machine>::write(instant t) {
  if (span_count_ != 0 || broken_) return false;
  std::size_t const room = out_.room();
  if (room == 0) return false;
  std::size_t const wanted = 1 + static_cast<std::size_t>(rolls_.below(spans_max));
  span_count_ = machine_.gather({spans_, wanted});
  promise(span_count_ <= wanted, "more spans were gathered than there was room for");
  if (span_count_ == 0) return false;
  std::size_t size = 0;
  for (std::size_t i = 0; i < span_count_; ++i) {
    promise(!spans_[i].empty(), "an empty span was gathered");
    size += spans_[i].size();
  }
  taken_ = size < room ? size : room;
  if (rolls_.happens(how_.small_writes)) taken_ = static_cast<std::size_t>(rolls_.below(taken_ < 20 ? taken_ + 1 : 20));
  if (rolls_.happens(how_.late_writes)) {
    gathered_hash_ = hash_gathered();
    completes_at_ = t + duration{rolls_.between(0, how_.pause_max.ns)};
    log_.note(t, own_, "gathers", size);
  } else {
    send(taken_, t);
  }
  return true;
}

template <byte_machine Machine>
std::uint64_t host<Machine>::hash_gathered() const noexcept {
  trace all;
  for (std::size_t i = 0; i < span_count_; ++i) all.add(spans_[i]);
  return all.hash();
}

template <byte_machine Machine>
bool host<Machine>::complete(instant t) {
  if (completes_at_ > t) return false;
  completes_at_ = never;
  promise(hash_gathered() == gathered_hash_, "gathered bytes changed before they were consumed");
  send(broken_ ? 0 : taken_, t);
  return true;
}

template <byte_machine Machine>
void host<Machine>::send(std::size_t size, instant t) {
  std::size_t left = size;
  for (std::size_t i = 0; i < span_count_ && left != 0; ++i) {
    bytes_view const part = spans_[i].first(spans_[i].size() < left ? spans_[i].size() : left);
    log_.add(part);
    if (tap_ != nullptr) tap_(tap_context_, part);
    out_.send(part, t);
    left -= part.size();
  }
  log_.note(t, own_, "writes", size);
  span_count_ = 0;
  machine_.consume_output(size, t);
}

/// Reads before it advances: the bytes that wait may be what the deadline asks for.
template <byte_machine Machine>
bool host<Machine>::advance(instant t) {
  if (machine_.deadline() > t) {
    hasty_deadlines_ = 0;
    return false;
  }
  if (may_read() && readable(t)) {
    receive(t, true);
    return true;
  }
  log_.note(t, own_, "advances", 0);
  machine_.advance(t);
  promise(++hasty_deadlines_ < 100, "the deadline stays in the past, however often advance() is called");
  after_call();
  return true;
}

template <byte_machine Machine>
bool host<Machine>::unlend(instant t) {
  if (room_.empty() || span_count_ != 0 || rolls_.happens(500)) return false;
  machine_.lend_output({});
  for (std::byte& b : room_) b = std::byte{0xDD};
  std::vector<std::byte>().swap(room_);
  log_.note(t, own_, "takes its room away", 0);
  return true;
}

template <byte_machine Machine>
bool host<Machine>::idle_call(instant t) {
  if (!rolls_.happens(how_.idle_calls)) return false;
  if (span_count_ == 0) {
    promise(machine_.gather({}) == 0, "a gather without room for spans gave some");
    if (rolls_.happens(500)) machine_.consume_output(0, t);
  }
  if (rolls_.happens(500) || (may_read() && readable(t))) return false;
  machine_.advance(t);
  after_call();
  log_.note(t, own_, "calls for nothing", 0);
  return true;
}

template <byte_machine Machine>
bool host<Machine>::follow_transport(instant t) {
  transport_action const wish = machine_.transport();
  promise(wish >= last_wish_, "the transport was to be shut or closed, and then it was not");
  last_wish_ = wish;
  if (wish == transport_action::close) return end(t, "closes"), true;
  if (broken_ && eof_told_ && terminals_ != 0) return end(t, "lost its transport"), true;
  if (broken_ && !eof_told_ && !machine_.wants_input()) return receive(t, true), true;
  if (wish != transport_action::shut_write || shut_ || span_count_ != 0) return false;
  shut_ = true;
  out_.shut(t);
  log_.note(t, own_, "shuts its side", 0);
  return true;
}

template <byte_machine Machine>
void host<Machine>::end(instant t, char const* how) {
  ended_ = true;
  log_.note(t, own_, how, 0);
  in_.leave();
  out_.shut(t);
}

template <byte_machine Machine>
instant host<Machine>::wakes_at() const noexcept {
  if (ended_) return never;
  instant first = completes_at_;
  if (may_read()) {
    instant const reads = in_.arrival() > reads_from_ ? in_.arrival() : reads_from_;
    if (in_.arrival() != never && reads < first) first = reads;
  }
  return first;
}

}  // namespace purews::inline v0::sim
