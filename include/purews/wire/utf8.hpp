// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <type_traits>

#include "assert.hpp"
#include "bytes.hpp"
#include "cpu.hpp"

namespace purews::inline v0 {

/// Checks UTF-8 that comes in pieces, cut anywhere. RFC 6455 section 8.1, RFC 3629 section 4.
///
/// It fails fast: at the first byte after which no continuation could be valid, not at the end of the code point or
/// of the message. Surrogates, overlong forms and anything above U+10FFFF are invalid. One byte of state.
class utf8_validator {
 public:
  /// Reads the next piece, which is not kept. Returns false as soon as the text cannot become valid any more, and
  /// from then on always, until `reset`.
  constexpr bool feed(bytes_view piece) noexcept;

  /// Whether the text so far is whole: valid, and not inside a code point.
  constexpr bool finished() const noexcept { return state_ == accept; }

  /// Forgets everything: the next piece begins a new text.
  constexpr void reset() noexcept { state_ = accept; }

  /// Does what `feed` does with the code of one level, for tests and benches. Precondition: `level` is at most
  /// `best_simd_level()`.
  bool feed_at(simd_level level, bytes_view piece) noexcept;

 private:
  // The states of the automaton for table 3-7 of the Unicode standard: what the next byte may be. Their values are
  // shifts: `table.rows[byte] >> state` has the next state in its low six bits, so that a step is a load and a shift.
  enum state : std::uint8_t {
    reject = 0,
    accept = 6,     // 00-7F, C2-F4
    one_more = 12,  // 80-BF
    two_more = 18,  // 80-BF, then one_more
    after_e0 = 24,  // A0-BF: below are overlong forms
    after_ed = 30,  // 80-9F: above are surrogates
    three_more = 36,
    after_f0 = 42,  // 90-BF: below are overlong forms
    after_f4 = 48,  // 80-8F: above is more than U+10FFFF
  };
  struct transitions {
    std::uint64_t rows[256]{};
  };
  static consteval std::uint64_t after(state from, unsigned byte) noexcept;
  static consteval transitions make_transitions() noexcept;
  static transitions const table;

  static constexpr std::uint64_t high_bits = 0x8080'8080'8080'8080U;
  // 32, and up to six before them, for which the automaton is needed.
  static constexpr std::size_t vector_bytes_min = 40;

  template <class Word>
  static Word load(std::byte const* from) noexcept;
  static bool is_ascii_up_to_64(std::byte const* from, std::size_t size) noexcept;
  constexpr bool step(std::byte const* from, std::size_t size) noexcept;
  bool feed_words(bytes_view piece) noexcept;
  static std::size_t incomplete_bytes(std::byte const* end) noexcept;
#if defined(__GNUC__) && defined(__x86_64__)
  using octets32 = std::uint8_t __attribute__((vector_size(32)));
  using chars32 = char __attribute__((vector_size(32)));
  using words32 = std::uint16_t __attribute__((vector_size(32)));
  struct nibble_table {
    alignas(32) std::uint8_t entries[32]{};
  };
  enum class nibble { previous_high, previous_low, high };
  static consteval nibble_table make_nibble_table(nibble which) noexcept;
  static nibble_table const previous_high_table, previous_low_table, high_table;
  static octets32 load32(std::byte const* from) noexcept;
  static octets32 look_up(nibble_table const& values, octets32 nibbles) noexcept;
  static octets32 high_nibbles(octets32 octets) noexcept;
  template <int Bound>
  static octets32 at_least(octets32 octets) noexcept;
  static bool any_high_bit(octets32 octets) noexcept;
  static octets32 errors_in(std::byte const* at) noexcept;
  static std::size_t ascii_prefix(std::byte const* from, std::size_t size) noexcept;
  static bool blocks_are_valid(std::byte const* from, std::size_t size) noexcept;
  bool feed_vectors(bytes_view piece) noexcept;
#endif

