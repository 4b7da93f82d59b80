// SPDX-License-Identifier: BSL-1.0
#include "chat/admission.hpp"

#include <arpa/inet.h>

#include "support/catch.hpp"

using namespace chat;

namespace {

constexpr std::int64_t second = 1'000'000;

ip at(std::string_view text) {
  auto const parsed = parse_ip(text);
  if (!parsed) FAIL(text << " is no address");
  return *parsed;
}

network net(std::string const& text) { return std::get<network>(parse_network(text)); }

/// Lets somebody in, or says when to come again.
std::int64_t enter(admission& by, std::vector<admission::place>& places, std::string_view who, std::int64_t now_us) {
  auto got = by.enter(at(who), now_us);
  if (auto const* const no = std::get_if<admission::refused>(&got)) return no->retry_s;
  places.push_back(std::get<admission::place>(std::move(got)));
  return 0;
}

address_limits const any{.connections = 0, .arrivals = {.per_second = 0}};

}  // namespace

TEST_CASE("chat: one address has 64 connections, and one more when one of them has gone") {
  admission by({.arrivals = {.per_second = 0}}, {});
  std::vector<admission::place> places;
  for (int i = 0; i < 64; ++i) REQUIRE(enter(by, places, "192.0.2.1", 0) == 0);
  CHECK(enter(by, places, "192.0.2.1", 0) == 10);
  CHECK(enter(by, places, "::ffff:192.0.2.1", 0) == 10);
  CHECK(enter(by, places, "192.0.2.2", 0) == 0);
  places.erase(places.begin());
  CHECK(enter(by, places, "192.0.2.1", 0) == 0);
  CHECK(enter(by, places, "192.0.2.1", 0) == 10);
}

TEST_CASE("chat: the addresses of one IPv6 customer count together") {
  admission by({.connections = 1, .arrivals = {.per_second = 0}}, {});
  std::vector<admission::place> places;
  CHECK(enter(by, places, "2001:db8:1:2::1", 0) == 0);
  CHECK(enter(by, places, "2001:db8:1:2:ffff::7", 0) == 10);
  CHECK(enter(by, places, "2001:db8:1:3::1", 0) == 0);
  CHECK(enter(by, places, "::1", 0) == 0);
  CHECK(enter(by, places, "127.0.0.1", 0) == 0);
  CHECK(enter(by, places, "127.0.0.2", 0) == 0);
}

TEST_CASE("chat: one address comes ten times a second, after a burst of thirty") {
  admission by({.connections = 0}, {});
  admission free(any, {});
  std::vector<admission::place> places;
  for (int i = 0; i < 30; ++i) REQUIRE(enter(by, places, "192.0.2.1", 0) == 0);
  CHECK(enter(by, places, "192.0.2.1", 0) == 1);
  CHECK(enter(by, places, "192.0.2.2", 0) == 0);
  CHECK(enter(by, places, "192.0.2.1", second / 10 - 1) == 1);
  CHECK(enter(by, places, "192.0.2.1", second / 10) == 0);
  CHECK(enter(by, places, "192.0.2.1", second / 10) == 1);  // who was refused has not used anything up
  int let_in = 0;
  for (auto now = second; now < 11 * second; now += second / 1000)
    if (enter(by, places, "192.0.2.1", now) == 0) ++let_in;
  CHECK(let_in == 9 + 99);  // what was left of the first second, and ten a second
  for (int i = 0; i < 1000; ++i) REQUIRE(enter(free, places, "192.0.2.1", 0) == 0);
}

TEST_CASE("chat: addresses without connections are forgotten, so that many cost nothing") {
  admission by({}, {});
  std::vector<admission::place> places;
  REQUIRE(enter(by, places, "192.0.2.1", 0) == 0);
  for (unsigned i = 0; i < 100'000; ++i) {
    ip who = at("2001:db8::");
    for (std::size_t byte = 0; byte < 4; ++byte) who.bytes[4 + byte] = static_cast<std::uint8_t>(i >> (8 * byte));
    static_cast<void>(by.enter(who, i * 1000));  // 1,000 a second, of which each counts for 100 ms
    if (by.known() > 300) FAIL(by.known() << " addresses after " << i);
  }
  for (int i = 0; i < 63; ++i) REQUIRE(enter(by, places, "192.0.2.1", 100 * second + i * second) == 0);
  CHECK(enter(by, places, "192.0.2.1", 1000 * second) == 10);  // who has one is not forgotten
}

