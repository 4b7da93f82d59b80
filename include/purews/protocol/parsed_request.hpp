// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../wire/text_writer.hpp"
#include "input.hpp"
#include "refusal.hpp"

namespace purews::inline v0 {

/// A request's head that someone else has parsed, such as an HTTP server that the application has already: what
/// endpoint::adopt takes. All views are borrowed.
struct parsed_request {
  std::string_view method{};                ///< as written: "GET"
  std::string_view target{};                ///< as written, with its query
  std::span<header_field const> headers{};  ///< all lines in their order; repeated ones are repeated, not joined
  std::uint8_t version_minor = 1;           ///< of HTTP/1.x
};

/// Checks that the request can be written as a head again: refusal::invalid_header if one of its parts has characters
/// that would end it early. What it means is judged afterwards, as for any request.
[[nodiscard]] inline refusal validate(parsed_request const& request) noexcept {
  bool good = is_token(request.method) && is_all(request.target, http_char_table::target) && request.version_minor <= 9;
  for (header_field const& field : request.headers) good = good && is_token(field.name) && is_field_value(field.value);
  return good ? refusal::none : refusal::invalid_header;
}

/// Writes or counts the head.
inline std::size_t put_head(text_writer out, parsed_request const& request) noexcept {
  out.put(request.method).put(" ").put(request.target).put(" HTTP/1.").put_number(request.version_minor).put("\r\n");
  return out.put_fields(request.headers).put("\r\n").size();
}

/// Writes the head into an empty input, as if it had been received and parked. False if memory ran out: it stays empty.
[[nodiscard]] inline bool write_head(input& in, parsed_request const& request) noexcept {
  std::size_t const size = put_head(text_writer(), request);
  auto* const head = static_cast<std::byte*>(allocate_bytes(size));
  if (head == nullptr) return false;
  put_head(text_writer({head, size}), request);
  static_cast<void>(in.lend({head, size}));  // nothing is parked that could have to grow
  bool const kept = in.park();
  free_bytes(head);
  return kept;
}

}  // namespace purews::inline v0
