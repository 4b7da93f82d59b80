// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "decoder.hpp"
#include "outbox.hpp"

namespace purews::inline v0 {

/// An open WebSocket connection, of either role: messages, pings and pongs, the closing handshake, and the deadlines
/// of all of them. It satisfies byte_machine, and begins where the opening handshake ends.
/// RFC 6455 sections 5 to 7.
class connection {
 public:
  /// Begins an open connection at `now`. `with` must outlive it; a client needs `with.entropy`.
  connection(role own, options const& with, instant now) noexcept;
  connection(role own, options const&& with, instant now) = delete;  // it would not outlive the connection

  connection(connection const&) = delete;
  connection& operator=(connection const&) = delete;

  /// Lets messages be compressed: for a connection without an opening handshake, which otherwise decides on it. The
  /// codec belongs to the connection from now on. Refuses: out_of_memory, and the codec is destroyed.
  /// Precondition (asserted): there is none yet.
  [[nodiscard]] refusal use(message_codec& codec) noexcept { return outbox_.use(codec); }

  /// Keeps the last frame headers in `to`, from now on; it must outlive the connection. Refuses: out_of_memory.
  [[nodiscard]] refusal record(flight_recorder& to) noexcept { return outbox_.record(to, pipe_.now()); }

  // What the application says. A refusal leaves everything as it was.

  /// Queues a whole message; the payload is copied. `how` says what happens when the peer reads too slowly. Refuses:
  /// not_open, queue_full, message_open, invalid_utf8, out_of_memory. RFC 6455 section 5.6.
  [[nodiscard]] refusal send(opcode op, bytes_view payload, send_options const& how = {}) noexcept {
    return submit({.op = op, .payload = payload, .how = how});
  }
  [[nodiscard]] refusal send(std::string_view text, send_options const& how = {}) noexcept {
    return send(opcode::text, as_bytes(text), how);
  }

  /// Queues a message that is shared with other connections. Refuses as above, without invalid_utf8.
  [[nodiscard]] refusal send(prepared_message const& shared, send_options const& how = {}) noexcept {
    return submit({.op = shared.op(), .shared = &shared, .how = how});
  }

  /// Queues one fragment of a message; the first decides on its compression. Refuses as above. RFC 6455 section 5.4.
  [[nodiscard]] refusal send_fragment(opcode op, bytes_view payload, fragment position,
                                      compression compress = compression::automatic) noexcept;

  /// Queues a ping of at most 125 bytes. Refuses: not_open, payload_too_long, out_of_memory. RFC 6455 section 5.5.2.
  [[nodiscard]] refusal ping(bytes_view payload = {}) noexcept;

  /// Begins the closing handshake: what is queued goes out first, then a Close frame, and nothing after it. The end
  /// is reported by next(). Refuses: not_open, invalid_code, reason_too_long, invalid_utf8, out_of_memory.
  /// RFC 6455 sections 5.5.1 and 7.4.
  [[nodiscard]] refusal close(status_code code = status_code::normal, std::string_view reason = {}) noexcept;

  /// Ends the transport at once, without a Close frame and without a further event.
  void abort() noexcept;

  /// Wants no input while the connection is open, until resume(), so that the peer is held up by TCP in the end. What
  /// was received already is still reported, unless it is parked; the ping and pong timers stand still.
  void pause() noexcept {
    held_ = true;
    wake_timers(pipe_.now());
  }
  void resume(instant t) noexcept {
    held_ = false;
    wake_timers(t);
  }

  state current() const noexcept { return state_; }
  role own_role() const noexcept { return own_; }
  /// Output that waits for the peer, in bytes; what is not yet compressed counts as it is.
  std::size_t queued_bytes() const noexcept { return pipe_.out.size() + outbox_.waiting_bytes(); }
  /// What this connection keeps: output that waits (shared messages in full), parked input, and the part of a message
  /// that has come. In bytes; compressors are not counted.
  std::size_t buffered_bytes() const noexcept {
    return queued_bytes() + pipe_.in.parked_bytes() + decoder_.assembled_bytes();
  }
  /// How many messages were dropped because the peer read too slowly: see overflow.
  drop_counts dropped() const noexcept { return outbox_.dropped(); }
  /// After failed: where the frame begins that broke the rule, or that was being read, among all bytes received; in the
  /// opening handshake the line of the head, or the head.
  std::uint64_t fault_offset() const noexcept { return pipe_.received(); }

