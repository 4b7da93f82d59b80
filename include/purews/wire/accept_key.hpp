// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "assert.hpp"
#include "cpu.hpp"
#include "http_tokens.hpp"

namespace purews::inline v0 {

/// The value of Sec-WebSocket-Key: 16 random bytes in base64.
struct key_text {
  char text[24];
  constexpr operator std::string_view() const noexcept { return {text, sizeof text}; }
};

/// The value of Sec-WebSocket-Accept: a SHA-1 in base64.
struct accept_key_text {
  char text[28];
  constexpr operator std::string_view() const noexcept { return {text, sizeof text}; }
};

/// Writes the key that a client sends from 16 bytes of entropy, fresh for each connection. RFC 6455 section 4.1 (7).
constexpr key_text make_key(std::span<std::byte const, 16> random) noexcept;

/// Whether `key` is 22 characters of base64 and "==": 16 bytes. The four bits left over in the last character may be
/// anything, as in the RFC's own note. RFC 6455 section 4.2.1 (5).
constexpr bool is_valid_key(std::string_view key) noexcept;

/// Computes the answer to `key`, from its characters, not from the bytes they stand for.
/// Precondition: `key` is 24 characters long, as `is_valid_key` has checked. RFC 6455 section 4.2.2 (5).
constexpr accept_key_text accept_key(std::string_view key) noexcept;

/// A SHA-1. It guards nothing here but a server that does not know the protocol; use it for nothing else.
struct sha1_digest {
  std::byte octets[20];
  friend constexpr bool operator==(sha1_digest const&, sha1_digest const&) = default;
};

/// Writes `data` in base64 with padding to `to`, which has room for 4 characters for each 3 bytes begun.
/// RFC 4648 section 4.
constexpr void base64_encode(char* to, bytes_view data) noexcept;

/// The steps of a SHA-1. FIPS 180-4 section 6.1.
class sha1_kernel {
 public:
  /// The 80 words that the rounds take from one block of 64 bytes. FIPS 180-4 section 6.1.2 (1).
  struct schedule {
    std::uint32_t words[80]{};
  };
  static constexpr schedule expand(char const* block) noexcept;
  static constexpr void put_length(char* block, std::uint64_t bits) noexcept;
  constexpr void add(schedule const& block) noexcept;
  constexpr sha1_digest digest() const noexcept;
  static schedule const padding_after_60;  ///< the second block of a text of 60 bytes
#if defined(__GNUC__) && defined(__x86_64__)
  /// Adds a block of 64 bytes. Precondition: has_sha_instructions().
  void add_by_instructions(char const* block) noexcept;
#endif

 private:
  enum class phase { choose, parity, majority, last_parity };
  template <phase Phase>
  static constexpr void step(std::uint32_t a, std::uint32_t& b, std::uint32_t c, std::uint32_t d, std::uint32_t& e,
                             std::uint32_t word) noexcept;
  template <phase Phase>
  static constexpr void twenty(std::uint32_t (&v)[5], std::uint32_t const* words) noexcept;
  static consteval schedule padding_block(std::uint64_t bits) noexcept;

