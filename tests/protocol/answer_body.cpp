// SPDX-License-Identifier: BSL-1.0
#include "purews/protocol/answer_body.hpp"

#include "endpoint_harness.hpp"

using namespace purews;
using test::bench;
using test::birth;
using test::lines;

// What a client learns of an answer that refused the upgrade.

namespace {

constexpr role client = role::client;
options const sample{.entropy = test::sample_entropy};
std::string const json = "{\"error\":\"token expired\"}";
std::string const chunked = "5\r\n{\"err\r\n14;x=y\r\nor\":\"token expired\"}\r\n0\r\n\r\n";

void connect(endpoint& e) {
  REQUIRE(e.connect({.where = parse_uri("ws://server.example.com/chat")}) == refusal::none);
}

std::string head(std::string_view lines_of_it, std::string_view first = "HTTP/1.1 401 Unauthorized") {
  return std::string(first) + "\r\n" + std::string(lines_of_it) + "\r\n";
}

/// What a client told of an answer: its status and its body, once.
struct told {
  std::vector<std::string> what{};
  test::acting_endpoint::action watch() {
    return [this](test::acting_endpoint& e, event const& seen) {
      REQUIRE(seen.what == kind::failed);
      REQUIRE(seen.fault == error::answer_status);
      what.push_back(std::to_string(e.response().status()) + " " + std::string(seen.text()));
      CHECK(e.response().header("X-First") == "1");
      CHECK(e.response().header("X-Last") == "2");
    };
  }
};

/// Feeds an answer in every way; it must be told every time, and always the same.
std::string answered(std::string const& text, options const& with = sample) {
  told all;
  test::outcome const got = test::feed_every_way(client, with, all.watch(), text, connect);
  CHECK(got.events.size() == 1);
  CHECK(got.transport == transport_action::close);
  REQUIRE(!all.what.empty());
  for (std::string const& one : all.what) REQUIRE(one == all.what[0]);
  return all.what[0];
}

std::string with_lines(std::string_view more) { return "X-First: 1\r\n" + std::string(more) + "X-Last: 2\r\n"; }
std::string length(std::size_t n) { return "Content-Length: " + std::to_string(n) + "\r\n"; }

}  // namespace

TEST_CASE("4.1: an answer that did not switch is told with its headers and its body, however it is cut [K-02]") {
  CHECK(answered(head(with_lines(length(json.size()))) + json) == "401 " + json);
  CHECK(answered(head(with_lines(length(json.size()))) + json + "HTTP/1.1 200 OK\r\n\r\n") == "401 " + json);
  CHECK(answered(head(with_lines("Transfer-Encoding: Chunked\r\n")) + chunked) == "401 " + json);
  CHECK(answered(head(with_lines("Transfer-Encoding: chunked\r\n" + length(3))) + chunked) == "401 " + json);
  CHECK(answered(head(with_lines("Transfer-Encoding: chunked\r\n")) + "5\r\nhello\r\nx\r\n") == "401 hello");
  CHECK(answered("HTTP/1.1 103 Early Hints\r\n\r\n" + head(with_lines(length(2))) + "no") == "401 no");
  CHECK(answered(head(with_lines(length(0) + "Location: wss://other/\r\n"), "HTTP/1.1 302 Found")) == "302 ");
}

TEST_CASE("9112 6.3: an answer without a body, or with one that cannot be trusted, is told at once [K-02]",
          "[hazard-61]") {
  CHECK(answered(head(with_lines(""), "HTTP/1.1 204 No Content") + "x") == "204 ");
  CHECK(answered(head(with_lines(length(5)), "HTTP/1.1 304 Not Modified") + "x") == "304 ");
  for (char const* const bad : {"+5", "5, 5", "", "0x5", "-1", "99999999999999999999", "5\r\nContent-Length: 5"})
    CHECK(answered(head(with_lines(std::string("Content-Length: ") + bad + "\r\n")) + "hello") == "401 ");
}

TEST_CASE("4.1: not more of the body is read than the limit, in any coding [K-02]", "[hazard-49]") {
  options with = sample;
  with.limit.answer_body_bytes_max = 10;
  CHECK(answered(head(with_lines(length(10))) + "0123456789", with) == "401 0123456789");
  CHECK(answered(head(with_lines(length(11))) + "0123456789", with) == "401 0123456789");
  CHECK(answered(head(with_lines("Content-Length: 18446744073709551615\r\n")) + "0123456789AB", with) ==
        "401 0123456789");
  CHECK(answered(head(with_lines("")) + "0123456789AB", with) == "401 0123456789");
  CHECK(answered(head(with_lines("Transfer-Encoding: chunked\r\n")) + "20\r\n0123456789", with) == "401 012345");
  CHECK(answered(head(with_lines("Transfer-Encoding: gzip, chunked\r\n")) + "0123456789", with) == "401 0123456789");
  with.limit.answer_body_bytes_max = 0;
  CHECK(answered(head(with_lines(length(5))) + "hello", with) == "401 ");
  CHECK(answered(head(with_lines("Transfer-Encoding: chunked\r\n")) + chunked, with) == "401 ");
  CHECK(limits{}.answer_body_bytes_max == 16'384);
}

TEST_CASE("4.1: a body that does not end is told when the stream ends or the deadline passes [K-02]", "[hazard-75]") {
  for (bool const eof : {true, false})
    for (std::string const& lines_of_it : {with_lines(""), with_lines(length(9)),
                                           with_lines("Transfer-Encoding: chunked\r\n")}) {
      bench b(client, sample);
      connect(b.machine);
      b.taken();
      bool const coded = lines_of_it.find("chunked") != std::string::npos;
      b.receive(head(lines_of_it) + (coded ? "9\r\nhe" : "he"));
      b.receive("llo");
      CHECK(b.events().empty());
      CHECK(b.machine.wants_input());
      CHECK(b.machine.deadline() == birth + seconds(5));
      if (eof) {
        b.machine.receive_eof(birth);
      } else {
        b.machine.advance(birth + milliseconds(4999));
        CHECK(b.machine.next().what == kind::none);
        b.machine.advance(birth + seconds(5));
        b.machine.advance(birth + seconds(6));
      }
      event const last = b.machine.next();
      CHECK(last.what == kind::failed);
      CHECK(last.fault == error::answer_status);
      CHECK(last.text() == "hello");
      CHECK(b.machine.response().status() == 401);
      CHECK(b.machine.response().header("X-Last") == "2");
      CHECK(b.machine.transport() == transport_action::close);
      CHECK(b.machine.current() == state::closed);
      CHECK(b.machine.deadline() == never);
      CHECK(b.machine.next().what == kind::none);
      CHECK(b.taken().empty());
    }
}

TEST_CASE("4.1: while the body of a refusal is awaited nothing is sent, and abort() ends it [K-08]") {
  bench b(client, sample);
  connect(b.machine);
  b.taken();
  b.receive(head(with_lines(length(9))) + "hello");
  CHECK(b.machine.send("x") == refusal::not_open);
  CHECK(b.machine.close() == refusal::not_open);
  CHECK(b.machine.current() == state::connecting);
  CHECK(b.taken().empty());
  b.machine.abort();
  b.loop.drain();
  CHECK(b.events().empty());
  CHECK(b.machine.transport() == transport_action::close);
}
