// SPDX-License-Identifier: BSL-1.0
#include "purews/sim/heap.hpp"

#include "purews/sim/pair.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/frames.hpp"

using namespace purews;

namespace {

std::string transcript;
void keep_line(std::string_view line) { transcript.append(line).append("\n"); }

std::string text_of(char const* text) { return text != nullptr ? text : ""; }

}  // namespace

// What docs/testing.md shows. A protocol of ours: the server answers each word with its length.
TEST_CASE("my protocol: each word is answered, whatever the network does") {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    CAPTURE(seed);
    sim::pair net(seed, sim::conditions::rough(seed));
    REQUIRE(net.open());
    for (std::string_view const word : {"one", "three", "eleven"}) REQUIRE(net.client.send(word) == refusal::none);
    std::string answers;
    while (sim::happening const h = net.step()) {
      if (h.what.what != kind::message) continue;
      if (h.at == role::client)
        answers += h.what.text();
      else
        REQUIRE(net.server.send(std::to_string(h.what.payload.size())) == refusal::none);
    }
    CHECK(answers == "356");
  }
}

TEST_CASE("pair: no rough world keeps two endpoints from opening") {
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    CAPTURE(seed);
    sim::pair net(seed, sim::conditions::rough(seed));
    REQUIRE(net.open());
    REQUIRE(text_of(net.broken_promise()) == "");
  }
}

