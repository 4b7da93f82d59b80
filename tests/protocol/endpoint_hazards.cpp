// SPDX-License-Identifier: BSL-1.0
#include <memory>

#include "endpoint_harness.hpp"

using namespace purews;
using test::birth;
using test::frame_text;
using test::octets_of;

// What went wrong elsewhere between the upgrade and the end of a connection.

namespace {

options const sample{.entropy = test::sample_entropy};

std::string hello_to(role own) { return std::string(own == role::server ? test::upgrade_request : test::switching); }

// What the application did with an event before it destroyed the machine that reported it.
enum class act : std::uint8_t { nothing, decides, sends, closes, aborts, gathers, parks };

void do_one(endpoint& e, act what) {
  bytes_view spans[4];
  switch (what) {
    case act::nothing:
      return;
    case act::decides:
      static_cast<void>(e.answer({.status = 403}));
      return;
    case act::sends:
      static_cast<void>(e.send("something"));
      return;
    case act::closes:
      static_cast<void>(e.close());
      return;
    case act::aborts:
      return e.abort();
    case act::gathers:
      e.gather(spans);
      return;
    case act::parks:
      return e.park();
  }
}

}  // namespace

TEST_CASE("an endpoint may be destroyed inside the handling of every event, whatever was done before",
          "[hazard-53][hazard-64]") {
  for (role const own : {role::server, role::client}) {
    std::string const life = hello_to(own) + frame_text(own, 0x81, "text") + frame_text(own, 0x89, "ping") +
                             frame_text(own, 0x01, "one") + frame_text(own, 0x80, "two") + frame_text(own, 0x8A) +
                             frame_text(own, 0x88, "\x03\xE8gone");
    int const events = own == role::server ? 7 : 6;
    for (std::size_t const cut : {life.size(), std::size_t{30}, life.size() - 20, life.size() - 3})
      for (int last = 1; last <= events; ++last)
        for (act const what :
             {act::nothing, act::decides, act::sends, act::closes, act::aborts, act::gathers, act::parks}) {
          test::exact_copy const begin(octets_of(life.substr(0, cut)));
          test::exact_copy const rest(octets_of(life.substr(cut)));
          test::exact_copy const room(40);
          auto machine = std::make_unique<endpoint>(own, sample, birth);
          if (own == role::client) REQUIRE(machine->connect({.where = parse_uri("ws://h/")}) == refusal::none);
          machine->lend_output(room.view());
          int seen = 0;
          bool rest_came = false;
          machine->receive(begin.view(), birth);
          while (seen < last) {
            event const e = machine->next();
            if (e.what == kind::none) {
              REQUIRE_FALSE(rest_came);  // or an event is missing
              rest_came = true;
              machine->park();
              machine->receive(rest.view(), birth);
              continue;
            }
            ++seen;
            if (seen == last)
              do_one(*machine, what);
            else if (e.what == kind::request)
              REQUIRE(machine->accept() == refusal::none);
          }
          machine.reset();  // the leak checker and the bounds of the copies have the word
          CHECK(seen == last);
        }
  }
}

TEST_CASE("7.1.7: a broken frame in the packet of the handshake fails the open connection, in both roles",
          "[hazard-54]") {
  for (role const own : {role::server, role::client})
    for (std::string const& bad : {frame_text(own, 0x83), frame_text(own, 0xC1, "x"), frame_text(own, 0x80, "x"),
                                   frame_text(own, 0x09, "fragmented"), frame_text(own, 0x88, "x")}) {
      test::bench b(own, sample);
      if (own == role::client)
        REQUIRE(b.machine.connect({.where = parse_uri("ws://server.example.com/chat")}) == refusal::none);
      b.taken();
      b.receive(hello_to(own) + bad + frame_text(own, 0x81, "never delivered"));
      if (own == role::server) REQUIRE(b.machine.accept() == refusal::none);
      b.loop.drain();
      std::vector<std::string> const events = b.events();
      REQUIRE(events.size() >= 2);
      CHECK(events[events.size() - 2] == "open ");
      CHECK(events.back().starts_with("failed 1002 "));
      std::string const out = b.taken();
      std::string const frames = own == role::server ? out.substr(out.find("\r\n\r\n") + 4) : out;
      auto const sent = test::parse_frames(octets_of(frames));
      REQUIRE(sent.size() == 1);
      CHECK(sent[0].first == 0x88);
      CHECK(sent[0].text() == "\x03\xEA");
    }
}
