// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "answer_body.hpp"
#include "client_handshake.hpp"
#include "server_handshake.hpp"

namespace purews::inline v0 {

/// What an endpoint needs for its opening handshake, and only for that: how far it is, and what was read and written.
/// RFC 6455 section 4.
struct opening_handshake {
  enum class stage : std::uint8_t {
    reading,    ///< the head is not whole
    body,       ///< the body is not whole: of a request, or of an answer that did not switch
    cut,        ///< client: and there is no time left to wait for more of it
    undecided,  ///< the application has the word
    opened,     ///< accepted: kind::open is to be reported
    reported,   ///< and has been; the views of the head are still in use
  };

  http_head head{head_kind::request};  ///< server
  request_kind what = request_kind::plain;
  std::uint32_t body_bytes = 0;

  answer_reader answers{};  ///< client
  answer_body body{};
  client_request asked{};
  key_text key{};
  bytes_view answered{};
  std::string_view subprotocol{};
  bool offered = false;  ///< an extension

  stage at = stage::reading;

  /// Where the line begins that is to blame for `why`; 0 if it is the head as a whole.
  std::size_t fault_at(error why) const noexcept {
    return head.fault() == why ? head.fault_at() : answers.fault() == why ? answers.fault_at() : 0;
  }
};

}  // namespace purews::inline v0