TEST_CASE("pair: a calm world opens at once, and is quiet until a deadline") {
  sim::pair net(1);
  REQUIRE(net.open());
  CHECK(net.client.current() == state::open);
  CHECK(net.server.current() == state::open);
  CHECK(net.now() == instant{1'000'000'000});
  CHECK(!net.step());
  REQUIRE(net.sleep());
  CHECK(net.now() == instant{1'000'000'000} + seconds(25));
  int pings = 0;
  int pongs = 0;
  while (sim::happening const h = net.step()) {
    pings += h.what.what == kind::ping ? 1 : 0;
    pongs += h.what.what == kind::pong ? 1 : 0;
  }
  CHECK(pings > 0);
  CHECK(pings == pongs);
  CHECK(net.now() == instant{1'000'000'000} + seconds(25));
}

TEST_CASE("pair: it lives to the end of both sockets, and tells who ended how") {
  sim::pair net(7, sim::conditions::rough(7));
  REQUIRE(net.open());
  REQUIRE(net[role::server].close(status_code::going_away, "bye") == refusal::none);
  std::string ends;
  for (bool more = true; more; more = net.sleep())
    while (sim::happening const h = net.step())
      if (h.what.what == kind::closed)
        ends += h.at == role::client ? "client " + std::string(h.what.text()) + " " : "server ";
  CHECK(ends == "client bye server ");
  CHECK(net.ended());
  CHECK(text_of(net.broken_promise()) == "");
}

TEST_CASE("pair: what cannot open is said, and a refused upgrade is an event of the application") {
  sim::pair cut(1, {.up = {.ends_after = 50}});
  CHECK(!cut.open());
  sim::pair net(1);
  REQUIRE(net.client.connect({.where = parse_uri("ws://server/")}) == refusal::none);
  sim::happening const asks = net.step();
  REQUIRE(asks.what.what == kind::request);
  CHECK(asks.at == role::server);
  REQUIRE(net.server.answer({.status = 403}) == refusal::none);
  std::string events;
  while (sim::happening const h = net.step()) events += sim::to_text(h.what) + "\n";
  CHECK(events.find("failed 1006: the server did not answer 101 (RFC 6455 4.1)") != std::string::npos);
}

TEST_CASE("pair: all follows from the seed") {
  auto const life = [](std::uint64_t seed, std::uint64_t conditions) {
    sim::pair net(seed, sim::conditions::rough(conditions));
    static_cast<void>(net.open());
    static_cast<void>(net.client.send("hello"));
    while (net.step()) {
    }
    return net.hash();
  };
  CHECK(life(1, 1) == life(1, 1));
  CHECK(life(1, 1) != life(2, 1));
  CHECK(life(1, 1) != life(1, 2));
}

TEST_CASE("world: a clock that jumps wakes the loops later than they wanted") {
  sim::pair net(3, {.late_max = seconds(5)});
  REQUIRE(net.open());
  REQUIRE(net.sleep());
  CHECK(net.now() > instant{1'000'000'000} + seconds(25));
  CHECK(net.now() <= instant{1'000'000'000} + seconds(30));
  instant const before = net.now();
  net.pass(seconds(2));
  CHECK(net.now() == before + seconds(2));
}

TEST_CASE("host: each habit shows in what the loop does") {
  auto const does = [](sim::habits const& client, std::string_view line) {
    transcript.clear();
    sim::pair net(1, {.client = client}, {}, {}, keep_line);
    REQUIRE(net.open());
    int messages = 0;
    for (int i = 0; i < 100; ++i) {
      REQUIRE(net[i % 2 == 0 ? role::client : role::server].send("hello") == refusal::none);
      while (sim::happening const h = net.step()) messages += h.what.what == kind::message ? 1 : 0;
    }
    CHECK(messages == 100);
    CHECK(text_of(net.broken_promise()) == "");
    return transcript.find(line) != std::string::npos;
  };
  CHECK(does({.parks = 500}, "client parks"));
  CHECK(does({.small_reads = 900}, "client reads 1\n"));
  CHECK(does({.lends = 900}, "client takes its room away"));
  CHECK(does({.small_writes = 900}, "client writes 0\n"));
  CHECK(does({.late_writes = 500}, "client gathers"));
  CHECK(does({.idle_calls = 500}, "client calls for nothing"));
  CHECK(does({.pauses = 900, .pause_max = seconds(1)}, "2."));
  for (std::string_view const line : {"client parks", "client gathers", "client lends", "client calls for nothing"})
    CHECK(!does({}, line));
}

TEST_CASE("host: a reset is seen by both sides, and ends both") {
  sim::pair net(2, {.down = {.resets_after = 300}});
  REQUIRE(net.open());
  for (int i = 0; i < 100; ++i) REQUIRE(net.server.send("hello") == refusal::none);
  int ends = 0;
  for (bool more = true; more; more = net.sleep())
    while (sim::happening const h = net.step()) ends += h.what.what == kind::closed && !h.what.clean ? 1 : 0;
  CHECK(ends == 2);
  CHECK(net.ended());
}

TEST_CASE("poisoned: a payload is rubbish once its time has passed, and nothing else is") {
  options const with{};
  sim::poisoned<connection> c(role::server, with, instant{1'000'000'000});
  test::octets in = test::join(test::peer_frame(role::server, 0x81, "one"), test::peer_frame(role::server, 0x81, "two"),
                               test::peer_frame(role::server, 0x81, "three"));
  test::octets rest(in.end() - 2, in.end());
  in.resize(in.size() - rest.size());
  c.receive(in, {});
  std::string_view const one = c.next().text();
  REQUIRE(c.send("what is not next() and not park() leaves it alone") == refusal::none);
  CHECK(one == "one");
  std::string_view const two = c.next().text();
  CHECK(one == "\xDD\xDD\xDD");
  CHECK(two == "two");
  c.park();
  CHECK(two == "\xDD\xDD\xDD");
  c.receive(rest, {});
  CHECK(c.next().text() == "three");
  CHECK(c.next().what == kind::none);
}

TEST_CASE("poisoned: so are the payloads that a pair hands out") {
  sim::pair net(1);
  REQUIRE(net.open());
  REQUIRE(net.client.send("first") == refusal::none);
  sim::happening const h = net.step();
  REQUIRE(h.what.text() == "first");
  REQUIRE(h.at == role::server);
  CHECK(net.server.next().what == kind::none);
  CHECK(h.what.text() == "\xDD\xDD\xDD\xDD\xDD");
}
