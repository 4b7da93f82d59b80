// SPDX-License-Identifier: BSL-1.0
#include "endpoint_harness.hpp"

#include <set>

#include "purews/wire/cookie.hpp"
#include "purews/wire/query.hpp"

using namespace purews;
using test::bench;
using test::birth;
using test::frame_text;
using test::lines;
using test::outcome;

// The rules of the opening handshake, each as bytes in and bytes out of an endpoint.

namespace {

constexpr role server = role::server;
constexpr role client = role::client;
std::string const upgrade{test::upgrade_request};
std::string const switched{test::switching};
options const sample{.entropy = test::sample_entropy};

/// The RFC's request with one line replaced, or added if there is none that begins so.
std::string with(std::string_view line, std::string_view replacement) {
  std::string text = upgrade;
  std::size_t const at = line.empty() ? std::string::npos : text.find(line);
  if (at == std::string::npos) return text.insert(text.size() - 2, replacement);
  return text.replace(at, text.find('\n', at) + 1 - at, replacement);
}

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + part.size())) ++n;
  return n;
}

test::acting_endpoint::action const accepting = [](test::acting_endpoint& e, event const& seen) {
  if (seen.what == kind::request) CHECK((e.wants_upgrade() ? e.accept() : e.answer({.status = 404})) == refusal::none);
};

/// One row of a table of refusals.
struct refused {
  char const* id;
  int status;
  std::string request;
};

std::string const bad_keys[] = {"", "dGhlIHNhbXBsZSBub25j", "dGhlIHNhbXBsZSBub25jZQo=", "dGhlIHNhbXBsZSBub25j!Q==",
                                "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBs ZSBub25jZ==",
                                "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ=="};

std::vector<refused> all_refused() {
  std::string const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  std::vector<refused> rows = {
      {"H-02", 426, with("Upgrade:", "Upgrade: websocket/13\r\n")},
      {"H-03", 426, with("Upgrade:", "")},
      {"H-03", 426, with("Upgrade:", "Upgrade: foo\r\n")},
      {"H-03", 426, with("Connection:", "")},
      {"H-03", 426, with("Connection:", "Connection: keep-alive\r\n")},
      {"H-04", 400, with("Host:", "")},
      {"H-04", 400, with("Host:", "Host:\r\n")},
      {"H-04", 400, with("Host:", "Host: a\r\nHost: a\r\n")},
      {"H-04", 400, with("Host:", "Host: a b\r\n")},
      {"H-05", 405, "POST" + upgrade.substr(3)},
      {"H-05", 405, "get" + upgrade.substr(3)},
      {"H-06", 400, with("GET", "GET /chat HTTP/1.0\r\n")},
      {"H-06", 505, with("GET", "GET /chat HTTP/2.0\r\n")},
      {"H-06", 400, with("GET", "GET /chat HTTP/1.1 \r\n")},
      {"H-07", 400, with("GET", "GET * HTTP/1.1\r\n")},
      {"H-07", 400, with("GET", "GET server.example.com:80 HTTP/1.1\r\n")},
      {"H-07", 400, with("GET", "GET /chat#x HTTP/1.1\r\n")},
      {"H-20", 400, with("Sec-WebSocket-Key", "")},
      {"H-20", 400, with("Sec-WebSocket-Key", key + key)},
      {"H-30", 400, with("Sec-WebSocket-Version", "")},
      {"H-31", 400,
       with("Sec-WebSocket-Key", "Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\nSec-WebSocket-Key2: 1 .\r\n")},
      {"H-33", 400, with("", "Sec-WebSocket-Protocol: chat\r\n")},
      {"H-40", 400, with("", "Sec-WebSocket-Extensions: a\r\nSec-WebSocket-Extensions: b c\r\n")},
      {"H-51", 400, with("", "Transfer-Encoding: chunked\r\n")},
      {"H-51", 400, with("", "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n")},
      {"H-53", 400, with("Origin", "Origin: a\n")},
      {"H-53", 400, with("Origin", "Origin: a\rb\r\n")},
      {"H-53", 400, with("Origin", "Origin: a\r\n b\r\n")},
      {"H-53", 400, with("Origin", "Origin : a\r\n")},
      {"H-53", 400, with("Host", " Host: a\r\n")},
      {"H-53", 400, with("Origin", ": a\r\n")},
      {"H-53", 400, with("Origin", std::string("Origin: \0\r\n", 11))},
      {"H-54", 400, with("Origin", "Or\xC3\xA4gin: a\r\n")},
      {"H-55", 400, "\r\n\r\n" + upgrade},
  };
  for (std::string const& bad : bad_keys)
    rows.push_back({"H-20", 400, with("Sec-WebSocket-Key", "Sec-WebSocket-Key: " + bad + "\r\n")});
  for (char const* const bad : {"0", "7", "8", "12", "14", "255", "013", "13,8"})
    rows.push_back({"H-30", 426, with("Sec-WebSocket-Version", "Sec-WebSocket-Version: " + std::string(bad) + "\r\n")});
  rows.push_back({"H-30", 426, with("", "Sec-WebSocket-Version: 13\r\n")});
  for (char const* const bad : {"5", "+5", "5,5", "5\r\nContent-Length: 5", "0\r\nContent-Length: 0"})
    rows.push_back({"H-50", 400, with("", "Content-Length: " + std::string(bad) + "\r\n")});
  return rows;
}

}  // namespace

