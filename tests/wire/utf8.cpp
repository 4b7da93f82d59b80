// SPDX-License-Identifier: BSL-1.0
#include "purews/wire/utf8.hpp"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "guarded.hpp"
#include "support/catch.hpp"
#include "support/dies.hpp"
#include "support/simd_levels.hpp"
#include "support/utf8_oracle.hpp"

namespace {

using namespace purews;

template <std::size_t N>
constexpr bool is_valid(char const (&text)[N]) {
  std::byte octets[N]{};
  for (std::size_t i = 0; i < N; ++i) octets[i] = static_cast<std::byte>(text[i]);
  return is_valid_utf8(bytes_view{octets, N - 1});
}
static_assert(is_valid(""));
static_assert(is_valid("Hello-\u00b5@\u00df\u00f6\u00e4\u00fc\u00e0\u00e1-UTF-8!!"));
static_assert(is_valid("\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff"));
static_assert(!is_valid("\xc3"));
static_assert(!is_valid("\xc0\x80"));
static_assert(!is_valid("\xed\xa0\x80"));
static_assert(!is_valid("\xf4\x90\x80\x80"));
static_assert(sizeof(utf8_validator) <= 4);

bytes_view view(std::string const& text) { return as_bytes(text); }

bool agrees_at_every_level(bytes_view text) {
  test::utf8_verdict const whole = test::judge_utf8(text);
  for (simd_level const level : test::simd_levels()) {
    utf8_validator v;
    if (v.feed_at(level, text) != (whole.fault == text.size()) || v.finished() != whole.whole) return false;
  }
  return is_valid_utf8(text) == whole.whole;
}

}  // namespace

TEST_CASE("8.1 U-02: surrogates and what is above U+10FFFF are invalid from the second byte on", "[utf8]") {
  std::size_t failures = 0;
  for (std::uint32_t c = 0xD800; c <= 0xDFFF; ++c) {
    utf8_validator v;
    failures += v.feed(view(test::utf8_encoded(c)).first(2));
  }
  for (std::uint32_t c = 0x110000; c < 0x200000; c += 0x11) {
    utf8_validator v;
    failures += v.feed(view(test::utf8_encoded(c)).first(2));
  }
  CHECK(failures == 0);
}

TEST_CASE("8.1 U-02: a bad sequence is found wherever it lies in a long text, at every level", "[utf8]") {
  std::size_t failures = 0, n = 0;
  std::string const surroundings[] = {test::utf8_filler(1, 132), test::utf8_filler(2, 132), test::utf8_filler(3, 132),
                                      test::utf8_filler(4, 132)};
  std::string text;
  for (unsigned char const a : test::utf8_edges)
    for (unsigned char const b : test::utf8_edges)
      for (unsigned char const c : test::utf8_edges)
        for (unsigned char const d : test::utf8_edges) {
          if (a < 0xC0 && n++ % 8 != 0) continue;  // mostly the same again
          text = surroundings[n % 4];
          std::size_t const at = 12 * (n / 4 % 10) + n / 40 % 8;  // mostly cuts the filler's code points too
          std::size_t const boundary = at / 12 * 12;              // a boundary of every filler
          text.replace(n % 3 == 0 ? at : boundary, 4,
                       {static_cast<char>(a), static_cast<char>(b), static_cast<char>(c), static_cast<char>(d)});
          failures += !agrees_at_every_level(view(text));
          ++n;
        }
  for (unsigned first = 0; first < 65'536; ++first, ++n) {
    text = surroundings[n % 4];
    text.replace(12 * (n / 4 % 11), 2, {static_cast<char>(first >> 8), static_cast<char>(first & 255U)});
    failures += !agrees_at_every_level(view(text));
  }
  CHECK(failures == 0);
}

TEST_CASE("8.1 U-02: a code point cut off by ASCII is found wherever the ASCII begins, at every level", "[utf8]") {
  std::size_t failures = 0;
  for (std::string const cut : {"\xC3", "\xE2", "\xE2\x82", "\xF0", "\xF0\x9F", "\xF0\x9F\x98"})
    for (std::size_t front = 0; front < 140; ++front)
      for (std::size_t const back : {1U, 31U, 32U, 63U, 64U, 65U, 127U, 128U, 129U, 200U}) {
        std::string text(front % 2, 'a');
        for (std::size_t i = 0; i < front / 2; ++i) text += "\u00e9";
        text += cut + std::string(back, 'a');
        failures += !agrees_at_every_level(view(text));
      }
  CHECK(failures == 0);
}

