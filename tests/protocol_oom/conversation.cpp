// SPDX-License-Identifier: BSL-1.0

// Every allocation of a compressed conversation fails once, zlib's own among them.
#include "zlib_heap.hpp"

#include <random>

#include "protocol/endpoint_harness.hpp"

using namespace purews;

namespace {

// What arrived at one side, and how it ended.
struct side {
  endpoint machine;
  std::vector<std::string> messages{};
  std::vector<error> faults{};

  side(role own, options const& with) : machine(own, with, test::birth) {}

  void take_events() {
    for (event e = machine.next(); e.what != kind::none; e = machine.next()) {
      if (e.what == kind::request) static_cast<void>(machine.accept());
      if (e.what == kind::message) messages.emplace_back(e.text());
      if (e.what == kind::failed) faults.push_back(e.fault);
    }
    machine.park();
  }
};

// A client and a server who talk, on a heap that may fail.
struct peers {
  permessage_deflate const deflate;
  options const client_options{.entropy = test::sample_entropy, .extension = &deflate};
  options const server_options{.extension = &deflate};
  side client{role::client, client_options};
  side server{role::server, server_options};
  std::vector<std::string> accepted_by_client{}, accepted_by_server{};
  instant now = test::birth;

  explicit peers(deflate_options const& with) : deflate(with) {}

  bool carry(side& from, side& to) {
    bytes_view spans[8];
    std::size_t const count = from.machine.gather(spans);
    test::octets wire;
    for (std::size_t i = 0; i < count; ++i) wire.insert(wire.end(), spans[i].begin(), spans[i].end());
    from.machine.consume_output(wire.size(), now);
    from.take_events();
    if (wire.empty()) return false;
    test::exact_copy lent(wire);
    to.machine.receive(lent.view(), now);
    to.take_events();
    return true;
  }
  void run() {
    for (bool moved = true; moved;) {
      moved = carry(client, server);
      moved = carry(server, client) || moved;
    }
  }
  void say(side& from, std::vector<std::string>& accepted, std::string const& text, compression how) {
    if (from.machine.send(text, {.compress = how}) == refusal::none) accepted.push_back(text);
    run();
  }
  void say_shared(side& from, std::vector<std::string>& accepted, std::string const& text) {
    prepared_message const shared(opcode::text, as_bytes(text));
    if (shared && from.machine.send(shared) == refusal::none) accepted.push_back(text);
    run();
  }
  void pass(duration d) {
    now = now + d;
    for (side* s : {&client, &server}) {
      s->machine.advance(now);
      s->take_events();
    }
    run();
  }

  void talk() {
    if (client.machine.connect({.where = parse_uri("ws://h/")}) != refusal::none) return;
    run();
    std::string const text = "to be or not to be, that is the question; ";
    for (int i = 0; i < 2; ++i) {
      say(client, accepted_by_client, text + text, compression::automatic);
      say(server, accepted_by_server, std::string(3000, 'x') + text, compression::automatic);
      say(server, accepted_by_server, "short", compression::on);
      say(client, accepted_by_client, text, compression::off);
      say_shared(server, accepted_by_server, text + text + text);
      say(server, accepted_by_server, text + text + text, compression::on);
      pass(seconds(11));  // the codecs are given back, and histories saved
    }
  }
};

// What was received is what was sent, in order, and all of it if no side failed.
void check(side const& receiver, std::vector<std::string> const& accepted, bool whole) {
  REQUIRE(receiver.messages.size() <= accepted.size());
  for (std::size_t i = 0; i < receiver.messages.size(); ++i) REQUIRE(receiver.messages[i] == accepted[i]);
  if (whole) REQUIRE(receiver.messages.size() == accepted.size());
}

struct counts {
  long lives = 0, failed = 0, went_on = 0;
};

counts starve(deflate_options const& with, long fails_for) {
  counts n;
  for (bool all_went_well = false; !all_went_well; ++n.lives) {
    std::size_t const used_before = heap::used;
    CAPTURE(n.lives, fails_for);
    heap::start();
    {
      peers p(with);  // the start-up test of 8-bit windows may fail too
      heap::start();
      heap::fails_at = n.lives;
      heap::fails_for = fails_for;
      p.talk();
      all_went_well = heap::calls <= n.lives;
      heap::start();
      p.run();
      bool const failed = !p.client.faults.empty() || !p.server.faults.empty();
      bool const open = p.client.machine.current() == state::open && p.server.machine.current() == state::open;
      // A peer sees the failure of the other as a Close frame 1011 or as an end; nobody sees broken data.
      for (side const* s : {&p.client, &p.server})
        for (error const fault : s->faults) {
          // A server without memory answers 503, or cannot answer: then both wait for the handshake in vain.
          bool const no_handshake = fault == error::answer_status || fault == error::handshake_timeout;
          bool const refused = p.accepted_by_client.empty() && no_handshake;
          CAPTURE(test::name(fault));
          REQUIRE((fault == error::out_of_memory || refused));
        }
      check(p.server, p.accepted_by_client, open);
      check(p.client, p.accepted_by_server, open);
      if (all_went_well) {
        REQUIRE_FALSE(failed);
        REQUIRE(open);
        REQUIRE(p.server.messages.size() == 4);
        REQUIRE(p.client.messages.size() == 8);
      } else {
        ++(open ? n.went_on : n.failed);
      }
    }
    REQUIRE(heap::used == used_before);
  }
  return n;
}

}  // namespace

