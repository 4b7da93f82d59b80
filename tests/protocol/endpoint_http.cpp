// SPDX-License-Identifier: BSL-1.0
#include "endpoint_harness.hpp"

using namespace purews;
using test::bench;
using test::birth;
using test::lines;
using test::outcome;

// Plain HTTP beside WebSocket: one exchange on each connection.

namespace {

constexpr role server = role::server;
options const defaults;

/// Answers with what was asked, so that a lost or repeated byte shows.
test::acting_endpoint::action const mirror = [](test::acting_endpoint& e, event const& seen) {
  if (seen.what != kind::request) return;
  CHECK(!e.wants_upgrade());
  std::string const said =
      std::string(e.request().method()) + " " + std::string(e.request().target()) + " " + std::string(seen.text());
  CHECK(e.answer({.body = as_bytes(said)}) == refusal::none);
};

std::string post(std::size_t size, std::string_view more = {}) {
  return "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(size) + "\r\n" + std::string(more) +
         "\r\n";
}

std::string ok(std::string_view body) {
  return "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + std::string(body);
}

}  // namespace

TEST_CASE("9112 6: a plain request is one event with its body, however it is cut") {
  outcome const got = test::feed_every_way(server, {}, mirror, post(11) + "hello world");
  CHECK(got.events == lines{"request 68656c6c6f20776f726c64", "closed 0 unclean "});
  CHECK(got.output == ok("POST /p hello world"));
  CHECK(got.transport == transport_action::shut_write);
}

TEST_CASE("9112 9.3.2: what follows a plain request is not answered [H-56]", "[hazard-60][hazard-62]") {
  outcome const got = test::feed_every_way(server, {}, mirror, post(5) + "hello" + post(3) + "abc");
  CHECK(got.events == lines{"request 68656c6c6f", "closed 0 unclean "});
  CHECK(got.output == ok("POST /p hello"));
}

