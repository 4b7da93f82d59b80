// SPDX-License-Identifier: BSL-1.0

// What connection.hpp does as time passes. No clock is asked: time is a number.
#include "purews/protocol/connection.hpp"

#include "plain_codec.hpp"
#include "support/catch.hpp"
#include "support/machine_driver.hpp"

using namespace purews;
using test::octets;

namespace {

constexpr instant birth{1'000'000'000};
constexpr role roles[] = {role::server, role::client};
constexpr duration tick{1};
constexpr duration just_before(duration d) { return duration{d.ns - tick.ns}; }
options const usual{.entropy = test::zero_entropy};
using lines = std::vector<std::string>;

// A connection and its time. A frame that was sent is taken by the transport only by taken().
struct timed : connection {
  explicit timed(role own_role, options const& with = usual) : connection(own_role, with, birth), own(own_role) {}

  // Time passes until `t`; all that is due on the way happens when it is due, as in a loop.
  void run_until(instant t) {
    for (int i = 0; deadline() <= t; ++i) {
      REQUIRE(i < 100);  // a deadline that stays in the past would be an endless loop
      now = deadline() > now ? deadline() : now;
      connection::advance(now);
      drain();
      if (transport() == transport_action::close) break;
    }
    now = t;
    connection::advance(t);
    drain();
  }
  void run(duration d) { run_until(now + d); }

  void receive_frame(unsigned first, std::string_view payload = {}) {
    receive_bytes(test::peer_frame(own, first, payload));
  }
  void receive_bytes(octets const& in) {
    test::exact_copy const lent(in);
    connection::receive(lent.view(), now);
    drain();
  }
  void end_of_stream() {
    connection::receive_eof(now);
    drain();
  }
  void drain() {
    for (event e = next(); e.what != kind::none; e = next()) seen.push_back(test::describe(e));
  }
  lines events() { return std::exchange(seen, {}); }
  octets taken(std::size_t most = SIZE_MAX) {
    octets all;
    bytes_view spans[8];
    while (std::size_t const n = all.size() < most ? gather(spans) : 0) {
      std::size_t const before = all.size();
      for (std::size_t i = 0; i < n; ++i) all.insert(all.end(), spans[i].begin(), spans[i].end());
      if (all.size() > most) all.resize(most);
      consume_output(all.size() - before, now);
    }
    return all;
  }
  octets sent(unsigned first, std::string_view payload = {}) const { return test::own_frame(own, first, payload); }

  role own;
  instant now = birth;
  lines seen{};
};

octets close_frame(timed const& c, unsigned code) {
  return c.sent(0x88, {static_cast<char const*>(code == 1011 ? "\x03\xf3" : "\x03\xe8"), 2});
}

}  // namespace

TEST_CASE("5.5.2: after a while without a byte a ping is sent, and again after its answer") {
  for (role const own : roles) {
    timed c(own);
    CHECK(c.deadline() == birth + seconds(25));
    c.run_until(birth + seconds(25) + duration{-1});
    CHECK(c.taken().empty());
    c.run(tick);
    CHECK(c.taken() == c.sent(0x89));
    CHECK(c.deadline() == birth + seconds(35));
    c.run(seconds(9));
    c.receive_frame(0x8a);
    CHECK(c.events() == lines{"pong "});
    CHECK(c.deadline() == birth + seconds(34 + 25));
    c.run(seconds(25));
    CHECK(c.taken() == c.sent(0x89));
  }
}

TEST_CASE("5.5.2: C-17: a peer that does not answer a ping fails the connection, and is told", "[hazard-31]") {
  for (role const own : roles) {
    timed c(own);
    c.run(seconds(25));
    c.taken();
    c.run(just_before(seconds(10)));
    CHECK(c.current() == state::open);
    c.run(tick);
    CHECK(c.events() == lines{"failed 1011 pong_timeout"});
    CHECK(c.taken() == close_frame(c, 1011));
    CHECK(c.transport() == transport_action::shut_write);
    c.run(seconds(1));
    CHECK(c.transport() == transport_action::close);
    CHECK(c.events().empty());
  }
}

TEST_CASE("any byte of the peer counts as life, not only a pong") {
  for (role const own : roles) {
    timed c(own);
    c.run(seconds(20));
    c.receive_bytes({std::byte{0x82}});
    c.run(seconds(24));
    CHECK(c.taken().empty());
    c.run(seconds(1));
    CHECK(c.taken() == c.sent(0x89));
    c.run(seconds(9));
    c.receive_bytes({own == role::server ? std::byte{0x85} : std::byte{0x05}});  // the ping is as good as answered
    c.run(seconds(24));
    CHECK(c.current() == state::open);
    CHECK(c.taken().empty());
  }
}

TEST_CASE("advance without a deadline behind it does nothing") {
  for (role const own : roles) {
    timed c(own);
    for (int i = 0; i < 1000; ++i) {
      c.now = c.now + milliseconds(24);
      c.advance(c.now);
      c.advance(c.now);
      REQUIRE(c.deadline() == birth + seconds(25));
    }
    CHECK(c.taken().empty());
    CHECK(c.close() == refusal::none);
    c.taken();
    instant const due = c.now + seconds(5);
    for (int i = 0; i < 100; ++i) {
      c.now = c.now + milliseconds(49);
      c.advance(c.now);
      REQUIRE(c.deadline() == due);
    }
    CHECK(c.events().empty());
    CHECK(c.current() == state::closing);
  }
}

TEST_CASE("pings may be turned off") {
  options with = usual;
  with.timeout.ping = forever;
  timed c(role::server, with);
  CHECK(c.deadline() == never);
  c.run(seconds(1'000'000));
  CHECK(c.taken().empty());
}

TEST_CASE("while no input is wanted, the ping and pong timers stand still") {
  for (role const own : roles) {
    options with = usual;
    with.limit.queue_bytes_high = 10;
    with.timeout.write = forever;
    timed c(own, with);
    c.run(seconds(25));
    CHECK(c.taken() == c.sent(0x89));
    c.run(seconds(9));
    CHECK(c.send("more than ten bytes") == refusal::none);
    CHECK_FALSE(c.wants_input());
    c.run(seconds(3600));  // how should the peer be heard, if nobody listens?
    CHECK(c.current() == state::open);
    CHECK(c.deadline() == never);
    CHECK(c.taken() == c.sent(0x81, "more than ten bytes"));
    CHECK(c.wants_input());
    CHECK(c.deadline() == c.now + seconds(10));  // the pong has its time from here
    c.run(seconds(10));
    CHECK(c.events() == lines{"failed 1011 pong_timeout"});
  }
}

TEST_CASE("7.1.1: paused by its application a connection wants no input, pings nobody, and still closes") {
  for (role const own : roles) {
    timed c(own);
    c.receive_frame(0x81, "before");
    CHECK(c.events() == lines{"message text 6265666f7265"});
    c.pause();
    CHECK_FALSE(c.wants_input());
    CHECK(c.send("still sent") == refusal::none);
    CHECK(c.taken() == c.sent(0x81, "still sent"));
    c.run(seconds(3600));
    CHECK(c.deadline() == never);
    CHECK(c.taken().empty());
    CHECK(c.current() == state::open);
    c.resume(c.now);
    CHECK(c.wants_input());
    CHECK(c.deadline() == c.now + seconds(25));
    c.pause();
    CHECK(c.close() == refusal::none);
    CHECK(c.wants_input());  // for the peer's Close frame
    CHECK(c.taken() == c.sent(0x88, "\x03\xE8"));
    c.receive_frame(0x88, "\x03\xE8");
    CHECK(c.current() == state::closed);
  }
}

TEST_CASE("what a connection keeps is its output, its parked input and the part of a message that has come") {
  timed c(role::server);
  CHECK(c.buffered_bytes() == 0);
  CHECK(c.send("12345") == refusal::none);
  CHECK(c.buffered_bytes() == 7);
  CHECK(c.buffered_bytes() == c.queued_bytes());
  c.taken();
  CHECK(c.buffered_bytes() == 0);
  octets const frame = test::peer_frame(role::server, 0x81, "half a message");
  c.receive_bytes(octets(frame.begin(), frame.begin() + 12));
  CHECK(c.buffered_bytes() == 6);
  c.receive_bytes(octets(frame.begin() + 12, frame.end()));
  CHECK(c.events() == lines{"message text 68616c662061206d657373616765"});
  {
    test::exact_copy const lent(frame);
    c.receive(lent.view(), c.now);
    c.park();
  }
  CHECK(c.buffered_bytes() == frame.size());
  c.drain();
  CHECK(c.events() == lines{"message text 68616c662061206d657373616765"});
  CHECK(c.buffered_bytes() <= frame.size());
}

TEST_CASE("a pause before a ping is due postpones it") {
  options with = usual;
  with.limit.queue_bytes_high = 10;
  with.timeout.write = forever;
  timed c(role::server, with);
  CHECK(c.send("more than ten bytes") == refusal::none);
  c.run(seconds(100));
  c.taken();
  CHECK(c.deadline() == birth + seconds(125));
}

TEST_CASE("7.1.1: C-14: a peer that never answers our Close: the transport is closed in time", "[hazard-31]") {
  for (role const own : roles)
    for (bool const talks : {false, true}) {
      timed c(own);
      c.run(seconds(7));
      CHECK(c.close() == refusal::none);
      c.run(duration{0});
      CHECK(c.taken() == close_frame(c, 1000));
      CHECK(c.deadline() == birth + seconds(12));
      for (int i = 0; i < 4; ++i) {
        c.run(seconds(1));
        if (talks) c.receive_frame(0x81, "I am still here");  // data does not prolong it
      }
      c.run(just_before(seconds(1)));
      CHECK(c.transport() == transport_action::keep);
      c.run(tick);
      CHECK(c.events() == lines{"failed 1006 close_timeout"});
      CHECK(c.transport() == transport_action::close);
      CHECK(c.taken().empty());
      CHECK(c.deadline() == never);
    }
}

TEST_CASE("7.1.1: C-14: the time of a Close begins with the next call that brings a time") {
  timed c(role::server);
  c.run(seconds(20));
  CHECK(c.close() == refusal::none);
  CHECK(c.deadline() <= c.now);  // it asks to be told
  c.now = birth + seconds(21);
  c.taken();
  CHECK(c.deadline() == birth + seconds(26));
}

TEST_CASE("5.5.1: after our Close no ping is sent and no pong awaited") {
  options with = usual;
  with.timeout.close = seconds(1000);
  for (role const own : roles) {
    timed c(own, with);
    c.run(seconds(25));
    CHECK(c.close() == refusal::none);
    c.run(duration{0});
    CHECK(test::parse_frames(c.taken()).size() == 2);
    c.run(seconds(999));
    CHECK(c.taken().empty());
    CHECK(c.current() == state::closing);
  }
}

TEST_CASE("7.1.1: C-12: a client waits for the server's end of stream up to the close timeout") {
  timed c(role::client);
  c.run(seconds(3));
  c.receive_frame(0x88);
  c.taken();
  CHECK(c.deadline() == birth + seconds(8));
  c.run(just_before(seconds(5)));
  CHECK(c.transport() == transport_action::keep);
  c.run(tick);
  CHECK(c.transport() == transport_action::close);
  CHECK(c.events() == lines{"closed 1005 clean "});
}

TEST_CASE("7.1.7: C-15: after a failure input is discarded for a second, then the transport is closed") {
  for (role const own : roles) {
    timed c(own);
    c.receive_frame(0x83);
    c.run(milliseconds(500));
    CHECK(c.transport() == transport_action::keep);  // our Close frame was not taken yet
    CHECK(test::parse_frames(c.taken()).size() == 1);
    CHECK(c.transport() == transport_action::shut_write);
    for (int i = 0; i < 9; ++i) {
      c.run(milliseconds(100));
      c.receive_bytes(octets(1000));
      CHECK(c.wants_input());
      CHECK(c.transport() == transport_action::shut_write);
    }
    c.run(milliseconds(100));
    CHECK(c.transport() == transport_action::close);
    CHECK(c.events() == lines{"failed 1002 unknown_opcode"});
  }
}

TEST_CASE("a peer that takes no output fails the connection", "[hazard-28]") {
  for (role const own : roles) {
    timed c(own);
    CHECK(c.send("hello") == refusal::none);
    c.run(seconds(9));
    CHECK(c.taken(1).size() == 1);  // any byte is progress
    c.run(just_before(seconds(10)));
    CHECK(c.current() == state::open);
    c.receive_frame(0x81, "the peer talks, but does not listen");
    c.run(tick);
    auto const events = c.events();
    REQUIRE(events.size() == 2);
    CHECK(events[1] == "failed 1006 write_timeout");
    CHECK(c.transport() == transport_action::close);
    CHECK(c.deadline() == never);
  }
}

TEST_CASE("a peer that takes no output after the end is not waited for either") {
  for (role const own : roles)
    for (int const how : {0, 1, 2}) {
      timed c(own);
      if (how == 0) c.receive_frame(0x83);
      if (how == 1) c.receive_frame(0x88);
      if (how == 2) {
        CHECK(c.send("queued") == refusal::none);
        c.end_of_stream();
      }
      CHECK(c.events().size() == 1);
      c.run(just_before(seconds(10)));
      CHECK(c.transport() == transport_action::keep);
      c.run(tick);
      CHECK(c.transport() == transport_action::close);
      CHECK(c.events().empty());
      CHECK(c.deadline() == never);
    }
}

TEST_CASE("a connection that ended with an end of stream alone closes at once") {
  for (role const own : roles) {
    timed c(own);
    c.end_of_stream();
    CHECK(c.transport() == transport_action::close);
    c.run(seconds(100));
    CHECK(c.events() == lines{"closed 1006 unclean "});
  }
}

TEST_CASE("deadlines: after what was due was done, the next is later") {
  // Whatever the state, a loop that advances at each deadline never spins.
  for (role const own : roles)
    for (int state_tried = 0; state_tried < 10; ++state_tried)
      for (bool const sent : {false, true}) {
        CAPTURE(state_tried, sent);
        options with = usual;
        with.limit.queue_bytes_high = state_tried == 9 ? 1 : 1000;
        timed c(own, with);
        if (state_tried == 1) CHECK(c.send("queued") == refusal::none);
        if (state_tried == 2) CHECK(c.close() == refusal::none);
        if (state_tried == 3) c.receive_frame(0x88);
        if (state_tried == 4) c.receive_frame(0x83);
        if (state_tried == 5) c.end_of_stream();
        if (state_tried == 6) c.receive_frame(0x89, "ping");
        if (state_tried == 7) c.receive_frame(0x01, "begun");
        if (state_tried == 8) c.abort();
        if (state_tried == 9) CHECK(c.send("over the mark") == refusal::none);
        if (sent) c.taken();
        for (int i = 0; i < 20; ++i) {
          instant const due = c.deadline();
          if (due == never || c.transport() == transport_action::close) break;
          c.now = due > c.now ? due : c.now;
          for (int again = 0; again < 2; ++again) {  // a second time, to tell the time of what the first one queued
            c.advance(c.now);
            c.drain();
          }
          bool const done = c.transport() == transport_action::close;
          REQUIRE((done || c.deadline() > c.now));
        }
        c.run(seconds(1000));
        CHECK(c.transport() == transport_action::close);
      }
}

TEST_CASE("lifetime: at its end the connection says 1001, up to an eighth early, and the same for the same instant") {
  for (role const own : roles) {
    options with = usual;
    with.timeout.ping = forever;
    with.timeout.lifetime = seconds(8000);
    instant first_end = never, last_end{};
    for (int i = 0; i < 64; ++i) {
      instant const begun{1'000'000'000 + i * 7919};
      connection c(own, with, begun);
      instant const end = c.deadline();
      CHECK(end > begun + seconds(7000));
      CHECK(end <= begun + seconds(8000));
      first_end = end < first_end ? end : first_end;
      last_end = end > last_end ? end : last_end;
      CHECK(connection(own, with, begun).deadline() == end);
      c.advance(instant{end.ns - 1});
      CHECK(c.current() == state::open);
      c.advance(end);
      CHECK(c.current() == state::closing);
      CHECK(c.next().what == kind::none);
      bytes_view span[1];
      REQUIRE(c.gather(span) == 1);
      CHECK(test::parse_frames({span[0].begin(), span[0].end()})[0].text() == "\x03\xE9");
      c.consume_output(span[0].size(), end);
      CHECK(c.deadline() == end + with.timeout.close);
    }
    CHECK(last_end - first_end > seconds(500));  // spread
  }
}

TEST_CASE("idle_codec: a codec that was not used for a while gives its memory back, once") {
  options with = usual;
  with.timeout.idle_codec = seconds(2);
  test::plain_codec codec;
  timed c(role::server, with);
  REQUIRE(c.use(codec) == refusal::none);
  CHECK(c.deadline() == birth + with.timeout.ping);
  REQUIRE(c.send("text") == refusal::none);
  c.taken();
  CHECK(c.deadline() == birth + seconds(2));
  c.run(just_before(seconds(2)));
  CHECK(codec.trims == 0);
  c.run(tick);
  CHECK(codec.trims == 1);
  CHECK(c.deadline() == birth + with.timeout.ping);
}
