// SPDX-License-Identifier: BSL-1.0

#include "purews/protocol/origin.hpp"

#include <string>

#include "support/catch.hpp"

using namespace purews;

namespace {

/// Asks `f` about a request with these header lines.
template <class F>
bool ask(std::string const& lines, F f) {
  std::string const text = "GET / HTTP/1.1\r\n" + lines + "\r\n";
  http_head head(head_kind::request);
  REQUIRE(head.parse(as_bytes(text), {}) == http_progress::done);
  return f(http_request(head, as_bytes(text)));
}

bool is_same(std::string const& origin, std::string const& host, origin_scheme scheme = origin_scheme::http_or_https) {
  return ask("Host: " + host + "\r\nOrigin: " + origin + "\r\n",
             [&](http_request const& request) { return same_origin(request, scheme); });
}

bool is_allowed(std::string const& lines) {
  return ask(lines, [](http_request const& request) {
    std::string_view const allowed[] = {"not an origin", "null", "https://good.com", "http://dev.local:8080",
                                        "https://xn--mnchen-3ya.de", "app://local"};
    return origin_allowed(request, allowed);
  });
}

}  // namespace

static_assert(parse_origin("https://h:8443").port() == 8443 && parse_origin("http://h").port() == 80);
static_assert(!parse_origin("null").valid() && !parse_origin("https://h/").valid());

TEST_CASE("H-34: an Origin passes if scheme, host and port are exactly those of an allowed one",
          "[hazard-69][hazard-70]") {
  for (char const* const good :
       {"https://good.com", "https://good.com:443", "HTTPS://GOOD.com", "http://dev.local:8080",
        "https://xn--mnchen-3ya.de", "app://local"}) {
    CAPTURE(good);
    CHECK(is_allowed(std::string("Cookie: a\r\nOrigin: ") + good + "\r\n"));
  }
  for (char const* const bad :
       {"null", "", "https://good.com.evil", "https://evil-good.com", "https://good.co", "http://good.com",
        "https://good.com:8443", "https://good.com/", "https://good.com/x", "https://user@good.com",
        "https://good.com@evil", "https://good.com?", "https://good.com#", "good.com", "//good.com", "https:good.com",
        "http://dev.local", "https://dev.local:8080", "https://m\xC3\xBCnchen.de", "https://good.com https://evil",
        "https://good.com, https://evil", "https://good.com:", "https://.good.com", "wss://good.com",
        "not an origin"}) {
    CAPTURE(bad);
    bool const empty_port = std::string_view(bad).ends_with(':');  // RFC 3986: the same as no port
    CHECK(is_allowed(std::string("Origin: ") + bad + "\r\n") == empty_port);
  }
  CHECK_FALSE(is_allowed("Origin: https://good.com\r\nOrigin: https://good.com\r\n"));
  CHECK_FALSE(is_allowed("Origin: https://evil\r\nOrigin: https://good.com\r\n"));
}

TEST_CASE("6454 6.2: what is not an origin is recognised when a configuration is checked", "[hazard-69]") {
  for (char const* const good : {"https://good.com", "http://[::1]:8080", "app://local"})
    CHECK(parse_origin(good).valid());
  for (char const* const bad : {"null", "", "good.com", "https://good.com/", "https://user@good.com", "https://",
                                "ht tp://good.com", "https://good.com:0"})
    CHECK_FALSE(parse_origin(bad).valid());
  CHECK(parse_origin("app://local").port() == 0);
}

TEST_CASE("H-34: a request without Origin passes only without a cookie", "[hazard-69]") {
  CHECK(is_allowed(""));
  CHECK_FALSE(is_allowed("Cookie: session=1\r\n"));
  CHECK(ask("Host: h\r\n", [](http_request const& request) { return same_origin(request); }));
  CHECK_FALSE(ask("Host: h\r\nCookie: a=b\r\n", [](http_request const& request) { return same_origin(request); }));
}

TEST_CASE("H-34: by default a page passes if it came from the host and port that it asks", "[hazard-69]") {
  CHECK(is_same("http://h", "h"));
  CHECK(is_same("https://h", "h"));
  CHECK(is_same("https://H:443", "h"));
  CHECK(is_same("http://h", "H:80"));
  CHECK(is_same("http://127.0.0.1:8080", "127.0.0.1:8080"));
  CHECK(is_same("http://[::1]:8080", "[::1]:8080"));
  CHECK_FALSE(is_same("http://h:8080", "h"));
  CHECK_FALSE(is_same("http://h", "h:8080"));
  CHECK_FALSE(is_same("http://h", "h:443"));
  CHECK_FALSE(is_same("https://h.evil", "h"));
  CHECK_FALSE(is_same("http://localhost", "127.0.0.1"));
  CHECK_FALSE(is_same("null", "null"));
  CHECK_FALSE(is_same("ftp://h", "h"));
  CHECK_FALSE(is_same("https://h/", "h"));
  for (char const* const no_host : {"", "h:0", "h h", "user@h"}) CHECK_FALSE(is_same("http://h", no_host));
  CHECK_FALSE(ask("Host: h\r\nOrigin: http://h\r\nOrigin: http://h\r\n",
                  [](http_request const& request) { return same_origin(request); }));
}

TEST_CASE("H-34: with our own scheme known, a page over http: does not reach a server over https:", "[hazard-70]") {
  CHECK(is_same("https://h", "h", origin_scheme::https));
  CHECK_FALSE(is_same("http://h", "h", origin_scheme::https));
  CHECK_FALSE(is_same("http://h:443", "h:443", origin_scheme::https));
  CHECK(is_same("http://h", "h", origin_scheme::http));
  CHECK_FALSE(is_same("https://h:80", "h:80", origin_scheme::http));
}
