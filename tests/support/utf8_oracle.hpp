// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <string>

#include "purews/wire/bytes.hpp"

/// UTF-8 by the table of the Unicode standard: what the library's validator is compared with.
namespace test {

/// A row of table 3-7, "Well-Formed UTF-8 Byte Sequences".
struct utf8_row {
  std::size_t size;
  unsigned low[4], high[4];
};
inline constexpr utf8_row table_3_7[] = {
    {1, {0x00}, {0x7F}},
    {2, {0xC2, 0x80}, {0xDF, 0xBF}},
    {3, {0xE0, 0xA0, 0x80}, {0xE0, 0xBF, 0xBF}},
    {3, {0xE1, 0x80, 0x80}, {0xEC, 0xBF, 0xBF}},
    {3, {0xED, 0x80, 0x80}, {0xED, 0x9F, 0xBF}},
    {3, {0xEE, 0x80, 0x80}, {0xEF, 0xBF, 0xBF}},
    {4, {0xF0, 0x90, 0x80, 0x80}, {0xF0, 0xBF, 0xBF, 0xBF}},
    {4, {0xF1, 0x80, 0x80, 0x80}, {0xF3, 0xBF, 0xBF, 0xBF}},
    {4, {0xF4, 0x80, 0x80, 0x80}, {0xF4, 0x8F, 0xBF, 0xBF}},
};

struct utf8_verdict {
  std::size_t fault;  ///< the index of the first byte that cannot be right; the size if there is none
  bool whole;         ///< valid, and ends between code points
};

inline utf8_verdict judge_utf8(purews::bytes_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    unsigned const lead = std::to_integer<unsigned>(text[at]);
    utf8_row const* found = nullptr;
    for (utf8_row const& r : table_3_7)
      if (lead >= r.low[0] && lead <= r.high[0]) found = &r;
    if (found == nullptr) return {at, false};
    for (std::size_t i = 1; i < found->size; ++i) {
      if (at + i == text.size()) return {text.size(), false};
      unsigned const next = std::to_integer<unsigned>(text[at + i]);
      if (next < found->low[i] || next > found->high[i]) return {at + i, false};
    }
    at += found->size;
  }
  return {text.size(), true};
}

/// `c` in UTF-8, whether it is a scalar value or not. Table 3-6.
inline std::string utf8_encoded(std::uint32_t c) {
  auto const octet = [](std::uint32_t value) { return static_cast<char>(value); };
  if (c < 0x80) return {octet(c)};
  if (c < 0x800) return {octet(0xC0 | (c >> 6)), octet(0x80 | (c & 0x3F))};
  if (c < 0x10000) return {octet(0xE0 | (c >> 12)), octet(0x80 | ((c >> 6) & 0x3F)), octet(0x80 | (c & 0x3F))};
  return {octet(0xF0 | (c >> 18)), octet(0x80 | ((c >> 12) & 0x3F)), octet(0x80 | ((c >> 6) & 0x3F)),
          octet(0x80 | (c & 0x3F))};
}

/// Text of at least `size` bytes of code points that take `unit` bytes each, 1 to 4.
inline std::string utf8_filler(std::size_t unit, std::size_t size) {
  std::string const units[] = {"a", "\u00e9", "\u20ac", "\U0001f600"};
  std::string text;
  while (text.size() < size) text += units[unit - 1];
  return text;
}

/// Every byte that begins or ends a range of table 3-7, and its neighbours.
inline constexpr unsigned char utf8_edges[] = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF,
                                               0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE,
                                               0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF8, 0xFF};

}  // namespace test