  std::uint32_t state_[5]{0x67452301U, 0xEFCDAB89U, 0x98BADCFEU, 0x10325476U, 0xC3D2E1F0U};
};

// Bodies: the steps first, as constants are computed from them

// The values do not move from one variable to the next, as in the standard's text: their roles do.
template <sha1_kernel::phase Phase>
constexpr void sha1_kernel::step(std::uint32_t a, std::uint32_t& b, std::uint32_t c, std::uint32_t d, std::uint32_t& e,
                                 std::uint32_t word) noexcept {
  if constexpr (Phase == phase::choose) e += (d ^ (b & (c ^ d))) + 0x5A827999U;
  if constexpr (Phase == phase::parity) e += (b ^ c ^ d) + 0x6ED9EBA1U;
  if constexpr (Phase == phase::majority) e += ((b & c) + (d & (b ^ c))) + 0x8F1BBCDCU;
  if constexpr (Phase == phase::last_parity) e += (b ^ c ^ d) + 0xCA62C1D6U;
  e += rotate_left(a, 5) + word;
  b = rotate_left(b, 30);
}

template <sha1_kernel::phase Phase>
constexpr void sha1_kernel::twenty(std::uint32_t (&v)[5], std::uint32_t const* words) noexcept {
  std::uint32_t a = v[0], b = v[1], c = v[2], d = v[3], e = v[4];
  for (int i = 0; i < 20; i += 5) {
    step<Phase>(a, b, c, d, e, words[i]);
    step<Phase>(e, a, b, c, d, words[i + 1]);
    step<Phase>(d, e, a, b, c, words[i + 2]);
    step<Phase>(c, d, e, a, b, words[i + 3]);
    step<Phase>(b, c, d, e, a, words[i + 4]);
  }
  v[0] = a, v[1] = b, v[2] = c, v[3] = d, v[4] = e;
}

constexpr sha1_kernel::schedule sha1_kernel::expand(char const* block) noexcept {
  schedule result;
  std::uint32_t* const w = result.words;
  for (int i = 0; i < 16; ++i, block += 4)
    w[i] = (std::uint32_t{static_cast<std::uint8_t>(block[0])} << 24) |
           (std::uint32_t{static_cast<std::uint8_t>(block[1])} << 16) |
           (std::uint32_t{static_cast<std::uint8_t>(block[2])} << 8) | static_cast<std::uint8_t>(block[3]);
  for (int i = 16; i < 80; ++i) w[i] = rotate_left(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
  return result;
}

constexpr void sha1_kernel::add(schedule const& block) noexcept {
  std::uint32_t v[5]{state_[0], state_[1], state_[2], state_[3], state_[4]};
  twenty<phase::choose>(v, block.words);
  twenty<phase::parity>(v, block.words + 20);
  twenty<phase::majority>(v, block.words + 40);
  twenty<phase::last_parity>(v, block.words + 60);
  for (int i = 0; i < 5; ++i) state_[i] += v[i];
}

constexpr sha1_digest sha1_kernel::digest() const noexcept {
  sha1_digest result{};
  std::byte* to = result.octets;
  for (std::uint32_t const word : state_) {
    *to++ = static_cast<std::byte>(word >> 24);
    *to++ = static_cast<std::byte>(word >> 16);
    *to++ = static_cast<std::byte>(word >> 8);
    *to++ = static_cast<std::byte>(word);
  }
  return result;
}

constexpr void sha1_kernel::put_length(char* block, std::uint64_t bits) noexcept {
  for (int i = 0; i < 8; ++i) block[56 + i] = static_cast<char>(bits >> (56 - 8 * i));
}

consteval sha1_kernel::schedule sha1_kernel::padding_block(std::uint64_t bits) noexcept {
  char block[64]{};
  put_length(block, bits);
  return expand(block);
}

inline constexpr sha1_kernel::schedule sha1_kernel::padding_after_60 = padding_block(60 * 8);

#if defined(__GNUC__) && defined(__x86_64__)
// Four words are in a vector, the first one on top, and the rounds go by four. FIPS 180-4 section 6.1.2.
__attribute__((target("sha,ssse3"))) inline void sha1_kernel::add_by_instructions(char const* block) noexcept {
  using words = int __attribute__((vector_size(16)));
  using octets = char __attribute__((vector_size(16)));
  octets const reversed{15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0};
  words w[20];
  for (int i = 0; i < 4; ++i) {
    octets part;
    std::memcpy(&part, block + 16 * i, sizeof part);
    w[i] = reinterpret_cast<words>(__builtin_ia32_pshufb128(part, reversed));
  }
#pragma GCC unroll 20
  for (int i = 4; i < 20; ++i)
    w[i] = __builtin_ia32_sha1msg2(__builtin_ia32_sha1msg1(w[i - 4], w[i - 3]) ^ w[i - 2], w[i - 1]);
  words const last{0, 0, 0, static_cast<int>(state_[4])};
  words v{static_cast<int>(state_[3]), static_cast<int>(state_[2]), static_cast<int>(state_[1]),
          static_cast<int>(state_[0])};
  words before = v;
  words e = w[0];
  e[3] = static_cast<int>(static_cast<std::uint32_t>(e[3]) + state_[4]);
  v = __builtin_ia32_sha1rnds4(v, e, 0);
#pragma GCC unroll 20
  for (int i = 1; i < 20; ++i) {
    e = __builtin_ia32_sha1nexte(before, w[i]);
    before = v;
    v = i < 5    ? __builtin_ia32_sha1rnds4(v, e, 0)
        : i < 10 ? __builtin_ia32_sha1rnds4(v, e, 1)
        : i < 15 ? __builtin_ia32_sha1rnds4(v, e, 2)
                 : __builtin_ia32_sha1rnds4(v, e, 3);
  }
  state_[4] = static_cast<std::uint32_t>(__builtin_ia32_sha1nexte(before, last)[3]);
  for (int i = 0; i < 4; ++i) state_[i] += static_cast<std::uint32_t>(v[3 - i]);
}
#endif

constexpr key_text make_key(std::span<std::byte const, 16> random) noexcept {
  key_text key{};
  base64_encode(key.text, random);
  return key;
}

constexpr bool is_valid_key(std::string_view key) noexcept {
  if (key.size() != sizeof(key_text::text) || key[22] != '=' || key[23] != '=') return false;
  return is_all(key.substr(0, 22), http_char_table::base64);
}

constexpr accept_key_text accept_key(std::string_view key) noexcept {
  PUREWS_ASSERT(key.size() == sizeof(key_text::text));
  // Key and GUID are 60 bytes: one block with the padding's first byte, and one that is always the same.
  char block[64] =
      "........................"
      "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
      "\x80";
  for (std::size_t i = 0; i < sizeof(key_text::text); ++i) block[i] = key[i];
  sha1_kernel kernel;
  bool added = false;
#if defined(__GNUC__) && defined(__x86_64__)
  if (!std::is_constant_evaluated() && has_sha_instructions()) {
    kernel.add_by_instructions(block);
    char padding[64]{};
    sha1_kernel::put_length(padding, 60 * 8);
    kernel.add_by_instructions(padding);
    added = true;
  }
#endif
  if (!added) {
    kernel.add(sha1_kernel::expand(block));
    kernel.add(sha1_kernel::padding_after_60);
  }
  accept_key_text answer{};
  base64_encode(answer.text, kernel.digest().octets);
  return answer;
}

constexpr void base64_encode(char* to, bytes_view data) noexcept {
  constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t at = 0; at < data.size(); at += 3) {
    std::size_t const left = data.size() - at;
    std::uint32_t const group = (std::to_integer<std::uint32_t>(data[at]) << 16) |
                                (left > 1 ? std::to_integer<std::uint32_t>(data[at + 1]) << 8 : 0U) |
                                (left > 2 ? std::to_integer<std::uint32_t>(data[at + 2]) : 0U);
    *to++ = digits[group >> 18];
    *to++ = digits[(group >> 12) & 63U];
    *to++ = left > 1 ? digits[(group >> 6) & 63U] : '=';
    *to++ = left > 2 ? digits[group & 63U] : '=';
  }
}

}  // namespace purews::inline v0