TEST_CASE("8.1: a code point may be anywhere against the vectors, and cut off at the end of any size", "[utf8]") {
  std::size_t failures = 0;
  for (std::size_t kind = 1; kind <= 4; ++kind)
    for (std::size_t before = 0; before < 140; ++before)
      for (std::string const& middle : {std::string{"\u00e9"}, std::string{"\u20ac"}, std::string{"\U0001f600"}}) {
        std::string const text = std::string(before, 'a') + middle + test::utf8_filler(kind, 80);
        for (std::size_t size = before; size <= text.size(); ++size)
          failures += !agrees_at_every_level(view(text).first(size));
        std::string const missing =
            std::string(before, 'a') + middle.substr(0, middle.size() - 1) + test::utf8_filler(1, 80);
        for (std::size_t const size : {before + 66, missing.size()})
          failures += !agrees_at_every_level(view(missing).first(size));
      }
  CHECK(failures == 0);
}

TEST_CASE("8.1 U-03 U-04: the first piece that shows the fault is refused, however the text is cut", "[utf8]") {
  std::mt19937 random{81};
  std::size_t failures = 0;
  for (int n = 0; n < 6'000; ++n) {
    std::string text;
    std::size_t const size = random() % 500;
    auto const mix = random() % 3;
    while (text.size() < size) {
      auto c = static_cast<std::uint32_t>(random() % (mix == 0 ? 0x80U : mix == 1 ? 0x800U : 0x110000U));
      if (c >= 0xD800 && c <= 0xDFFF) c = 'x';
      text += test::utf8_encoded(c);
    }
    if (n % 2 == 0 && !text.empty()) text[random() % text.size()] = static_cast<char>(random());
    if (n % 4 == 1 && !text.empty()) text.pop_back();
    test::utf8_verdict const whole = test::judge_utf8(view(text));
    for (simd_level const level : test::simd_levels()) {
      utf8_validator at_level, plain;
      std::size_t at = 0;
      while (at < text.size()) {
        std::size_t const piece = std::min<std::size_t>(1 + random() % (n % 3 == 0 ? 8 : 200), text.size() - at);
        at += piece;
        failures += at_level.feed_at(level, view(text).subspan(at - piece, piece)) != (whole.fault >= at);
        failures += plain.feed(view(text).subspan(at - piece, piece)) != (whole.fault >= at);
      }
      failures += at_level.finished() != whole.whole || plain.finished() != whole.whole;
    }
  }
  CHECK(failures == 0);
}

TEST_CASE("8.1: a level that this machine does not have is a bug of the caller", "[utf8]") {
  CHECK(dies([] { utf8_validator().feed_at(static_cast<simd_level>(3), {}); }));
}

TEST_CASE("8.1: a validator that has failed stays failed until it is reset", "[utf8]") {
  utf8_validator v;
  CHECK(v.finished());
  CHECK(v.feed(as_bytes("\xe2\x82")));
  CHECK_FALSE(v.finished());
  CHECK_FALSE(v.feed(as_bytes("a")));
  CHECK_FALSE(v.feed(as_bytes("\xac")));
  CHECK_FALSE(v.feed(as_bytes(std::string(200, 'a'))));
  CHECK_FALSE(v.feed(bytes_view{}));
  CHECK_FALSE(v.finished());
  v.reset();
  CHECK(v.finished());
  CHECK(v.feed(as_bytes("\xe2\x82\xac")));
  CHECK(v.feed(bytes_view{}));
  CHECK(v.finished());
}

TEST_CASE("8.1: the check reads nothing before or behind its span", "[utf8]") {
  guarded const pages;
  std::size_t failures = 0;
  for (std::size_t kind = 1; kind <= 4; ++kind) {
    std::string const text = test::utf8_filler(kind, 320);
    for (std::size_t size = 0; size <= 300; ++size)
      for (std::byte* const at : {pages.first(size), pages.last(size)}) {
        copy_bytes(at, view(text).first(size));
        failures += !agrees_at_every_level(bytes_view{at, size});
      }
  }
  // Exact-size buffers at every alignment, for a sanitizer.
  for (std::size_t size = 0; size <= 300; ++size)
    for (std::size_t alignment = 0; alignment < 64; alignment += 3) {
      std::string const text = test::utf8_filler(1 + (size + alignment) % 4, size);
      exact const buffer{alignment, size};
      copy_bytes(buffer.data(), view(text).first(size));
      failures += !agrees_at_every_level(bytes_view{buffer.data(), size});
    }
  CHECK(failures == 0);
}
