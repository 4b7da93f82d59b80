// SPDX-License-Identifier: BSL-1.0
#include "purews/protocol/flight_recorder.hpp"

#include <string>

#include "purews/protocol/endpoint.hpp"
#include "support/catch.hpp"
#include "support/dies.hpp"
#include "support/machine_driver.hpp"

using namespace purews;

namespace {

std::string json(flight_recorder::entry const& e) {
  std::byte room[flight_recorder::json_bytes_max];
  return std::string(as_text({room, flight_recorder::write_json(room, e)}));
}

}  // namespace

TEST_CASE("a flight recorder keeps the last frames of both ways, the oldest first") {
  flight_recorder box;
  CHECK(box.size() == 0);
  for (std::uint64_t i = 0; i < 40; ++i) {
    box.tell_time(instant{static_cast<std::int64_t>(i)});
    box.add(i % 4 == 3 ? flight_recorder::direction::sent : flight_recorder::direction::received,
            {.op = opcode::text, .masked = i % 4 != 3, .length = i});
  }
  REQUIRE(box.size() == flight_recorder::capacity);
  CHECK(box[0].at == instant{8});
  CHECK(box[31].at == instant{39});
  CHECK(box[31].way == flight_recorder::direction::sent);
  CHECK(box[31].number == 10);
  CHECK(box[30].number == 30);
  CHECK(box[30].length == 38);
  // 29 frames of six bytes and their payloads came before.
  CHECK(box[30].offset == 29 * 6 + (37 * 38 / 2 - (3 + 7 + 11 + 15 + 19 + 23 + 27 + 31 + 35)));
  CHECK(dies([&] { static_cast<void>(box[32]); }));
}

TEST_CASE("an entry is a line of JSON") {
  CHECK(json({.at = instant{12},
              .number = 3,
              .offset = 70,
              .length = 5,
              .way = flight_recorder::direction::sent,
              .op = opcode::text,
              .rsv = 4,
              .fin = false,
              .masked = true}) ==
        "{\"ns\":12,\"way\":\"sent\",\"frame\":3,\"offset\":70,\"opcode\":1,\"fin\":false,\"rsv\":4,\"masked\":true,"
        "\"length\":5}\n");
  flight_recorder::entry const longest{.at = instant{INT64_MAX},
                                       .number = UINT64_MAX,
                                       .offset = UINT64_MAX,
                                       .length = UINT64_MAX,
                                       .way = flight_recorder::direction::received,
                                       .op = opcode::pong,
                                       .rsv = 7,
                                       .fin = false};
  CHECK(json(longest).size() <= flight_recorder::json_bytes_max);
}

TEST_CASE("a connection with a recorder does the same as one without, and every frame is in it") {
  for (role const own : {role::server, role::client}) {
    options const with{.entropy = test::zero_entropy};
    connection c(own, with, instant{1'000'000'000});
    flight_recorder box;
    REQUIRE(c.record(box) == refusal::none);
    test::machine_driver<connection> loop(c);
    loop.now = instant{2'000'000'000};
    loop.receive(test::join(test::peer_frame(own, 0x81, "Hello"), test::peer_frame(own, 0x89, "ping"),
                            test::peer_frame(own, 0x02, "frag"), test::peer_frame(own, 0x80, "ment")));
    REQUIRE(c.send("answer") == refusal::none);
    REQUIRE(c.send(prepared_message(opcode::binary, as_bytes("shared"))) == refusal::none);
    REQUIRE(c.ping(as_bytes("p")) == refusal::none);
    loop.receive(test::peer_frame(own, 0x83, "?"));
    loop.flush();
    CHECK(loop.events.size() == 4);
    std::string all;
    for (std::size_t i = 0; i < box.size(); ++i) {
      auto const& e = box[i];
      CHECK(e.at.ns == 2'000'000'000);
      bool const sent = e.way == flight_recorder::direction::sent;
      CHECK(e.masked == (sent == (own == role::client)));
      all += (sent ? ">" : "<") + std::to_string(static_cast<int>(e.op)) + (e.fin ? "" : "+") + " " +
             std::to_string(e.length) + ", ";
    }
    CHECK(all == "<1 5, <9 4, >10 4, <2+ 4, <0 4, >1 6, >2 6, >9 1, >8 2, ");
  }
}

TEST_CASE("7.1.7: a fault tells where the frame begins that broke the rule") {
  auto const offset_of = [](test::octets const& in, std::size_t step) {
    options const with{.limit = {.message_bytes_max = 100}};
    connection c(role::server, with, instant{1'000'000'000});
    test::machine_driver<connection> loop(c);
    for (std::size_t at = 0; at < in.size(); at += step)
      loop.receive(std::span(in).subspan(at, in.size() - at < step ? in.size() - at : step));
    REQUIRE(loop.events.back().find("failed") == 0);
    return c.fault_offset();
  };
  test::octets const hello = test::peer_frame(role::server, 0x81, "Hello");  // 11 bytes
  for (std::size_t const step : {1U, 2U, 3U, 1000U}) {
    CAPTURE(step);
    CHECK(offset_of(test::hex("83 80"), step) == 0);
    CHECK(offset_of(test::join(hello, hello, test::hex("81 05")), step) == 22);
    CHECK(offset_of(test::join(hello, test::peer_frame(role::server, 0x81, "abc\xFFxyz")), step) == 11);
    CHECK(offset_of(test::join(hello, test::peer_frame(role::server, 0x01, "abc"),
                               test::peer_frame(role::server, 0x80, "a\xFF"), hello),
                    step) == 20);
    CHECK(offset_of(test::join(hello, test::peer_frame(role::server, 0x82, std::string(101, 'x'))), step) == 11);
    CHECK(offset_of(test::join(hello, test::peer_frame(role::server, 0x88, "x")), step) == 11);
    CHECK(offset_of(test::join(hello, test::peer_frame(role::server, 0x88, test::hex("03ed"))), step) == 11);
    CHECK(offset_of(test::join(hello, test::peer_frame(role::server, 0x88, test::hex("03e8ff"))), step) == 11);
    CHECK(offset_of(test::join(hello, test::hex("81 ff 0000000000000005 00000000")), step) == 11);
    CHECK(offset_of(test::join(hello, test::hex("81 fe 0005 00000000")), step) == 11);
  }
}

TEST_CASE("RFC 9112 5: a fault in a head tells where its line begins, one of the whole head where that does") {
  auto const offset_of = [](std::string_view in, std::size_t step) {
    options const with;
    endpoint e(role::server, with, instant{1'000'000'000});
    test::machine_driver<endpoint> loop(e);
    test::octets const all = test::octets_of(in);
    for (std::size_t at = 0; at < all.size(); at += step)
      loop.receive(std::span(all).subspan(at, all.size() - at < step ? all.size() - at : step));
    REQUIRE(loop.events.back().find("failed") == 0);
    return e.fault_offset();
  };
  for (std::size_t const step : {1U, 3U, 1000U}) {
    CHECK(offset_of("GET / HTTP/1.1\r\nHost: h\r\nBad Name: x\r\n\r\n", step) == 25);
    CHECK(offset_of("GET / HTTP/3\r\n", step) == 0);
    CHECK(offset_of("GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", step) == 0);
  }
}
