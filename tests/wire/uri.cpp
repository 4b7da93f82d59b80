// SPDX-License-Identifier: BSL-1.0

#include "purews/wire/uri.hpp"

#include <string>

#include "support/catch.hpp"

using namespace purews;

static_assert(parse_uri("wss://h/p?q").target == "/p?q");
static_assert(parse_uri("ws://[::1]:8080/").server.host == "::1");
static_assert(noexcept(parse_uri(std::string_view())));

TEST_CASE("RFC 6455 3: ws: and wss: URIs are taken apart [K-09]") {
  struct row {
    char const* text;
    security transport;
    char const* host;
    char const* written;
    int port;
    char const* target;
  };
  constexpr auto plain = security::plain;
  constexpr auto tls = security::tls;
  for (row const& r : {
           row{"ws://example.com", plain, "example.com", "example.com", 80, ""},
           row{"wss://example.com/", tls, "example.com", "example.com", 443, "/"},
           row{"WSS://Example.COM:8443/Chat?a=b/c?d", tls, "Example.COM", "Example.COM", 8443, "/Chat?a=b/c?d"},
           row{"ws://h?q", plain, "h", "h", 80, "?q"},
           row{"ws://h:/x", plain, "h", "h", 80, "/x"},
           row{"ws://h:1", plain, "h", "h", 1, ""},
           row{"ws://h:65535/%20a//b", plain, "h", "h", 65535, "/%20a//b"},
           row{"ws://127.0.0.1:9001/a@b:c", plain, "127.0.0.1", "127.0.0.1", 9001, "/a@b:c"},
           row{"wss://[2001:db8::1]/x", tls, "2001:db8::1", "[2001:db8::1]", 443, "/x"},
           row{"ws://[::ffff:1.2.3.4]:80?x", plain, "::ffff:1.2.3.4", "[::ffff:1.2.3.4]", 80, "?x"},
           row{"ws://a_b.c~d-e", plain, "a_b.c~d-e", "a_b.c~d-e", 80, ""},
       }) {
    CAPTURE(r.text);
    uri const u = parse_uri(r.text);
    REQUIRE(u.valid());
    CHECK(u.transport == r.transport);
    CHECK(u.server.host == r.host);
    CHECK(u.server.written == r.written);
    CHECK(u.port() == r.port);
    CHECK(u.target == r.target);
  }
}

TEST_CASE("RFC 6455 3: what is not a plain ws: or wss: URI is refused with its reason [K-09]", "[hazard-58]") {
  struct row {
    std::string text;
    uri_fault fault;
  };
  using enum uri_fault;
  for (row const& r : {
           row{"", scheme}, row{"http://h", scheme}, row{"ws:/h", scheme}, row{"ws:h", scheme}, row{"//h", scheme},
           row{"wsx://h", scheme}, row{"://h", scheme}, row{"h:80", scheme},
           row{"ws://u@h", userinfo}, row{"ws://u:p@h/", userinfo}, row{"ws://@h", userinfo},
           row{"ws://", host}, row{"ws:///p", host}, row{"ws://:80/", host}, row{"ws://?q", host},
           row{"ws://[::1", host}, row{"ws://[]", host}, row{"ws://[::1]x", host}, row{"ws://::1/", host},
           row{"ws://[fe80::1%25eth0]/", host}, row{"ws://[v1.x]/", host}, row{"ws://a%20b", host},
           row{"ws://a,b", host}, row{"ws://h\\x", host}, row{"ws://[1.2.3.4]", host},
           row{"ws://h:0", port}, row{"ws://h:65536", port}, row{"ws://h:99999999999999999999", port},
           row{"ws://h:000080", port}, row{"ws://h:+80", port}, row{"ws://h:8a", port}, row{"ws://h:80:80", port},
           row{"ws://h/#f", fragment}, row{"ws://h#", fragment},
           row{"ws://h/a b", character}, row{" ws://h", character}, row{"ws://h/\r\nX: y", character},
           row{std::string("ws://h/\0", 8), character}, row{"ws://h/\x7F", character}, row{"ws://h/\t", character},
           row{"ws://h\xC3\xA4/", character}, row{"ws://h/\xE2\x82\xAC", character},
       }) {
    CAPTURE(r.text);
    CHECK(parse_uri(r.text).fault == r.fault);
    CHECK_FALSE(parse_uri(r.text).valid());
    CHECK_FALSE(message(r.fault).empty());
  }
}

TEST_CASE("RFC 3986 3.2.2: IPv4 and IPv6 addresses are recognised") {
  for (char const* const good : {"0.0.0.0", "127.0.0.1", "255.255.255.255"}) CHECK(is_ipv4(good));
  for (char const* const bad : {"", "1", "1.2.3", "1.2.3.", "1.2.3.4.", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1..2.3",
                                "a.b.c.d", "1.2.3.1000", ".1.2.3", "1x2.3.4", "1:2:3:4"}) {
    CAPTURE(bad);
    CHECK_FALSE(is_ipv4(bad));
  }
  for (char const* const good :
       {"::", "::1", "1::", "1:2:3:4:5:6:7:8", "1::8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1:2:3:4:5:6:1.2.3.4",
        "::1.2.3.4", "64:ff9b::1.2.3.4", "ABCD:ef01::", "2001:db8::1"}) {
    CAPTURE(good);
    CHECK(is_ipv6(good));
  }
  for (char const* const bad :
       {"", ":", ":::", "1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", "12345::", "g::", ":1", "1:", "::1:",
        "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:1.2.3.4", "::1.2.3", "1.2.3.4",
        "::1.2.3.4:1", "1:::2"}) {
    CAPTURE(bad);
    CHECK_FALSE(is_ipv6(bad));
  }
  CHECK(parse_authority("1.2.3.4:80").what == host_kind::ipv4);
  CHECK(parse_authority("[::1]:80").what == host_kind::ipv6);
  CHECK(parse_authority("h:80").what == host_kind::name);
}
