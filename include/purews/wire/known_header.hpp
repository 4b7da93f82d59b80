// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "assert.hpp"
#include "http_tokens.hpp"

namespace purews::inline v0 {

// clang-format off

/// The headers that an opening handshake reads. A head remembers where they are, so that their names are compared once.
/// `other_websocket` is Sec-WebSocket-* and none of those before it.
enum class known_header : std::uint8_t {
  host, cookie, expect, origin, upgrade, connection, content_length, transfer_encoding,
  key, accept, version, subprotocol, extensions, other_websocket, other,
};

/// Their names, shorter ones first.
inline constexpr std::string_view known_header_names[] = {
    "Host", "Cookie", "Expect", "Origin", "Upgrade", "Connection", "Content-Length", "Transfer-Encoding",
    "Sec-WebSocket-Key", "Sec-WebSocket-Accept", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Extensions",
};

// clang-format on

/// Precondition (asserted): it is one name, not one of the others.
constexpr std::string_view name_of(known_header what) noexcept {
  PUREWS_ASSERT(what < known_header::other_websocket);
  return known_header_names[static_cast<int>(what)];
}

/// Which header has this name, in either case.
constexpr known_header classify_header(std::string_view name) noexcept {
  // Where the names of each size begin; 13: there are none.
  constexpr std::uint8_t first_of_size[] = {13, 13, 13, 13, 0, 13, 1,  4, 13, 13, 5,  13, 13,
                                            13, 6,  13, 13, 7, 13, 13, 9, 10, 11, 13, 12};
  if (name.size() < sizeof first_of_size)
    for (std::uint8_t i = first_of_size[name.size()]; i < 13 && known_header_names[i].size() == name.size(); ++i)
      if (iequals(name, known_header_names[i])) return static_cast<known_header>(i);
  bool const may_be = name.size() >= 14 && name[3] == '-';  // most names are told apart by that
  return may_be && istarts_with(name, "Sec-WebSocket-") ? known_header::other_websocket : known_header::other;
}

}  // namespace purews::inline v0
