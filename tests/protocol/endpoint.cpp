// SPDX-License-Identifier: BSL-1.0
#include "purews/protocol/endpoint.hpp"

#include <memory>
#include <random>
#include <sstream>

#include "endpoint_harness.hpp"

using namespace purews;
using test::bench;
using test::birth;
using test::frame_text;
using test::lines;

static_assert(byte_machine<endpoint>);
static_assert(byte_machine<connection>);
static_assert(!std::is_copy_constructible_v<endpoint> && !std::is_move_constructible_v<endpoint>);
// Options that would be gone at once are refused by the compiler.
static_assert(std::is_constructible_v<endpoint, role, options&, instant>);
static_assert(!std::is_constructible_v<endpoint, role, options, instant>);
static_assert(!std::is_constructible_v<connection, role, options const, instant>);

// Whole lives of two endpoints; the deadlines; the end. The opening handshake of each role has a file of its own.

namespace {

constexpr role server = role::server;
constexpr role client = role::client;

std::mt19937_64 entropy_engine{42};
void random_entropy(bytes out) noexcept {
  for (std::byte& b : out) b = static_cast<std::byte>(entropy_engine());
}

options const default_options{.entropy = random_entropy};

/// Opens the connection of `b`, as `own`, and forgets what was said for it.
void open(bench& b) {
  if (b.machine.own_role() == server) {
    b.receive(test::upgrade_request);
    REQUIRE(b.machine.accept() == refusal::none);
    b.loop.drain();
    b.taken();
  } else {
    REQUIRE(b.machine.connect({.where = parse_uri("ws://server.example.com/chat")}) == refusal::none);
    std::string const request = b.taken();
    std::string const key = request.substr(request.find("Sec-WebSocket-Key: ") + 19, 24);
    std::string answer{test::switching};
    answer.replace(answer.find("s3pP"), 28, std::string_view(accept_key(key)));
    b.receive(answer);
  }
  b.events();
  REQUIRE(b.machine.current() == state::open);
}

/// The frames that were sent since the last call: first byte and payload.
lines sent(bench& b) {
  lines all;
  for (auto const& frame : test::parse_frames(test::octets_of(b.taken())))
    all.push_back(std::to_string(frame.first) + " " + test::to_hex(frame.payload));
  return all;
}

}  // namespace

// What happens between the two, without time and without luck: everything comes from seeds.

namespace {

enum class plan_kind {
  server_closes,   // each after it has received everything
  client_closes,
  both_close,
  both_close_at_open,
  server_closes_at_open,
  client_closes_at_open,
  server_refuses,
  client_aborts,  // after it has received everything
  link_breaks,
};
constexpr int plan_kinds = 9;

struct planned_message {
  opcode op;
  std::string payload;
  int fragments;  // 0: whole; -1: prepared
  bool ping_before;
};

struct plan {
  plan_kind what;
  std::vector<planned_message> from_server;
  std::vector<planned_message> from_client;
  std::size_t breaks_after = 0;  // bytes on the link, both directions together

