// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <type_traits>

#include "cpu.hpp"
#include "frame.hpp"

namespace purews::inline v0 {

/// XORs `data` in place with `key`: masks, and unmasks again. The first octet used is `key.octets[phase & 3]`: for a
/// piece of a payload, `phase` is the number of payload bytes before it. RFC 6455 section 5.3.
constexpr void mask(bytes data, masking_key key, std::size_t phase = 0) noexcept;

/// Does the same and tells whether all resulting bytes are ASCII: unmasking and the first half of checking text in
/// one pass.
constexpr bool mask_is_ascii(bytes data, masking_key key, std::size_t phase = 0) noexcept;

/// Does the same while copying `from` to `to`: for a client's output, whose source must not change.
/// Precondition: `to` has room for all of `from`, and they do not overlap.
constexpr void mask_copy(std::byte* to, bytes_view from, masking_key key, std::size_t phase = 0) noexcept;

/// The bodies of the three, each at a chosen level. All touch exactly `size` bytes of `from` and `to`, never one
/// outside; `to` is `from` or does not overlap it; the result tells whether all bytes written are ASCII.
class mask_kernel {
 public:
  /// `key` as a word: its octets in memory order, beginning with that of `phase`.
  static std::uint32_t key_word(masking_key key, std::size_t phase) noexcept;

  static bool run(std::byte* to, std::byte const* from, std::size_t size, std::uint32_t key) noexcept;

  /// For tests and benches. Precondition: `level` is at most `best_simd_level()`.
  static bool run_at(simd_level level, std::byte* to, std::byte const* from, std::size_t size,
                     std::uint32_t key) noexcept;

  /// The definition, byte by byte. RFC 6455 section 5.3: transformed-octet-i = original-octet-i XOR key-octet-(i mod
  /// 4).
  static constexpr bool naive(std::byte* to, std::byte const* from, std::size_t size, masking_key key,
                              std::size_t phase) noexcept;

 private:
  struct word_pair {
    std::uint64_t words[2];
    constexpr std::uint64_t operator[](int i) const noexcept { return words[i]; }
    friend constexpr word_pair operator^(word_pair x, word_pair y) noexcept { return {{x[0] ^ y[0], x[1] ^ y[1]}}; }
    friend constexpr word_pair operator|(word_pair x, word_pair y) noexcept { return {{x[0] | y[0], x[1] | y[1]}}; }
  };
#if defined(__GNUC__) && (defined(__x86_64__) || defined(__aarch64__))
  using vector16 = std::uint64_t __attribute__((vector_size(16)));
  using narrow16 = std::uint32_t __attribute__((vector_size(16)));
#else
  using vector16 = word_pair;
#endif

