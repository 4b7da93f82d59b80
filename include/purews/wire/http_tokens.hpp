// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <type_traits>

#include "bytes.hpp"

namespace purews::inline v0 {

/// One header line, or one that is to be written. Both views are borrowed.
struct header_field {
  std::string_view name{};
  std::string_view value{};
};

/// What a byte may be part of. RFC 9110 section 5.6 and RFC 3986 section 2.
struct http_char_table {
  static constexpr std::uint8_t token = 1;   ///< tchar
  static constexpr std::uint8_t value = 2;   ///< HTAB, SP, VCHAR, obs-text
  static constexpr std::uint8_t target = 4;  ///< VCHAR without '#': what a request target may consist of
  static constexpr std::uint8_t host = 8;    ///< unreserved: what we accept of a reg-name
  static constexpr std::uint8_t digit = 16;
  static constexpr std::uint8_t hex = 32;

  std::uint8_t of[256];

  constexpr http_char_table() noexcept : of() {
    for (unsigned c = 0; c < 256; ++c) {
      bool const visible = c > 0x20 && c < 0x7F;
      if (visible || c == ' ' || c == '\t' || c >= 0x80) of[c] = static_cast<std::uint8_t>(of[c] | value);
      if (visible && c != '#') of[c] = static_cast<std::uint8_t>(of[c] | target);
    }
    for (char const c : std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")) {
      add(c, host);
      add(c, token);
    }
    for (char const c : std::string_view("!#$%&'*+^`|")) add(c, token);
    for (char const c : std::string_view("0123456789")) add(c, digit);
    for (char const c : std::string_view("0123456789ABCDEFabcdef")) add(c, hex);
  }

 private:
  constexpr void add(char c, std::uint8_t what) noexcept {
    auto& entry = of[static_cast<unsigned char>(c)];
    entry = static_cast<std::uint8_t>(entry | what);
  }
};

inline constexpr http_char_table http_chars{};

/// Whether `c` belongs to a class of `http_char_table`.
constexpr bool is_http_char(char c, std::uint8_t what) noexcept {
  return (http_chars.of[static_cast<unsigned char>(c)] & what) != 0;
}

/// How many bytes at the front of `text`, from `at` on, belong to a class of `http_char_table`.
constexpr std::size_t http_span(std::string_view text, std::size_t at, std::uint8_t what) noexcept {
  std::size_t end = at;
  while (end < text.size() && is_http_char(text[end], what)) ++end;
  return end - at;
}

/// Whether all of `text` belongs to a class of `http_char_table`; an empty text does not.
constexpr bool is_all(std::string_view text, std::uint8_t what) noexcept {
  return !text.empty() && http_span(text, 0, what) == text.size();
}

/// Whether `text` is a token, as names of headers, methods, subprotocols and extensions are. RFC 9110 section 5.6.2.
constexpr bool is_token(std::string_view text) noexcept { return is_all(text, http_char_table::token); }

/// Whether `text` may stand in a header line as its value: no control character except HTAB. It may be empty.
/// RFC 9110 section 5.5.
constexpr bool is_field_value(std::string_view text) noexcept {
  std::size_t at = 0;
  if (!std::is_constant_evaluated()) {
    // Eight bytes at a time, as values are most of a head. A word with a suspect in it is left to the loop below.
    constexpr std::uint64_t ones = 0x0101'0101'0101'0101U;
    constexpr std::uint64_t tops = 0x8080'8080'8080'8080U;
    for (; at + 8 <= text.size(); at += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, text.data() + at, 8);
      std::uint64_t const below_space = (word - ones * 0x20U) & ~word;
      std::uint64_t const not_del = word ^ (ones * 0x7FU);
      std::uint64_t const is_del = (not_del - ones) & ~not_del;
      if (((below_space | is_del) & tops) != 0) break;
    }
  }
  return http_span(text, at, http_char_table::value) == text.size() - at;
}

constexpr char to_lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

/// Whether two texts are equal, letters of ASCII in either case. RFC 9110 section 5.1.
constexpr bool iequals(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  std::size_t i = 0;
  if (!std::is_constant_evaluated())  // most names are written as in the RFCs: skip what is equal, eight at a time
    while (i + 8 <= a.size() && std::memcmp(a.data() + i, b.data() + i, 8) == 0) i += 8;
  for (; i < a.size(); ++i)
    if (a[i] != b[i] && to_lower(a[i]) != to_lower(b[i])) return false;
  return true;
}

/// Whether `text` begins with `prefix`, letters of ASCII in either case.
constexpr bool istarts_with(std::string_view text, std::string_view prefix) noexcept {
  return text.size() >= prefix.size() && iequals(text.substr(0, prefix.size()), prefix);
}

constexpr bool is_ows(char c) noexcept { return c == ' ' || c == '\t'; }

/// Cuts spaces and tabs off both ends: optional white space. RFC 9110 section 5.6.3.
constexpr std::string_view trim_ows(std::string_view text) noexcept {
  while (!text.empty() && is_ows(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_ows(text.back())) text.remove_suffix(1);
  return text;
}

/// Reads a decimal number: digits only, no sign, no white space.
struct decimal {
  std::uint64_t value = 0;
  bool valid = false;  ///< false: not a number, or above `max`
};
constexpr decimal parse_decimal(std::string_view text, std::uint64_t max) noexcept {
  if (!is_all(text, http_char_table::digit)) return {};
  std::uint64_t value = 0;
  for (char const c : text) {
    auto const digit = static_cast<std::uint64_t>(c - '0');
    if (digit > max || value > (max - digit) / 10) return {};
    value = value * 10 + digit;
  }
  return {value, true};
}

/// Reads a comma-separated list of one header line, element by element, in one pass. Empty elements are skipped.
/// Quoted strings are not known here: see extension_reader. RFC 9110 section 5.6.1.
///
///     for (auto item = list.next(); !item.empty(); item = list.next()) ...
class list_reader {
 public:
  constexpr list_reader() noexcept = default;
  constexpr explicit list_reader(std::string_view value) noexcept : rest_(value) {}

  /// The next element, trimmed; empty at the end.
  constexpr std::string_view next() noexcept {
    while (!rest_.empty()) {
      std::size_t const comma = rest_.find(',');
      std::string_view const element = trim_ows(rest_.substr(0, comma));
      rest_ = comma == std::string_view::npos ? std::string_view{} : rest_.substr(comma + 1);
      if (!element.empty()) return element;
    }
    return {};
  }

 private:
  std::string_view rest_{};
};

}  // namespace purews::inline v0