  // byte_machine

  bool wants_input() const noexcept {
    if (pipe_.eof() || pipe_.finishing()) return !pipe_.eof();
    return queued_bytes() <= with_->limit.queue_bytes_high && !(held_ && state_ == state::open);
  }
  bytes receive_room() noexcept { return pipe_.finishing() || !pipe_.in.empty() ? bytes{} : decoder_.receive_room(); }
  void receive(bytes in, instant t) noexcept;
  void receive_eof(instant t) noexcept;
  event next() noexcept;
  void park() noexcept { pipe_.park(); }
  void lend_output(bytes room) noexcept { pipe_.lend_output(room); }
  std::size_t gather(std::span<bytes_view> spans) noexcept {
    outbox_.refill(pipe_, *with_);
    return pipe_.gather(spans);
  }
  void consume_output(std::size_t n, instant t) noexcept;
  transport_action transport() const noexcept { return pipe_.transport(); }
  instant deadline() const noexcept;
  void advance(instant t) noexcept;

 private:
  friend class endpoint;

  event next_of_any_kind() noexcept;
  void move(trigger why) noexcept { state_ = next_state(state_, why); }
  refusal submit(outgoing const& what) noexcept;
  instant end_of_life() const noexcept;
  refusal queue_close(status_code code, std::string_view reason) noexcept;
  void fail(error what) noexcept;
  void end(event const& terminal, ending how) noexcept;
  void finish(ending how) noexcept;
  event handle(event const& received) noexcept;
  event handle_close(event const& received) noexcept;
  void wake_timers(instant t) noexcept;
  void check_idle(instant t) noexcept;
  bool alive() const noexcept { return state_ == state::open || state_ == state::closing; }

