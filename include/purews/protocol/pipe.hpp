// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "byte_machine.hpp"
#include "input.hpp"
#include "options.hpp"
#include "output_queue.hpp"

namespace purews::inline v0 {

/// How a transport is ended after the last byte of output.
enum class ending : std::uint8_t {
  none,        ///< not at all
  shut_first,  ///< shut our side, throw the peer's input away for a while, close. RFC 6455 section 7.1.1
  await_peer,  ///< a client: let the server close first, for as long as timeouts::close
  at_once,     ///< nothing can be delivered any more
};

/// The two directions of bytes of one transport, and how they end: what the opening handshake and the open
/// connection have in common. It parses nothing.
class pipe {
 public:
  explicit pipe(instant now) noexcept : now_(now) {}

  input in;
  output_queue out;

  /// The time that was last told, and whether the peer's stream has ended.
  instant now() const noexcept { return now_; }
  bool eof() const noexcept { return eof_; }
  bool broken() const noexcept { return broken_; }

  void receive(bytes more, instant t, limits const& limit) noexcept;
  void receive_eof(instant t) noexcept;
  void park() noexcept {
    if (!in.park()) broken_ = true;
  }
  void lend_output(bytes room) noexcept;
  std::size_t gather(std::span<bytes_view> spans) noexcept;

  /// To be told after out.consume(n), when whatever follows at once is queued.
  void note_sent(std::size_t n, instant t) noexcept;

  /// Memory ran out: what should have been queued is lost, so that nothing after it may be sent.
  void break_off() noexcept { broken_ = true; }

  /// All bytes received so far; after a fault, where that is.
  std::uint64_t received() const noexcept { return received_; }
  void note_fault(std::uint64_t at) noexcept { received_ = at; }

  /// Parses nothing more: what is queued is sent, and then the transport ends in the given way.
  void finish(ending how) noexcept;
  bool finishing() const noexcept { return ending_ != ending::none; }

  transport_action transport() const noexcept;

  /// When the peer has taken no output for too long, and when a lingering end is over.
  instant deadline(timeouts const& timeout) const noexcept;

  /// Returns error::write_timeout once, when the peer has taken no output for too long: the end is then at once.
  error advance(instant t, timeouts const& timeout) noexcept;

 private:
  duration patience(timeouts const& timeout) const noexcept {
    return ending_ == ending::await_peer ? timeout.close : timeout.linger;
  }

  instant now_;
  std::uint64_t received_ = 0;
  instant stalled_since_ = never;    // never: no output waits
  instant lingering_since_ = never;  // never: not lingering yet
  std::uint32_t discarded_ = 0;      // bytes thrown away while finishing
  ending ending_ = ending::none;
  bool eof_ = false;
  bool broken_ = false;  // memory ran out: input or output was lost
  bool torn_ = false;    // output was
};

inline void pipe::receive(bytes more, instant t, limits const& limit) noexcept {
  PUREWS_ASSERT(!eof_);
  now_ = t;
  if (!finishing()) {
    received_ += more.size();
    // Behind lost input nothing may be read as frames.
    if (!broken_ && !in.lend(more)) broken_ = true;
    return;
  }
  if (!out.empty()) return;  // the linger begins when our last frame is out
  // Closing a socket with unread input makes the kernel send a reset, which can destroy our Close frame on its way.
  std::size_t const allowed = limit.linger_bytes_max - discarded_;
  if (more.size() > allowed) {
    finish(ending::at_once);
  } else {
    discarded_ += static_cast<std::uint32_t>(more.size());
  }
}

inline void pipe::receive_eof(instant t) noexcept {
  now_ = t;
  eof_ = true;
}

inline void pipe::lend_output(bytes room) noexcept {
  if (out.lend(room)) return;
  broken_ = torn_ = true;
  if (finishing()) finish(ending::at_once);
}

// Behind lost output nothing may be sent: the peer would take it for what was lost.
inline std::size_t pipe::gather(std::span<bytes_view> spans) noexcept {
  return ending_ == ending::at_once || torn_ ? 0 : out.gather(spans);
}

inline void pipe::note_sent(std::size_t n, instant t) noexcept {
  now_ = t;
  if (out.empty()) {
    stalled_since_ = never;
    if (finishing() && lingering_since_ == never) lingering_since_ = t;
  } else if (n != 0 || stalled_since_ == never) {
    stalled_since_ = t;
  }
}

inline void pipe::finish(ending how) noexcept {
  if (torn_) how = ending::at_once;
  if (how > ending_) ending_ = how;
  in.drop(in.unread().size());  // not its memory: the last event may be a view of it
}

inline transport_action pipe::transport() const noexcept {
  if (ending_ == ending::none) return transport_action::keep;
  if (ending_ == ending::at_once) return transport_action::close;
  if (!out.empty()) return transport_action::keep;
  if (eof_) return transport_action::close;
  return ending_ == ending::shut_first ? transport_action::shut_write : transport_action::keep;
}

inline instant pipe::deadline(timeouts const& timeout) const noexcept {
  if (ending_ == ending::at_once) return never;
  if (!out.empty()) return stalled_since_ == never ? now_ : stalled_since_ + timeout.write;
  if (!finishing()) return never;
  return lingering_since_ == never ? now_ : lingering_since_ + patience(timeout);
}

inline error pipe::advance(instant t, timeouts const& timeout) noexcept {
  now_ = t;
  if (ending_ == ending::at_once) return error::none;
  if (!out.empty()) {
    if (stalled_since_ == never) stalled_since_ = t;
    if (t < stalled_since_ + timeout.write) return error::none;
    finish(ending::at_once);
    return error::write_timeout;
  }
  if (!finishing()) return error::none;
  if (lingering_since_ == never) lingering_since_ = t;
  if (t >= lingering_since_ + patience(timeout)) finish(ending::at_once);
  return error::none;
}

}  // namespace purews::inline v0
