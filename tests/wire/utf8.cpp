// SPDX-License-Identifier: BSL-1.0
#include "purews/wire/utf8.hpp"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "guarded.hpp"
#include "support/catch.hpp"
#include "support/dies.hpp"

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

std::vector<simd_level> levels() {
  std::vector<simd_level> all;
  for (simd_level const level : {simd_level::portable, simd_level::baseline, simd_level::avx2})
    if (level <= best_simd_level()) all.push_back(level);
  return all;
}

// The oracle: table 3-7 of the Unicode standard, "Well-Formed UTF-8 Byte Sequences", row by row.
struct row {
  std::size_t size;
  unsigned low[4], high[4];
};
constexpr row table_3_7[] = {
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

struct verdict {
  std::size_t fault;  // the index of the first byte that cannot be right; the size if there is none
  bool whole;         // valid, and ends between code points
};

verdict judge(bytes_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    unsigned const lead = std::to_integer<unsigned>(text[at]);
    row const* found = nullptr;
    for (row const& r : table_3_7)
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

bytes_view view(std::string const& text) { return as_bytes(text); }

std::string encoded(std::uint32_t c) {
  auto const octet = [](std::uint32_t value) { return static_cast<char>(value); };
  if (c < 0x80) return {octet(c)};
  if (c < 0x800) return {octet(0xC0 | (c >> 6)), octet(0x80 | (c & 0x3F))};
  if (c < 0x10000) return {octet(0xE0 | (c >> 12)), octet(0x80 | ((c >> 6) & 0x3F)), octet(0x80 | (c & 0x3F))};
  return {octet(0xF0 | (c >> 18)), octet(0x80 | ((c >> 12) & 0x3F)), octet(0x80 | ((c >> 6) & 0x3F)),
          octet(0x80 | (c & 0x3F))};
}

// Whether the validator, fed `text` in two pieces at every cut, says what the oracle says of each prefix.
bool agrees_at_every_cut(std::string const& text) {
  verdict const whole = judge(view(text));
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    utf8_validator v;
    bool const first = v.feed(view(text).first(cut));
    if (first != (whole.fault >= cut)) return false;
    if (v.finished() != judge(view(text).first(cut)).whole) return false;
    if (v.feed(view(text).subspan(cut)) != (whole.fault == text.size())) return false;
    if (v.finished() != whole.whole) return false;
  }
  return true;
}

bool agrees_at_every_level(bytes_view text) {
  verdict const whole = judge(text);
  for (simd_level const level : levels()) {
    utf8_validator v;
    if (v.feed_at(level, text) != (whole.fault == text.size()) || v.finished() != whole.whole) return false;
  }
  return is_valid_utf8(text) == whole.whole;
}

// What surrounds a sequence under test: ASCII, or code points of two, three and four bytes.
std::string filler(int kind, std::size_t size) {
  std::string const units[] = {"a", "\u00e9", "\u20ac", "\U0001f600"};
  std::string text;
  while (text.size() < size) text += units[kind];
  return text;
}

// Every byte that begins or ends a range of table 3-7, and its neighbours.
constexpr unsigned char edges[] = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF,
                                   0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF8, 0xFF};

}  // namespace

TEST_CASE("8.1 U-01: every scalar value is valid UTF-8, a byte at a time and whole", "[utf8]") {
  std::size_t failures = 0, scalars = 0;
  std::string all;
  for (std::uint32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    ++scalars;
    std::string const text = encoded(c);
    utf8_validator v;
    for (std::size_t i = 0; i < text.size(); ++i) {
      failures += !v.feed(view(text).subspan(i, 1));
      failures += v.finished() != (i + 1 == text.size());
    }
    failures += !is_valid_utf8(view(text));
    all += text;
  }
  CHECK(scalars == 1'112'064);
  CHECK(failures == 0);
  for (std::size_t shift = 0; shift < 8; ++shift) {
    std::string const text = std::string(shift * 5, 'a') + all;
    for (simd_level const level : levels()) {
      utf8_validator v;
      CHECK(v.feed_at(level, view(text)));
      CHECK(v.finished());
    }
  }
}

TEST_CASE("8.1 U-02: surrogates and what is above U+10FFFF are invalid from the second byte on", "[utf8]") {
  std::size_t failures = 0;
  for (std::uint32_t c = 0xD800; c <= 0xDFFF; ++c) {
    utf8_validator v;
    failures += v.feed(view(encoded(c)).first(2));
  }
  for (std::uint32_t c = 0x110000; c < 0x200000; c += 0x11) {
    utf8_validator v;
    failures += v.feed(view(encoded(c)).first(2));
  }
  CHECK(failures == 0);
}

