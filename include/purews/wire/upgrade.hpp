// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "extension_reader.hpp"
#include "http_message.hpp"

namespace purews::inline v0 {

/// The headers of the upgrade. RFC 6455 section 11.3.
namespace header_name {
inline constexpr std::string_view upgrade = "Upgrade";
inline constexpr std::string_view connection = "Connection";
inline constexpr std::string_view key = "Sec-WebSocket-Key";
inline constexpr std::string_view accept = "Sec-WebSocket-Accept";
inline constexpr std::string_view version = "Sec-WebSocket-Version";
inline constexpr std::string_view subprotocol = "Sec-WebSocket-Protocol";
inline constexpr std::string_view extensions = "Sec-WebSocket-Extensions";
inline constexpr std::string_view content_length = "Content-Length";
inline constexpr std::string_view transfer_encoding = "Transfer-Encoding";
}  // namespace header_name

/// The only version that is spoken. RFC 6455 section 4.1(9).
inline constexpr std::string_view websocket_version = "13";

/// How many subprotocols a client may offer. Stops: comparing each of thousands with each, to find a repeated one.
inline constexpr std::size_t subprotocols_max = 64;

/// Whether only this library may write a header with this name: it decides on the framing, on the life of the
/// connection or on the upgrade. A second copy from the application could make two readers disagree.
constexpr bool is_reserved_header(std::string_view name) noexcept {
  if (istarts_with(name, "Sec-WebSocket-")) return true;
  for (std::string_view const reserved : {"Connection", "Upgrade", "Host", "Content-Length", "Transfer-Encoding",
                                          "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Expect"})
    if (iequals(name, reserved)) return true;
  return false;
}

/// Whether header lines of the application may go on the wire: names are tokens and not reserved, values have
/// no control characters (CR, LF and NUL above all). RFC 9110 section 5.5.
constexpr bool are_writable(std::span<header_field const> fields) noexcept {
  for (header_field const& field : fields)
    if (!is_token(field.name) || !is_field_value(field.value) || is_reserved_header(field.name)) return false;
  return true;
}

/// Whether all `names` are tokens, none twice, and not more than subprotocols_max. RFC 6455 section 4.1(10).
constexpr bool are_subprotocols(std::span<std::string_view const> names) noexcept {
  if (names.size() > subprotocols_max) return false;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!is_token(names[i])) return false;
    for (std::size_t k = 0; k < i; ++k)
      if (names[k] == names[i]) return false;
  }
  return true;
}

/// Whether Sec-WebSocket-Protocol is absent or well formed: all its lines together list at least one name, as
/// are_subprotocols wants them. RFC 6455 sections 4.1(10) and 11.3.4.
inline bool has_valid_subprotocols(http_message const& message) noexcept {
  if (message.header_count(known_header::subprotocol) == 0) return true;
  struct seen {
    char const* at;
    std::size_t size;
  } names[subprotocols_max];  // not std::string_view: nobody needs zeros
  std::size_t count = 0;
  header_list list(message, known_header::subprotocol);
  for (std::string_view name = list.next(); !name.empty(); name = list.next()) {
    if (count == subprotocols_max || !is_token(name)) return false;
    for (std::size_t i = 0; i < count; ++i)
      if (std::string_view(names[i].at, names[i].size) == name) return false;
    names[count++] = {name.data(), name.size()};
  }
  return count > 0;
}

/// Whether Sec-WebSocket-Extensions is absent or well formed: all its lines together list at least one extension.
/// RFC 6455 sections 9.1 and 11.3.2.
inline bool has_valid_extensions(http_message const& message) noexcept {
  std::size_t extensions = 0;
  if (message.header_count(known_header::extensions) == 0) return true;
  std::size_t line = message.find(known_header::extensions);
  for (; line < message.line_count(); line = message.find(known_header::extensions, line + 1)) {
    extension_reader reader(message.line(line).value);
    for (std::string_view name = reader.next(); !name.empty(); name = reader.next()) ++extensions;
    if (reader.malformed()) return false;
  }
  return extensions > 0;
}

}  // namespace purews::inline v0
