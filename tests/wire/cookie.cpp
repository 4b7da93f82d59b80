// SPDX-License-Identifier: BSL-1.0

#include "purews/wire/cookie.hpp"

#include <string>

#include "support/catch.hpp"

using namespace purews;

namespace {

/// The value of the cookie `name` in a request with these header lines; "-" if there is none.
std::string found(std::string const& lines, std::string_view name) {
  std::string const text = "GET / HTTP/1.1\r\n" + lines + "\r\n";
  http_head head(head_kind::request);
  REQUIRE(head.parse(as_bytes(text), {}) == http_progress::done);
  std::string_view const value = cookie(http_request(head, as_bytes(text)), name);
  return value.data() == nullptr ? "-" : std::string(value);
}

}  // namespace

TEST_CASE("RFC 6265 5.4: a cookie is found by its name, as the browser sent it") {
  std::string const line = "Cookie: SID=31d4d96e407aad42; lang=en-US; empty=; quoted=\"a b\"; eq=a=b==; pct=%20+\r\n";
  CHECK(found(line, "SID") == "31d4d96e407aad42");
  CHECK(found(line, "lang") == "en-US");
  CHECK(found(line, "empty").empty());
  CHECK(found(line, "quoted") == "\"a b\"");
  CHECK(found(line, "eq") == "a=b==");
  CHECK(found(line, "pct") == "%20+");
  for (char const* const absent : {"sid", "SI", "SID=", "ID", "", "en-US", " lang", "SID=31d4d96e407aad42"})
    CHECK(found(line, absent) == "-");
  CHECK(found("", "a") == "-");
  CHECK(found("Set-Cookie: a=b\r\n", "a") == "-");
}

TEST_CASE("RFC 6265 4.2.1: the first of several cookies counts, in any number of lines and whatever stands between") {
  CHECK(found("Cookie: a=1; a=2\r\nCookie: a=3\r\n", "a") == "1");
  CHECK(found("cookie: b=1\r\nX: a=0\r\nCOOKIE: \t a=2\t;c=3\r\n", "a") == "2");
  CHECK(found("cookie: b=1\r\nX: a=0\r\nCOOKIE: \t a=2\t;c=3\r\n", "c") == "3");
  CHECK(found("Cookie: ;;a; =x; a=1;\r\n", "a") == "1");  // "a" alone has no name
  CHECK(found("Cookie: ;;b; =x;\r\n", "b") == "-");
  CHECK(found("Cookie: b=1, a=2\r\n", "b") == "1, a=2");  // commas separate nothing
  CHECK(found("Cookie:\r\n", "a") == "-");
  CHECK(found("Cookie: a=\xC3\xA4\r\n", "a") == "\xC3\xA4");
}

TEST_CASE("cookies are read in one pass", "[hazard-52]") {
  std::string line = "Cookie: ";
  for (int i = 0; i < 2000; ++i) line += "a; ";
  CHECK(found(line + "b=1\r\n", "b") == "1");
}