TEST_CASE("4.2.1: every refusal of an upgrade has its status, closes, and leaves what follows unanswered [H-02, H-03, "
          "H-04, H-05, H-06, H-07, H-20, H-30, H-31, H-33, H-40, H-50, H-51, H-53, H-54, H-55, H-56]",
          "[hazard-20][hazard-50][hazard-51][hazard-60][hazard-61]") {
  for (refused const& row : all_refused()) {
    INFO(row.id << "\n" << row.request);
    std::string const input = row.request + upgrade;
    outcome const got = test::feed(server, {}, accepting, input, {input.size()}, {});
    std::vector<std::size_t> every;
    for (std::size_t i = 1; i <= input.size(); ++i) every.push_back(i);
    CHECK(test::feed(server, {}, accepting, input, every, {}) == got);
    std::size_t const body = got.output.find("\r\n\r\n") + 4;
    std::string const answer = got.output.substr(0, body);
    CHECK(answer.starts_with("HTTP/1.1 " + std::to_string(row.status) + " "));
    CHECK(got.events.size() == 1);
    CHECK(got.transport == transport_action::shut_write);
    // One answer, which says that it is the last one.
    CHECK(count(got.output, "HTTP/1.1 " + std::to_string(row.status)) == 1);
    CHECK(count(answer, "\r\nConnection: ") == 1);
    CHECK(count(answer, row.status == 426 ? "\r\nConnection: Upgrade, close\r\n" : "\r\nConnection: close\r\n") == 1);
    CHECK(count(answer, "\r\nUpgrade: websocket\r\n") == (row.status == 426 ? 1 : 0));
    CHECK(count(answer, "\r\nAllow: GET\r\n") == (row.status == 405 ? 1 : 0));
    bool const names_version = row.status == 426 || std::string_view(row.id) == "H-30";
    CHECK(count(answer, "\r\nSec-WebSocket-Version: 13\r\n") == (names_version ? 1 : 0));
    CHECK(count(answer, "Sec-WebSocket-Version") == count(answer, "\r\nSec-WebSocket-Version: 13\r\n"));
    CHECK(count(answer, "Sec-WebSocket-Accept") == 0);
    // The body is one sentence, and nothing follows it.
    CHECK(count(answer, "\r\nContent-Length: " + std::to_string(got.output.size() - body) + "\r\n") == 1);
    CHECK(count(got.output, "\r\n\r\n") == 1);
  }
}