TEST_CASE("9112: requests without a body, of HTTP/1.0, and with an upgrade that is not ours are plain ones") {
  for (std::string const& head :
       {std::string("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), std::string("GET / HTTP/1.0\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")}) {
    outcome const got = test::feed_every_way(server, {}, mirror, head);
    CHECK(got.events == lines{"request ", "closed 0 unclean "});
    CHECK(got.output == ok("GET / "));
  }
}

TEST_CASE("9110 15.5.14: a body may be as long as the limit; one more is refused with 413 at the head") {
  options with;
  with.limit.body_bytes_max = 1000;
  std::string const body(1000, 'b');
  bench b(server, with);
  for (std::string const& piece : {post(1000), body.substr(0, 1), body.substr(1, 998)}) {
    b.receive(piece);
    CHECK(b.events().empty());
  }
  b.receive("b");
  REQUIRE(b.events().size() == 1);
  CHECK(b.machine.request().path() == "/p");
  CHECK(b.machine.answer({}) == refusal::none);

  for (char const* const size : {"1001", "65536", "4294967296", "18446744073709551616", "99999999999999999999999"}) {
    bench big(server, with);
    big.receive(std::string("POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: ") + size + "\r\n\r\n");
    CHECK(big.taken().starts_with("HTTP/1.1 413 Content Too Large\r\nConnection: close\r\n"));
    big.receive(body);
    CHECK(big.machine.transport() == transport_action::shut_write);
    CHECK(big.events().size() == 1);
  }
}

TEST_CASE("9110 10.1.1: leave to send the body is given once, and only if the body is lacking and wanted") {
  std::string const leave = "HTTP/1.1 100 Continue\r\n\r\n";
  bench b(server, {});
  b.receive(post(5, "Expect: 100-Continue\r\n"));
  CHECK(b.taken() == leave);
  b.receive("he");
  CHECK(b.taken().empty());
  CHECK(b.events().empty());
  b.receive("llo");
  CHECK(b.events() == lines{"request 68656c6c6f"});
  CHECK(b.machine.answer({.body = as_bytes("x")}) == refusal::none);
  CHECK(b.taken() == ok("x"));

  bench eager(server, {});
  eager.receive(post(5, "Expect: 100-continue\r\n") + "hello");
  CHECK(eager.taken().empty());
  CHECK(eager.events().size() == 1);

  bench bare(server, {});
  bare.receive(post(0, "Expect: 100-continue\r\n"));
  CHECK(bare.taken().empty());

  bench old(server, {});
  old.receive("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  CHECK(old.taken().empty());

  bench big(server, {});
  big.receive(post(65'537, "Expect: 100-continue\r\n"));
  CHECK(big.taken().starts_with("HTTP/1.1 413 "));
}

TEST_CASE("9110 9.3.2: the answer to HEAD has the head of the answer to GET, and no body") {
  std::string answers[2];
  for (int i = 0; i < 2; ++i) {
    bench b(server, {});
    b.receive(std::string(i == 0 ? "GET" : "HEAD") + " / HTTP/1.1\r\nHost: h\r\n\r\n");
    body_lifetime const kept = GENERATE(body_lifetime::call, body_lifetime::permanent);
    CHECK(b.machine.answer({.body = as_bytes("page")}, kept) == refusal::none);
    answers[i] = b.taken();
    CHECK(b.machine.transport() == transport_action::shut_write);
  }
  CHECK(answers[0] == ok("page"));
  CHECK(answers[1] + "page" == answers[0]);
}

TEST_CASE("9110 6.4.1: a status that has no body sends none") {
  for (int const status : {204, 304}) {
    bench b(server, {});
    b.receive("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(b.machine.answer({.status = static_cast<std::uint16_t>(status), .body = as_bytes("x")}) == refusal::none);
    std::string const answer = b.taken();
    CHECK(answer.ends_with("\r\nConnection: close\r\n\r\n"));
    CHECK(answer.find("Content-Length") == std::string::npos);
  }
}

TEST_CASE("9112: a permanent body is sent by reference, any other is a copy") {
  static std::string const page(100'000, 'p');
  for (body_lifetime const kept : {body_lifetime::permanent, body_lifetime::call}) {
    endpoint e(server, defaults, birth);
    std::string request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    e.receive(std::as_writable_bytes(std::span(request)), birth);
    CHECK(e.next().what == kind::request);
    CHECK(e.answer({.body = as_bytes(page)}, kept) == refusal::none);
    CHECK(e.next().what == kind::closed);
    CHECK(e.next().what == kind::none);
    bytes_view spans[4];
    std::size_t const count = e.gather(spans);
    bool found = false;
    std::string sent;
    for (std::size_t i = 0; i < count; ++i) {
      sent += as_text(spans[i]);
      found = found || spans[i].data() == as_bytes(page).data();
    }
    CHECK(found == (kept == body_lifetime::permanent));
    CHECK(sent == ok(page));
    // Short writes: the rest stays where it was.
    e.consume_output(sent.size() - 10, birth);
    CHECK(e.transport() == transport_action::keep);
    CHECK(e.gather(spans) == 1);
    CHECK(as_text(spans[0]) == "pppppppppp");
    e.consume_output(10, birth);
    CHECK(e.transport() == transport_action::shut_write);
  }
}

TEST_CASE("9112: the body of a call is copied before answer() returns") {
  bench b(server, {});
  b.receive("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  std::string body = "before";
  std::string value = "v1";
  header_field const more[] = {{"X-More", value}};
  CHECK(b.machine.answer({.content_type = "a/b", .headers = more, .body = as_bytes(body)}) == refusal::none);
  body = "behind";
  value = "v2";
  CHECK(b.taken() == "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 6\r\nContent-Type: a/b\r\n"
                     "X-More: v1\r\n\r\nbefore");
}

TEST_CASE("9112: a plain request may stay undecided while more arrives behind it") {
  bench b(server, {});
  b.receive(post(5) + "hel");
  b.receive("lo" + post(0));
  CHECK(b.events() == lines{"request 68656c6c6f"});
  CHECK(!b.machine.wants_input());
  b.receive(post(1) + "x");
  CHECK(b.machine.request().header("Content-Length") == "5");
  CHECK(b.machine.answer({.body = as_bytes("x")}) == refusal::none);
  b.loop.drain();
  CHECK(b.events() == lines{"closed 0 unclean "});
  CHECK(b.taken() == ok("x"));
}

TEST_CASE("policy: a peer that does not take the answer is closed at the deadline for writing") {
  bench b(server, {});
  b.receive("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(b.machine.answer({.body = as_bytes("page")}) == refusal::none);
  b.loop.drain();
  b.machine.consume_output(0, b.loop.now);
  CHECK(b.sleep() == seconds(10));
  CHECK(b.machine.transport() == transport_action::close);
  CHECK(b.events() == lines{"request ", "closed 0 unclean "});
}
