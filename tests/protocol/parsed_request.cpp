// SPDX-License-Identifier: BSL-1.0
#include "purews/protocol/parsed_request.hpp"

#include "endpoint_harness.hpp"
#include "support/dies.hpp"

using namespace purews;
using test::bench;
using test::birth;
using test::frame_text;
using test::lines;

// Requests that an HTTP server parsed, which hands its socket over.

namespace {

constexpr role server = role::server;
std::string const switched{test::switching};

header_field const upgrade_headers[] = {{"host", "server.example.com"},
                                        {"upgrade", "websocket"},
                                        {"connection", "Upgrade"},
                                        {"sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="},
                                        {"sec-websocket-version", "13"},
                                        {"sec-websocket-protocol", "chat, superchat"},
                                        {"cookie", ""}};
parsed_request const upgrade{.method = "GET", .target = "/chat?x=1", .headers = upgrade_headers};

std::string failed_with(error fault) {
  return test::describe({.what = kind::failed, .fault = fault, .code = status_code::abnormal});
}

}  // namespace

TEST_CASE("4.2.2: a request that someone else parsed is accepted, and what came behind it are frames [H-52]",
          "[hazard-62]") {
  std::string const left_over = frame_text(server, 0x81, "Hello") + frame_text(server, 0x89, "p") +
                                frame_text(server, 0x02, "a") + frame_text(server, 0x80, "b");
  for (std::size_t cut = 0; cut <= left_over.size(); ++cut) {
    bench b(server, {});
    REQUIRE(b.machine.adopt(upgrade) == refusal::none);
    b.loop.drain();
    REQUIRE(b.events() == lines{"request "});
    REQUIRE(b.machine.wants_upgrade());
    CHECK(b.machine.request().path() == "/chat");
    CHECK(b.machine.request().query() == "x=1");
    CHECK(b.machine.request().header("Sec-WebSocket-Protocol") == "chat, superchat");
    if (cut % 2 == 0) {  // the decision may come before the left-over bytes, or behind a part of them
      CHECK(b.machine.accept({.subprotocol = "chat"}) == refusal::none);
      b.receive(left_over.substr(0, cut));
    } else {
      b.receive(left_over.substr(0, cut));
      CHECK(b.machine.accept({.subprotocol = "chat"}) == refusal::none);
      b.loop.drain();
    }
    b.receive(left_over.substr(cut));
    CHECK(b.events() == lines{"open ", "message text 48656c6c6f", "ping 70", "message binary 6162"});
    std::string const expected = std::string(switched).insert(switched.size() - 2, "Sec-WebSocket-Protocol: chat\r\n");
    CHECK(b.taken() == expected + test::text_of(test::own_frame(server, 0x8A, "p")));
    CHECK(b.machine.current() == state::open);
  }
}

TEST_CASE("4.2.1: a request that someone else parsed is judged like any other [H-05, H-06, H-20, H-60]") {
  struct row {
    error fault;
    parsed_request request;
  };
  header_field const host_only[] = {{"Host", "h"}};
  std::span<header_field const> const all = upgrade_headers;
  header_field const twice[] = {all[0], all[1], all[2], all[3], all[3], all[4]};
  std::string const long_target = "/" + std::string(9000, 'x');
  for (row const& r : {
           row{error::upgrade_method, {"POST", "/", all}},
           row{error::upgrade_version_http, {"GET", "/", all, 0}},
           row{error::host_invalid, {"GET", "/", all.subspan(1)}},
           row{error::upgrade_key, {"GET", "/", twice}},
           row{error::upgrade_missing, {"GET", "/", all.subspan(0, 5).first(2)}},
           row{error::request_line_syntax, {"GET", "*", all}},
           row{error::request_line_syntax, {"GET", "chat", all}},
           row{error::request_line_too_long, {"GET", long_target, host_only}},
       }) {
    bench b(server, {});
    REQUIRE(b.machine.adopt(r.request) == refusal::none);
    b.loop.drain();
    CHECK(b.events() == lines{failed_with(r.fault)});
    CHECK(b.taken().starts_with("HTTP/1.1 " + std::to_string(http_status_for(r.fault))));
    CHECK(b.machine.transport() == transport_action::shut_write);
  }
  bench plain(server, {});
  REQUIRE(plain.machine.adopt({"GET", "/page", host_only}) == refusal::none);
  plain.loop.drain();
  CHECK(plain.events() == lines{"request "});
  CHECK(!plain.machine.wants_upgrade());
  CHECK(plain.machine.answer({.status = 404}) == refusal::none);
}

TEST_CASE("9112 3: what cannot have been a head is refused, and nothing changes", "[hazard-58]") {
  bench b(server, {});
  std::span<header_field const> const all = upgrade_headers;
  for (std::string_view const bad : {"", "GET /", "GET\r\n", "G(T"})
    CHECK(b.machine.adopt({bad, "/", all}) == refusal::invalid_header);
  for (std::string_view const bad : {"", "/ HTTP/1.1\r\nX: y", "/\r", "/a b", "/#", "/\xC3\xA4"})
    CHECK(b.machine.adopt({"GET", bad, all}) == refusal::invalid_header);
  header_field const fields[] = {{"X", "a\r\nY: b"}, {"X", std::string_view("\0", 1)}, {"X\r\n", "a"}, {"", "a"},
                                 {"X ", "a"}, {"X", "\n"}};
  for (header_field const& bad : fields) CHECK(b.machine.adopt({"GET", "/", {&bad, 1}}) == refusal::invalid_header);
  CHECK(b.machine.adopt({"GET", "/", all, 10}) == refusal::invalid_header);
  b.loop.drain();
  CHECK(b.events().empty());
  CHECK(b.machine.adopt(upgrade) == refusal::none);
}

TEST_CASE("4.2.2: only the first thing that an endpoint is given can be a request of someone else") {
  bench twice(server, {});
  CHECK(twice.machine.adopt(upgrade) == refusal::none);
  CHECK(twice.machine.adopt(upgrade) == refusal::not_connecting);
  twice.loop.drain();
  CHECK(twice.machine.adopt(upgrade) == refusal::not_connecting);
  CHECK(twice.machine.accept() == refusal::none);
  twice.loop.drain();
  CHECK(twice.machine.adopt(upgrade) == refusal::not_connecting);
  CHECK(twice.events() == lines{"request ", "open "});

  bench late(server, {});
  late.receive("G");
  CHECK(late.machine.adopt(upgrade) == refusal::not_connecting);
  bench ended(server, {});
  ended.machine.abort();
  CHECK(ended.machine.adopt(upgrade) == refusal::not_connecting);
  CHECK(dies([] {
    options const with{.entropy = test::zero_entropy};
    endpoint client(role::client, with, birth);
    static_cast<void>(client.adopt(upgrade));
  }));
}

TEST_CASE("policy: the deadline of the handshake counts for a request of someone else too [H-61]") {
  bench b(server, {});
  CHECK(b.machine.adopt(upgrade) == refusal::none);
  b.loop.drain();
  CHECK(b.machine.deadline() == birth + seconds(5));
  CHECK(b.sleep() == seconds(5));
  CHECK(b.events() == lines{"request ", failed_with(error::handshake_timeout)});
  CHECK(b.taken().starts_with("HTTP/1.1 408 "));
}
