// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../protocol/byte_machine.hpp"
#include "socket.hpp"
#include "source.hpp"

namespace purews::inline v0 {

/// How far the socket of a stream is when it starts.
enum class transport_start : std::uint8_t { connected, connecting };

/// One non-blocking socket and its machine on a readiness loop: reads into the machine, sends what it has, closes when
/// it says so, wakes it at its deadline. It owns no buffer. 56 bytes beside the machine, 16 in the loop.
///
/// The owner has three functions, which the loop calls and no function of the stream does; they must not throw:
///   on_events(stream)  the machine was given something: drain machine().next() until none, or park(). The stream must
///                      not be destroyed here; other streams may be.
///   on_settled(stream) what the socket takes was sent: a look at what had to stay. May be left out. What is put into
///                      the machine now needs touch(); the stream must not be destroyed here.
///   on_end(stream)     once, at the end: the socket is closed, what was unsent is lost, events may still be drained.
///                      The stream may be destroyed here.
/// A stream may be destroyed at any other time, too; then on_end is not called.
template <class Loop, byte_machine Machine, class Owner>
class readiness_stream final : public loop_source {
 public:
  /// Takes a prepared socket and makes the machine from `arguments`. Nothing happens before start().
  template <class... A>
  readiness_stream(Loop& loop, Owner& owner, descriptor socket, A&&... arguments)
      : loop_source(socket.number()), loop_(loop), owner_(owner), machine_(static_cast<A&&>(arguments)...) {
    static_cast<void>(socket.release());  // not before the machine was made: it may throw
  }
  ~readiness_stream();

  /// Registers with the loop; at the end of its turn, or in the next, the machine's first output is sent. With
  /// `connecting`, waits for the connection first. After an error nothing will be called. Once.
  [[nodiscard]] os_error start(transport_start from = transport_start::connected) noexcept;

  Machine& machine() noexcept { return machine_; }
  Loop& loop() const noexcept { return loop_; }
  Owner& owner() const noexcept { return owner_; }

  /// To be called after the machine was used elsewhere than in this stream's own on_events: at the end of the turn its
  /// output is sent, once however often this is called, and its other answers are obeyed.
  void touch() noexcept;

  /// Sends what waits now, as far as the socket takes it, rather than at the end of the turn: for who queues much in
  /// one turn. Counts as touch(); may be called in on_events too.
  void send_now() noexcept;

  /// Ends the stream at the end of the turn, without sending what is left; on_end follows.
  void abort() noexcept;

  /// Whether the socket is closed.
  bool ended() const noexcept { return ended_; }

  /// What broke the transport; none when it was not broken, or only ended.
  os_error failure() const noexcept { return {failure_, operation_name(), os_error_kind::system}; }

 private:
  /// Bounds on what one stream may do in a turn while others wait.
  static constexpr int reads_max = 4;
  static constexpr int sends_max = 16;

  enum class operation : std::uint8_t { connect, receive, send, change };

  void on_ready(interest what) noexcept override;
  void on_timer() noexcept override;
  void on_marked() noexcept override { settle(); }

  void finish_connecting() noexcept;
  bool read() noexcept;
  void take(bytes received) noexcept;
  void end_of_input() noexcept;
  void notify() noexcept;
  void broke(int code, operation what) noexcept;

  bool settle() noexcept;
  bool flush() noexcept;
  void update_interest() noexcept;
  bool end() noexcept;

  bool wants_read() const noexcept { return !connecting_ && !eof_ && !aborting_ && machine_.wants_input(); }
  char const* operation_name() const noexcept;