TEST_CASE("4.2.1: what is only unusual is accepted [H-01, H-02, H-06, H-07, H-21, H-41, H-50, H-54, H-55]") {
  for (std::string const& request :
       {with("Connection:", "cOnNeCtIoN: keep-alive\r\nConnection:\t, uPgRaDe\t\r\n"),
        with("Upgrade:", "UPGRADE: foo, WebSocket\r\n"), with("GET", "GET /chat HTTP/1.2\r\n"),
        with("GET", "GET http://server.example.com/chat HTTP/1.1\r\n"),
        with("", "Sec-WebSocket-Extensions: x-unknown; a=1, y\r\nSec-WebSocket-Extensions: z\r\n"),
        with("", "Content-Length: 0\r\n"), with("", "X: \xFF\x80 \t\xC3\xA4\r\n"), "\r\n" + upgrade}) {
    INFO(request);
    outcome const got = test::feed_every_way(server, {}, accepting, request);
    CHECK(got.events == lines{"request ", "open "});
    CHECK(got.output == switched);  // nothing of an unknown extension in it
  }
  std::string const odd = with("Sec-WebSocket-Key", "Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEC==\r\n");
  CHECK(test::feed(server, {}, accepting, odd, {odd.size()}, {}).output.find(
            "\r\nSec-WebSocket-Accept: OfS0wDaT5NoxF2gqm7Zj2YtetzM=\r\n") != std::string::npos);
}

TEST_CASE("9110 5.5: nothing that a peer wrote is in the answer to a faulty request [H-54]") {
  for (refused const& row : all_refused()) {
    std::string request = row.request;
    for (std::size_t at = request.find("Origin: http"); at != request.npos; at = request.npos)
      request.insert(at + 8, "\xFF\x1B[31mmark");
    outcome const got = test::feed(server, {}, accepting, request, {request.size()}, {});
    CHECK(got.output.find("mark") == std::string::npos);
    for (char const c : got.output) CHECK(((c >= 0x20 && c < 0x7F) || c == '\r' || c == '\n'));
  }
}

TEST_CASE("policy: time that passes before the first byte counts in the deadline of the handshake [H-61, H-62]",
          "[hazard-75]") {
  // What stalls below, such as TLS, gives the endpoint its bytes late.
  bench b(server, {});
  b.loop.advance(milliseconds(4900));
  b.receive(upgrade.substr(0, 30));
  CHECK(b.machine.deadline() == birth + seconds(5));
  CHECK(b.sleep() == milliseconds(100));
  CHECK(b.taken().starts_with("HTTP/1.1 408 "));
  bench c(client, sample);
  c.loop.advance(milliseconds(4900));
  REQUIRE(c.machine.connect({.where = parse_uri("wss://h/")}) == refusal::none);
  CHECK(c.machine.deadline() <= birth + seconds(5));
}

TEST_CASE("9110 15.5.2, 10.2.3: an upgrade is refused with headers of the application [H-63]") {
  struct row {
    std::uint16_t status;
    header_field field;
    char const* line;
  };
  for (row const& r : {row{401, {"WWW-Authenticate", "Bearer realm=\"chat\""}, "401 Unauthorized"},
                       row{403, {"Cache-Control", "no-store"}, "403 Forbidden"},
                       row{503, {"Retry-After", "120"}, "503 Service Unavailable"},
                       row{302, {"Location", "/login"}, "302 Found"}}) {
    auto const act = [&r](test::acting_endpoint& e, event const& seen) {
      if (seen.what == kind::request)
        CHECK(e.answer({.status = r.status, .headers = {&r.field, 1}, .body = as_bytes("no")}) == refusal::none);
    };
    outcome const got = test::feed_every_way(server, {}, act, upgrade + frame_text(server, 0x81, "unread"));
    CHECK(got.events == lines{"request ", "closed 0 unclean "});
    CHECK(got.output == "HTTP/1.1 " + std::string(r.line) + "\r\nConnection: close\r\nContent-Length: 2\r\n" +
                            "Content-Type: text/plain; charset=utf-8\r\n" + std::string(r.field.name) + ": " +
                            std::string(r.field.value) + "\r\n\r\nno");
    CHECK(got.transport == transport_action::shut_write);
  }
  bench b(server, {});
  b.receive(upgrade);
  CHECK(b.machine.answer({.status = 426}) == refusal::none);
  std::string const answer = b.taken();
  CHECK(count(answer, "Sec-WebSocket-Version: 13\r\n") == 1);
  CHECK(count(answer, "Connection: Upgrade, close\r\n") == 1);
}

