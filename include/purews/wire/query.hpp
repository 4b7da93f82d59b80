// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "http_tokens.hpp"

namespace purews::inline v0 {

/// Why there is no value of a query's parameter.
enum class query_fault : std::uint8_t {
  none,
  absent,     ///< no parameter has this name
  malformed,  ///< a '%' without two hexadecimal digits behind it
  too_long,   ///< the room is too small
};

struct query_value {
  std::string_view text{};  ///< a view of the room. Any byte may be in it
  query_fault fault = query_fault::absent;
};

/// Takes one character off the front of `text`, which is not empty and encoded as forms and URLSearchParams write it.
/// Returns -1, taking nothing, for a malformed '%'. RFC 3986 section 2.1.
constexpr int take_encoded(std::string_view& text) noexcept {
  char const c = text[0];
  std::size_t const size = c == '%' ? 3 : 1;
  if (size == 3 && (text.size() < 3 || http_span(text.substr(0, 3), 1, http_char_table::hex) != 2)) return -1;
  int const value = size == 3  ? static_cast<int>(hex_value(text[1]) * 16 + hex_value(text[2]))
                    : c == '+' ? ' '
                               : static_cast<unsigned char>(c);
  text.remove_prefix(size);
  return value;
}

/// Writes the value of the first parameter of `query` that is called `name` to `room`, decoded: "%xx" is a byte, and
/// '+' a space. A parameter without '=' is empty. Names are decoded too; a malformed one is none.
///
///     char room[200];
///     query_value const token = query_parameter(request.query(), "token", room);
constexpr query_value query_parameter(std::string_view query, std::string_view name, std::span<char> room) noexcept {
  list_reader parameters(query, '&');
  for (std::string_view rest = parameters.next(); !rest.empty(); rest = parameters.next()) {
    std::size_t matched = 0;
    while (!rest.empty() && rest[0] != '=' && matched < name.size() &&
           take_encoded(rest) == static_cast<unsigned char>(name[matched]))
      ++matched;
    if (matched != name.size() || !(rest.empty() || rest[0] == '=')) continue;
    if (!rest.empty()) rest.remove_prefix(1);
    std::size_t size = 0;
    while (!rest.empty()) {
      int const c = take_encoded(rest);
      if (c < 0) return {.fault = query_fault::malformed};
      if (size == room.size()) return {.fault = query_fault::too_long};
      room[size++] = static_cast<char>(c);
    }
    return {{room.data(), size}, query_fault::none};
  }
  return {};
}

}  // namespace purews::inline v0
