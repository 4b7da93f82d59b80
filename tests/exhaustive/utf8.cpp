// SPDX-License-Identifier: BSL-1.0

// All code points and all short sequences of bytes against table 3-7 of the Unicode standard: as text of messages, and
// at every level and every split of the validator.
#include "purews/wire/utf8.hpp"

#include "purews/protocol/connection.hpp"
#include "support/catch.hpp"
#include "support/machine_driver.hpp"
#include "support/simd_levels.hpp"
#include "support/utf8_oracle.hpp"

using namespace purews;

namespace {

bytes_view view(std::string const& text) { return as_bytes(text); }

// All scalar values in order.
std::string all_scalars() {
  std::string all;
  for (std::uint32_t c = 0; c <= 0x10FFFF; ++c)
    if (c < 0xD800 || c > 0xDFFF) all += test::utf8_encoded(c);
  return all;
}

// Whether the validator, fed `text` in pieces, refuses the piece that has the first fault, and no piece before it, in
// all the ways of cutting it: bit n of a way stands for a cut behind byte n.
bool agrees_in_every_split(bytes_view text, test::utf8_verdict expected) {
  for (unsigned way = 0; way < 1U << (text.size() - 1); ++way) {
    utf8_validator v;
    std::size_t from = 0;
    for (std::size_t end = 1; end <= text.size(); ++end) {
      if (end != text.size() && (way >> (end - 1) & 1U) == 0) continue;
      if (v.feed(text.subspan(from, end - from)) != (expected.fault >= end)) return false;
      from = end;
    }
    if (v.finished() != expected.whole) return false;
  }
  return true;
}

// A sequence behind and before a long text, so that the vectors meet it. They begin at 40 bytes.
class surrounded {
 public:
  surrounded(std::size_t unit, std::size_t before) : text_(test::utf8_filler(unit, before)), at_(text_.size()) {
    text_ += "0000" + test::utf8_filler(1 + unit % 4, 32);
  }
  char& operator[](std::size_t i) { return text_[at_ + i]; }

  // Whether all levels agree with the table on the text up to the end of the sequence's first `size` bytes.
  bool agrees(std::size_t size, test::utf8_verdict expected) const {
    return agrees_on(view(text_).first(at_ + size), expected.fault == size, expected.whole);
  }
  // Whether they agree on all of the text, in which nothing that is cut off is continued.
  bool agrees_in_all(test::utf8_verdict expected) const {
    return agrees_on(view(text_), expected.whole, expected.whole);
  }

 private:
  // The portable level takes byte after byte: what is before the sequence tells nothing about it.
  bool agrees_on(bytes_view text, bool good, bool whole) const {
    for (simd_level const level : test::simd_levels()) {
      utf8_validator v;
      bytes_view const seen = level == simd_level::portable ? text.subspan(at_) : text;
      if (v.feed_at(level, seen) != good || v.finished() != whole) return false;
    }
    return true;
  }

  std::string text_;
  std::size_t at_;
};

}  // namespace

TEST_CASE("8.1 U-01: every scalar value is valid UTF-8, a byte at a time and whole") {
  std::size_t failures = 0, scalars = 0;
  for (std::uint32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    ++scalars;
    std::string const text = test::utf8_encoded(c);
    failures += !agrees_in_every_split(view(text), {text.size(), true});
    failures += !is_valid_utf8(view(text));
  }
  CHECK(scalars == 1'112'064);
  CHECK(failures == 0);
  std::string const all = all_scalars();
  for (std::size_t shift = 0; shift < 8; ++shift) {
    std::string const text = std::string(shift * 5, 'a') + all;
    for (simd_level const level : test::simd_levels()) {
      utf8_validator v;
      CHECK(v.feed_at(level, view(text)));
      CHECK(v.finished());
    }
  }
}

TEST_CASE("5.6 U-01: every scalar value goes through a connection, both ways") {
  std::string const all = all_scalars();
  options const with{.limit = {.message_bytes_max = 8U << 20, .queue_bytes_max = 64U << 20},
                     .entropy = [](bytes out) noexcept { std::memset(out.data(), 0xA5, out.size()); }};
  for (role const own : {role::server, role::client})
    for (std::size_t const step : {all.size(), std::size_t{100'003}}) {
      connection from(own, with, instant{1}), to(own == role::server ? role::client : role::server, with, instant{1});
      test::machine_driver<connection> sends(from), receives(to);
      for (std::size_t at = 0; at < all.size(); at += step) {
        auto const position = at + step < all.size() ? fragment::more : fragment::last;
        REQUIRE(from.send_fragment(opcode::text, view(all.substr(at, step)), position) == refusal::none);
      }
      sends.flush();
      // In pieces that cut code points of every length.
      for (std::size_t at = 0; at < sends.output.size(); at += 65'533)
        receives.receive(std::span(sends.output).subspan(at, std::min<std::size_t>(65'533, sends.output.size() - at)));
      REQUIRE(receives.events == std::vector<std::string>{"message text " + test::describe(view(all))});
    }
}

TEST_CASE("8.1 U-02 U-03: all sequences of one, two and three bytes, at every split and every level") {
  std::size_t failures = 0, sequences = 0;
  std::byte text[3];
  for (unsigned a = 0; a < 256; ++a)
    for (unsigned b = 0; b < 256; ++b) {
      surrounded around(1 + b % 4, 40 + (a + b) % 32);
      around[0] = static_cast<char>(a);
      around[1] = static_cast<char>(b);
      text[0] = static_cast<std::byte>(a);
      text[1] = static_cast<std::byte>(b);
      test::utf8_verdict const one = test::judge_utf8({text, 1}), two = test::judge_utf8({text, 2});
      failures += !around.agrees(1, one) || !around.agrees(2, two);
      failures += !agrees_in_every_split({text, 1}, one) || !agrees_in_every_split({text, 2}, two);
      for (unsigned c = 0; c < 256; ++c, ++sequences) {
        around[2] = static_cast<char>(c);
        text[2] = static_cast<std::byte>(c);
        test::utf8_verdict const three = test::judge_utf8({text, 3});
        failures += !agrees_in_every_split({text, 3}, three);
        failures += !around.agrees(3, three) || !around.agrees_in_all(three);
      }
    }
  CHECK(sequences == 1U << 24);
  CHECK(failures == 0);
}

TEST_CASE("8.1 U-02 U-03: sequences of four bytes at every edge of the table, at every split and every level") {
  std::size_t failures = 0;
  std::byte text[4];
  for (unsigned a = 0xE0; a < 256; ++a)
    for (unsigned b = 0; b < 256; ++b) {
      surrounded around(1 + b % 4, 40 + (a + b) % 32);
      around[0] = static_cast<char>(a);
      around[1] = static_cast<char>(b);
      text[0] = static_cast<std::byte>(a);
      text[1] = static_cast<std::byte>(b);
      for (unsigned char const c : test::utf8_edges)
        for (unsigned char const d : test::utf8_edges) {
          around[2] = static_cast<char>(c);
          around[3] = static_cast<char>(d);
          text[2] = std::byte{c};
          text[3] = std::byte{d};
          test::utf8_verdict const four = test::judge_utf8({text, 4});
          failures += !agrees_in_every_split({text, 4}, four);
          failures += !around.agrees(4, four) || !around.agrees_in_all(four);
        }
    }
  CHECK(failures == 0);
}
