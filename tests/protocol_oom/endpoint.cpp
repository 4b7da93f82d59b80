// SPDX-License-Identifier: BSL-1.0
#include "heap.hpp"

#include "protocol/endpoint_harness.hpp"
#include "support/catch.hpp"

using namespace purews;
using test::birth;
using test::frame_text;
using test::lines;

namespace {

constexpr role server = role::server;
constexpr role client = role::client;
std::string const upgrade{test::upgrade_request};
std::string const switched{test::switching};
options const sample{.entropy = test::sample_entropy};

std::string const page(5000, 'p');

test::manner const manners[] = {
    {}, {.park_after = 0}, {.park_after = 1, .room = 300}, {.room = 40, .write_max = 100}, {.withhold = true}};

/// One life on a heap that fails. What it checks holds whenever memory runs out.
struct scarce_life {
  endpoint machine;
  test::machine_driver<endpoint> loop;
  bool decides = true;

  scarce_life(role own, test::manner const& how) : machine(own, sample, birth), loop(machine, how) { loop.now = birth; }

  void receive(std::string_view in) { loop.receive(test::octets_of(in)); }

  /// Ends the life, and checks how it ended.
  void finish() {
    loop.receive_eof();
    loop.advance(duration{0});
    if (machine.current() == state::connecting) loop.advance(seconds(5));  // not even an answer could be given
    CHECK(machine.current() == state::closed);
    loop.flush();
    for (int i = 0; i < 20 && machine.transport() != transport_action::close; ++i) loop.advance(seconds(1));
    CHECK(machine.transport() == transport_action::close);
    int terminals = 0;
    for (std::string const& e : loop.events) {
      CHECK(terminals == 0);
      if (e.starts_with("closed") || e.starts_with("failed")) ++terminals;
    }
    CHECK(terminals == 1);
  }
};

/// Lets each allocation of `life` fail in its turn, alone and with all that follow.
template <class Life>
void starve(Life life) {
  for (test::manner const& how : manners) {
    for (long const fails_for : {1L, LONG_MAX}) {
      for (long n = 0;; ++n) {
        CAPTURE(how.describe(), n, fails_for);
        heap::start();
        heap::fails_at = n;
        heap::fails_for = fails_for;
        life(how);
        REQUIRE(heap::blocks.empty());
        if (!heap::failed()) break;
        REQUIRE(n < 1000);
      }
    }
  }
  heap::start();
}

bool is_oom(lines const& events) { return !events.empty() && events.back().ends_with("out_of_memory"); }

}  // namespace

TEST_CASE("out of memory: a server's connection ends with one event, whatever fails") {
  std::string const big(3000, 'b');
  starve([&](test::manner const& how) {
    scarce_life l(server, how);
    l.receive(upgrade.substr(0, 100));
    l.receive(upgrade.substr(100) + frame_text(server, 0x81, "early"));
    l.receive(frame_text(server, 0x89, "ping"));
    static_cast<void>(l.machine.answer({.status = 99}));
    if (l.machine.accept() == refusal::out_of_memory) static_cast<void>(l.machine.accept());
    l.loop.drain();
    static_cast<void>(l.machine.send(big));
    prepared_message const shared(opcode::text, as_bytes(big));
    if (shared) static_cast<void>(l.machine.send(shared));
    static_cast<void>(l.machine.send_fragment(opcode::binary, as_bytes(big), fragment::more));
    for (int i = 0; i < 20; ++i) l.receive(frame_text(server, 0x89, std::to_string(i)));
    std::string const cut = frame_text(server, 0x81, big);
    l.receive(cut.substr(0, 1000));
    l.receive(cut.substr(1000));
    static_cast<void>(l.machine.ping());
    static_cast<void>(l.machine.close(status_code::going_away, "bye"));
    l.receive(frame_text(server, 0x88, "\x03\xE9"));
    l.finish();
    std::string const said = test::text_of(l.loop.output);
    CHECK((said.empty() || switched.starts_with(said) || said.starts_with(switched) ||
           said.starts_with("HTTP/1.1 500 ")));
    if (!heap::failed()) {
      CHECK(l.loop.events.back() == "closed 1001 clean ");
      CHECK(test::parse_frames(test::octets_of(said.substr(switched.size()))).size() > 20);
    }
  });
}