TEST_CASE(
    "7692 7 N-24: each allocation of a compressed conversation may fail, zlib's own too: nothing breaks or leaks") {
  for (deflate_options const& with :
       {deflate_options{}, deflate_options{.most = {{context::no_takeover, 10}, {context::no_takeover, 12}}},
        deflate_options{.kept_max = 0}}) {
    counts const once = starve(with, 1);
    CHECK(once.lives > 30);
    CHECK(once.failed > 0);   // where nothing else was left
    CHECK(once.went_on > 0);  // a refusal, or a message that was not compressed
    counts const all_that_follow = starve(with, LONG_MAX);
    CHECK(all_that_follow.failed > 0);
  }
}

TEST_CASE("7692 7 N-24: without memory at its start, the extension offers no window of 8 bits, and nothing breaks") {
  for (long n = 0; n < 10; ++n) {
    std::size_t const used_before = heap::used;
    heap::start();
    heap::fails_at = n;
    {
      permessage_deflate const deflate({.most = {.server = {context::takeover, 8}}});
      bool const failed = heap::failed();
      heap::start();
      std::string const offer =
          "GET / HTTP/1.1\r\nSec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=8\r\n\r\n";
      http_head head(head_kind::request);
      REQUIRE(head.parse(as_bytes(offer), {}) == http_progress::done);
      message_extension::agreement const agreed = deflate.accept({head, as_bytes(offer)});
      CHECK((agreed.codec == nullptr) == failed);
      CHECK((agreed.answer.size == 0) == failed);
      if (agreed.codec != nullptr) agreed.codec->destroy();
      message_extension::agreement const taken =
          deflate.confirm("permessage-deflate; server_max_window_bits=8; client_max_window_bits=8");
      CHECK(taken.fault == (failed ? error::answer_extension : error::none));
      if (taken.codec != nullptr) taken.codec->destroy();
      message_codec* const codec = deflate.make_codec(role::client, {});
      REQUIRE(codec != nullptr);
      codec->destroy();
    }
    REQUIRE(heap::used == used_before);
  }
}

TEST_CASE("7692 8 D-44: a limit that is passed inside of a message fails the connection, and its codecs are freed") {
  constexpr std::size_t less_than_a_codec = 2048;  // zlib's smallest state takes seven thousand bytes
  for (context const history : {context::takeover, context::no_takeover}) {
    std::size_t const used_before = heap::used;
    permessage_deflate const deflate({.kept_max = 0});
    options const with{.limit = {.message_bytes_max = 4}, .extension = &deflate};
    connection c(role::server, with, test::birth);
    message_codec* const codec = deflate.make_codec(role::server, {{history, 15}, {history, 15}});
    REQUIRE(codec != nullptr);
    REQUIRE(c.use(*codec) == refusal::none);
    test::machine_driver<connection> loop(c);
    REQUIRE(c.send("Hello", {.compress = compression::on}) == refusal::none);
    loop.receive(test::peer_frame(role::server, 0x41, test::hex("f248cdc9c907000000ffff")));
    CHECK(loop.events == std::vector<std::string>{"failed 1009 message_too_big"});
    loop.receive(test::peer_frame(role::server, 0x80, test::hex("00")));
    CHECK(loop.events.size() == 1);
    loop.flush();
    CHECK(heap::used - used_before < less_than_a_codec);
  }
}

TEST_CASE("memory: the room of a long message is given back, and a history that is empty takes none") {
  permessage_deflate const deflate;
  message_codec* const codec = deflate.make_codec(role::server, {});
  REQUIRE(codec != nullptr);
  auto const encode = [&](bytes_view payload) {
    REQUIRE(codec->encode(payload, fragment::last).done);
    codec->settle(fragment::last);
  };
  encode(as_bytes("short"));
  std::size_t const usual = heap::used;
  std::mt19937 random(1);
  test::octets noise(100'000);
  for (std::byte& b : noise) b = static_cast<std::byte>(random());
  encode(noise);
  CHECK(heap::used <= usual);
  encode(as_bytes("short"));
  heap::start();
  encode(as_bytes("short"));
  CHECK(heap::calls == 0);  // a short one's room is kept

  test::octets const empty = test::hex("00");
  std::byte out[16];
  REQUIRE(codec->decode(empty, out, fragment::last).finished);
  heap::start();
  codec->trim();
  CHECK(heap::calls == 0);
  codec->destroy();
}

TEST_CASE("memory: a shared message is compressed for the first connection, and costs the next ones nothing") {
  permessage_deflate const deflate({.kept_max = 0});
  prepared_message const shared(opcode::text, as_bytes("text text text text"));
  message_codec* const codecs[] = {deflate.make_codec(role::server, {}), deflate.make_codec(role::server, {})};
  CHECK(codecs[0]->share(shared));
  heap::start();
  CHECK(codecs[1]->share(shared));
  CHECK(heap::calls == 0);
  for (message_codec* const codec : codecs) codec->destroy();
}

TEST_CASE("memory: a compressor that begins anew as before takes no memory") {
  deflater machine;
  REQUIRE(machine.begin(15, {}));
  heap::start();
  REQUIRE(machine.begin(15, {}));
  CHECK(heap::calls == 0);
  REQUIRE(machine.begin(14, {}));
  CHECK(heap::calls > 0);
}
