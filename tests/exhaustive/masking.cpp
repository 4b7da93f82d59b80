// SPDX-License-Identifier: BSL-1.0

// Masking against its definition: every alignment, length, phase and level, in place and copying.
#include "purews/wire/masking.hpp"

#include <algorithm>
#include <random>

#include "support/catch.hpp"
#include "support/hex.hpp"
#include "support/simd_levels.hpp"
#include "wire/guarded.hpp"

using namespace purews;
using test::octets;

namespace {

constexpr masking_key key{{std::byte{0x9c}, std::byte{0x01}, std::byte{0xe7}, std::byte{0x3b}}};

/// RFC 6455 section 5.3: "transformed-octet-i = original-octet-i XOR masking-key-octet-j, j = i MOD 4".
octets transformed(octets data, std::size_t phase) {
  for (std::size_t i = 0; i < data.size(); ++i) data[i] ^= key.octets[(phase + i) % 4];
  return data;
}

struct sample {
  octets plain;
  bool ascii;
  octets masked[4]{};
};

// Bytes of ASCII, but for the one at `high_at`, if there is one.
sample make_sample(std::size_t size, std::size_t high_at, std::mt19937& random) {
  sample s{.plain = octets(size), .ascii = high_at >= size};
  for (std::byte& b : s.plain) b = static_cast<std::byte>(random() & 0x7fU);
  if (!s.ascii) s.plain[high_at] |= std::byte{0x80};
  for (std::size_t phase = 0; phase < 4; ++phase) s.masked[phase] = transformed(s.plain, phase);
  return s;
}

bool holds(std::byte const* at, octets const& expected) { return std::equal(expected.begin(), expected.end(), at); }

// Unmasks by copying from one buffer to the other and in place, and masks again.
bool agrees(sample const& s, std::byte* from, std::byte* to, std::size_t phase, simd_level level) {
  std::size_t const size = s.plain.size();
  std::uint32_t const word = mask_kernel::key_word(key, phase);
  std::copy(s.masked[phase].begin(), s.masked[phase].end(), from);
  if (mask_kernel::run_at(level, to, from, size, word) != s.ascii) return false;
  if (!holds(to, s.plain) || !holds(from, s.masked[phase])) return false;
  if (mask_kernel::run_at(level, from, from, size, word) != s.ascii || !holds(from, s.plain)) return false;
  mask_kernel::run_at(level, to, from, size, word);
  return holds(to, s.masked[phase]) && holds(from, s.plain);
}

// The same by the functions that choose the level.
bool agrees(sample const& s, std::byte* from, std::byte* to, std::size_t phase) {
  std::size_t const size = s.plain.size();
  std::copy(s.plain.begin(), s.plain.end(), from);
  mask_copy(to, bytes_view{from, size}, key, phase);
  if (!holds(to, s.masked[phase]) || !holds(from, s.plain)) return false;
  mask(bytes{from, size}, key, phase);
  return holds(from, s.masked[phase]) && mask_is_ascii(bytes{to, size}, key, phase + 4) == s.ascii &&
         holds(to, s.plain);
}

}  // namespace

TEST_CASE("5.3 F-01: masking agrees with its definition at every alignment, length, phase and level",
          "[hazard-13][hazard-37]") {
  std::mt19937 random{20};
  std::size_t failures = 0, runs = 0;
  for (std::size_t size = 0; size <= 300; ++size) {
    // Plain ASCII, and one byte that is not: in front, at the end, anywhere.
    sample const samples[] = {make_sample(size, size, random), make_sample(size, 0, random),
                              make_sample(size, size - 1, random), make_sample(size, size / 3, random)};
    for (std::size_t alignment = 0; alignment < 64; ++alignment) {
      // Each pair of alignments comes up with some of the lengths.
      exact const a{alignment, size}, b{(alignment * 37 + size) % 64, size};
      for (sample const& s : samples)
        for (std::size_t phase = 0; phase < 4; ++phase, ++runs) {
          for (simd_level const level : test::simd_levels()) failures += !agrees(s, a.data(), b.data(), phase, level);
          failures += !agrees(s, a.data(), b.data(), phase);
        }
      failures += !a.front_is_untouched() || !b.front_is_untouched();
    }
  }
  CHECK(runs == 301 * 64 * 4 * 4);
  CHECK(failures == 0);
}
