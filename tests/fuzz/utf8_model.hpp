// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "purews/wire/bytes.hpp"

namespace fuzz {

/// Table 3-7 of the Unicode standard, "Well-Formed UTF-8 Byte Sequences", row by row.
struct utf8_row {
  unsigned first_low, first_high;
  int continuations;
  unsigned second_low, second_high;
};
inline constexpr utf8_row utf8_rows[] = {
    {0x00, 0x7F, 0, 0x00, 0x00}, {0xC2, 0xDF, 1, 0x80, 0xBF}, {0xE0, 0xE0, 2, 0xA0, 0xBF},
    {0xE1, 0xEC, 2, 0x80, 0xBF}, {0xED, 0xED, 2, 0x80, 0x9F}, {0xEE, 0xEF, 2, 0x80, 0xBF},
    {0xF0, 0xF0, 3, 0x90, 0xBF}, {0xF1, 0xF3, 3, 0x80, 0xBF}, {0xF4, 0xF4, 3, 0x80, 0x8F},
};

/// What a text is as UTF-8.
struct utf8_verdict {
  std::size_t good = 0;  ///< how many bytes may stay: the one after them is wrong whatever follows
  bool valid = true;     ///< all of them, and no code point is cut off at the end
};

/// Reads code point by code point, by the table alone: what the library's automaton and vectors are compared with.
inline utf8_verdict utf8_model(purews::bytes_view text) {
  std::size_t at = 0;
  auto const octet = [&](std::size_t i) { return std::to_integer<unsigned>(text[i]); };
  while (at < text.size()) {
    utf8_row const* row = nullptr;
    for (utf8_row const& r : utf8_rows)
      if (octet(at) >= r.first_low && octet(at) <= r.first_high) row = &r;
    if (row == nullptr) return {at, false};
    ++at;
    for (int i = 0; i < row->continuations; ++i, ++at) {
      if (at == text.size()) return {at, false};
      unsigned const low = i == 0 ? row->second_low : 0x80;
      unsigned const high = i == 0 ? row->second_high : 0xBF;
      if (octet(at) < low || octet(at) > high) return {at, false};
    }
  }
  return {at, true};
}

}  // namespace fuzz
