// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <string_view>

namespace purews::inline v0 {

/// Why a call was not carried out. The machine is unchanged, and nothing was sent.
enum class refusal : std::uint8_t {
  none,              ///< it was carried out
  not_open,          ///< the connection is not open (any more)
  not_connecting,    ///< there is no request to decide
  queue_full,        ///< the peer reads too slowly: the queue is over limits::queue_bytes_max
  message_open,      ///< a fragmented message is being sent: finish it first
  invalid_utf8,      ///< the text or the reason is not UTF-8
  invalid_code,      ///< the status code must not be sent. RFC 6455 section 7.4
  reason_too_long,   ///< a reason has at most 123 bytes
  payload_too_long,  ///< a ping or pong has at most 125 bytes
  invalid_header,    ///< a header's name or value has forbidden characters, or the name is reserved
  invalid_uri,       ///< not a ws: or wss: URI
  out_of_memory,
};

/// One sentence on `why`. The text is static.
constexpr std::string_view message(refusal why) noexcept {
  constexpr std::string_view sentences[] = {
      "it was carried out",
      "the connection is not open",
      "there is no request to decide",
      "the peer reads too slowly: its queue is full",
      "a fragmented message is being sent: finish it first",
      "the text is not valid UTF-8",
      "this status code must not be sent (RFC 6455 7.4)",
      "the reason is longer than 123 bytes (RFC 6455 5.5)",
      "the payload of a control frame is longer than 125 bytes (RFC 6455 5.5)",
      "a header has forbidden characters or a reserved name",
      "the URI is not a valid ws: or wss: URI (RFC 6455 3)",
      "memory ran out",
  };
  return sentences[static_cast<int>(why)];
}

}  // namespace purews::inline v0