  bool connecting_ : 1 = false;
  bool busy_ : 1 = false;     ///< in the owner's hands
  bool lent_ : 1 = false;     ///< the loop's send buffer is with the machine
  bool blocked_ : 1 = false;  ///< the socket takes no more: waits until it is writable
  bool eof_ : 1 = false;      ///< the machine was told of the end
  bool broken_ : 1 = false;   ///< nothing can be sent any more
  bool shut_ : 1 = false;     ///< shutdown() was called
  bool aborting_ : 1 = false;
  bool ended_ : 1 = false;
  operation failed_in_ : 2 = operation::connect;
  std::uint16_t failure_ = 0;
  Loop& loop_;
  Owner& owner_;
  Machine machine_;
};

template <class Loop, byte_machine Machine, class Owner>
readiness_stream<Loop, Machine, Owner>::~readiness_stream() {
  PUREWS_ASSERT(!busy_);
  loop_.detach(*this);
  descriptor const closes(take_number());
}

template <class Loop, byte_machine Machine, class Owner>
os_error readiness_stream<Loop, Machine, Owner>::start(transport_start from) noexcept {
  PUREWS_ASSERT(!attached() && !ended_);
  if (os_error const e = loop_.attach(*this)) return e;
  connecting_ = from == transport_start::connecting;
  interest const first = connecting_ ? interest::write : machine_.wants_input() ? interest::read : interest::none;
  if (os_error const e = loop_.change(*this, first)) {
    loop_.detach(*this);
    return e;
  }
  loop_.mark(*this);
  return {};
}

template <class Loop, byte_machine Machine, class Owner>
void readiness_stream<Loop, Machine, Owner>::touch() noexcept {
  if (attached() && !busy_) loop_.mark(*this);
}

template <class Loop, byte_machine Machine, class Owner>
void readiness_stream<Loop, Machine, Owner>::send_now() noexcept {
  if (!attached()) return;
  flush();
  touch();
}

template <class Loop, byte_machine Machine, class Owner>
void readiness_stream<Loop, Machine, Owner>::abort() noexcept {
  if (!attached()) return;
  aborting_ = true;
  touch();
}

template <class Loop, byte_machine Machine, class Owner>
void readiness_stream<Loop, Machine, Owner>::on_ready(interest what) noexcept {
  if (connecting_) return finish_connecting();
  if (has(what, interest::write)) blocked_ = false;
  // Reading settles by itself; for what is only readable once is enough.
  if (has(what, interest::read) && wants_read() && (!read() || !has(what, interest::write))) return;
  settle();
}

/// Reads before it advances: the bytes that wait may be what the deadline asks for.
template <class Loop, byte_machine Machine, class Owner>
void readiness_stream<Loop, Machine, Owner>::on_timer() noexcept {
  if (machine_.deadline() <= loop_.now() && wants_read() && !read()) return;
  if (machine_.deadline() > loop_.now()) return loop_.arm_earlier(*this, machine_.deadline());
  machine_.advance(loop_.now());
  notify();
  settle();
}

template <class Loop, byte_machine Machine, class Owner>
void readiness_stream<Loop, Machine, Owner>::finish_connecting() noexcept {
  if (int const code = connect_outcome(number())) {
    broke(code, operation::connect);
    end_of_input();
  } else {
    connecting_ = false;
    notify();
  }
  settle();
}

/// Reads, and settles after each piece: a full buffer means that more is there, so that no call is spent on finding
/// nothing. False: the stream has ended and may be destroyed.
template <class Loop, byte_machine Machine, class Owner>
bool readiness_stream<Loop, Machine, Owner>::read() noexcept {
  for (int i = 0; i < reads_max && wants_read(); ++i) {
    bytes room = machine_.receive_room();
    if (room.empty()) room = loop_.receive_buffer();
    io_result const got = receive(number(), room);
    if (got.would_block()) return true;
    if (got.error != 0) broke(got.error, operation::receive);
    got.count == 0 ? end_of_input() : take(room.first(got.count));
    if (!settle()) return false;
    if (got.count < room.size()) return true;
  }
  return true;
}

template <class Loop, byte_machine Machine, class Owner>
void readiness_stream<Loop, Machine, Owner>::take(bytes received) noexcept {
  lent_ = !blocked_ && !broken_;
  if (lent_) machine_.lend_output(loop_.send_buffer());
  machine_.receive(received, loop_.now());
  notify();
}

template <class Loop, byte_machine Machine, class Owner>
void readiness_stream<Loop, Machine, Owner>::end_of_input() noexcept {
  eof_ = true;
  machine_.receive_eof(loop_.now());
  notify();
}

template <class Loop, byte_machine Machine, class Owner>
void readiness_stream<Loop, Machine, Owner>::notify() noexcept {
  busy_ = true;
  owner_.on_events(*this);
  busy_ = false;
}

template <class Loop, byte_machine Machine, class Owner>
void readiness_stream<Loop, Machine, Owner>::broke(int code, operation what) noexcept {
  broken_ = true;
  if (failure_ != 0) return;
  failure_ = static_cast<std::uint16_t>(code);
  failed_in_ = what;
}

/// Does what the machine wants after something has happened to it. False: the stream has ended and may be destroyed.
template <class Loop, byte_machine Machine, class Owner>
bool readiness_stream<Loop, Machine, Owner>::settle() noexcept {
  loop_.unmark(*this);
  bool const sent_all = flush();
  if (lent_) machine_.lend_output({});
  lent_ = false;
  // With input wanted, what came before the transport broke is read first; then recv() tells of the end.
  if (broken_ && !eof_ && !machine_.wants_input()) end_of_input();
  if (aborting_ || (broken_ && eof_)) return end();
  transport_action const wish = machine_.transport();
  if (wish == transport_action::close) return end();
  if (wish == transport_action::shut_write && sent_all && !shut_) {
    ::shutdown(number(), SHUT_WR);
    shut_ = true;
  }
  update_interest();
  loop_.arm_earlier(*this, machine_.deadline());
  if constexpr (requires { owner_.on_settled(*this); }) owner_.on_settled(*this);
  return true;
}

/// Sends until nothing is left or the socket takes no more. True: nothing is left.
template <class Loop, byte_machine Machine, class Owner>
bool readiness_stream<Loop, Machine, Owner>::flush() noexcept {
  if (connecting_ || blocked_ || broken_ || aborting_) return false;
  bytes_view spans[send_spans_max];
  for (int i = 0; i < sends_max; ++i) {
    std::size_t const count = machine_.gather(spans);
    if (count == 0) return true;
    std::size_t total = 0;
    for (std::size_t k = 0; k < count; ++k) total += spans[k].size();
    io_result const sent = send_spans(number(), {spans, count});
    machine_.consume_output(sent.count, loop_.now());
    if (sent.error != 0 && !sent.would_block()) {
      broke(sent.error, operation::send);
      ::shutdown(number(), SHUT_WR);  // a peer that is still there (ENOBUFS) would wait for what was lost
    }
    blocked_ = !broken_ && sent.count < total;
    if (sent.count < total) return false;
  }
  loop_.mark(*this);  // it is the turn of the others
  return false;
}

template <class Loop, byte_machine Machine, class Owner>
void readiness_stream<Loop, Machine, Owner>::update_interest() noexcept {
  interest const reading = wants_read() ? interest::read : interest::none;
  interest const writing = connecting_ || (blocked_ && !broken_) ? interest::write : interest::none;
  if (os_error const e = loop_.change(*this, reading | writing)) {
    broke(e.code, operation::change);
    abort();
  }
}

template <class Loop, byte_machine Machine, class Owner>
bool readiness_stream<Loop, Machine, Owner>::end() noexcept {
  loop_.detach(*this);
  { descriptor const closes(take_number()); }
  ended_ = true;
  owner_.on_end(*this);  // the last act: the stream may not exist any more
  return false;
}

template <class Loop, byte_machine Machine, class Owner>
char const* readiness_stream<Loop, Machine, Owner>::operation_name() const noexcept {
  switch (failed_in_) {
    case operation::connect:
      return "connect";
    case operation::receive:
      return "recv";
    case operation::send:
      return "send";
    case operation::change:
      break;
  }
  return "change";
}

}  // namespace purews::inline v0