TEST_CASE("chat: behind trusted proxies the last address counts that is none of them") {
  admission const by(any, {net("10.0.0.0/8"), net("2001:db8:ffff::/48")});
  auto const client = [&by](std::string_view peer, std::vector<std::string_view> const& forwarded) {
    return by.client_of(at(peer), forwarded);
  };
  CHECK(client("192.0.2.1", {}) == at("192.0.2.1"));
  CHECK(client("192.0.2.1", {"198.51.100.7"}) == at("192.0.2.1"));  // who is no proxy says what it likes
  CHECK(client("10.0.0.1", {"198.51.100.7"}) == at("198.51.100.7"));
  CHECK(client("::ffff:10.0.0.1", {"198.51.100.7"}) == at("198.51.100.7"));
  CHECK(client("10.0.0.1", {"1.1.1.1", "2.2.2.2", "198.51.100.7"}) == at("198.51.100.7"));
  CHECK(client("10.0.0.1", {"1.1.1.1", "198.51.100.7", "10.9.9.9", "2001:db8:ffff::1"}) == at("198.51.100.7"));
  CHECK(client("10.0.0.1", {"198.51.100.7:4711"}) == at("198.51.100.7"));
  CHECK(client("10.0.0.1", {"[2001:db8::1]:4711"}) == at("2001:db8::1"));
  CHECK(client("10.0.0.1", {"10.0.0.2"}) == at("10.0.0.2"));
  CHECK(client("10.0.0.1", {}) == at("10.0.0.1"));
  CHECK(client("10.0.0.1", {"198.51.100.7", "unknown"}) == at("10.0.0.1"));
  CHECK(client("10.0.0.1", {"198.51.100.7", "_hidden", "10.0.0.2"}) == at("10.0.0.2"));
  CHECK(admission(any, {}).client_of(at("127.0.0.1"), {"198.51.100.7"}) == at("127.0.0.1"));
}

TEST_CASE("chat: an address is read as proxies write it, and nothing else is one") {
  CHECK(at("192.0.2.1") == at("::ffff:192.0.2.1"));
  CHECK(at("[::1]") == at("::1"));
  CHECK(at("[::1]:80") == at("::1"));
  for (auto const* const text :
       {"", " ", "192.0.2", "192.0.2.256", "0x7f.0.0.1", "192.0.2.01x", "192.0.2.1 ", "::1::", "[", "[]", "[::1", "]",
        ":", ":80", "fe80::1%eth0", "localhost", "12345::", "1.2.3.4:5:6"}) {
    INFO(text);
    CHECK_FALSE(parse_ip(text).has_value());
  }
  CHECK(at("192.0.2.1").is_v4());
  CHECK_FALSE(at("::1").is_v4());
  CHECK(at("2001:db8:ffff::1").first_bits(33) == at("2001:db8:8000::"));
  CHECK(at("2001:db8::1").first_bits(0) == at("::"));
  CHECK(at("2001:db8::1").first_bits(128) == at("2001:db8::1"));
}

TEST_CASE("chat: the address of a socket is the same as its text's") {
  purews::socket_address local;
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_addr.s_addr = htonl(0xC0000201);
  std::memcpy(&local.storage, &v4, sizeof v4);
  CHECK(ip_of(local) == at("192.0.2.1"));
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_addr = in6addr_loopback;
  std::memcpy(&local.storage, &v6, sizeof v6);
  CHECK(ip_of(local) == at("::1"));
  local.storage.ss_family = AF_UNIX;
  CHECK_FALSE(ip_of(local).has_value());
}

TEST_CASE("chat: a network that cannot be meant is refused") {
  CHECK(net("10.0.0.0/8").contains(at("10.255.0.1")));
  CHECK_FALSE(net("10.0.0.0/8").contains(at("11.0.0.1")));
  CHECK(net("192.0.2.1").contains(at("192.0.2.1")));
  CHECK_FALSE(net("192.0.2.1").contains(at("192.0.2.2")));
  CHECK(net("0.0.0.0/0").contains(at("192.0.2.1")));
  CHECK_FALSE(net("0.0.0.0/0").contains(at("2001:db8::1")));
  CHECK(net("::1").contains(at("::1")));
  CHECK(net("2001:db8::/32").contains(at("2001:db8:7::1")));
  auto const flaw = [](std::string const& text) {
    auto const parsed = parse_network(text);
    return std::holds_alternative<network>(parsed) ? "none" : std::get<std::string>(parsed);
  };
  for (auto const* const text : {"", "proxy", "10.0.0", "10.0.0.1:80", "[::1]", "[::1]/128", "::ffff:10.0.0.0/104"})
    CHECK(flaw(text) == "'" + std::string(text) + "' is no address of IPv4 or IPv6");
  for (auto const* const text :
       {"10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8 ", "10.0.0.0/0x8", "10.0.0.0/8/8"})
    CHECK(flaw(text) == "'" + std::string(text) + "' has no number of bits from 0 to 32 behind its /");
  CHECK(flaw("::/129") == "'::/129' has no number of bits from 0 to 128 behind its /");
  CHECK(flaw("10.0.0.1/8") == "'10.0.0.1/8' is an address and a network at once: write the network's first address");
}