  options const* with_;
  instant begun_;  // open since then; before that, when the opening handshake began
  pipe pipe_;
  decoder decoder_;
  outbox outbox_;
  event terminal_{};               // reported once, by the next next()
  instant heard_;                  // when the peer was last heard of
  instant waiting_since_ = never;  // since when we wait: for a pong (open) or for the peer's Close (closing)
  role own_;
  state state_ = state::open;
  bool close_sent_ = false;
  bool paused_ = false;    // wants_input() was false: the ping and pong timers stand still
  bool held_ = false;      // pause() was called
  bool awaiting_ = false;  // a ping of ours, or our Close, is not answered yet
};

inline connection::connection(role own, options const& with, instant now) noexcept
    : with_(&with), begun_(now), pipe_(now), decoder_(own), outbox_(own), heard_(now), own_(own) {
  PUREWS_ASSERT(own == role::server || with.entropy != nullptr);
}

inline refusal connection::submit(outgoing const& what) noexcept {
  if (state_ != state::open) return refusal::not_open;
  refusal const result = outbox_.message(pipe_, what, *with_);
  if (result == refusal::queue_full && what.how.when_full == overflow::close)
    static_cast<void>(close(status_code::try_again_later, "too slow"));
  return result;
}

inline refusal connection::send_fragment(opcode op, bytes_view payload, fragment position,
                                         compression compress) noexcept {
  if (state_ != state::open) return refusal::not_open;
  bool const last = position == fragment::last;
  return outbox_.piece(pipe_, {.op = op, .payload = payload, .last = last, .how = {.compress = compress}}, *with_);
}

inline refusal connection::ping(bytes_view payload) noexcept {
  return state_ == state::open ? outbox_.control(pipe_, opcode::ping, payload, *with_) : refusal::not_open;
}

inline refusal connection::close(status_code code, std::string_view reason) noexcept {
  if (state_ != state::open) return refusal::not_open;
  bool const empty = code == status_code::no_status_received && reason.empty();
  // RFC 6455 7.4.1: 1010 is a client's word.
  if (!empty && (!is_wire_status(code) || (code == status_code::mandatory_extension && own_ == role::server)))
    return refusal::invalid_code;
  if (reason.size() > close_reason_bytes_max) return refusal::reason_too_long;
  if (!is_valid_utf8(as_bytes(reason))) return refusal::invalid_utf8;
  if (refusal const why = queue_close(code, reason); why != refusal::none) return why;
  move(trigger::close_sent);
  awaiting_ = true;
  waiting_since_ = never;  // the time is taken by the next call that brings one
  return refusal::none;
}

inline void connection::abort() noexcept {
  state_ = state::closed;
  terminal_ = {};
  pipe_.finish(ending::at_once);
  outbox_.free_codec();
}

inline void connection::receive(bytes in, instant t) noexcept {
  heard_ = t;
  // Any byte counts as a sign of life, not only a pong.
  if (state_ == state::open) awaiting_ = false;
  pipe_.receive(in, t, with_->limit);
  wake_timers(t);
}

inline void connection::receive_eof(instant t) noexcept {
  pipe_.receive_eof(t);
  wake_timers(t);
}

inline event connection::next() noexcept {
  event whole;
  if (state_ == state::open && !outbox_.recording() && decoder_.next_whole(pipe_.in, *with_, whole)) return whole;
  return next_of_any_kind();
}

inline event connection::next_of_any_kind() noexcept {
  if (pipe_.broken() && alive()) fail(error::out_of_memory);
  if (outbox_.recording()) outbox_.has().recorder->tell_time(pipe_.now());
  while (alive()) {
    event const received = decoder_.next(pipe_.in, *with_, outbox_.has());
    if (received.what == kind::none) {
      pipe_.in.release();  // an idle connection keeps no input
      if (!pipe_.eof()) return {};
      // RFC 6455 7.1.5: an end without a Close frame has the code 1006.
      end({.what = kind::closed, .code = status_code::abnormal}, ending::shut_first);
      break;
    }
    if (event const e = handle(received); e.what != kind::none) return e;
  }
  event const last = terminal_;
  terminal_ = {};
  return last;
}

inline void connection::consume_output(std::size_t n, instant t) noexcept {
  pipe_.out.consume(n);
  outbox_.refill(pipe_, *with_);  // nothing waits while the output is empty
  pipe_.note_sent(n, t);
  wake_timers(t);
}

inline instant connection::deadline() const noexcept {
  timeouts const& timeout = with_->timeout;
  instant const first = pipe_.deadline(timeout);
  instant mine = never;
  if (pipe_.broken() && alive()) return pipe_.now();
  if (state_ == state::closing) {
    mine = waiting_since_ == never ? pipe_.now() : waiting_since_ + timeout.close;
  } else if (state_ == state::open && !paused_) {
    mine = awaiting_ ? waiting_since_ + timeout.pong : heard_ + timeout.ping;
  }
  if (state_ == state::open) {
    if (instant const end = end_of_life(); end < mine) mine = end;
    if (instant const trim = outbox_.trim_deadline(timeout); trim < mine) mine = trim;
  }
  return mine < first ? mine : first;
}

inline void connection::advance(instant t) noexcept {
  timeouts const& timeout = with_->timeout;
  if (error const late = pipe_.advance(t, timeout); late != error::none) fail(late);
  wake_timers(t);
  check_idle(t);
  if (state_ == state::closing) {
    if (t >= waiting_since_ + timeout.close) {
      fail(error::close_timeout);
      pipe_.finish(ending::at_once);
    }
  } else if (state_ == state::open && !paused_) {
    if (awaiting_) {
      if (t >= waiting_since_ + timeout.pong) fail(error::pong_timeout);
    } else if (t >= heard_ + timeout.ping) {
      awaiting_ = true;
      waiting_since_ = t;
      if (ping() != refusal::none) fail(error::out_of_memory);
    }
  }
}

// Leaves when its life is over, and gives back the memory of a codec that was not used for a while.
inline void connection::check_idle(instant t) noexcept {
  if (state_ != state::open) return;
  if (t >= outbox_.trim_deadline(with_->timeout)) outbox_.trim();
  if (t < end_of_life()) return;
  if (close(status_code::going_away) != refusal::none) return fail(error::out_of_memory);
  waiting_since_ = t;
}

inline instant connection::end_of_life() const noexcept {
  duration const life = with_->timeout.lifetime;
  if (life == forever) return never;
  // Fibonacci hashing: neighbouring instants fall far apart.
  std::uint64_t const spread = static_cast<std::uint64_t>(begun_.ns) * 0x9E37'79B9'7F4A'7C15U >> 48;  // of 2^16
  return begun_ + duration{life.ns - (life.ns >> 19) * static_cast<std::int64_t>(spread)};
}

// Starts what waits for a time, and lets the timers that stood still during a pause begin anew.
inline void connection::wake_timers(instant t) noexcept {
  if (state_ == state::closing && waiting_since_ == never) waiting_since_ = t;
  bool const paused = !wants_input();
  if (paused_ && !paused) {
    heard_ = t;
    if (state_ == state::open && awaiting_) waiting_since_ = t;
  }
  paused_ = paused;
}

inline refusal connection::queue_close(status_code code, std::string_view reason) noexcept {
  std::byte payload[control_payload_bytes_max];
  std::size_t size = 0;
  if (code != status_code::no_status_received) {
    store_be16(payload, static_cast<std::uint16_t>(code));
    copy_bytes(payload + 2, as_bytes(reason));
    size = 2 + reason.size();
  }
  refusal const result = outbox_.control(pipe_, opcode::close, {payload, size}, *with_);
  if (result != refusal::none) return result;
  close_sent_ = true;
  pipe_.out.forget_newest_ping();  // its pong would follow the Close frame
  return result;
}

// RFC 6455 7.1.7: one Close frame, one event, nothing after it.
inline void connection::fail(error what) noexcept {
  if (!alive()) return;
  status_code const code = status_for(what);
  pipe_.note_fault(pipe_.received() - pipe_.in.unread().size() - decoder_.frame_bytes_taken());
  bool const told = close_sent_ || code == status_code::none || queue_close(code, {}) == refusal::none;
  end({.what = kind::failed, .fault = what, .code = code == status_code::none ? status_code::abnormal : code},
      told && !pipe_.broken() ? ending::shut_first : ending::at_once);
}

inline void connection::end(event const& terminal, ending how) noexcept {
  move(terminal.what == kind::failed ? trigger::failed : trigger::ended);
  terminal_ = terminal;
  finish(how);
}

// What waits is encoded now, so that the memory of the codec need not be kept until it is sent.
inline void connection::finish(ending how) noexcept {
  bool const was_broken = pipe_.broken();
  how == ending::at_once ? outbox_.free_codec() : outbox_.finish(pipe_, *with_);
  pipe_.finish(pipe_.broken() && !was_broken ? ending::at_once : how);
}

// What a received event means in this state; none if it is not for the application.
inline event connection::handle(event const& received) noexcept {
  switch (received.what) {
    case kind::message:
    case kind::fragment:
      outbox_.note_codec_used(pipe_.now());
      // RFC 6455 5.5.1: after our Close the peer's data may be ignored.
      return state_ == state::open ? received : event{};
    case kind::ping:
      if (state_ != state::open) return {};
      if (outbox_.pong(pipe_, received.payload, *with_) != refusal::none) {
        fail(error::out_of_memory);
        return {};
      }
      return received;
    case kind::pong:
      return state_ == state::open ? received : event{};
    case kind::closed:
      return handle_close(received);
    default:
      fail(received.fault);
      return {};
  }
}

inline event connection::handle_close(event const& received) noexcept {
  // RFC 6455 5.5.1: "the endpoint typically echos the status code it received".
  if (!close_sent_ && queue_close(received.code, {}) != refusal::none) {
    fail(error::out_of_memory);
    return {};
  }
  // The payload stays valid as long as the decoder and the input are left alone.
  event report = received;
  report.clean = true;
  move(trigger::close_received);
  // RFC 6455 7.1.1: the server closes first.
  finish(own_ == role::server ? ending::shut_first : ending::await_peer);
  return report;
}

}  // namespace purews::inline v0
