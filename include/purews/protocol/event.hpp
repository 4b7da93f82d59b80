// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../wire/frame.hpp"

namespace purews::inline v0 {

/// What `next()` reports.
enum class kind : std::uint8_t {
  none,      ///< nothing more until something is received or a deadline passes
  request,   ///< server: an HTTP request is whole (upgrade or plain). Accept, reject or answer it
  open,      ///< the opening handshake is done; messages may be sent
  message,   ///< a whole message
  fragment,  ///< a piece of a message (delivery::pieces): `fin` marks its last piece
  ping,      ///< for information: the pong is queued already
  pong,      ///< for information
  closed,    ///< terminal: the connection ended by Close, by the peer's end of stream, or after an HTTP answer
  failed,    ///< terminal: the peer broke a rule or missed a deadline; `fault` says which
};

/// One event: a small value, trivially copyable. `payload` is a view, valid until the following next(), park() or
/// receive().
struct event {
  kind what = kind::none;
  opcode op = opcode::continuation;      ///< message, fragment: text or binary
  bool fin = true;                       ///< fragment: the last piece of its message
  bool clean = false;                    ///< closed: both sides sent a Close frame. RFC 6455 section 7.1.4
  error fault = error::none;             ///< failed: the rule that was broken
  status_code code = status_code::none;  ///< closed, failed: RFC 6455 section 7.1.5
  /// message, fragment, ping, pong: the payload; closed: the reason; request: the body; failed with answer_status: the
  /// front of the body of the answer
  bytes payload{};

  /// The payload as text. Text messages and close reasons are valid UTF-8.
  std::string_view text() const noexcept { return as_text(payload); }
};

}  // namespace purews::inline v0