TEST_CASE("8.1 U-02: all two-byte and three-byte sequences agree with the table, in every split", "[utf8]") {
  std::size_t failures = 0;
  std::byte text[3];
  for (unsigned a = 0; a < 256; ++a) {
    text[0] = static_cast<std::byte>(a);
    utf8_validator one;
    failures += one.feed(bytes_view{text, 1}) != (judge(bytes_view{text, 1}).fault == 1);
    for (unsigned b = 0; b < 256; ++b) {
      text[1] = static_cast<std::byte>(b);
      verdict const two_bytes = judge(bytes_view{text, 2});
      utf8_validator two = one, both;
      failures += two.feed(bytes_view{text + 1, 1}) != (two_bytes.fault == 2) || two.finished() != two_bytes.whole;
      failures += both.feed(bytes_view{text, 2}) != (two_bytes.fault == 2) || both.finished() != two_bytes.whole;
      for (unsigned c = 0; c < 256; ++c) {
        text[2] = static_cast<std::byte>(c);
        utf8_validator whole;
        bool const fed = whole.feed(text);
        if (two_bytes.fault < 2) {  // decided already
          failures += fed || whole.finished();
          continue;
        }
        verdict const expected = judge(text);
        utf8_validator three = two, rest = one;
        failures += fed != (expected.fault == 3) || whole.finished() != expected.whole;
        failures += three.feed(bytes_view{text + 2, 1}) != fed || three.finished() != expected.whole;
        failures += rest.feed(bytes_view{text + 1, 2}) != fed || rest.finished() != expected.whole;
      }
    }
  }
  CHECK(failures == 0);
}

TEST_CASE("8.1 U-02: four-byte sequences agree with the table at every edge and every cut", "[utf8]") {
  std::size_t failures = 0;
  for (unsigned a = 0xE0; a < 256; ++a)
    for (unsigned b = 0; b < 256; ++b)
      for (char const c : {'\x41', '\x7F', '\x80', '\xBF', '\xC0'})
        for (char const d : {'\x7F', '\x80', '\xBF', '\xC2'})
          failures += !agrees_at_every_cut({static_cast<char>(a), static_cast<char>(b), c, d});
  CHECK(failures == 0);
}

TEST_CASE("8.1 U-02: a bad sequence is found wherever it lies in a long text, at every level", "[utf8]") {
  std::size_t failures = 0, n = 0;
  std::string const surroundings[] = {filler(0, 132), filler(1, 132), filler(2, 132), filler(3, 132)};
  std::string text;
  for (unsigned char const a : edges)
    for (unsigned char const b : edges)
      for (unsigned char const c : edges)
        for (unsigned char const d : edges) {
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
        std::string const text = filler(1, front / 2 * 2) + std::string(front % 2, 'a') + cut + std::string(back, 'a');
        failures += !agrees_at_every_level(view(text));
      }
  CHECK(failures == 0);
}

TEST_CASE("8.1: a code point may be anywhere against the vectors, and cut off at the end of any size", "[utf8]") {
  std::size_t failures = 0;
  for (int kind = 0; kind < 4; ++kind)
    for (std::size_t before = 0; before < 140; ++before)
      for (std::string const& middle : {std::string{"\u00e9"}, std::string{"\u20ac"}, std::string{"\U0001f600"}}) {
        std::string const text = std::string(before, 'a') + middle + filler(kind, 80);
        for (std::size_t size = before; size <= text.size(); ++size)
          failures += !agrees_at_every_level(view(text).first(size));
        std::string const missing = std::string(before, 'a') + middle.substr(0, middle.size() - 1) + filler(0, 80);
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
      text += encoded(c);
    }
    if (n % 2 == 0 && !text.empty()) text[random() % text.size()] = static_cast<char>(random());
    if (n % 4 == 1 && !text.empty()) text.pop_back();
    verdict const whole = judge(view(text));
    for (simd_level const level : levels()) {
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
  for (int kind = 0; kind < 4; ++kind) {
    std::string const text = filler(kind, 320);
    for (std::size_t size = 0; size <= 300; ++size)
      for (std::byte* const at : {pages.first(size), pages.last(size)}) {
        copy_bytes(at, view(text).first(size));
        failures += !agrees_at_every_level(bytes_view{at, size});
      }
  }
  // Exact-size buffers at every alignment, for a sanitizer.
  for (std::size_t size = 0; size <= 300; ++size)
    for (std::size_t alignment = 0; alignment < 64; alignment += 3) {
      std::string const text = filler(static_cast<int>((size + alignment) % 4), size);
      exact const buffer{alignment, size};
      copy_bytes(buffer.data(), view(text).first(size));
      failures += !agrees_at_every_level(bytes_view{buffer.data(), size});
    }
  CHECK(failures == 0);
}
