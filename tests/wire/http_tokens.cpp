// SPDX-License-Identifier: BSL-1.0

#include "purews/wire/http_tokens.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace purews;

namespace {

std::vector<std::string> elements(std::string_view value) {
  std::vector<std::string> found;
  list_reader list(value);
  for (auto item = list.next(); !item.empty(); item = list.next()) found.emplace_back(item);
  return found;
}

}  // namespace

static_assert(is_token("Sec-WebSocket-Key") && !is_token("") && !is_token("a b") && !is_token("a,b"));
static_assert(is_field_value("") && is_field_value("a\tb c") && !is_field_value("a\rb") && !is_field_value("a\x7F"));
static_assert(iequals("uPgRaDe", "Upgrade") && !iequals("upgrade", "upgrades") && !iequals("[", "{"));
static_assert(trim_ows(" \t a b\t ") == "a b" && trim_ows(" \t ").empty());
static_assert(istarts_with("SEC-websocket-x", "Sec-WebSocket-") && !istarts_with("Sec", "Sec-"));

TEST_CASE("RFC 9110 5.6.2: exactly 77 characters may stand in a token") {
  std::string const allowed =
      "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  REQUIRE(allowed.size() == 77);
  for (int c = 0; c < 256; ++c) {
    std::string const one(1, static_cast<char>(c));
    CAPTURE(c);
    CHECK(is_token(one) == (allowed.find(one) != std::string::npos));
    CHECK(is_token("a" + one) == is_token(one));
  }
}

TEST_CASE("RFC 9110 5.6.2: the name of a line ends at the first byte that is not of a token [H-53]") {
  for (std::size_t size = 0; size <= 40; ++size) {
    std::string const name(size, 'n');
    CHECK(field_name_size(name) == size);
    for (std::size_t at = 0; at < size; ++at)
      for (int c = 0; c < 256; ++c) {
        std::string text = name;
        text[at] = static_cast<char>(c);
        std::size_t const expected = is_token(std::string_view(text).substr(at, 1)) ? size : at;
        if (field_name_size(text) != expected) FAIL("byte " << c << " at " << at << " of " << size);
      }
  }
}

TEST_CASE("RFC 9110 5.5: a value has no control character but the tab, wherever it stands [H-53, H-54]") {
  for (std::size_t size = 1; size <= 70; size += size < 26 ? 1 : 11)
    for (std::size_t at = 0; at < size; ++at)
      for (int c = 0; c < 256; ++c) {
        std::string text(size, 'v');
        text[at] = static_cast<char>(c);
        bool const allowed = c == '\t' || (c >= 0x20 && c != 0x7F);
        if (is_field_value(text) != allowed) FAIL("byte " << c << " at " << at << " of " << size);
      }
  // Neighbours must not hide one another from the wide comparison.
  for (int a = 0; a < 256; ++a)
    for (int b = 0; b < 256; ++b) {
      std::string text(8, 'v');
      text[3] = static_cast<char>(a);
      text[4] = static_cast<char>(b);
      auto const ok = [](int c) { return c == '\t' || (c >= 0x20 && c != 0x7F); };
      if (is_field_value(text) != (ok(a) && ok(b))) FAIL("bytes " << a << ", " << b);
    }
}

TEST_CASE("RFC 9110 5.6.1: a list is cut at commas, trimmed, and empty elements are skipped") {
  using strings = std::vector<std::string>;
  CHECK(elements("").empty());
  CHECK(elements(" \t , ,\t").empty());
  CHECK(elements("a") == strings{"a"});
  CHECK(elements("keep-alive, uPgRaDe") == strings{"keep-alive", "uPgRaDe"});
  CHECK(elements(",a\t,, b c ,") == strings{"a", "b c"});
}

TEST_CASE("a decimal number has digits only and stays below its bound") {
  CHECK(parse_decimal("0", 0).valid);
  CHECK(parse_decimal("18446744073709551615", UINT64_MAX).value == UINT64_MAX);
  CHECK_FALSE(parse_decimal("18446744073709551616", UINT64_MAX).valid);
  CHECK(parse_decimal("255", 255).value == 255);
  for (char const* const text : {"", "+5", "-1", " 5", "5 ", "5,5", "0x9", "9.0", "256", "1000000000000000000000"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_decimal(text, 255).valid);
  }
}

TEST_CASE("a list of a megabyte of white space is read in one pass", "[hazard-52]") {
  // Quadratic code would need 10^12 steps here.
  std::string const spaces = "b" + std::string(1 << 20, ' ') + "x";
  CHECK(elements(spaces) == std::vector<std::string>{spaces});
  CHECK(elements(std::string(1 << 20, ',')).empty());
  std::string many;
  for (int i = 0; i < (1 << 18); ++i) many += "a ,\t";
  CHECK(elements(many).size() == 1 << 18);
}