TEST_CASE("out of memory: a client's connection ends with one event, whatever fails") {
  starve([](test::manner const& how) {
    scarce_life l(client, how);
    client_request const request{.where = parse_uri("ws://server.example.com/chat")};
    refusal first = l.machine.connect(request);
    if (first == refusal::out_of_memory) {
      CHECK(l.machine.queued_bytes() == 0);
      first = l.machine.connect(request);
    }
    l.loop.flush();
    std::string const said = test::text_of(l.loop.output);
    if (first == refusal::none)
      CHECK(said.starts_with("GET /chat HTTP/1.1\r\nHost: server.example.com\r\n"));
    else
      CHECK(said.empty());
    l.receive("HTTP/1.1 103 X\r\n\r\n" + switched.substr(0, 30));
    l.receive(switched.substr(30) + frame_text(client, 0x81, "early"));
    static_cast<void>(l.machine.send("text"));
    for (int i = 0; i < 20; ++i) l.receive(frame_text(client, 0x89, std::to_string(i)));
    l.receive(frame_text(client, 0x01, "cut"));
    l.receive(frame_text(client, 0x80, " message"));
    l.receive(frame_text(client, 0x88, "\x03\xE8"));
    l.finish();
    if (!heap::failed()) {
      CHECK(l.loop.events.back() == "closed 1000 clean ");
      CHECK(l.loop.events.front() == "open ");
    }
  });
}

TEST_CASE("out of memory: an HTTP exchange ends with one event and one answer, whatever fails") {
  for (body_lifetime const kept : {body_lifetime::call, body_lifetime::permanent}) {
    starve([kept](test::manner const& how) {
      scarce_life l(server, how);
      l.receive("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n");
      l.receive("hello");
      l.receive("world");
      l.receive("GET / HTTP/1.1\r\n");
      http_answer const with{.body = as_bytes(page)};
      if (l.machine.answer(with, kept) == refusal::out_of_memory) static_cast<void>(l.machine.answer(with, kept));
      l.finish();
      std::string said = test::text_of(l.loop.output);
      if (said.starts_with(continue_answer)) said.erase(0, continue_answer.size());
      // One answer, whole or cut short by the end; never a second head behind it.
      CHECK((said.empty() || said.starts_with("HTTP/1.1 200 OK\r\n") || said.starts_with("HTTP/1.1 500 ")));
      CHECK(said.find("HTTP/1.1", 1) == std::string::npos);
      if (!heap::failed()) {
        CHECK(l.loop.events == lines{"request 68656c6c6f776f726c64", "closed 0 unclean "});
        CHECK(said.ends_with(page));
      }
    });
  }
}

