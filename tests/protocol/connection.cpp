// SPDX-License-Identifier: BSL-1.0
#include "purews/protocol/connection.hpp"

#include "support/catch.hpp"
#include "support/dies.hpp"
#include "support/machine_driver.hpp"

using namespace purews;
using test::octets;

namespace {

constexpr instant birth{1'000'000'000};
constexpr role roles[] = {role::server, role::client};
using lines = std::vector<std::string>;

// A connection with its driver, born at `birth`.
struct driven : connection {
  explicit driven(role own_role, options const& with, test::manner how = {})
      : connection(own_role, with, birth), own(own_role), driver(*this, how) {}

  void receive(octets const& in) { driver.receive(in); }
  void frame(unsigned first, std::string_view payload = {}) { receive(test::peer_frame(own, first, payload)); }
  octets taken() {
    driver.flush();
    return std::exchange(driver.output, {});
  }
  octets sent(unsigned first, std::string_view payload = {}) const { return test::own_frame(own, first, payload); }
  lines events() { return std::exchange(driver.events, {}); }

  role own;
  test::machine_driver<connection> driver;
};

options const usual{.entropy = test::zero_entropy};

std::string code_bytes(unsigned code) { return {static_cast<char>(code >> 8), static_cast<char>(code)}; }
std::string shown(std::string_view payload) { return test::describe(test::octets_of(payload)); }

}  // namespace

TEST_CASE("5.6: messages go out as frames and come in as events") {
  for (role const own : roles) {
    driven c(own, usual);
    CHECK(c.current() == state::open);
    CHECK(c.own_role() == own);
    CHECK(c.send("Hello") == refusal::none);
    CHECK(c.send(opcode::binary, octets(300, std::byte{1})) == refusal::none);
    CHECK(c.send(prepared_message(opcode::text, as_bytes("shared"))) == refusal::none);
    CHECK(c.send_fragment(opcode::text, as_bytes("a"), fragment::more) == refusal::none);
    CHECK(c.ping(as_bytes("ping")) == refusal::none);
    CHECK(c.send_fragment(opcode::text, as_bytes("b"), fragment::last) == refusal::none);
    CHECK(c.queued_bytes() > 300);
    CHECK(c.taken() == test::join(c.sent(0x81, "Hello"), c.sent(0x82, std::string(300, '\1')), c.sent(0x81, "shared"),
                                  c.sent(0x01, "a"), c.sent(0x89, "ping"), c.sent(0x80, "b")));
    CHECK(c.queued_bytes() == 0);
    c.frame(0x81, "answer");
    CHECK(c.events() == lines{"message text " + shown("answer")});
  }
}

TEST_CASE("an event's payload stays as it is while the application answers") {
  for (role const own : roles) {
    connection c(own, usual, birth);
    test::exact_copy const lent(test::join(test::peer_frame(own, 0x81, "one"), test::peer_frame(own, 0x89, "two"),
                                           test::peer_frame(own, 0x88, code_bytes(1000) + "three")));
    c.receive(lent.view(), birth);
    for (std::string_view const expected : {"one", "two", "three"}) {
      event const e = c.next();
      CHECK(as_text(e.payload) == expected);
      static_cast<void>(c.send("an answer"));
      static_cast<void>(c.ping());
      bytes_view spans[4];
      std::size_t size = 0;
      for (std::size_t i = c.gather(spans); i-- != 0;) size += spans[i].size();
      c.consume_output(size, birth);
      c.advance(birth);
      CHECK(as_text(e.payload) == expected);
      if (e.what == kind::closed) CHECK(e.clean);
    }
  }
}

TEST_CASE("an event's payload from a cut frame stays as it is too") {
  for (role const own : roles)
    for (std::string_view const payload : {"a ping", "another ping"}) {
      connection c(own, usual, birth);
      octets const frame = test::peer_frame(own, 0x89, payload);
      event e;
      for (std::byte const b : frame) {
        test::exact_copy const lent(octets{b});
        c.receive(lent.view(), birth);
        e = c.next();
        if (e.what == kind::none) continue;
        CHECK(c.send(std::string(3000, 'x')) == refusal::none);
        CHECK(as_text(e.payload) == payload);
      }
      CHECK(e.what == kind::ping);
    }
}

TEST_CASE("5.5.1: a Close without a code is sent empty, and has no reason") {
  for (role const own : roles) {
    driven c(own, usual);
    CHECK(c.close(status_code::no_status_received, "reason") == refusal::invalid_code);
    CHECK(c.close(status_code::no_status_received) == refusal::none);
    CHECK(c.taken() == c.sent(0x88));
  }
}

TEST_CASE("5.5.1: C-05: a reason that does not fit is refused, never cut or emptied") {
  for (role const own : roles) {
    driven c(own, usual);
    CHECK(c.close(status_code::normal, std::string(124, 'x')) == refusal::reason_too_long);
    CHECK(c.close(status_code::normal, std::string(100'000, 'x')) == refusal::reason_too_long);
    CHECK(c.close(status_code::normal, "\xff") == refusal::invalid_utf8);
    CHECK(c.close(status_code::normal, std::string(121, 'x') + "\xe2\x82") == refusal::invalid_utf8);
    CHECK(c.current() == state::open);
    CHECK(c.queued_bytes() == 0);
    std::string const longest = std::string(120, 'x') + "\xe2\x82\xac";
    CHECK(c.close(status_code::normal, longest) == refusal::none);
    CHECK(c.taken() == c.sent(0x88, code_bytes(1000) + longest));
  }
}

TEST_CASE("5.5.1: C-07, C-11: after our Close nothing more is sent", "[hazard-65]") {
  for (role const own : roles) {
    driven c(own, usual);
    CHECK(c.send("before") == refusal::none);
    CHECK(c.close() == refusal::none);
    CHECK(c.close() == refusal::not_open);
    CHECK(c.send("after") == refusal::not_open);
    CHECK(c.send(prepared_message(opcode::text, as_bytes("after"))) == refusal::not_open);
    CHECK(c.send_fragment(opcode::text, as_bytes("after"), fragment::last) == refusal::not_open);
    CHECK(c.ping() == refusal::not_open);
    CHECK(c.taken() == test::join(c.sent(0x81, "before"), c.sent(0x88, code_bytes(1000))));
  }
}

TEST_CASE("nothing is sent after the peer's Close, its end of stream, a failure or an abort") {
  for (role const own : roles)
    for (int const how : {0, 1, 2, 3}) {
      driven c(own, usual);
      if (how == 0) c.frame(0x88);
      if (how == 1) c.driver.receive_eof();
      if (how == 2) c.frame(0x83);
      if (how == 3) c.abort();
      CHECK(c.current() == state::closed);
      CHECK(c.send("after") == refusal::not_open);
      CHECK(c.close() == refusal::not_open);
      CHECK(c.ping() == refusal::not_open);
    }
}

TEST_CASE("5.5: a ping of the application has at most 125 bytes") {
  for (role const own : roles) {
    driven c(own, usual);
    CHECK(c.ping(octets(126)) == refusal::payload_too_long);
    CHECK(c.queued_bytes() == 0);
    CHECK(c.ping(octets(125)) == refusal::none);
    CHECK(c.ping() == refusal::none);
    CHECK(c.taken() == test::join(c.sent(0x89, std::string(125, '\0')), c.sent(0x89)));
  }
}

TEST_CASE("a send is refused when the queue is over its bound: one message may pass it", "[hazard-28]") {
  for (role const own : roles) {
    options with = usual;
    with.limit.queue_bytes_max = 1000;
    driven c(own, with);
    CHECK(c.send(std::string(900, 'a')) == refusal::none);
    CHECK(c.send(std::string(50'000, 'b')) == refusal::none);
    std::size_t const queued = c.queued_bytes();
    CHECK(c.send("c") == refusal::queue_full);
    CHECK(c.send(prepared_message(opcode::text, as_bytes("c"))) == refusal::queue_full);
    CHECK(c.send_fragment(opcode::text, {}, fragment::last) == refusal::queue_full);
    CHECK(c.queued_bytes() == queued);
    CHECK(c.ping() == refusal::none);  // control frames are exempt
    octets const out = c.taken();
    CHECK(test::parse_frames(out).size() == 3);
    CHECK(c.send("c") == refusal::none);
    CHECK(c.close() == refusal::none);
  }
}

TEST_CASE("the bounds of the queue are met exactly") {
  options with = usual;
  with.limit.queue_bytes_max = 100;
  with.limit.queue_bytes_high = 50;
  driven c(role::server, with);
  CHECK(c.send(opcode::binary, octets(48)) == refusal::none);
  CHECK(c.queued_bytes() == 50);
  CHECK(c.wants_input());
  CHECK(c.send(opcode::binary, octets(48)) == refusal::none);
  CHECK(c.queued_bytes() == 100);
  CHECK_FALSE(c.wants_input());
  CHECK(c.send(opcode::binary, {}) == refusal::none);
  CHECK(c.send(opcode::binary, {}) == refusal::queue_full);
  c.taken();
  CHECK(c.wants_input());
}

TEST_CASE("5.5.3: F-23: a peer that pings and does not read makes nothing grow", "[hazard-29]") {
  for (role const own : roles) {
    driven c(own, usual, {.withhold = true});
    octets const pings = test::repeated(1000, test::peer_frame(own, 0x89, std::string(125, 'p')));
    for (int i = 0; i < 30; ++i) {
      c.receive(pings);
      REQUIRE(c.queued_bytes() <= 16 * 131);
    }
    CHECK(test::parse_frames(c.taken()).size() == 17);
  }
}

TEST_CASE("a peer that reads nothing while its messages are answered is not read any more", "[hazard-28]") {
  driven c(role::server, usual, {.withhold = true});
  int answered = 0;
  while (c.wants_input()) {
    c.frame(0x81, std::string(1000, 'q'));
    REQUIRE(c.send(std::string(1000, 'a')) == refusal::none);
    REQUIRE(++answered < 1000);
  }
  CHECK(c.queued_bytes() <= limits{}.queue_bytes_high + 1004);
  c.frame(0x89, "one more buffer may come");
  CHECK(c.events().back() == "ping " + shown("one more buffer may come"));
  c.taken();
  CHECK(c.wants_input());
}

TEST_CASE("5.5.3: F-26, F-27: a pong goes between frames of ours, whatever the transport takes", "[hazard-05]") {
  for (role const own : roles)
    for (std::size_t const taken : {1U, 2U, 3U, 7U}) {
      driven c(own, usual, {.write_max = taken, .writes_max = 1});
      for (int i = 0; i < 5; ++i) CHECK(c.send(std::string(200, static_cast<char>('a' + i))) == refusal::none);
      for (int i = 0; i < 10; ++i) c.frame(0x89, std::to_string(i));
      octets const out = c.taken();
      int next_data = 0, next_pong = 0;
      for (auto const& frame : test::parse_frames(out)) {
        if (frame.first == 0x8a) {
          CHECK(frame.text() == std::to_string(next_pong++));
        } else {
          CHECK(frame.text() == std::string(200, static_cast<char>('a' + next_data++)));
        }
      }
      CHECK(next_data == 5);
      CHECK(next_pong == 10);
    }
}

TEST_CASE("7.1.1: C-12: a server shuts first, a client waits for the server") {
  driven server(role::server, usual);
  server.frame(0x88, code_bytes(1000));
  server.driver.flush();
  CHECK(server.transport() == transport_action::shut_write);
  server.driver.receive_eof();
  CHECK(server.transport() == transport_action::close);

  driven client(role::client, usual);
  client.frame(0x88, code_bytes(1000));
  client.driver.flush();
  CHECK(client.transport() == transport_action::keep);
  client.driver.receive_eof();
  CHECK(client.transport() == transport_action::close);
}

TEST_CASE("7.1.7: a failure shuts our side, whichever it is") {
  for (role const own : roles) {
    driven c(own, usual, {.withhold = true});
    c.frame(0x83);
    CHECK(c.transport() == transport_action::keep);  // the Close frame is still to be sent
    c.driver.flush();
    CHECK(c.transport() == transport_action::shut_write);
    c.driver.receive_eof();
    CHECK(c.transport() == transport_action::close);
  }
}

TEST_CASE("7.1.5: C-13: the peer's half-close leaves time to send what is queued") {
  for (role const own : roles) {
    driven c(own, usual, {.withhold = true});
    CHECK(c.send("queued") == refusal::none);
    c.receive(test::join(test::peer_frame(own, 0x81, "last words"), octets{std::byte{0x81}}));
    c.driver.receive_eof();
    CHECK(c.events() == lines{"message text " + shown("last words"), "closed 1006 unclean "});
    CHECK_FALSE(c.wants_input());
    CHECK(c.transport() == transport_action::keep);
    CHECK(c.taken() == c.sent(0x81, "queued"));
    CHECK(c.transport() == transport_action::close);
  }
}

TEST_CASE("7.1.5: C-13: an end of stream is reported after all that came before it") {
  for (role const own : roles) {
    connection c(own, usual, birth);
    test::exact_copy const lent(test::join(test::peer_frame(own, 0x81, "a"), test::peer_frame(own, 0x81, "b")));
    c.receive(lent.view(), birth);
    CHECK(c.next().what == kind::message);
    c.park();
    c.receive_eof(birth);
    CHECK(c.current() == state::open);
    CHECK(c.next().text() == "b");
    event const e = c.next();
    CHECK(e.what == kind::closed);
    CHECK(e.code == status_code::abnormal);
    CHECK(c.next().what == kind::none);
  }
}

TEST_CASE("7.1.7: C-15: the Close frame survives a flood that comes before it was sent") {
  for (role const own : roles) {
    driven c(own, usual, {.withhold = true});
    c.frame(0x83);
    for (int i = 0; i < 16; ++i) c.receive(octets(65536, std::byte{0x42}));
    CHECK(c.taken() == c.sent(0x88, code_bytes(1002)));
    CHECK(c.transport() == transport_action::shut_write);
    c.receive(octets(65536));  // what the limit allows
    CHECK(c.transport() == transport_action::shut_write);
    c.receive(octets(1));
    CHECK(c.transport() == transport_action::close);
  }
}

TEST_CASE("an abort ends the transport at once, and says nothing") {
  for (role const own : roles)
    for (int const when : {0, 1, 2, 3}) {
      driven c(own, usual, {.withhold = true});
      CHECK(c.send("queued") == refusal::none);
      if (when == 1) CHECK(c.close() == refusal::none);
      if (when == 2) c.frame(0x83);
      if (when == 3) c.frame(0x01, "begun");
      c.events();
      c.abort();
      CHECK(c.current() == state::closed);
      CHECK(c.transport() == transport_action::close);
      CHECK(c.next().what == kind::none);
      CHECK(c.deadline() == never);
      CHECK(c.taken().empty());
    }
}

TEST_CASE("an abort during a gather leaves the gathered bytes in peace") {
  connection c(role::server, usual, birth);
  CHECK(c.send("gathered") == refusal::none);
  bytes_view spans[2];
  REQUIRE(c.gather(spans) == 1);
  octets const before(spans[0].begin(), spans[0].end());
  c.abort();
  CHECK(octets(spans[0].begin(), spans[0].end()) == before);
  c.consume_output(before.size(), birth);
}

TEST_CASE("7.1.7: there is one terminal event, whatever happens after it", "[hazard-16][hazard-17]") {
  for (role const own : roles)
    for (int const how : {0, 1, 2, 3, 4}) {
      driven c(own, usual);
      if (how == 0) c.frame(0x88);
      if (how == 1) c.driver.receive_eof();
      if (how == 2) c.frame(0x83);
      if (how == 3) {
        CHECK(c.close() == refusal::none);
        c.frame(0x88);
      }
      if (how == 4) {
        CHECK(c.send("nobody takes it") == refusal::none);
        c.advance(birth);
        c.advance(birth + seconds(100));
        c.driver.drain();
      }
      CHECK(c.events().size() == 1);
      for (int i = 0; i < 5; ++i) {
        c.driver.advance(seconds(i));
        if (how != 1) c.frame(0x81, "late");
        c.park();
        c.driver.drain();
        c.driver.flush();
      }
      if (how != 1) c.driver.receive_eof();
      c.driver.advance(seconds(1000));
      CHECK(c.events().empty());
      CHECK(c.transport() == transport_action::close);
    }
}

TEST_CASE("pieces of a message that the end interrupts are not followed by anything") {
  options with = usual;
  with.deliver = delivery::pieces;
  connection c(role::client, with, birth);
  test::exact_copy const lent(test::hex("01 03 616161 00 03 62ff62 80 01 63"));
  c.receive(lent.view(), birth);
  event e = c.next();
  CHECK(e.what == kind::fragment);
  CHECK(as_text(e.payload) == "aaa");
  CHECK_FALSE(e.fin);
  e = c.next();
  CHECK(e.what == kind::failed);
  CHECK(e.fault == error::invalid_utf8);
  CHECK(c.next().what == kind::none);
}

TEST_CASE("a cut message is read into its own room", "[hazard-14]") {
  for (role const own : roles) {
    connection c(own, usual, birth);
    octets const payload(200'000, std::byte{'r'});
    octets const frame = test::peer_frame(own, 0x82, payload);
    CHECK(c.receive_room().empty());
    test::exact_copy const first(octets(frame.begin(), frame.begin() + 20'000));
    c.receive(first.view(), birth);
    CHECK(c.receive_room().empty());  // the scratch is not read yet
    CHECK(c.next().what == kind::none);
    std::size_t at = 20'000;
    while (at < frame.size()) {
      bytes const room = c.receive_room();
      octets const rest(frame.begin() + static_cast<std::ptrdiff_t>(at), frame.end());
      if (room.empty()) {
        test::exact_copy const lent(rest);
        c.receive(lent.view(), birth);
        event const e = c.next();
        CHECK(octets(e.payload.begin(), e.payload.end()) == payload);
        break;
      }
      REQUIRE(room.size() <= rest.size());
      copy_bytes(room.data(), bytes_view(rest).first(room.size()));
      c.receive(room, birth);
      at += room.size();
      event const e = c.next();
      REQUIRE((e.what == kind::message) == (at == frame.size()));
      if (at == frame.size()) CHECK(octets(e.payload.begin(), e.payload.end()) == payload);
    }
    c.abort();
    CHECK(c.receive_room().empty());
  }
}

TEST_CASE("there is no room for a cut message while input is parked, nor after the end") {
  connection c(role::client, usual, birth);
  octets const frame = test::peer_frame(role::client, 0x82, octets(100'000));
  auto const park = [&](std::ptrdiff_t from, std::ptrdiff_t to) {
    test::exact_copy const lent(octets(frame.begin() + from, frame.begin() + to));
    c.receive(lent.view(), birth);
    c.park();
  };
  park(0, 40'000);
  CHECK(c.next().what == kind::none);
  CHECK_FALSE(c.receive_room().empty());
  park(40'000, 50'000);
  CHECK(c.receive_room().empty());  // what is parked comes first
  CHECK(c.next().what == kind::none);
  CHECK_FALSE(c.receive_room().empty());
  c.abort();
  CHECK(c.receive_room().empty());
}

TEST_CASE("what was read into the room may be parked") {
  connection c(role::client, usual, birth);
  octets const payload(100'000, std::byte{'r'});
  octets const frame = test::peer_frame(role::client, 0x82, payload);
  test::exact_copy const first(octets(frame.begin(), frame.begin() + 40'000));
  c.receive(first.view(), birth);
  CHECK(c.next().what == kind::none);
  bytes const room = c.receive_room();
  REQUIRE(room.size() == frame.size() - 40'000);
  copy_bytes(room.data(), bytes_view(frame).subspan(40'000));
  c.receive(room, birth);
  c.park();
  event const e = c.next();
  CHECK(octets(e.payload.begin(), e.payload.end()) == payload);
}

TEST_CASE("the contract of a byte machine: misuse of every verb ends the program") {
  test::exact_copy const lent(test::peer_frame(role::server, 0x81, "Hello"));
  test::exact_copy const room(64);
  bytes_view spans[2];
  auto const with_output = [&](auto f) {
    return dies([&] {
      connection c(role::server, usual, birth);
      static_cast<void>(c.send("queued"));
      f(c);
    });
  };
  CHECK(with_output([&](connection& c) {  // receive, when the last input is neither drained nor parked
    c.receive(lent.view(), birth);
    c.receive(lent.view(), birth);
  }));
  CHECK(with_output([&](connection& c) {  // receive after the end of the stream
    c.receive_eof(birth);
    c.receive(lent.view(), birth);
  }));
  CHECK(with_output([&](connection& c) {
    c.gather(spans);
    c.gather(spans);
  }));
  CHECK(with_output([&](connection& c) {  // more than was gathered
    c.gather(spans);
    c.consume_output(9, birth);
  }));
  CHECK(with_output([&](connection& c) { c.consume_output(1, birth); }));
  CHECK(with_output([&](connection& c) {
    c.lend_output(room.view());
    c.lend_output(room.view());
  }));
  CHECK(with_output([&](connection& c) {
    c.lend_output(room.view());
    c.gather(spans);
    c.lend_output({});
  }));
  CHECK(with_output([&](connection& c) { static_cast<void>(c.send(opcode::close, {})); }));
  CHECK(with_output([&](connection& c) { static_cast<void>(c.send(prepared_message())); }));
  CHECK(dies([] {  // a client without entropy
    options const without;
    connection(role::client, without, birth);
  }));
  CHECK_FALSE(with_output([&](connection& c) {
    c.lend_output(room.view());
    c.receive(lent.view(), birth);
    c.park();
    c.receive(test::exact_copy(lent.view()).view(), birth);
    c.park();
    while (c.next().what != kind::none) {
    }
    c.gather(spans);
    c.consume_output(0, birth);
    c.lend_output({});
    c.gather(spans);
    c.consume_output(8, birth);
    c.consume_output(0, birth);
    c.receive_eof(birth);
    c.receive_eof(birth);
    c.park();
  }));
}

TEST_CASE("a connection may be destroyed at any moment", "[hazard-53][hazard-64]") {
  octets const stream = test::join(
      test::peer_frame(role::server, 0x01, std::string(300, 'm')), test::peer_frame(role::server, 0x89, "ping"),
      test::peer_frame(role::server, 0x80, "end"), test::peer_frame(role::server, 0x88, code_bytes(1000)));
  for (std::size_t end = 0; end <= stream.size(); ++end)
    for (int events = 0; events < 5; ++events) {
      test::exact_copy const lent(octets(stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(end)));
      test::exact_copy const room(20);
      bytes_view spans[4];
      connection c(role::server, usual, birth);
      if (end % 2 == 0) c.lend_output(room.view());
      static_cast<void>(c.send("something"));
      c.receive(lent.view(), birth);
      for (int i = 0; i < events; ++i) c.next();
      if (end % 3 == 0) c.gather(spans);
      if (end % 5 == 0) c.park();
    }
  SUCCEED();
}
