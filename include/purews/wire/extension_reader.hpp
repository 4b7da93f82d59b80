// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "assert.hpp"
#include "http_tokens.hpp"

namespace purews::inline v0 {

/// One parameter of an extension. Borrows the header line.
struct extension_parameter {
  std::string_view name{};
  std::string_view value{};  ///< without its quotes; backslashes are still in it if `escaped`
  bool has_value = false;    ///< false: the name alone. A value may be empty
  bool escaped = false;

  /// The value without its backslashes: a view of `value`, or of `room` if something had to be removed.
  /// A view with a null pointer if `room` is too small: no known value is that long.
  constexpr std::string_view unescaped(std::span<char> room) const noexcept {
    if (!escaped) return value;
    std::size_t size = 0;
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (value[i] == '\\') ++i;
      if (size == room.size()) return {};
      room[size++] = value[i];
    }
    return {room.data(), size};
  }
};

/// Reads one line of Sec-WebSocket-Extensions in one pass: extensions in order, each with its parameters.
///
///     for (auto name = reader.next(); !name.empty(); name = reader.next())
///       for (extension_parameter p; reader.next_parameter(p);) ...
///     if (reader.malformed()) ...
///
/// Parameters that were not read are skipped, but their syntax is checked. Empty list elements are skipped. White space
/// is accepted wherever RFC 6455 (implied LWS) or RFC 9110 allows it. A value that is not a token is malformed, quoted
/// or not, but an empty one is left to the extension to judge. RFC 6455 section 9.1.
class extension_reader {
 public:
  constexpr extension_reader() noexcept = default;
  constexpr explicit extension_reader(std::string_view value) noexcept : rest_(value) {}

  /// The name of the next extension; empty at the end and when the line is malformed.
  constexpr std::string_view next() noexcept;
  /// Reads the next parameter of the extension that next() returned; false when there is none.
  constexpr bool next_parameter(extension_parameter& out) noexcept;

  constexpr bool malformed() const noexcept { return malformed_; }

 private:
  constexpr bool fail() noexcept;
  constexpr void skip_ows() noexcept;
  constexpr std::string_view take_token() noexcept;
  constexpr bool take_value(extension_parameter& out) noexcept;
  constexpr bool take_quoted(extension_parameter& out) noexcept;

  std::string_view rest_{};
  bool inside_ = false;  ///< an extension was begun, and its parameters are not all read
  bool malformed_ = false;
};

constexpr std::string_view extension_reader::next() noexcept {
  extension_parameter skipped;
  while (next_parameter(skipped)) {
  }
  skip_ows();
  while (rest_.starts_with(',')) {
    rest_.remove_prefix(1);
    skip_ows();
  }
  if (rest_.empty()) return {};
  std::string_view const name = take_token();
  inside_ = !name.empty();
  if (name.empty()) fail();
  return name;
}

constexpr bool extension_reader::next_parameter(extension_parameter& out) noexcept {
  if (!inside_) return false;
  skip_ows();
  if (rest_.empty() || rest_[0] == ',') return inside_ = false;
  if (rest_[0] != ';') return fail();
  rest_.remove_prefix(1);
  skip_ows();
  out = {};
  out.name = take_token();
  if (out.name.empty()) return fail();
  skip_ows();
  if (!rest_.starts_with('=')) return true;
  rest_.remove_prefix(1);
  skip_ows();
  return take_value(out);
}

constexpr bool extension_reader::fail() noexcept {
  malformed_ = true;
  inside_ = false;
  rest_ = {};
  return false;
}

constexpr void extension_reader::skip_ows() noexcept {
  while (!rest_.empty() && is_ows(rest_[0])) rest_.remove_prefix(1);
}

constexpr std::string_view extension_reader::take_token() noexcept {
  std::string_view const token = rest_.substr(0, http_span(rest_, 0, http_char_table::token));
  rest_.remove_prefix(token.size());
  return token;
}

constexpr bool extension_reader::take_value(extension_parameter& out) noexcept {
  out.has_value = true;
  if (rest_.starts_with('"')) return take_quoted(out);
  out.value = take_token();
  return true;
}

/// RFC 6455 9.1: "the value after quoted-string unescaping MUST conform to the 'token' ABNF".
constexpr bool extension_reader::take_quoted(extension_parameter& out) noexcept {
  std::size_t at = 1;
  while (at < rest_.size() && rest_[at] != '"') {
    if (rest_[at] == '\\') {
      out.escaped = true;
      ++at;
    }
    if (at == rest_.size() || !is_http_char(rest_[at], http_char_table::token)) return fail();
    ++at;
  }
  if (at >= rest_.size()) return fail();
  out.value = rest_.substr(1, at - 1);
  rest_.remove_prefix(at + 1);
  return true;
}

}  // namespace purews::inline v0