  std::uint8_t state_ = accept;
};

/// Whether all of `text` is valid UTF-8, with no code point cut off at its end. RFC 3629 section 4.
constexpr bool is_valid_utf8(bytes_view text) noexcept {
  utf8_validator validator;
  return validator.feed(text) && validator.finished();
}

// Bodies

constexpr bool utf8_validator::feed(bytes_view piece) noexcept {
  if (std::is_constant_evaluated()) return step(piece.data(), piece.size());
  if (piece.size() <= 64 && state_ == accept && is_ascii_up_to_64(piece.data(), piece.size())) return true;
#if defined(__GNUC__) && defined(__x86_64__)
  if (piece.size() >= vector_bytes_min && best_simd_level() == simd_level::avx2) return feed_vectors(piece);
#endif
  return feed_words(piece);
}

inline bool utf8_validator::feed_at(simd_level level, bytes_view piece) noexcept {
  PUREWS_ASSERT(level <= best_simd_level());
#if defined(__GNUC__) && defined(__x86_64__)
  if (level == simd_level::avx2 && piece.size() >= vector_bytes_min) return feed_vectors(piece);
#endif
  return level == simd_level::portable ? step(piece.data(), piece.size()) : feed_words(piece);
}

consteval std::uint64_t utf8_validator::after(state from, unsigned byte) noexcept {
  bool const continuation = byte >= 0x80 && byte <= 0xBF;
  switch (from) {
    case reject:
      return reject;
    case accept:
      if (byte <= 0x7F) return accept;
      if (byte >= 0xC2 && byte <= 0xDF) return one_more;
      if (byte == 0xE0) return after_e0;
      if (byte == 0xED) return after_ed;
      if (byte >= 0xE1 && byte <= 0xEF) return two_more;
      if (byte == 0xF0) return after_f0;
      if (byte >= 0xF1 && byte <= 0xF3) return three_more;
      return byte == 0xF4 ? after_f4 : reject;
    case one_more:
      return continuation ? accept : reject;
    case two_more:
      return continuation ? one_more : reject;
    case after_e0:
      return continuation && byte >= 0xA0 ? one_more : reject;
    case after_ed:
      return continuation && byte <= 0x9F ? one_more : reject;
    case three_more:
      return continuation ? two_more : reject;
    case after_f0:
      return continuation && byte >= 0x90 ? two_more : reject;
    case after_f4:
      return continuation && byte <= 0x8F ? two_more : reject;
  }
  return reject;
}

consteval utf8_validator::transitions utf8_validator::make_transitions() noexcept {
  transitions result;
  for (unsigned byte = 0; byte < 256; ++byte)
    for (unsigned from = reject; from <= after_f4; from += 6)
      result.rows[byte] |= after(static_cast<state>(from), byte) << from;
  return result;
}

inline constexpr utf8_validator::transitions utf8_validator::table = make_transitions();

constexpr bool utf8_validator::step(std::byte const* from, std::size_t size) noexcept {
  std::uint64_t now = state_;
  for (std::size_t i = 0; i < size; ++i) now = table.rows[std::to_integer<unsigned>(from[i])] >> (now & 63U);
  state_ = static_cast<std::uint8_t>(now & 63U);
  return state_ != reject;
}

template <class Word>
Word utf8_validator::load(std::byte const* from) noexcept {
  Word word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

// Words at both ends, which may overlap.
inline bool utf8_validator::is_ascii_up_to_64(std::byte const* from, std::size_t size) noexcept {
  using word = std::uint64_t;
  if (size >= 8) {
    std::byte const* const last = from + size - 8;
    word all = load<word>(from) | load<word>(last);
    if (size > 16) all |= load<word>(from + 8) | load<word>(last - 8);
    if (size > 32) all |= load<word>(from + 16) | load<word>(from + 24) | load<word>(last - 16) | load<word>(last - 24);
    return (all & high_bits) == 0;
  }
  if (size >= 4) return ((load<std::uint32_t>(from) | load<std::uint32_t>(from + size - 4)) & 0x8080'8080U) == 0;
  std::byte all{};
  for (std::size_t i = 0; i < size; ++i) all |= from[i];
  return (all & std::byte{0x80}) == std::byte{};
}

// The automaton, skipping ASCII between code points.
inline bool utf8_validator::feed_words(bytes_view piece) noexcept {
  std::byte const* const from = piece.data();
  std::size_t const size = piece.size();
  std::uint64_t now = state_;
  std::size_t at = 0;
  for (; size - at >= 8; at += 8) {
    if ((now & 63U) == accept && (load<std::uint64_t>(from + at) & high_bits) == 0) {
      while (size - at >= 40 && ((load<std::uint64_t>(from + at + 8) | load<std::uint64_t>(from + at + 16) |
                                  load<std::uint64_t>(from + at + 24) | load<std::uint64_t>(from + at + 32)) &
                                 high_bits) == 0)
        at += 32;
      continue;
    }
    for (std::size_t i = 0; i < 8; i += 4) {
      now = table.rows[std::to_integer<unsigned>(from[at + i])] >> (now & 63U);
      now = table.rows[std::to_integer<unsigned>(from[at + i + 1])] >> (now & 63U);
      now = table.rows[std::to_integer<unsigned>(from[at + i + 2])] >> (now & 63U);
      now = table.rows[std::to_integer<unsigned>(from[at + i + 3])] >> (now & 63U);
    }
    if ((now & 63U) == reject) break;
  }
  state_ = static_cast<std::uint8_t>(now & 63U);
  return step(from + at, size - at);
}

// How many bytes before `end` (at least three must be readable) are a code point that is not yet whole.
inline std::size_t utf8_validator::incomplete_bytes(std::byte const* end) noexcept {
  return end[-1] >= std::byte{0xC0} ? 1U : end[-2] >= std::byte{0xE0} ? 2U : end[-3] >= std::byte{0xF0} ? 3U : 0U;
}

#if defined(__GNUC__) && defined(__x86_64__)
// The vectors: J. Keiser, D. Lemire, "Validating UTF-8 In Less Than One Instruction Per Byte" (2021). Each pair of
// neighbours is looked up by three nibbles: the high and the low one of the first byte, the high one of the second.
// Every rule below is one bit, set in all three tables where its nibbles match: a bit in all three is an error.
// The last rule is none by itself: it must hold exactly where a third or fourth byte of a code point is due.
consteval utf8_validator::nibble_table utf8_validator::make_nibble_table(nibble which) noexcept {
  struct rule {
    unsigned previous_high, previous_low, high;  // bit n: the nibble may be n
  };
  constexpr rule rules[8] = {
      {0xF000, 0xFFFF, 0xF0FF},  // a lead byte, then no continuation: too short
      {0x00FF, 0xFFFF, 0x0F00},  // ASCII, then a continuation: too long
      {0x1000, 0x0003, 0x0F00},  // C0 or C1, then a continuation: overlong
      {0x4000, 0x0001, 0x0300},  // E0, then 80-9F: overlong
      {0x4000, 0x2000, 0x0C00},  // ED, then A0-BF: a surrogate
      {0x8000, 0xFFF0, 0x0E00},  // F4-FF, then 90-BF: too large
      {0x8000, 0xFFE1, 0x0100},  // F0, then 80-8F: overlong; F5-FF, then 80-8F: too large
      {0x0F00, 0xFFFF, 0x0F00},  // two continuations
  };
  nibble_table result;
  for (unsigned bit = 0; bit < 8; ++bit) {
    unsigned const values = which == nibble::previous_high  ? rules[bit].previous_high
                            : which == nibble::previous_low ? rules[bit].previous_low
                                                            : rules[bit].high;
    for (unsigned i = 0; i < 32; ++i)
      if ((values >> (i % 16) & 1U) != 0) result.entries[i] |= static_cast<std::uint8_t>(1U << bit);
  }
  return result;
}

inline constexpr utf8_validator::nibble_table utf8_validator::previous_high_table =
    make_nibble_table(nibble::previous_high);
inline constexpr utf8_validator::nibble_table utf8_validator::previous_low_table =
    make_nibble_table(nibble::previous_low);
inline constexpr utf8_validator::nibble_table utf8_validator::high_table = make_nibble_table(nibble::high);

__attribute__((target("avx2"), always_inline)) inline utf8_validator::octets32 utf8_validator::load32(
    std::byte const* from) noexcept {
  octets32 octets;
  std::memcpy(&octets, from, 32);
  return octets;
}

__attribute__((target("avx2"), always_inline)) inline utf8_validator::octets32 utf8_validator::look_up(
    nibble_table const& values, octets32 nibbles) noexcept {
  chars32 entries;
  std::memcpy(&entries, values.entries, 32);
  return reinterpret_cast<octets32>(__builtin_ia32_pshufb256(entries, reinterpret_cast<chars32>(nibbles)));
}

__attribute__((target("avx2"), always_inline)) inline utf8_validator::octets32 utf8_validator::high_nibbles(
    octets32 octets) noexcept {
  return reinterpret_cast<octets32>(reinterpret_cast<words32>(octets) >> 4) & 0x0F;
}

// The top bit of each byte of the result tells whether it was at least `Bound`: the average of a and b, rounded up,
// is 128 or more exactly where a + b + 1 is 256 or more.
template <int Bound>
__attribute__((target("avx2"), always_inline)) inline utf8_validator::octets32 utf8_validator::at_least(
    octets32 octets) noexcept {
  constexpr char rest = static_cast<char>(255 - Bound);
  chars32 const addend = chars32{} + rest;
  return reinterpret_cast<octets32>(__builtin_ia32_pavgb256(reinterpret_cast<chars32>(octets), addend));
}

__attribute__((target("avx2"), always_inline)) inline bool utf8_validator::any_high_bit(octets32 octets) noexcept {
  return __builtin_ia32_pmovmskb256(reinterpret_cast<chars32>(octets)) != 0;
}

// Nonzero where one of the 32 bytes at `at` is wrong after the three before it, which are read too.
__attribute__((target("avx2"), always_inline)) inline utf8_validator::octets32 utf8_validator::errors_in(
    std::byte const* at) noexcept {
  octets32 const now = load32(at), previous = load32(at - 1), second = load32(at - 2), third = load32(at - 3);
  octets32 const pairs = look_up(previous_high_table, high_nibbles(previous)) &
                         look_up(previous_low_table, previous & 0x0F) & look_up(high_table, high_nibbles(now));
  return pairs ^ ((at_least<0xE0>(second) | at_least<0xF0>(third)) & 0x80);
}

// How many bytes at the front are surely ASCII: a multiple of 32, or all. Precondition: `size` is at least 32.
__attribute__((target("avx2"))) inline std::size_t utf8_validator::ascii_prefix(std::byte const* from,
                                                                                std::size_t size) noexcept {
  std::size_t at = 0;
  while (size - at >= 128 && !any_high_bit((load32(from + at) | load32(from + at + 32)) |
                                           (load32(from + at + 64) | load32(from + at + 96))))
    at += 128;
  while (size - at >= 32) {
    if (any_high_bit(load32(from + at))) return at;
    at += 32;
  }
  return any_high_bit(load32(from + size - 32)) ? at : size;
}

// Precondition: `size` is at least 32, the three bytes before `from` are readable, and `from` begins a code point.
// A code point cut off at the end is no error here.
__attribute__((target("avx2"))) inline bool utf8_validator::blocks_are_valid(std::byte const* from,
                                                                             std::size_t size) noexcept {
  octets32 errors{};
  std::byte const* const end = from + size;
  while (end - from >= 64) {
    if (any_high_bit(load32(from) | load32(from + 32))) {
      errors |= errors_in(from) | errors_in(from + 32);
      from += 64;
    } else {
      // No vector looks back from here, so a code point that the ASCII cuts off must be seen now.
      if (incomplete_bytes(from) != 0) return false;
      from += ascii_prefix(from, static_cast<std::size_t>(end - from));
    }
  }
  // The last block may overlap the one before.
  if (end - from > 32) errors |= errors_in(from);
  if (end != from) errors |= errors_in(end - 32);
  return !any_high_bit(reinterpret_cast<octets32>(errors != 0));
}

inline bool utf8_validator::feed_vectors(bytes_view piece) noexcept {
  std::byte const* from = piece.data();
  std::byte const* const end = from + piece.size();
  if (state_ == accept) {
    from += ascii_prefix(from, piece.size());
    if (from == end) return true;
  }
  if (from == piece.data()) {
    // The vectors look three bytes back.
    if (!step(from, 3)) return false;
    from += 3;
    while (state_ != accept)
      if (!step(from++, 1)) return false;
  } else if (end - from < 32) {
    from = end - 32;  // in the ASCII, and at least three bytes behind its beginning
  }
  if (!blocks_are_valid(from, static_cast<std::size_t>(end - from))) {
    state_ = reject;
    return false;
  }
  std::size_t const left = incomplete_bytes(end);
  return step(end - left, left);
}
#endif

}  // namespace purews::inline v0