TEST_CASE("RFC 6265 4: cookies and tokens go both ways with the opening handshake [H-63, K-01, K-02]") {
  header_field const cookies[] = {{"Cookie", "sid=42; theme=dark"}};
  bench c(client, sample);
  bench s(server, {});
  REQUIRE(c.machine.connect({.where = parse_uri("ws://h/chat?token=a%2Bb"), .headers = cookies}) == refusal::none);
  s.receive(c.taken());
  http_request const request = s.machine.request();
  CHECK(cookie(request, "sid") == "42");
  CHECK(cookie(request, "theme") == "dark");
  CHECK(cookie(request, "none").data() == nullptr);
  char room[20];
  CHECK(query_parameter(request.query(), "token", room).text == "a+b");
  header_field const set[] = {{"Set-Cookie", "sid=43; HttpOnly"}, {"Set-Cookie", "theme=light"}};
  REQUIRE(s.machine.accept({.headers = set}) == refusal::none);
  std::string answer = s.taken();
  c.machine.receive(std::as_writable_bytes(std::span(answer)), birth);
  REQUIRE(c.machine.next().what == kind::open);
  CHECK(c.machine.response().header("Set-Cookie") == "sid=43; HttpOnly");
  CHECK(c.machine.response().header_count("set-cookie") == 2);
}

TEST_CASE("9112: random requests and answers come to the same however they are cut [H-64, K-06]", "[hazard-50]") {
  std::uint32_t seed = 7;
  auto const random = [&](std::size_t below) {
    seed = seed * 1664525U + 1013904223U;
    return (seed >> 8) % static_cast<std::uint32_t>(below);
  };
  std::string const pieces[] = {"\r\n", "\r", "\n", " ", "\t", ":", ",", "Host: h\r\n", "\r\n\r\n", "Upgrade: x\r\n",
                                "Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n", "Sec-WebSocket-", "13", "=",
                                "HTTP/1.0", "HTTP/1.1 103 x\r\n\r\n", "401", "\x80", "\x7F", "x", std::string(1, '\0')};
  options tight = sample;
  tight.limit.head_bytes_max = 400;
  tight.limit.head_line_bytes_max = 60;
  tight.limit.head_lines_max = 9;
  tight.limit.answer_body_bytes_max = 8;
  auto const connect = [](test::acting_endpoint& e) {
    if (e.own_role() == client)
      CHECK(e.connect({.where = parse_uri("ws://server.example.com/chat")}) == refusal::none);
  };
  std::set<std::string> seen;
  for (role const own : {server, client})
    for (int round = 0; round < 100; ++round) {
      std::string text = own == server ? upgrade : switched;
      for (std::uint32_t changes = random(3); changes > 0; --changes)
        text.replace(random(text.size()), random(4), pieces[random(std::size(pieces))]);
      text += frame_text(own, 0x81, "Hi") + frame_text(own, 0x88, "\x03\xE8");
      INFO(text);
      auto const run = [&](std::vector<std::size_t> const& cuts) {
        return test::feed(own, tight, accepting, text, cuts, {}, connect);
      };
      outcome const whole = run({text.size()});
      for (std::string const& e : whole.events) seen.insert(e);
      std::vector<std::size_t> every;
      for (std::size_t i = 1; i <= text.size(); ++i) {
        every.push_back(i);
        if (i < text.size()) REQUIRE(run({i, text.size()}) == whole);
      }
      REQUIRE(run(every) == whole);
    }
  CHECK(seen.size() > 12);  // many kinds of ends, not one
}
