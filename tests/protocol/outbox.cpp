// SPDX-License-Identifier: BSL-1.0
#include "purews/protocol/outbox.hpp"

#include "plain_codec.hpp"
#include "purews/protocol/connection.hpp"
#include "support/catch.hpp"
#include "support/dies.hpp"
#include "support/machine_driver.hpp"

using namespace purews;

namespace {

// A connection whose peer does not read until it is told to.
struct slow_peer {
  options with{.limit = {.queue_bytes_max = 1000}, .entropy = test::zero_entropy};
  connection c;
  test::machine_driver<connection> loop;

  explicit slow_peer(role own = role::server) : c(own, with, instant{1'000'000'000}), loop(c) {}

  // Queues 1001 bytes that cannot be dropped, so that the queue is full.
  void fill() {
    REQUIRE(c.send(opcode::binary, test::octets(1000 - 2)) == refusal::none);
    REQUIRE(c.queued_bytes() > 1000);
  }
  // The texts that are sent, from the `skip`th frame on.
  std::vector<std::string> texts(std::size_t skip = 0) {
    loop.flush();
    std::vector<std::string> all;
    for (test::parsed_frame const& f : test::parse_frames(loop.output))
      if (skip != 0)
        --skip;
      else
        all.push_back(f.text());
    return all;
  }
};

using texts = std::vector<std::string>;

constexpr send_options oldest{.when_full = overflow::drop_oldest};
constexpr send_options newest{.when_full = overflow::drop_newest};
constexpr send_options keyed(std::uint64_t key) { return {.when_full = overflow::conflate, .key = key}; }

}  // namespace

TEST_CASE("a full queue refuses, and takes more when it has drained; one message may pass the bound") {
  slow_peer p;
  p.fill();
  CHECK(p.c.send("x") == refusal::queue_full);
  CHECK(p.c.send_fragment(opcode::text, as_bytes("x"), fragment::last) == refusal::queue_full);
  CHECK(p.c.dropped() == drop_counts{});
  CHECK(p.c.current() == state::open);
  p.loop.flush();
  CHECK(p.c.send("x") == refusal::none);
  CHECK(p.texts(1) == texts{"x"});
}

TEST_CASE("overflow::close ends the connection with 1013 behind what is queued") {
  slow_peer p;
  p.fill();
  CHECK(p.c.send("x", {.when_full = overflow::close}) == refusal::queue_full);
  CHECK(p.c.current() == state::closing);
  CHECK(p.texts(1) == texts{"\x03\xF5too slow"});
}

TEST_CASE("overflow::drop_newest drops what comes, and counts it") {
  slow_peer p;
  CHECK(p.c.send("fits", newest) == refusal::none);
  p.fill();
  for (int i = 0; i < 3; ++i) CHECK(p.c.send("dropped", newest) == refusal::none);
  CHECK(p.c.send("\xFF", newest) == refusal::invalid_utf8);  // never silently
  CHECK(p.c.dropped() == drop_counts{.newest = 3});
  CHECK(p.texts().size() == 2);
}

TEST_CASE("overflow::drop_oldest drops the oldest that is not encoded yet, never another") {
  slow_peer p;
  CHECK(p.c.send("encoded at once", oldest) == refusal::none);
  CHECK(p.c.send(std::string(300, 'a'), oldest) == refusal::none);
  CHECK(p.c.send(std::string(300, 'b')) == refusal::none);  // may not be dropped
  CHECK(p.c.send(std::string(300, 'c'), oldest) == refusal::none);
  CHECK(p.c.send(std::string(300, 'd'), oldest) == refusal::none);
  CHECK(p.c.queued_bytes() > 1000);
  CHECK(p.c.send("e", oldest) == refusal::none);
  CHECK(p.c.dropped() == drop_counts{.oldest = 1});
  CHECK(p.c.send(std::string(300, 'f'), oldest) == refusal::none);
  CHECK(p.c.send("g", oldest) == refusal::none);
  CHECK(p.c.dropped() == drop_counts{.oldest = 2});
  CHECK(p.texts() ==
        texts{"encoded at once", std::string(300, 'b'), std::string(300, 'd'), "e", std::string(300, 'f'), "g"});
}

TEST_CASE("overflow::drop_oldest refuses, and drops nothing, when too little may be dropped") {
  slow_peer p;
  p.fill();
  CHECK(p.c.send("x", oldest) == refusal::queue_full);
  CHECK(p.c.dropped() == drop_counts{});
  p.loop.flush();
  REQUIRE(p.c.send("encoded at once", oldest) == refusal::none);
  REQUIRE(p.c.send("10 bytes...", oldest) == refusal::none);
  REQUIRE(p.c.send(std::string(1000, 'a')) == refusal::none);
  std::size_t const before = p.c.queued_bytes();
  CHECK(p.c.send("x", oldest) == refusal::queue_full);
  CHECK(p.c.dropped() == drop_counts{});
  CHECK(p.c.queued_bytes() == before);
}

TEST_CASE("overflow::conflate keeps the latest of each key in the place of the first") {
  for (role const own : {role::server, role::client}) {
    slow_peer p(own);
    REQUIRE(p.c.send("first") == refusal::none);
    REQUIRE(p.c.send("a1", keyed(1)) == refusal::none);
    REQUIRE(p.c.send("b1", keyed(2)) == refusal::none);
    REQUIRE(p.c.send("between") == refusal::none);
    REQUIRE(p.c.send("a2", keyed(1)) == refusal::none);
    REQUIRE(p.c.send("a3", keyed(1)) == refusal::none);
    REQUIRE(p.c.send(prepared_message(opcode::text, as_bytes("b2")), keyed(2)) == refusal::none);
    CHECK(p.c.dropped() == drop_counts{.conflated = 3});
    CHECK(p.texts() == texts{"first", "a3", "b2", "between"});
    REQUIRE(p.c.send("a4", keyed(1)) == refusal::none);  // the peer reads: nothing waits
    CHECK(p.c.dropped() == drop_counts{.conflated = 3});
    CHECK(p.texts(4) == texts{"a4"});
  }
}

TEST_CASE("overflow::conflate replaces in a full queue, and refuses a new key there") {
  slow_peer p;
  p.fill();
  CHECK(p.c.send("new", keyed(1)) == refusal::queue_full);
  p.loop.flush();
  REQUIRE(p.c.send("first") == refusal::none);
  REQUIRE(p.c.send("old", keyed(1)) == refusal::none);
  REQUIRE(p.c.send(opcode::binary, test::octets(1000)) == refusal::none);
  CHECK(p.c.send("new", keyed(1)) == refusal::none);
  CHECK(p.c.send("other", keyed(2)) == refusal::queue_full);
  CHECK(p.texts(2) == texts{"new", std::string(1000, '\0')});
}

TEST_CASE("5.4: the order stays when messages wait, with control frames and fragments between them") {
  slow_peer p;
  REQUIRE(p.c.send("first") == refusal::none);
  REQUIRE(p.c.send("waits", oldest) == refusal::none);
  REQUIRE(p.c.ping(as_bytes("ping")) == refusal::none);
  REQUIRE(p.c.send_fragment(opcode::text, as_bytes("fragment"), fragment::more) == refusal::none);
  CHECK(p.c.send("not now", oldest) == refusal::message_open);
  REQUIRE(p.c.send_fragment(opcode::text, as_bytes("s"), fragment::last) == refusal::none);
  REQUIRE(p.c.close(status_code::normal, "end") == refusal::none);
  CHECK(p.c.send("too late", oldest) == refusal::not_open);
  CHECK(p.texts() == texts{"first", "waits", "ping", "fragment", "s",
                           "\x03\xE8"
                           "end"});
}

TEST_CASE("5.5.1 C-07: what waits is sent before the answer to the peer's Close, and before the Close of a failure") {
  for (char const* const ends : {"88 82 00000000 03e8", "83 80"}) {
    slow_peer p;
    REQUIRE(p.c.send("first") == refusal::none);
    REQUIRE(p.c.send("waits", oldest) == refusal::none);
    p.loop.receive(test::hex(ends));
    texts const sent = p.texts();
    REQUIRE(sent.size() == 3);
    CHECK(sent[1] == "waits");
    CHECK(p.c.transport() == transport_action::shut_write);
    CHECK(p.c.queued_bytes() == 0);
  }
}

TEST_CASE("5.5: a control frame that waits is as short as any other") {
  slow_peer p;
  REQUIRE(p.c.send("first") == refusal::none);
  REQUIRE(p.c.send("waits", oldest) == refusal::none);
  CHECK(p.c.ping(test::octets(126)) == refusal::payload_too_long);
  CHECK(p.c.ping(test::octets(125)) == refusal::none);
  CHECK(p.texts() == texts{"first", "waits", std::string(125, '\0')});
}

TEST_CASE("7692 6.1: a control frame that waits is not compressed") {
  test::plain_codec codec;
  slow_peer p;
  REQUIRE(p.c.use(codec) == refusal::none);
  REQUIRE(p.c.send("first") == refusal::none);
  REQUIRE(p.c.send("waits") == refusal::none);
  REQUIRE(p.c.ping() == refusal::none);
  p.loop.flush();
  std::vector<unsigned> begins;
  for (test::parsed_frame const& f : test::parse_frames(p.loop.output)) begins.push_back(f.first);
  CHECK(begins == std::vector<unsigned>{0xC1, 0xC1, 0x89});
}

TEST_CASE("a connection takes one codec") {
  test::plain_codec codec, other;
  options const with;
  connection c(role::server, with, instant{});
  REQUIRE(c.use(codec) == refusal::none);
  CHECK(dies([&] { static_cast<void>(c.use(other)); }));
}

TEST_CASE("what waits when a connection is aborted is lost") {
  slow_peer p;
  REQUIRE(p.c.send("first") == refusal::none);
  std::size_t const encoded = p.c.queued_bytes();
  REQUIRE(p.c.send("waits", oldest) == refusal::none);
  p.c.abort();
  CHECK(p.c.queued_bytes() == encoded);
}

TEST_CASE("no more is encoded than a few system calls take, so that the rest can still be dropped") {
  options const with{.limit = {.queue_bytes_max = 1U << 20}};
  connection c(role::server, with, instant{1'000'000'000});
  for (int i = 0; i < 100; ++i) REQUIRE(c.send(std::string(10'000, 'x'), oldest) == refusal::none);
  bytes_view spans[64];
  std::size_t gathered = 0;
  for (std::size_t i = c.gather(spans); i-- != 0;) gathered += spans[i].size();
  CHECK(gathered >= 64U << 10);
  CHECK(gathered < 128U << 10);
  c.consume_output(gathered, instant{1'000'000'000});
  CHECK(c.gather(spans) != 0);
  c.consume_output(0, instant{1'000'000'000});
}

TEST_CASE("the options' high-water mark counts what waits, too") {
  options const with{.limit = {.queue_bytes_high = 100}};
  connection c(role::server, with, instant{1'000'000'000});
  REQUIRE(c.send("x") == refusal::none);
  CHECK(c.wants_input());
  REQUIRE(c.send(std::string(200, 'x'), oldest) == refusal::none);
  CHECK(c.queued_bytes() == 3 + 200);
  CHECK_FALSE(c.wants_input());
}