TEST_CASE(
    "out of memory: an answer that is refused has changed nothing; one that is cut short is an end, not a refusal") {
  for (long fails_at = 0; fails_at < 2; ++fails_at) {
    heap::start();
    endpoint e(server, sample, birth);
    test::machine_driver<endpoint> loop(e);
    loop.receive(test::octets_of("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
    heap::start();
    heap::fails_at = fails_at;  // the head, or the reference to the body
    refusal const why = e.answer({.body = as_bytes(page)}, body_lifetime::permanent);
    heap::start();
    CHECK(why == (fails_at == 0 ? refusal::out_of_memory : refusal::none));
    if (fails_at == 0) CHECK(e.queued_bytes() == 0);
    CHECK(e.transport() == (fails_at == 0 ? transport_action::keep : transport_action::close));
    CHECK(e.next().fault == (fails_at == 0 ? error::none : error::out_of_memory));
  }
}

TEST_CASE("out of memory: a request that someone else parsed is refused, or its connection ends with one event") {
  header_field const headers[] = {{"Host", "h"},
                                  {"Upgrade", "websocket"},
                                  {"Connection", "Upgrade"},
                                  {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
                                  {"Sec-WebSocket-Version", "13"}};
  starve([&](test::manner const& how) {
    scarce_life l(server, how);
    parsed_request const request{"GET", "/", headers};
    refusal first = l.machine.adopt(request);
    if (first == refusal::out_of_memory) {
      l.loop.drain();
      CHECK(l.loop.events.empty());
      first = l.machine.adopt(request);
    }
    l.loop.drain();
    if (l.machine.accept() == refusal::out_of_memory) static_cast<void>(l.machine.accept());
    l.receive(frame_text(server, 0x81, "left over"));
    l.receive(frame_text(server, 0x88, "\x03\xE8"));
    l.finish();
    std::string const said = test::text_of(l.loop.output);
    CHECK((said.empty() || said.starts_with(switched) || switched.starts_with(said) ||
           said.starts_with("HTTP/1.1 500 ")));
    if (!heap::failed()) CHECK(l.loop.events.back() == "closed 1000 clean ");
  });
}

TEST_CASE("out of memory: the body of a refusal is told, or memory is what failed [K-02]") {
  starve([](test::manner const& how) {
    scarce_life l(client, how);
    client_request const request{.where = parse_uri("ws://server.example.com/chat")};
    if (l.machine.connect(request) == refusal::out_of_memory) static_cast<void>(l.machine.connect(request));
    l.loop.flush();
    l.receive("HTTP/1.1 401 Unauthorized\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe");
    l.receive("llo\r\n3");
    l.receive("\r\nyou\r\n");
    l.finish();
    if (heap::failed()) return;
    event const refused{.what = kind::failed, .fault = error::answer_status, .code = status_code::abnormal};
    CHECK(l.loop.events == lines{test::describe(refused)});
  });
}

TEST_CASE("out of memory: a request that could not be kept is answered with 500 or not at all") {
  heap::start();
  endpoint e(server, sample, birth);
  {
    test::exact_copy const lent(as_bytes(upgrade));
    e.receive(lent.view(), birth);
    CHECK(e.next().what == kind::request);
    heap::fails_at = heap::calls;
    e.park();
  }
  // The loop is told to come back at once; until then the request is gone.
  CHECK(e.deadline() <= birth);
  CHECK(e.accept() == refusal::not_connecting);
  CHECK(e.answer({}) == refusal::not_connecting);
  e.advance(birth);
  event const last = e.next();
  CHECK(last.what == kind::failed);
  CHECK(last.fault == error::out_of_memory);
  CHECK(e.next().what == kind::none);
  bytes_view span[2];
  REQUIRE(e.gather(span) == 1);
  CHECK(as_text(span[0]).starts_with("HTTP/1.1 500 "));
  e.consume_output(0, birth);
  heap::start();
}

TEST_CASE("out of memory: what follows lost input is not read as frames") {
  heap::start();
  endpoint e(server, sample, birth);
  test::machine_driver<endpoint> loop(e);
  loop.receive(test::octets_of(upgrade));
  REQUIRE(e.accept() == refusal::none);
  loop.drain();
  loop.flush();
  std::string const message =
      frame_text(server, 0x82, "a payload with " + frame_text(server, 0x81, "a frame") + " in it");
  std::size_t const inner = message.find("\x81\x87");
  REQUIRE(inner != std::string::npos);
  {
    test::exact_copy const lent(as_bytes(std::string_view(message).substr(0, inner)));
    e.receive(lent.view(), birth);
    heap::fails_at = heap::calls;
    e.park();
  }
  loop.events.clear();
  loop.receive(test::octets_of(message.substr(inner)));
  CHECK(loop.events == lines{"failed 1011 out_of_memory"});
  heap::start();
}

TEST_CASE("memory: small messages cost no allocation once the connection is open") {
  for (role const own : {server, client}) {
    endpoint e(own, sample, birth);
    std::byte room[1024];
    auto const exchange = [&](std::string_view in) {
      test::exact_copy const lent(as_bytes(in));
      e.lend_output(room);
      e.receive(lent.view(), birth);
      for (event seen = e.next(); seen.what != kind::none; seen = e.next()) {
        if (seen.what == kind::request) CHECK(e.accept() == refusal::none);
        if (seen.what == kind::message) CHECK(e.send(seen.op, seen.payload) == refusal::none);
      }
      bytes_view spans[4];
      std::size_t sent = 0;
      for (std::size_t i = e.gather(spans); i > 0; --i) sent += spans[i - 1].size();
      e.consume_output(sent, birth);
      e.lend_output({});
      return sent;
    };
    if (own == client) {
      REQUIRE(e.connect({.where = parse_uri("ws://server.example.com/chat")}) == refusal::none);
      bytes_view spans[2];
      REQUIRE(e.gather(spans) == 1);
      e.consume_output(spans[0].size(), birth);
    }
    exchange(own == server ? upgrade : switched);
    REQUIRE(e.current() == state::open);
    heap::start();
    for (int i = 0; i < 1000; ++i) {
      CHECK(exchange(frame_text(own, 0x81, "Hello") + frame_text(own, 0x89, "p") + frame_text(own, 0x82)) > 0);
      e.advance(birth);
    }
    CHECK(heap::calls == 0);
    CHECK(heap::blocks.empty());
  }
}

TEST_CASE("memory: an idle connection owns none, also if its opening handshake came in pieces") {
  for (role const own : {server, client}) {
    heap::start();
    endpoint e(own, sample, birth);
    test::machine_driver<endpoint> loop(e);
    if (own == client) REQUIRE(e.connect({.where = parse_uri("ws://server.example.com/chat")}) == refusal::none);
    loop.flush();
    std::string const& text = own == server ? upgrade : switched;
    loop.receive(test::octets_of(text.substr(0, 50)));
    loop.receive(test::octets_of(text.substr(50)));
    if (own == server) REQUIRE(e.accept() == refusal::none);
    loop.drain();
    loop.flush();
    REQUIRE(e.current() == state::open);
    CHECK(heap::used == 0);
  }
}

TEST_CASE("9112: what a peer can make us keep before the application has the word is bounded [H-60]", "[hazard-75]") {
  struct endless {
    role own;
    std::string begin;
    std::string repeated;
  };
  endless const cases[] = {
      {server, "", "x"},
      {server, "GET /", "x"},
      {server, "GET / HTTP/1.1\r\n", "a:b\r\n"},
      {server, "GET / HTTP/1.1\r\na: ", "x"},
      {server, "GET / HTTP/1.1\r\n", "a: " + std::string(1000, 'x') + "\r\n"},
      {server, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 65536\r\n\r\n", "x"},
      {server, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 65537\r\n\r\n", "x"},
      {client, "", "x"},
      {client, "HTTP/1.1 101 X\r\na: ", "x"},
      {client, "", "HTTP/1.1 100 X\r\n\r\n"},
      {client, "", "HTTP/1.1 100 X\r\na: " + std::string(3000, 'x') + "\r\n\r\n"},
  };
  limits const limit;
  std::size_t const kept_max = 2 * (std::size_t{limit.head_bytes_max} + limit.body_bytes_max) + 8192;
  for (endless const& c : cases) {
    for (std::size_t const piece : {std::size_t{1}, std::size_t{4096}}) {
      CAPTURE(c.begin, c.repeated.substr(0, 20), piece);
      heap::start();
      scarce_life l(c.own, {});
      if (c.own == client) REQUIRE(l.machine.connect({.where = parse_uri("ws://h/")}) == refusal::none);
      l.receive(c.begin);
      std::string part;
      std::string feed = c.repeated;
      for (std::size_t total = 0; total < 200'000 && l.machine.wants_input(); total += piece) {
        while (feed.size() < piece) feed += c.repeated;
        l.receive(feed.substr(0, piece));
        feed.erase(0, piece);
        if (l.machine.transport() == transport_action::close) break;
      }
      CHECK(heap::most_used < kept_max);
      bool const ended = l.machine.current() == state::closed;
      CHECK(ended != (l.machine.current() == state::connecting && !l.machine.wants_input()));
      if (l.machine.current() == state::connecting) CHECK(l.machine.answer({}) == refusal::none);
      CHECK(!is_oom(l.loop.events));
      l.finish();
    }
  }
}
