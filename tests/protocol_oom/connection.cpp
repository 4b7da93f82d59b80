// SPDX-License-Identifier: BSL-1.0
#include "heap.hpp"

#include "protocol/plain_codec.hpp"
#include "support/catch.hpp"
#include "support/machine_driver.hpp"

#include "purews/protocol/connection.hpp"
#include "purews/protocol/flight_recorder.hpp"

using namespace purews;
using test::octets;

namespace {

constexpr instant birth{1'000'000'000};
constexpr role roles[] = {role::server, role::client};
options const usual{.entropy = test::zero_entropy};

// A copy that may be unmasked in place.
bytes scratch_with(octets const& in) {
  static octets scratch;
  scratch = in;
  return scratch;
}

// What `call` answers when the first allocation fails, or another one.
template <class F>
refusal starved(F call, long fails_at = 0) {
  heap::start();
  heap::fails_at = fails_at;
  refusal const why = call();
  heap::start();
  return why;
}

// Lends `in`, takes the events, and sends what is there through a lent room, as a loop does.
void exchange(connection& c, octets const& in, bytes room) {
  if (!room.empty()) c.lend_output(room);
  c.receive(scratch_with(in), birth);
  while (c.next().what != kind::none) {
  }
  if (room.empty()) return;
  bytes_view spans[8];
  std::size_t sent = 0;
  for (std::size_t i = c.gather(spans); i-- != 0;) sent += spans[i].size();
  c.consume_output(sent, birth);
  c.lend_output({});
}

}  // namespace

TEST_CASE("memory: uncompressed traffic that fits the lent spans costs no allocation", "[hazard-30]") {
  for (role const own : roles)
    for (delivery const deliver : {delivery::whole, delivery::pieces}) {
      options with = usual;
      with.deliver = deliver;
      std::byte room[1 << 16];
      octets const messages =
          test::join(test::peer_frame(own, 0x81, "text"), test::peer_frame(own, 0x82, octets(30'000)),
                     test::peer_frame(own, 0x89, "ping"), test::peer_frame(own, 0x8a, "an unsolicited pong"));
      connection c(own, with, birth);
      heap::start();
      for (int i = 0; i < 1000; ++i) {
        c.lend_output(room);
        CHECK(c.send("our text") == refusal::none);
        CHECK(c.send(opcode::binary, octets(20'000)) == refusal::none);
        CHECK(c.send_fragment(opcode::binary, octets(100), fragment::more) == refusal::none);
        CHECK(c.ping() == refusal::none);
        CHECK(c.send_fragment(opcode::binary, octets(100), fragment::last) == refusal::none);
        c.receive(scratch_with(messages), birth);
        while (c.next().what != kind::none) {
        }
        c.advance(birth);
        bytes_view spans[2];
        REQUIRE(c.gather(spans) == 1);
        c.consume_output(spans[0].size(), birth);
        c.lend_output({});
      }
      CHECK(c.close() == refusal::none);
      CHECK(heap::calls <= 1);  // that Close had no room
    }
}

TEST_CASE("memory: nothing is allocated from a declared length", "[hazard-08][hazard-11]") {
  for (role const own : roles)
    for (delivery const deliver : {delivery::whole, delivery::pieces}) {
      options with = usual;
      with.deliver = deliver;
      with.limit.message_bytes_max = UINT64_MAX;
      connection c(own, with, birth);
      heap::start();
      octets head = test::hex(own == role::server ? "82 ff 1000000000000000 00000000" : "82 7f 1000000000000000");
      exchange(c, head, {});
      CHECK(heap::most_used == 0);
      CHECK(c.receive_room().empty());
      for (int i = 0; i < 100; ++i) exchange(c, octets(100), {});
      CHECK(heap::most_used <= 2 * 10'000 + 1000);
      if (deliver == delivery::pieces) CHECK(heap::most_used == 0);
    }
}

TEST_CASE("memory: a fragment costs none of its own", "[hazard-22][hazard-23]") {
  for (role const own : roles) {
    connection c(own, usual, birth);
    exchange(c, test::peer_frame(own, 0x02, "a"), {});
    heap::start();
    octets const some = test::repeated(1000, test::join(test::peer_frame(own, 0x00, "b"), test::peer_frame(own, 0x00)));
    for (int i = 0; i < 60; ++i) exchange(c, some, {});
    CHECK(c.current() == state::open);
    CHECK(heap::most_used <= 3 * 60'001);  // 60,001 bytes, while they move into a block twice as large
  }
}

TEST_CASE("memory: a message in the making takes no more than three times what came of it", "[hazard-22]") {
  for (role const own : roles) {
    connection c(own, usual, birth);
    octets const frame = test::peer_frame(own, 0x82, octets(1'000'000));
    heap::start();
    for (std::size_t at = 0; at + 7000 < frame.size(); at += 7000) {
      auto const from = frame.begin() + static_cast<std::ptrdiff_t>(at);
      exchange(c, octets(from, from + 7000), {});
      REQUIRE(heap::most_used <= 3 * (at + 7000) + 1000);
      REQUIRE(heap::used <= 2 * (at + 7000) + 1000);
    }
  }
}

TEST_CASE("memory: a million pings that nobody collects the answer of", "[hazard-29]") {
  for (role const own : roles) {
    octets const pings = test::repeated(1000, test::peer_frame(own, 0x89, std::string(125, 'p')));
    connection c(own, usual, birth);
    heap::start();
    for (int i = 0; i < 1000; ++i) exchange(c, pings, {});
    CHECK(heap::most_used < 4096);
  }
}

TEST_CASE("memory: what is left after traffic is given back", "[hazard-30]") {
  for (role const own : roles) {
    connection c(own, usual, birth);
    heap::start();
    std::byte room[100];
    octets const message = test::peer_frame(own, 0x81, std::string(5000, 'm'));
    octets const ping = test::peer_frame(own, 0x89, std::string(100, 'p'));
    for (int i = 0; i < 20; ++i) CHECK(c.send(std::string(1000, 'x')) == refusal::none);
    for (int i = 0; i < 40; ++i) exchange(c, ping, {});
    exchange(c, octets(message.begin(), message.begin() + 3000), {});
    exchange(c, octets(message.begin() + 3000, message.end()), {});
    CHECK(heap::used > 0);
    for (int i = 0; i < 30; ++i) exchange(c, test::peer_frame(own, 0x8a), room);
    CHECK(c.queued_bytes() == 0);
    CHECK(heap::used == 0);
  }
}

TEST_CASE("out of memory: a refused send changes nothing, and the next one goes through") {
  for (role const own : roles) {
    connection c(own, usual, birth);
    prepared_message const shared(opcode::binary, octets(5000));
    int refused = 0;
    auto const twice = [&](auto call) {
      heap::start();
      heap::fails_at = 0;
      std::size_t const queued = c.queued_bytes();
      refusal const first = call();
      if (first != refusal::none) {
        ++refused;
        CHECK(first == refusal::out_of_memory);
        CHECK(c.queued_bytes() == queued);
        CHECK(c.current() == state::open);
      }
      heap::start();
      if (first != refusal::none) CHECK(call() == refusal::none);
    };
    twice([&] { return c.send(std::string(1000, 'a')); });
    twice([&] { return c.send(opcode::binary, octets(70'000)); });
    twice([&] { return c.send(shared); });
    twice([&] { return c.send_fragment(opcode::text, octets(100'000, std::byte{'t'}), fragment::more); });
    twice([&] { return c.send_fragment(opcode::text, octets(100'000, std::byte{'t'}), fragment::last); });
    twice([&] { return c.ping(); });
    twice([&] { return c.send(opcode::binary, octets(200'000)); });
    twice([&] { return c.close(); });
    CHECK(refused >= 6);
    octets stream;
    bytes_view spans[8];
    while (std::size_t const n = c.gather(spans)) {
      std::size_t size = 0;
      for (std::size_t i = 0; i < n; ++i) {
        stream.insert(stream.end(), spans[i].begin(), spans[i].end());
        size += spans[i].size();
      }
      c.consume_output(size, birth);
    }
    CHECK(test::parse_frames(stream).size() == 8);
  }
}

TEST_CASE("out of memory: a pong that cannot be kept fails the connection, and a shared frame is empty") {
  for (role const own : roles) {
    connection c(own, usual, birth);
    heap::start();
    heap::fails_at = 0;
    heap::fails_for = 2;
    octets ping = test::peer_frame(own, 0x89, "ping");
    c.receive(ping, birth);
    event const e = c.next();
    CHECK(e.what == kind::failed);
    CHECK(e.fault == error::out_of_memory);
    CHECK(c.next().what == kind::none);
    CHECK(c.transport() == transport_action::close);  // not even a Close frame could be queued
    heap::start();
    heap::fails_at = 0;
    prepared_message const none(opcode::text, as_bytes("text"));
    CHECK_FALSE(none);
    CHECK(none.frame().empty());
    heap::start();
  }
}

TEST_CASE("out of memory: output that was lost at the end of a loan fails the connection") {
  std::byte room[1000];
  connection c(role::server, usual, birth);
  c.lend_output(room);
  CHECK(c.send("this will be lost") == refusal::none);
  heap::start();
  heap::fails_at = 0;
  c.lend_output({});
  heap::start();
  CHECK(c.deadline() <= birth);  // the loop is told to look at once
  event const e = c.next();
  CHECK(e.what == kind::failed);
  CHECK(e.fault == error::out_of_memory);
  CHECK(c.transport() == transport_action::close);
}

TEST_CASE("out of memory: nothing is sent behind output that was lost") {
  for (role const own : roles) {
    std::byte room[30];
    connection c(own, usual, birth);
    c.lend_output(room);
    CHECK(c.send("this will be lost") == refusal::none);
    CHECK(c.send(opcode::binary, octets(100)) == refusal::none);  // behind it, on the heap
    heap::start();
    heap::fails_at = 0;
    c.lend_output({});
    heap::start();
    bytes_view spans[8];
    CHECK(c.gather(spans) == 0);
    CHECK(c.send("nor this") == refusal::none);
    CHECK(c.gather(spans) == 0);
    CHECK(c.next().fault == error::out_of_memory);
    CHECK(c.gather(spans) == 0);
    CHECK(c.transport() == transport_action::close);
  }
}

TEST_CASE("out of memory: an end whose output was lost does not wait for the peer to take it") {
  std::byte room[30];
  connection c(role::server, usual, birth);
  c.lend_output(room);
  CHECK(c.send("this will be lost") == refusal::none);
  CHECK(c.send(opcode::binary, octets(100)) == refusal::none);
  octets close = test::peer_frame(role::server, 0x88);
  c.receive(close, birth);
  CHECK(c.next().what == kind::closed);
  heap::start();
  heap::fails_at = 0;
  c.lend_output({});
  heap::start();
  CHECK(c.transport() == transport_action::close);
}

TEST_CASE("memory: 200,000 fragments of one byte take what their bytes take, up to the default limit of fragments",
          "[hazard-22][hazard-24][hazard-26]") {
  for (role const own : roles)
    for (std::uint32_t const fragments_max : {limits{}.fragments_max, 200'001U}) {
      options with = usual;
      with.limit.fragments_max = fragments_max;
      connection c(own, with, birth);
      octets const some = test::repeated(1000, test::peer_frame(own, 0x00, "b"));
      exchange(c, test::peer_frame(own, 0x02, "a"), {});
      heap::start();
      for (int i = 0; i < 200 && c.current() == state::open; ++i) exchange(c, some, {});
      CHECK((c.current() == state::open) == (fragments_max == 200'001));
      CHECK(heap::most_used <= with.limit.message_bytes_max + (1U << 20));
      CHECK(heap::calls < 100);                  // the buffer grows in proportion, nothing is made for a fragment
      CHECK(heap::taken <= 4 * 200'001 + 1000);  // so that what is moved by it is in proportion, too
    }
}

TEST_CASE("memory: a peer that does not read costs a bounded queue, whatever becomes of its messages", "[hazard-28]") {
  constexpr std::size_t gibibyte = 1U << 30;
  octets const text(100'000, std::byte{'t'});
  for (role const own : roles)
    for (overflow const when_full :
         {overflow::refuse, overflow::close, overflow::drop_oldest, overflow::drop_newest, overflow::conflate}) {
      CAPTURE(own == role::server, static_cast<int>(when_full));
      prepared_message const shared(opcode::text, text);
      connection c(own, usual, birth);
      heap::start();
      std::size_t const before = heap::used;
      std::size_t const allowed = usual.limit.queue_bytes_max + 2 * text.size();  // one message may pass the bound
      std::uint64_t key = 0;
      for (std::size_t told = 0; told < gibibyte; told += text.size()) {
        send_options const how{.when_full = when_full, .key = ++key};
        refusal const why = key % 2 == 0 ? c.send(shared, how) : c.send(opcode::text, text, how);
        REQUIRE((why == refusal::none || why == refusal::queue_full || why == refusal::not_open));
        REQUIRE(c.queued_bytes() <= allowed);
      }
      CHECK(heap::most_used - before <= 3 * allowed);  // while the queue moves into a block twice as large
      CHECK((c.current() == state::closing) == (when_full == overflow::close));
    }
}

TEST_CASE("out of memory: what waits is lost with the connection when the rest of it cannot be encoded") {
  options const with{.limit = {.queue_bytes_max = 1U << 20}};
  connection c(role::server, with, birth);
  REQUIRE(c.send("encoded at once") == refusal::none);
  REQUIRE(c.send(opcode::binary, octets(20'000), {.when_full = overflow::drop_oldest}) == refusal::none);
  octets close = test::peer_frame(role::server, 0x88);
  c.receive(close, birth);
  heap::start();
  heap::fails_at = 1;  // the Close frame can still wait
  CHECK(c.next().what == kind::closed);
  heap::start();
  bytes_view spans[8];
  CHECK(c.gather(spans) == 0);
  CHECK(c.transport() == transport_action::close);
}

TEST_CASE("out of memory: nothing is encoded any more for an end at once") {
  test::plain_codec codec;
  connection c(role::server, usual, birth);
  REQUIRE(c.use(codec) == refusal::none);
  REQUIRE(c.send("encoded at once") == refusal::none);
  REQUIRE(c.send("waits") == refusal::none);
  octets wrong = test::peer_frame(role::server, 0x83);
  c.receive(wrong, birth);
  heap::start();
  heap::fails_at = 0;  // the Close frame cannot wait
  CHECK(c.next().fault == error::unknown_opcode);
  heap::start();
  CHECK(c.transport() == transport_action::close);
  CHECK(codec.encodes == 1);
}

TEST_CASE("out of memory: 5.4: a fragment that is refused begins no message") {
  encoder coder(role::server);
  output_queue out;
  heap::start();
  heap::fails_at = 0;
  CHECK(coder.piece(out, opcode::text, as_bytes("a"), fragment::more, usual) == refusal::out_of_memory);
  heap::start();
  CHECK(coder.message(out, opcode::text, as_bytes("whole"), usual) == refusal::none);
}

TEST_CASE("out of memory: 7692 6: what was compressed and not sent is forgotten") {
  test::plain_codec codec;
  encoder coder(role::server);
  output_queue out;
  heap::start();
  heap::fails_at = 0;
  CHECK(coder.encode(out, {.payload = as_bytes("lost")}, usual, {.codec = &codec}) == refusal::out_of_memory);
  heap::start();
  CHECK(codec.forgets == 1);
}

TEST_CASE("out of memory: a message that cannot wait is refused, and what waits stays, until it is freed") {
  auto const conflated = [](std::string_view text) -> outgoing {
    return {.payload = as_bytes(text), .how = {.when_full = overflow::conflate, .key = 1}};
  };
  std::size_t const before = heap::used;
  {
    message_queue q;
    heap::start();
    heap::fails_at = 0;
    CHECK_FALSE(q.push(conflated("none")));
    CHECK(q.empty());
    CHECK(q.size() == 0);
    heap::start();
    REQUIRE(q.push(conflated("old")));
    heap::start();
    heap::fails_at = 0;
    CHECK(q.replace(conflated("newer")) == message_queue::replacement::out_of_memory);
    heap::start();
    CHECK(as_text(q.front().payload) == "old");
    CHECK(q.size() == 3);
    REQUIRE(q.push(conflated("more")));
  }
  CHECK(heap::used == before);
}

TEST_CASE("out of memory: an end behind lost output is at once, whatever was asked for") {
  std::byte room[16];
  purews::pipe p(birth);
  p.lend_output(room);
  REQUIRE(p.out.allocate(1) != nullptr);
  *room = std::byte{'x'};
  heap::start();
  heap::fails_at = 0;
  p.lend_output({});
  heap::start();
  CHECK_FALSE(p.finishing());
  p.finish(ending::shut_first);
  CHECK(p.transport() == transport_action::close);
}

TEST_CASE("memory: a variant of a shared message lives as long as anybody holds it") {
  std::size_t const before = heap::used;
  {
    prepared_message kept;
    {
      prepared_message const shared(opcode::text, as_bytes("shared"));
      kept = shared.add_variant(7, 4, as_bytes("packed"));
    }
    CHECK(as_text(kept.payload()) == "packed");
  }
  CHECK(heap::used == before);
}

TEST_CASE("out of memory: a connection that cannot keep a recorder or a codec goes on without it") {
  test::plain_codec codec;
  flight_recorder recorder;
  connection c(role::server, usual, birth);
  CHECK(starved([&] { return c.record(recorder); }) == refusal::out_of_memory);
  CHECK(starved([&] { return c.use(codec); }) == refusal::out_of_memory);
  CHECK(c.send("text") == refusal::none);
  CHECK(recorder.size() == 0);
  CHECK(codec.encodes == 0);
}

TEST_CASE("out of memory: a message with a policy is refused like others: nothing is dropped for it, none is lost") {
  options const with{.limit = {.queue_bytes_max = 1000}};
  constexpr send_options oldest{.when_full = overflow::drop_oldest};
  constexpr send_options newest{.when_full = overflow::drop_newest};
  constexpr send_options keyed{.when_full = overflow::conflate, .key = 1};
  std::string const text(600, 't');
  connection c(role::server, with, birth);
  REQUIRE(c.send("encoded at once") == refusal::none);
  // Neither the room for what waits, nor the message in it.
  for (long const fails_at : {0L, 1L})
    CHECK(starved([&] { return c.send(text, oldest); }, fails_at) == refusal::out_of_memory);
  REQUIRE(c.send(text, oldest) == refusal::none);
  REQUIRE(c.send("old", keyed) == refusal::none);
  REQUIRE(c.send(text) == refusal::none);
  std::size_t const before = c.queued_bytes();
  REQUIRE(before > 1000);
  CHECK(starved([&] { return c.send("x", oldest); }) == refusal::out_of_memory);
  CHECK(starved([&] { return c.send("new", keyed); }) == refusal::out_of_memory);
  CHECK(starved([&] { return c.ping(); }) == refusal::out_of_memory);
  CHECK(c.queued_bytes() == before);
  CHECK(c.dropped() == drop_counts{});
  CHECK(c.send("new", keyed) == refusal::none);
  CHECK(c.send("x", oldest) == refusal::none);
  CHECK(c.dropped() == drop_counts{.oldest = 1, .conflated = 1});

  connection other(role::server, with, birth);  // it has nothing to count in yet
  REQUIRE(other.send(opcode::binary, octets(1000)) == refusal::none);
  CHECK(starved([&] { return other.send("x", newest); }) == refusal::out_of_memory);
  CHECK(other.dropped() == drop_counts{});
  CHECK(other.send("x", newest) == refusal::none);
  CHECK(other.dropped() == drop_counts{.newest = 1});
}

TEST_CASE("out of memory: behind output that was lost nothing of what waits is encoded") {
  test::plain_codec codec;
  std::byte room[40];
  connection c(role::server, usual, birth);
  REQUIRE(c.use(codec) == refusal::none);
  c.lend_output(room);
  REQUIRE(c.send("this will be lost") == refusal::none);
  REQUIRE(c.send(opcode::binary, octets(100)) == refusal::none);  // behind it, on the heap
  REQUIRE(c.send("waits") == refusal::none);
  REQUIRE(codec.encodes == 2);
  heap::start();
  heap::fails_at = 0;
  c.lend_output({});
  heap::start();
  bytes_view spans[4];
  CHECK(c.gather(spans) == 0);
  CHECK(c.next().fault == error::out_of_memory);
  CHECK(c.gather(spans) == 0);
  CHECK(codec.encodes == 2);
}

TEST_CASE("out of memory: 5.5.3: a ping that can be answered neither at once nor later fails the connection") {
  for (role const own : roles) {
    std::byte room[4096];
    connection c(own, usual, birth);
    c.lend_output(room);
    c.receive(scratch_with(test::repeated(output_queue::pongs_max + 1, test::peer_frame(own, 0x89, "ping"))), birth);
    heap::start();
    heap::fails_at = 0;
    for (std::size_t i = 0; i < output_queue::pongs_max; ++i) REQUIRE(c.next().what == kind::ping);
    CHECK(c.next().fault == error::out_of_memory);
    heap::start();
    c.lend_output({});
  }
}

TEST_CASE("out of memory: 5.5: a control frame that is cut, and of which nothing can be kept, fails the connection") {
  for (role const own : roles) {
    octets ping = test::peer_frame(own, 0x89, "ping");
    ping.pop_back();
    connection c(own, usual, birth);
    c.receive(scratch_with(ping), birth);
    heap::start();
    heap::fails_at = 0;
    CHECK(c.next().fault == error::out_of_memory);
    heap::start();
  }
}

TEST_CASE("out of memory: a connection that cannot say that its life is over, or ask for a sign of it, fails") {
  for (role const own : roles)
    for (duration const life : {seconds(10), forever}) {
      options with = usual;
      with.timeout.lifetime = life;
      connection c(own, with, birth);
      heap::start();
      heap::fails_at = 0;
      heap::fails_for = LONG_MAX;
      c.advance(birth + with.timeout.ping);
      heap::start();
      CHECK(c.next().fault == error::out_of_memory);
      CHECK(c.transport() == transport_action::close);
    }
}
