// SPDX-License-Identifier: BSL-1.0
#include "purews/wire/masking.hpp"

#include <algorithm>
#include <random>
#include <vector>

#include "guarded.hpp"
#include "support/catch.hpp"
#include "support/dies.hpp"
#include "support/simd_levels.hpp"

namespace {

using namespace purews;

constexpr masking_key rfc_key{{std::byte{0x37}, std::byte{0xfa}, std::byte{0x21}, std::byte{0x3d}}};

// 5.7: a single-frame masked text message, 0x37 0xfa 0x21 0x3d 0x7f 0x9f 0x4d 0x51 0x58 (contains "Hello").
constexpr bool masks_hello() {
  std::byte const wire[5]{std::byte{0x7f}, std::byte{0x9f}, std::byte{0x4d}, std::byte{0x51}, std::byte{0x58}};
  char const hello[] = "Hello";
  std::byte copied[5]{}, cut[5]{};
  mask_copy(copied, wire, rfc_key);
  for (int i = 0; i < 5; ++i) cut[i] = wire[i];
  mask(bytes{cut, 3}, rfc_key);
  bool const ascii = mask_is_ascii(bytes{cut + 3, 2}, rfc_key, 3);
  for (int i = 0; i < 5; ++i)
    if (copied[i] != static_cast<std::byte>(hello[i]) || cut[i] != copied[i]) return false;
  return ascii && !mask_is_ascii(cut, rfc_key);
}
static_assert(masks_hello());

masking_key const key{{std::byte{0x9c}, std::byte{0x01}, std::byte{0xe7}, std::byte{0x3b}}};

struct sample {
  std::vector<std::byte> plain, masked[4];  // masked from each phase
  bool ascii = true;
};

// `high_at` is the place of the only byte that is not ASCII, or beyond the end.
sample make_sample(std::size_t size, std::size_t high_at, std::mt19937& random) {
  sample s;
  s.plain.resize(size);
  for (std::byte& b : s.plain) b = static_cast<std::byte>(random() & 0x7fU);
  if (high_at < size) {
    s.plain[high_at] |= std::byte{0x80};
    s.ascii = false;
  }
  for (std::size_t phase = 0; phase < 4; ++phase) {
    s.masked[phase].resize(size);
    for (std::size_t i = 0; i < size; ++i) s.masked[phase][i] = s.plain[i] ^ key.octets[(phase + i) % 4];
  }
  return s;
}

bool equal(std::byte const* data, std::vector<std::byte> const& expected) {
  return std::equal(expected.begin(), expected.end(), data);
}

// Unmasks `s` in place at `at` and by copying from there to `to`, and the other way, at every phase and level.
bool all_ways_agree(sample const& s, std::byte* at, std::byte* to) {
  std::size_t const size = s.plain.size();
  for (std::size_t phase = 0; phase < 4; ++phase) {
    std::uint32_t const word = mask_kernel::key_word(key, phase);
    for (simd_level const level : test::simd_levels()) {
      std::copy(s.masked[phase].begin(), s.masked[phase].end(), at);
      if (mask_kernel::run_at(level, to, at, size, word) != s.ascii) return false;
      if (!equal(to, s.plain) || !equal(at, s.masked[phase])) return false;
      if (mask_kernel::run_at(level, at, at, size, word) != s.ascii) return false;
      if (!equal(at, s.plain)) return false;
    }
    mask(bytes{at, size}, key, phase);
    if (!equal(at, s.masked[phase])) return false;
    if (mask_is_ascii(bytes{at, size}, key, phase + 4) != s.ascii || !equal(at, s.plain)) return false;
    std::fill_n(to, size, std::byte{});
    mask_copy(to, bytes_view{at, size}, key, phase);
    if (!equal(to, s.masked[phase]) || !equal(at, s.plain)) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("5.3: masking touches nothing before or behind its span", "[masking]") {
  std::mt19937 random{21};
  guarded const a, b;
  std::size_t failures = 0;
  for (std::size_t size = 0; size <= 400; ++size) {
    sample const s = make_sample(size, random() % (size + 1), random);
    failures += !all_ways_agree(s, a.first(size), b.last(size));
    failures += !all_ways_agree(s, a.last(size), b.first(size));
    failures += !all_ways_agree(s, a.last(size), b.last(size));
  }
  CHECK(failures == 0);
}

TEST_CASE("5.3: masking finds the one byte that is not ASCII, wherever it is", "[masking]") {
  std::mt19937 random{22};
  std::size_t failures = 0;
  for (std::size_t const size :
       {1U, 3U, 4U, 7U, 8U, 15U, 16U, 17U, 32U, 33U, 63U, 64U, 65U, 96U, 128U, 129U, 200U, 511U})
    for (std::size_t at = 0; at < size; ++at) {
      sample const s = make_sample(size, at, random);
      std::vector<std::byte> first(size + 5), second(size + 9);
      failures += !all_ways_agree(s, first.data() + 5, second.data() + 9);
    }
  CHECK(failures == 0);
}

TEST_CASE("5.3: long payloads are masked alike at every level", "[masking]") {
  std::mt19937 random{23};
  for (std::size_t const size : {4'096U, 65'535U, 65'536U, 65'537U, 1'000'003U}) {
    sample const s = make_sample(size, random() % (2 * size), random);
    std::vector<std::byte> first(size + 13), second(size + 31);
    CHECK(all_ways_agree(s, first.data() + 13, second.data() + 31));
  }
}

TEST_CASE("5.3: a payload masked in pieces is the payload masked whole, wherever it is cut", "[masking]") {
  std::mt19937 random{24};
  std::size_t failures = 0;
  for (std::size_t size = 0; size <= 140; ++size) {
    sample const s = make_sample(size, size, random);
    for (std::size_t cut = 0; cut <= size; ++cut) {
      std::vector<std::byte> data = s.masked[0];
      mask(bytes{data}.first(cut), key);
      failures += !mask_is_ascii(bytes{data}.subspan(cut), key, cut);
      failures += data != s.plain;
    }
  }
  CHECK(failures == 0);
}

TEST_CASE("5.3: the definition is that of the RFC, and tells whether the result is ASCII", "[masking]") {
  std::byte const from[] = {std::byte{0x7f}, std::byte{0x9f}, std::byte{0x4d}, std::byte{0x51}, std::byte{0x58}};
  masking_key const hello{{std::byte{0x37}, std::byte{0xfa}, std::byte{0x21}, std::byte{0x3d}}};
  std::byte to[5]{};
  CHECK(mask_kernel::naive(to, from, 5, hello, 0));
  CHECK(as_text(to) == "Hello");  // RFC 6455 5.7
  CHECK(mask_kernel::naive(to, from + 2, 3, hello, 2));
  CHECK(as_text(to).substr(0, 3) == "llo");
  CHECK_FALSE(mask_kernel::naive(to, from, 5, hello, 1));
}

TEST_CASE("a level that this machine does not have is a bug of the caller", "[masking]") {
  std::byte octet{};
  CHECK(dies([&] { mask_kernel::run_at(static_cast<simd_level>(3), &octet, &octet, 1, 0); }));
}

TEST_CASE("5.3: an empty payload may have a null pointer, and is ASCII", "[masking]") {
  mask(bytes{}, key, 3);
  CHECK(mask_is_ascii(bytes{}, key));
  mask_copy(nullptr, bytes_view{}, key);
}