  static std::uint32_t rotated(std::uint32_t key, std::size_t octets) noexcept;
  static constexpr std::uint64_t twice(std::uint32_t key) noexcept { return key * 0x1'0000'0001U; }
  template <class Block>
  static Block spread(std::uint32_t key) noexcept;
  template <class Word>
  static Word load(std::byte const* from) noexcept;
  template <class Word>
  static Word two(std::byte* to, std::byte const* from, std::size_t size, Word key, Word tail_key) noexcept;
  template <class Block>
  static bool up_to_64(std::byte* to, std::byte const* from, std::size_t size, std::uint32_t key) noexcept;
  template <class Block>
  static bool above_64(std::byte* to, std::byte const* from, std::size_t size, std::uint32_t key) noexcept;
  static bool dispatch(std::byte* to, std::byte const* from, std::size_t size, std::uint32_t key) noexcept;
#if defined(__GNUC__) && defined(__x86_64__)
  using vector32 = std::uint32_t __attribute__((vector_size(32)));
  using octets32 = char __attribute__((vector_size(32)));
  static bool above_64_avx2(std::byte* to, std::byte const* from, std::size_t size, std::uint32_t key) noexcept;
#endif
};

// Bodies

constexpr void mask(bytes data, masking_key key, std::size_t phase) noexcept {
  mask_is_ascii(data, key, phase);
}

constexpr bool mask_is_ascii(bytes data, masking_key key, std::size_t phase) noexcept {
  if (std::is_constant_evaluated()) return mask_kernel::naive(data.data(), data.data(), data.size(), key, phase);
  return mask_kernel::run(data.data(), data.data(), data.size(), mask_kernel::key_word(key, phase));
}

constexpr void mask_copy(std::byte* to, bytes_view from, masking_key key, std::size_t phase) noexcept {
  if (std::is_constant_evaluated())
    mask_kernel::naive(to, from.data(), from.size(), key, phase);
  else
    mask_kernel::run(to, from.data(), from.size(), mask_kernel::key_word(key, phase));
}

inline std::uint32_t mask_kernel::key_word(masking_key key, std::size_t phase) noexcept {
  std::uint32_t word = 0;
  std::memcpy(&word, key.octets, sizeof word);
  return rotated(word, phase);
}

inline bool mask_kernel::run(std::byte* to, std::byte const* from, std::size_t size, std::uint32_t key) noexcept {
  return size <= 64 ? up_to_64<vector16>(to, from, size, key) : dispatch(to, from, size, key);
}

inline bool mask_kernel::run_at(simd_level level, std::byte* to, std::byte const* from, std::size_t size,
                                std::uint32_t key) noexcept {
  PUREWS_ASSERT(level <= best_simd_level());
  if (level == simd_level::portable)
    return size <= 64 ? up_to_64<word_pair>(to, from, size, key) : above_64<word_pair>(to, from, size, key);
  if (size <= 64) return up_to_64<vector16>(to, from, size, key);
#if defined(__GNUC__) && defined(__x86_64__)
  if (level == simd_level::avx2) return above_64_avx2(to, from, size, key);
#endif
  return above_64<vector16>(to, from, size, key);
}

constexpr bool mask_kernel::naive(std::byte* to, std::byte const* from, std::size_t size, masking_key key,
                                  std::size_t phase) noexcept {
  std::byte all{};
  for (std::size_t i = 0; i < size; ++i) {
    to[i] = from[i] ^ key.octets[(phase + i) & 3U];
    all |= to[i];
  }
  return (all & std::byte{0x80}) == std::byte{};
}

inline std::uint32_t mask_kernel::rotated(std::uint32_t key, std::size_t octets) noexcept {
  int const bits = static_cast<int>(octets & 3U) * 8;
  if (bits == 0) return key;
  return rotate_left(key, is_little_endian ? 32 - bits : bits);
}

template <class Block>
Block mask_kernel::spread(std::uint32_t key) noexcept {
#if defined(__GNUC__) && (defined(__x86_64__) || defined(__aarch64__))
  if constexpr (std::is_same_v<Block, vector16>) return reinterpret_cast<vector16>(narrow16{key, key, key, key});
#endif
  return Block{twice(key), twice(key)};
}

template <class Word>
Word mask_kernel::load(std::byte const* from) noexcept {
  Word word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

// Masks with one word at each end, which may overlap: both are loaded before either is stored.
template <class Word>
Word mask_kernel::two(std::byte* to, std::byte const* from, std::size_t size, Word key, Word tail_key) noexcept {
  std::size_t const last = size - sizeof(Word);
  Word const head = load<Word>(from) ^ key;
  Word const tail = load<Word>(from + last) ^ tail_key;
  std::memcpy(to, &head, sizeof head);
  std::memcpy(to + last, &tail, sizeof tail);
  return head | tail;
}

template <class Block>
bool mask_kernel::up_to_64(std::byte* to, std::byte const* from, std::size_t size, std::uint32_t key) noexcept {
  constexpr std::uint64_t high_bits = 0x8080'8080'8080'8080U;
  // Every word at the end starts a multiple of 4 before it, so that its key is rotated by `size`.
  std::uint32_t const tail_key = rotated(key, size);
  if (size > 16) {
    Block const k = spread<Block>(key);
    Block const t = spread<Block>(tail_key);
    Block all;
    if (size <= 32) {
      all = two<Block>(to, from, size, k, t);
    } else {
      Block const b0 = load<Block>(from) ^ k;
      Block const b1 = load<Block>(from + 16) ^ k;
      Block const b2 = load<Block>(from + size - 32) ^ t;
      Block const b3 = load<Block>(from + size - 16) ^ t;
      std::memcpy(to, &b0, 16);
      std::memcpy(to + 16, &b1, 16);
      std::memcpy(to + size - 32, &b2, 16);
      std::memcpy(to + size - 16, &b3, 16);
      all = (b0 | b1) | (b2 | b3);
    }
    return ((all[0] | all[1]) & high_bits) == 0;
  }
  if (size >= 8) return (two<std::uint64_t>(to, from, size, twice(key), twice(tail_key)) & high_bits) == 0;
  if (size >= 4) return (two<std::uint32_t>(to, from, size, key, tail_key) & 0x8080'8080U) == 0;
  std::byte octets[4];
  std::memcpy(octets, &key, 4);
  std::byte all{};
  for (std::size_t i = 0; i < size; ++i) all |= to[i] = from[i] ^ octets[i];
  return (all & std::byte{0x80}) == std::byte{};
}

// The first and the last block may overlap those between, which are aligned: they are loaded first and stored last.
template <class Block>
bool mask_kernel::above_64(std::byte* to, std::byte const* from, std::size_t size, std::uint32_t key) noexcept {
  Block const head = load<Block>(from) ^ spread<Block>(key);
  Block const tail = load<Block>(from + size - 16) ^ spread<Block>(rotated(key, size));
  std::size_t at = 16 - (reinterpret_cast<std::uintptr_t>(to) & 15U);
  Block const k = spread<Block>(rotated(key, at));
  Block all = head | tail;
  for (; size - at >= 64; at += 64) {
    Block const b0 = load<Block>(from + at) ^ k;
    Block const b1 = load<Block>(from + at + 16) ^ k;
    Block const b2 = load<Block>(from + at + 32) ^ k;
    Block const b3 = load<Block>(from + at + 48) ^ k;
    std::memcpy(to + at, &b0, 16);
    std::memcpy(to + at + 16, &b1, 16);
    std::memcpy(to + at + 32, &b2, 16);
    std::memcpy(to + at + 48, &b3, 16);
    all = all | ((b0 | b1) | (b2 | b3));
  }
  for (; size - at >= 16; at += 16) {
    Block const b = load<Block>(from + at) ^ k;
    std::memcpy(to + at, &b, 16);
    all = all | b;
  }
  std::memcpy(to, &head, 16);
  std::memcpy(to + size - 16, &tail, 16);
  return ((all[0] | all[1]) & 0x8080'8080'8080'8080U) == 0;
}

inline bool mask_kernel::dispatch(std::byte* to, std::byte const* from, std::size_t size, std::uint32_t key) noexcept {
#if defined(__GNUC__) && defined(__x86_64__)
  if (best_simd_level() == simd_level::avx2) return above_64_avx2(to, from, size, key);
#endif
  return above_64<vector16>(to, from, size, key);
}

#if defined(__GNUC__) && defined(__x86_64__)
// The same shape with vectors of 32 bytes, written out because a function's target cannot be a template's parameter.
__attribute__((target("avx2"))) inline bool mask_kernel::above_64_avx2(std::byte* to, std::byte const* from,
                                                                       std::size_t size, std::uint32_t key) noexcept {
  vector32 b0, b1, b2, b3;
  std::uint32_t const last = rotated(key, size);
  vector32 const head_key{key, key, key, key, key, key, key, key};
  vector32 const tail_key{last, last, last, last, last, last, last, last};
  std::memcpy(&b0, from, 32);
  std::memcpy(&b3, from + size - 32, 32);
  vector32 const head = b0 ^ head_key;
  vector32 const tail = b3 ^ tail_key;
  vector32 all = head | tail;
  if (size <= 128) {
    std::memcpy(&b1, from + 32, 32);
    std::memcpy(&b2, from + size - 64, 32);
    b1 ^= head_key;
    b2 ^= tail_key;
    std::memcpy(to + 32, &b1, 32);
    std::memcpy(to + size - 64, &b2, 32);
    all |= b1 | b2;
  } else {
    std::size_t at = 32 - (reinterpret_cast<std::uintptr_t>(to) & 31U);
    std::uint32_t const word = rotated(key, at);
    vector32 const k{word, word, word, word, word, word, word, word};
    for (; size - at >= 128; at += 128) {
      std::memcpy(&b0, from + at, 32);
      std::memcpy(&b1, from + at + 32, 32);
      std::memcpy(&b2, from + at + 64, 32);
      std::memcpy(&b3, from + at + 96, 32);
      b0 ^= k;
      b1 ^= k;
      b2 ^= k;
      b3 ^= k;
      std::memcpy(to + at, &b0, 32);
      std::memcpy(to + at + 32, &b1, 32);
      std::memcpy(to + at + 64, &b2, 32);
      std::memcpy(to + at + 96, &b3, 32);
      all |= (b0 | b1) | (b2 | b3);
    }
    for (; size - at >= 32; at += 32) {
      std::memcpy(&b0, from + at, 32);
      b0 ^= k;
      std::memcpy(to + at, &b0, 32);
      all |= b0;
    }
  }
  std::memcpy(to, &head, 32);
  std::memcpy(to + size - 32, &tail, 32);
  return __builtin_ia32_pmovmskb256(reinterpret_cast<octets32>(all)) == 0;
}
#endif

}  // namespace purews::inline v0