  bool same_for_every_chunking() const { return what < plan_kind::client_aborts; }
};

std::string random_text(std::mt19937& random, std::size_t size) {
  static constexpr char const* pieces[] = {"a", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9D\x84\x9E", "0123456789"};
  std::string text;
  while (text.size() < size) text += pieces[random() % std::size(pieces)];
  return text;
}

std::vector<planned_message> random_messages(std::mt19937& random) {
  std::vector<planned_message> all(1 + random() % 8);
  for (planned_message& m : all) {
    static constexpr std::size_t sizes[] = {0, 1, 10, 125, 126, 400, 3000, 70'000};
    std::size_t const most = sizes[random() % (random() % 8 == 0 ? 8 : 7)];
    std::size_t const size = random() % (most + 1);
    m.op = random() % 2 == 0 ? opcode::text : opcode::binary;
    m.payload = m.op == opcode::text ? random_text(random, size) : std::string(size, static_cast<char>(random()));
    m.fragments = random() % 3 == 0 ? 1 + static_cast<int>(random() % 4) : random() % 4 == 0 ? -1 : 0;
    m.ping_before = random() % 4 == 0;
  }
  return all;
}

plan make_plan(unsigned seed) {
  std::mt19937 random(seed);
  plan made{static_cast<plan_kind>(seed % plan_kinds), random_messages(random), random_messages(random), 0};
  if (made.what == plan_kind::link_breaks) made.breaks_after = random() % 3000;
  return made;
}

/// One end: the endpoint, its application, and the loop around it.
class side {
 public:
  side(role own, plan const& p) : machine(own, default_options, birth), plan_(p) {
    if (own == client)
      REQUIRE(machine.connect({.where = parse_uri("ws://server.example.com/chat?x=1")}) == refusal::none);
  }

  endpoint machine;
  lines trace;               // without pongs, whose place among the others is free
  lines received;            // the messages of it
  int terminals = 0;
  bool undecided = false;
  bool hesitates = false;    // decides on the request later
  bool aborted = false;
  bool shut = false;         // our direction of the link has ended
  bool gone = false;         // the socket is closed
  bool eof_seen = false;
  std::string wire;          // on its way to the other one

  void drain(int events_max = INT32_MAX) {
    for (int i = 0; i < events_max; ++i) {
      event const e = machine.next();
      if (e.what == kind::none) return;
      handle(e);
    }
  }

  void decide() {
    undecided = false;
    CHECK(machine.request().query() == "x=1");
    if (plan_.what == plan_kind::server_refuses)
      CHECK(machine.answer({.status = 403, .body = as_bytes("no")}) == refusal::none);
    else
      CHECK(machine.accept() == refusal::none);
  }

 private:
  bool is_server() const { return machine.own_role() == server; }
  std::vector<planned_message> const& outgoing() const { return is_server() ? plan_.from_server : plan_.from_client; }
  std::vector<planned_message> const& incoming() const { return is_server() ? plan_.from_client : plan_.from_server; }

  bool closes_at_open() const {
    return plan_.what == plan_kind::both_close_at_open ||
           plan_.what == (is_server() ? plan_kind::server_closes_at_open : plan_kind::client_closes_at_open);
  }
  bool closes_at_end() const {
    return plan_.what == plan_kind::both_close ||
           plan_.what == (is_server() ? plan_kind::server_closes : plan_kind::client_closes);
  }

  void handle(event const& e) {
    if (terminals != 0 || aborted) FAIL("an event after the end: " << test::describe(e));
    if (e.what == kind::pong) return;
    trace.push_back(test::describe(e));
    switch (e.what) {
      case kind::request:
        undecided = true;
        if (!hesitates) decide();
        break;
      case kind::open:
        send_all();
        if (closes_at_open()) CHECK(machine.close(status_code{4001}, "at open") == refusal::none);
        break;
      case kind::message:
        received.push_back(trace.back());
        if (received.size() < incoming().size()) break;
        if (closes_at_end())
          CHECK(machine.close(is_server() ? status_code{4002} : status_code{4003}) == refusal::none);
        if (plan_.what == plan_kind::client_aborts && !is_server()) {
          machine.abort();
          aborted = true;
        }
        break;
      case kind::closed:
      case kind::failed: ++terminals; break;
      default: break;
    }
  }

  void send_all() {
    for (planned_message const& m : outgoing()) {
      bytes_view const payload = as_bytes(m.payload);
      if (m.ping_before) CHECK(machine.ping(as_bytes(std::string_view("ping"))) == refusal::none);
      if (m.fragments == -1) {
        CHECK(machine.send(prepared_message(m.op, payload)) == refusal::none);
      } else if (m.fragments == 0) {
        CHECK(machine.send(m.op, payload) == refusal::none);
      } else {
        std::size_t const step = payload.size() / static_cast<std::size_t>(m.fragments) + 1;
        for (std::size_t at = 0;; at += step) {
          bool const last = at + step >= payload.size();
          bytes_view const piece = last ? payload.subspan(at) : payload.subspan(at, step);
          CHECK(machine.send_fragment(m.op, piece, last ? fragment::last : fragment::more) == refusal::none);
          if (last) break;
          if (m.ping_before) CHECK(machine.ping() == refusal::none);
        }
      }
    }
  }

  plan const& plan_;
};

class life {
 public:
  life(plan const& p, unsigned seed) : plan_(p), random_(seed), a(server, p), b(client, p) {
    a.hesitates = random_() % 2 == 0;
    largest_ = random_() % 3 == 0 ? 4 : random_() % 2 == 0 ? 300 : 100'000;
  }

  void run() {
    for (int step = 0; !a.gone || !b.gone; ++step) {
      // It breaks where the plan says, or when everything has been said.
      if (plan_.what == plan_kind::link_breaks && step == 300'000) broken_ = true;
      if (step == 10'000'000) FAIL("the life does not end: " << describe());
      bool const first = random_() % 2 == 0;
      act(first ? a : b, first ? b : a);
    }
  }

  std::string describe() const {
    std::ostringstream out;
    for (side const* s : {&a, &b}) {
      out << (s == &a ? "\nserver:" : "\nclient:");
      for (std::string const& line : s->trace) out << "\n  " << line;
    }
    return out.str();
  }

 private:
  plan const& plan_;
  std::mt19937 random_;
  std::size_t largest_ = 0;
  std::size_t carried_ = 0;
  bool broken_ = false;

 public:
  side a;
  side b;

 private:
  std::size_t some(std::size_t most) { return random_() % ((most < largest_ ? most : largest_) + 1); }

  void act(side& s, side& other) {
    if (s.gone) return;
    switch (random_() % 8) {
      case 0:
      case 1:
      case 2: transmit(s, other); break;
      case 3:
      case 4:
      case 5: deliver(s, other); break;
      case 6:
        s.machine.advance(birth);
        s.drain();
        if (s.machine.transport() != transport_action::close) CHECK(s.machine.deadline() > birth);
        break;
      default:
        if (s.undecided && random_() % 4 == 0) {
          s.decide();
          s.drain();
        }
    }
    obey(s);
  }

  void transmit(side& s, side& other) {
    bytes_view spans[4];
    std::size_t const count = s.machine.gather(std::span(spans).first(1 + random_() % 4));
    if (count == 0) return;
    std::size_t total = 0;
    for (std::size_t i = 0; i < count; ++i) total += spans[i].size();
    std::size_t left = some(total);
    std::size_t const taken = left;
    for (std::size_t i = 0; i < count && left > 0; ++i) {
      std::size_t const n = left < spans[i].size() ? left : spans[i].size();
      if (!other.gone && !broken_) s.wire += as_text(spans[i].first(n));
      left -= n;
    }
    s.machine.consume_output(taken, birth);
  }

  void deliver(side& s, side& other) {
    if (s.eof_seen || !s.machine.wants_input()) return;
    std::string& from = other.wire;
    if (from.empty()) {
      if (!other.shut && !other.gone && !broken_) return;
      s.eof_seen = true;
      s.machine.receive_eof(birth);
      return s.drain();
    }
    std::size_t const n = 1 + some(from.size() - 1);
    carried_ += n;
    if (plan_.what == plan_kind::link_breaks && carried_ > plan_.breaks_after) {
      broken_ = true;
      from.clear();
      return;
    }
    bool const lends = random_() % 2 == 0;
    test::exact_copy const room(lends ? 1 + random_() % 5000 : 1);
    if (lends) s.machine.lend_output(room.view());
    {
      test::exact_copy const in(as_bytes(std::string_view(from).substr(0, n)));
      from.erase(0, n);
      s.machine.receive(in.view(), birth);
      if (random_() % 4 == 0) {
        s.drain(static_cast<int>(random_() % 3));
        s.machine.park();
      } else {
        s.drain();
      }
    }
    s.drain();
    if (lends) {
      while (random_() % 4 != 0) transmit(s, other);
      s.machine.lend_output({});
    }
  }

  void obey(side& s) {
    transport_action const wish = s.machine.transport();
    if (wish == transport_action::keep) return;
    if (wish == transport_action::close) {
      s.gone = true;
      return;
    }
    if (!s.shut) {
      // Nothing may be queued when our side is shut.
      bytes_view span[1];
      CHECK(s.machine.gather(span) == 0);
    }
    s.shut = true;
  }
};

lines described(std::vector<planned_message> const& all) {
  lines result;
  for (planned_message const& m : all)
    result.push_back("message " + test::name(m.op) + " " + test::describe(as_bytes(m.payload)));
  return result;
}

bool begins(lines const& whole, lines const& front) {
  return front.size() <= whole.size() && std::equal(front.begin(), front.end(), whole.begin());
}

void check_end(life const& l, plan const& p) {
  using enum plan_kind;
  lines const all_of_server = described(p.from_server);
  lines const all_of_client = described(p.from_client);
  // Whatever happens: nothing is invented, nothing out of order, and one terminal event for each.
  CHECK(begins(all_of_client, l.a.received));
  CHECK(begins(all_of_server, l.b.received));
  CHECK(l.a.terminals == 1);
  CHECK(l.b.terminals == (l.b.aborted ? 0 : 1));
  CHECK(l.a.machine.current() == state::closed);
  CHECK(l.b.machine.current() == state::closed);

  switch (p.what) {
    case server_closes:
    case client_closes:
    case both_close:
      CHECK(l.a.received == all_of_client);
      CHECK(l.b.received == all_of_server);
      // Who closed gets its own code back; who closed at the same time gets the other's [C-10].
      CHECK(l.a.trace.back() == (p.what == server_closes ? "closed 4002 clean " : "closed 4003 clean "));
      CHECK(l.b.trace.back() == (p.what == client_closes ? "closed 4003 clean " : "closed 4002 clean "));
      break;
    case both_close_at_open:
      CHECK(l.a.received.empty());
      CHECK(l.b.received.empty());
      CHECK(l.a.trace.back() == "closed 4001 clean 6174206f70656e");
      CHECK(l.b.trace.back() == "closed 4001 clean 6174206f70656e");
      break;
    case server_closes_at_open:
      CHECK(l.b.received == all_of_server);
      CHECK(l.b.trace.back() == "closed 4001 clean 6174206f70656e");
      CHECK(l.a.trace.back() == "closed 4001 clean ");
      break;
    case client_closes_at_open:
      CHECK(l.a.received == all_of_client);
      CHECK(l.a.trace.back() == "closed 4001 clean 6174206f70656e");
      CHECK(l.b.trace.back() == "closed 4001 clean ");
      break;
    case server_refuses:
      CHECK(l.a.trace == lines{"request ", "closed 0 unclean "});
      CHECK(l.b.trace == lines{test::describe({.what = kind::failed, .fault = error::answer_status,
                                               .code = status_code::abnormal})});
      break;
    case client_aborts:
      CHECK(l.b.received == all_of_server);
      CHECK(l.a.trace.back() == "closed 1006 unclean ");
      break;
    case link_breaks: break;
  }
  // RFC 6455 7.1.1: the client does not close before the server has [C-12].
  if (p.what < server_refuses) {
    CHECK(!l.b.shut);
    CHECK(l.b.eof_seen);
    CHECK(l.a.shut);
  }
}

}  // namespace

TEST_CASE("5 to 7: two endpoints live the same life however their bytes are cut [C-10][C-12]") {
  constexpr unsigned plans = 500;
  constexpr unsigned chunkings = 4;
  for (unsigned p = 0; p < plans; ++p) {
    plan const planned = make_plan(p);
    std::unique_ptr<life> first;
    for (unsigned c = 0; c < chunkings; ++c) {
      CAPTURE(p, c);
      auto l = std::make_unique<life>(planned, p * chunkings + c);
      l->run();
      INFO(l->describe());
      check_end(*l, planned);
      if (first == nullptr) {
        first = std::move(l);
      } else if (planned.same_for_every_chunking()) {
        CHECK(l->a.trace == first->a.trace);
        CHECK(l->b.trace == first->b.trace);
      }
    }
  }
}

TEST_CASE("7.1.1: the server shuts its side first; the client waits for that [C-12]") {
  std::string const code = "\x03\xE8";
  SECTION("the client closes") {
    bench b(server, default_options);
    open(b);
    b.receive(frame_text(server, 0x88, code));
    CHECK(sent(b) == lines{"136 03e8"});
    CHECK(b.machine.transport() == transport_action::shut_write);
    b.loop.receive_eof();
    CHECK(b.machine.transport() == transport_action::close);
    CHECK(b.events() == lines{"closed 1000 clean "});
  }
  SECTION("the server closes: it shuts after the client's Close, not before") {
    bench b(server, default_options);
    open(b);
    CHECK(b.machine.send("last") == refusal::none);
    CHECK(b.machine.close() == refusal::none);
    CHECK(b.machine.send("late") == refusal::not_open);
    CHECK(sent(b) == lines{"129 6c617374", "136 03e8"});
    CHECK(b.machine.transport() == transport_action::keep);
    b.receive(frame_text(server, 0x88, code));
    CHECK(b.machine.transport() == transport_action::shut_write);
    CHECK(sent(b).empty());
    CHECK(b.events() == lines{"closed 1000 clean "});
  }
  SECTION("a client waits for the server's end") {
    bool const we_close = GENERATE(true, false);
    bench b(client, default_options);
    open(b);
    if (we_close) CHECK(b.machine.close() == refusal::none);
    b.receive(frame_text(client, 0x88, code));
    CHECK(sent(b) == lines{"136 03e8"});
    CHECK(b.events() == lines{"closed 1000 clean "});
    CHECK(b.machine.transport() == transport_action::keep);
    CHECK(b.machine.wants_input());
    SECTION("which comes") {
      b.loop.receive_eof();
      CHECK(b.machine.transport() == transport_action::close);
    }
    SECTION("which does not come") {
      CHECK(b.sleep() == seconds(5));
      CHECK(b.machine.transport() == transport_action::close);
      CHECK(b.machine.deadline() == never);
    }
    CHECK(b.events().empty());
  }
}

TEST_CASE("7.1.1: a peer that does not answer our Close is left at the deadline [C-14]") {
  for (role const own : {server, client}) {
    bench b(own, default_options);
    open(b);
    CHECK(b.machine.close() == refusal::none);
    CHECK(sent(b) == lines{"136 03e8"});
    b.loop.advance(seconds(4));
    b.receive(frame_text(own, 0x81, "still talking"));
    CHECK(b.machine.transport() == transport_action::keep);
    CHECK(b.sleep() == seconds(1));
    CHECK(b.machine.transport() == transport_action::close);
    CHECK(b.events() == lines{"failed 1006 close_timeout"});
  }
}

TEST_CASE("5.5.2: a silent peer is pinged, and failed with a Close frame if it stays silent [C-17]") {
  for (role const own : {server, client}) {
    bench b(own, default_options);
    open(b);
    CHECK(b.sleep() == seconds(25));
    CHECK(sent(b) == lines{"137 "});
    CHECK(b.sleep() == seconds(10));
    CHECK(b.events() == lines{"failed 1011 pong_timeout"});
    CHECK(sent(b) == lines{"136 03f3"});
    CHECK(b.machine.transport() == transport_action::shut_write);
    CHECK(b.sleep() == seconds(1));
    CHECK(b.machine.transport() == transport_action::close);
    CHECK(b.events().empty());
  }
}

TEST_CASE("5.5.2: any byte is a sign of life, and the time until a decision is none of silence") {
  options patient = default_options;
  patient.timeout.handshake = forever;
  bench b(server, patient);
  b.receive(test::upgrade_request);
  b.loop.advance(seconds(20));
  REQUIRE(b.machine.accept() == refusal::none);
  b.loop.drain();
  b.taken();
  CHECK(b.machine.deadline() == b.loop.now + seconds(25));
  CHECK(b.sleep() == seconds(25));
  CHECK(sent(b) == lines{"137 "});
  b.loop.advance(seconds(9));
  b.receive("\x81");  // the first byte of a frame
  CHECK(b.sleep() == seconds(25));
  CHECK(sent(b) == lines{"137 "});
  b.loop.advance(seconds(9));
  b.receive(test::text_of(test::hex("80 00000000")));
  CHECK(b.machine.current() == state::open);
  CHECK(b.events() == lines{"request ", "open ", "message text "});
}

TEST_CASE("policy: a peer that takes nothing is closed at the deadline for writing") {
  for (role const own : {server, client}) {
    bench b(own, default_options);
    open(b);
    REQUIRE(b.machine.send(std::string(1000, 'x')) == refusal::none);
    bytes_view spans[4];
    REQUIRE(b.machine.gather(spans) == 1);
    b.machine.consume_output(1, b.loop.now);
    b.loop.now = b.loop.now + seconds(9);
    REQUIRE(b.machine.gather(spans) == 1);
    b.machine.consume_output(1, b.loop.now);  // it lives
    CHECK(b.machine.deadline() == b.loop.now + seconds(10));
    b.loop.now = b.loop.now + seconds(10);
    b.machine.advance(b.loop.now);
    CHECK(b.machine.transport() == transport_action::close);
    CHECK(b.machine.gather(spans) == 0);
    b.loop.drain();
    CHECK(b.events() == lines{"failed 1006 write_timeout"});
  }
}

TEST_CASE("policy: input is not wanted above the mark, and the timers of the pings stand still meanwhile") {
  options with = default_options;
  with.limit.queue_bytes_high = 1000;
  with.timeout.write = seconds(100);
  bench b(server, with);
  open(b);
  REQUIRE(b.machine.send(std::string(1001, 'x')) == refusal::none);
  CHECK(!b.machine.wants_input());
  b.machine.consume_output(0, b.loop.now);
  CHECK(b.machine.deadline() == b.loop.now + seconds(100));
  b.loop.now = b.loop.now + seconds(60);
  b.machine.advance(b.loop.now);
  CHECK(b.machine.queued_bytes() == 1005);  // no ping
  b.taken();
  CHECK(b.machine.wants_input());
  CHECK(b.sleep() == seconds(25));
  CHECK(sent(b) == lines{"137 "});
}

TEST_CASE("7.1.7: abort() ends at once, in every state, without an event") {
  for (role const own : {server, client}) {
    bench fresh(own, default_options);
    fresh.machine.abort();
    bench opened(own, default_options);
    open(opened);
    CHECK(opened.machine.send("x") == refusal::none);
    opened.machine.abort();
    bench closing(own, default_options);
    open(closing);
    CHECK(closing.machine.close() == refusal::none);
    closing.machine.abort();
    bench failed(own, default_options);
    failed.loop.now = birth + seconds(10);
    failed.machine.advance(failed.loop.now);  // and the event is not fetched
    failed.machine.abort();
    for (bench* const b : {&fresh, &opened, &closing, &failed}) {
      b->loop.drain();
      CHECK(b->events().empty());
      CHECK(b->taken().empty());
      CHECK(b->machine.transport() == transport_action::close);
      CHECK(b->machine.current() == state::closed);
      CHECK(b->machine.deadline() == never);
      CHECK(b->machine.send("x") == refusal::not_open);
      CHECK(b->machine.close() == refusal::not_open);
    }
  }
}

TEST_CASE("5.5.3: a pong does not overtake the 101", "[hazard-54]") {
  // Found by cutting the request: without lent room the 101 waits in the queue, where pongs overtake.
  bench b(server, default_options);
  b.receive(std::string(test::upgrade_request) + frame_text(server, 0x89, "a"));
  REQUIRE(b.machine.accept() == refusal::none);
  REQUIRE(b.machine.send("x") == refusal::none);
  b.loop.drain();
  b.receive(frame_text(server, 0x89, "b"));
  CHECK(b.taken().starts_with(test::switching));
  b.receive(frame_text(server, 0x89, "c"));
  CHECK(sent(b) == lines{"138 63"});
}
