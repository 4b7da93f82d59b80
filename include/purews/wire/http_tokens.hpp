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
  static constexpr std::uint8_t base64 = 64;

  std::uint8_t of[256];

  consteval http_char_table() noexcept : of() {
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
    for (char const c : std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))
      add(c, base64);
  }

 private:
  consteval void add(char c, std::uint8_t what) noexcept {
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
  auto const of = [text](std::size_t i) { return http_chars.of[static_cast<unsigned char>(text[i])]; };
  std::size_t end = at;
  while (end + 4 <= text.size() && (of(end) & of(end + 1) & of(end + 2) & of(end + 3) & what) != 0) end += 4;
  while (end < text.size() && (of(end) & what) != 0) ++end;
  return end - at;
}

/// How many bytes at the front of a header line are those of a token: letters and '-' mostly, so sixteen at a time
/// where that is one instruction.
inline std::size_t field_name_size(std::string_view line) noexcept {
  std::size_t size = 0;
#if defined(__GNUC__) && defined(__x86_64__)
  if (line.size() >= 16) {
    using octets = unsigned char __attribute__((vector_size(16)));
    using mask = char __attribute__((vector_size(16)));
    octets part;
    std::memcpy(&part, line.data(), sizeof part);
    auto const plain = (((part | 0x20) - 'a') < 26) | (part == '-');
    size = static_cast<std::size_t>(
        __builtin_ctz(~static_cast<unsigned>(__builtin_ia32_pmovmskb128(reinterpret_cast<mask>(plain)))));
  }
#endif
  return size + http_span(line, size, http_char_table::token);
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
#if defined(__GNUC__)
  if (!std::is_constant_evaluated() && text.size() >= 16) {
    // Sixteen bytes at a time, as values are most of a head; the last ones may overlap those before.
    using octets = unsigned char __attribute__((vector_size(16)));
    using words = std::uint64_t __attribute__((vector_size(16)));
    words found{};
    std::size_t const last = text.size() - 16;
    for (std::size_t at = 0;; at = at + 16 < last ? at + 16 : last) {
      octets part;
      std::memcpy(&part, text.data() + at, sizeof part);
      found |= reinterpret_cast<words>(((part < 0x20) & (part != '\t')) | (part == 0x7F));
      if (at == last) return (found[0] | found[1]) == 0;
    }
  }
#endif
  return http_span(text, 0, http_char_table::value) == text.size();
}

constexpr char to_lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

/// Whether two texts are equal, letters of ASCII in either case. RFC 9110 section 5.1.
constexpr bool iequals(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  std::size_t i = 0;
  if (!std::is_constant_evaluated() && a.size() >= 8) {
    // Most names are written as in the RFCs: skip what is equal, eight at a time, the last eight first.
    std::size_t const last = a.size() - 8;
    bool const same_end = std::memcmp(a.data() + last, b.data() + last, 8) == 0;
    while (i < last && std::memcmp(a.data() + i, b.data() + i, 8) == 0) i += 8;
    if (i >= last && same_end) return true;
  } else if (!std::is_constant_evaluated() && a.size() >= 4) {
    std::size_t const last = a.size() - 4;
    if (std::memcmp(a.data(), b.data(), 4) == 0 && std::memcmp(a.data() + last, b.data() + last, 4) == 0) return true;
  }
  for (; i < a.size(); ++i)
    if (a[i] != b[i] && to_lower(a[i]) != to_lower(b[i])) return false;
  return true;
}

/// Whether `text` begins with `prefix`, letters of ASCII in either case.
constexpr bool istarts_with(std::string_view text, std::string_view prefix) noexcept {
  return text.size() >= prefix.size() && iequals(text.substr(0, prefix.size()), prefix);
}

/// The value of a hexadecimal digit, of either case.
constexpr unsigned hex_value(char c) noexcept {
  return c <= '9' ? static_cast<unsigned>(c - '0') : static_cast<unsigned>(to_lower(c) - 'a') + 10U;
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

/// Reads a list of one header line, separated by commas or something else, element by element, in one pass. Empty
/// elements are skipped. Quoted strings are not known here: see extension_reader. RFC 9110 section 5.6.1.
///
///     for (auto item = list.next(); !item.empty(); item = list.next()) ...
class list_reader {
 public:
  constexpr list_reader() noexcept = default;
  constexpr explicit list_reader(std::string_view value, char separator = ',') noexcept
      : rest_(value), separator_(separator) {}

  /// The next element, trimmed; empty at the end.
  constexpr std::string_view next() noexcept {
    while (!rest_.empty()) {
      std::size_t const end = rest_.find(separator_);
      std::string_view const element = trim_ows(rest_.substr(0, end));
      rest_ = end == std::string_view::npos ? std::string_view{} : rest_.substr(end + 1);
      if (!element.empty()) return element;
    }
    return {};
  }

 private:
  std::string_view rest_{};
  char separator_ = ',';
};

}  // namespace purews::inline v0
