// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "bytes.hpp"

namespace purews::inline v0 {

/// Why a connection ended: the codes of RFC 6455 section 7.4.1 and of the IANA registry. Codes 3000 to 4999 are
/// for libraries and applications; write them as `status_code{4008}`.
enum class status_code : std::uint16_t {
  none = 0,  ///< no code at all: the connection never was a WebSocket one. Not on the wire
  normal = 1000,
  going_away = 1001,
  protocol_error = 1002,
  unsupported_data = 1003,
  no_status_received = 1005,  ///< the peer's Close frame was empty. Never on the wire
  abnormal = 1006,            ///< no Close frame came. Never on the wire
  invalid_payload = 1007,
  policy_violation = 1008,
  message_too_big = 1009,
  mandatory_extension = 1010,
  internal_error = 1011,
  service_restart = 1012,
  try_again_later = 1013,
  bad_gateway = 1014,
  tls_handshake = 1015,  ///< never on the wire
};

/// Whether a Close frame may carry `code`: 1000 to 1003, 1007 to 1014 and 3000 to 4999. RFC 6455 section 7.4.
constexpr bool is_wire_status(std::uint16_t code) noexcept {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}
constexpr bool is_wire_status(status_code code) noexcept { return is_wire_status(static_cast<std::uint16_t>(code)); }

constexpr std::size_t control_payload_bytes_max = 125;  ///< RFC 6455 section 5.5
constexpr std::size_t close_reason_bytes_max = 123;     ///< what the two bytes of the code leave of it

/// The payload of a Close frame, taken apart.
struct close_payload {
  status_code code = status_code::no_status_received;
  std::string_view reason{};  ///< a view into the payload; its UTF-8 is not yet checked
  bool well_formed = true;  ///< false: one byte long, or a code that must not be on the wire
};

/// Takes the payload of a Close frame apart. Never fails: see `well_formed`. RFC 6455 sections 5.5.1 and 7.4.
inline close_payload parse_close(bytes_view payload) noexcept {
  if (payload.empty()) return {};
  if (payload.size() == 1) return {.well_formed = false};
  std::uint16_t const code = load_be16(payload.data());
  return {static_cast<status_code>(code), as_text(payload.subspan(2)), is_wire_status(code)};
}

}  // namespace purews::inline v0
