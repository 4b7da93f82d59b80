// SPDX-License-Identifier: BSL-1.0
#include "purews/protocol/encoder.hpp"

#include <random>
#include <set>

#include "plain_codec.hpp"
#include "purews/protocol/decoder.hpp"

#include "support/catch.hpp"
#include "support/dies.hpp"
#include "support/frames.hpp"
#include "support/names.hpp"

using namespace purews;
using test::octets;

namespace {

unsigned drawn = 0;

// Four bytes that tell how many keys were drawn before.
void counting_entropy(bytes out) noexcept {
  ++drawn;
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::byte>(drawn >> (8 * (i % 4)));
}

std::uint64_t entropy_state = 1;
void random_entropy(bytes out) noexcept {
  for (std::byte& b : out) {
    entropy_state = entropy_state * 6364136223846793005U + 1442695040888963407U;
    b = static_cast<std::byte>(entropy_state >> 56);
  }
}

octets take(output_queue& q) {
  octets all;
  bytes_view spans[8];
  while (std::size_t const n = q.gather(spans)) {
    std::size_t size = 0;
    for (std::size_t i = 0; i < n; ++i) {
      all.insert(all.end(), spans[i].begin(), spans[i].end());
      size += spans[i].size();
    }
    q.consume(size);
  }
  return all;
}

struct sender {
  explicit sender(role own_role, options const& options_used = {.entropy = test::zero_entropy})
      : with(options_used), own(own_role), coder(own_role) {}

  refusal message(opcode op, std::string_view payload) { return coder.message(out, op, as_bytes(payload), with); }
  refusal piece(opcode op, std::string_view payload, fragment position) {
    return coder.piece(out, op, as_bytes(payload), position, with);
  }
  octets taken() { return take(out); }
  octets frame(unsigned first, std::string_view payload) const { return test::own_frame(own, first, payload); }

  options with;
  role own;
  encoder coder;
  output_queue out{};
};

constexpr role roles[] = {role::server, role::client};

}  // namespace

TEST_CASE("5.6, 5.2: a message is one frame with the shortest header") {
  for (role const own : roles)
    for (std::size_t const size : {0U, 1U, 125U, 126U, 65535U, 65536U}) {
      sender s(own);
      std::string const payload(size, 'x');
      CHECK(s.message(opcode::text, payload) == refusal::none);
      CHECK(s.message(opcode::binary, payload) == refusal::none);
      CHECK(s.taken() == test::join(s.frame(0x81, payload), s.frame(0x82, payload)));
    }
}

TEST_CASE("5.3: F-04: a client masks every frame with a fresh key, empty and control frames too", "[hazard-57]") {
  drawn = 0;
  sender s(role::client, {.entropy = counting_entropy});
  CHECK(s.message(opcode::text, "text") == refusal::none);
  CHECK(s.message(opcode::binary, "") == refusal::none);
  CHECK(s.piece(opcode::text, "a", fragment::more) == refusal::none);
  CHECK(s.piece(opcode::text, "", fragment::last) == refusal::none);
  for (opcode const op : {opcode::ping, opcode::pong, opcode::close})
    CHECK(s.coder.control(s.out, op, {}, s.with) == refusal::none);
  CHECK(s.coder.pong(s.out, as_bytes("pong"), s.with) == refusal::none);
  CHECK(s.coder.message(s.out, prepared_message(opcode::text, as_bytes("shared")), s.with) == refusal::none);
  auto const frames = test::parse_frames(s.taken());
  REQUIRE(frames.size() == 9);
  CHECK(drawn == 9);
  std::set<octets> keys;
  for (auto const& frame : frames) {
    CHECK(frame.masked);
    CHECK(keys.insert(frame.key).second);
  }
}

TEST_CASE("5.3: F-04: keys are those of the entropy source, unchanged", "[hazard-57]") {
  entropy_state = 1;
  sender s(role::client, {.entropy = random_entropy});
  for (int i = 0; i < 100; ++i) CHECK(s.message(opcode::binary, "payload") == refusal::none);
  entropy_state = 1;
  for (auto const& frame : test::parse_frames(s.taken())) {
    octets key(4);
    random_entropy(key);
    REQUIRE(frame.key == key);
    REQUIRE(frame.text() == "payload");
  }
}

TEST_CASE("5.1: a server masks nothing and needs no entropy") {
  sender s(role::server, {});
  CHECK(s.message(opcode::text, "text") == refusal::none);
  CHECK(s.coder.pong(s.out, {}, s.with) == refusal::none);
  for (auto const& frame : test::parse_frames(s.taken())) CHECK_FALSE(frame.masked);
}

TEST_CASE("10.3: F-62: a later change of the caller's buffer does not reach the wire") {
  for (role const own : roles) {
    sender s(own);
    test::exact_copy const room(1000);
    for (bool const lent : {false, true}) {
      if (lent) CHECK(s.out.lend(room.view()));
      for (std::size_t const size : {5U, 200U, 50'000U}) {
        std::string payload(size, 'a');
        CHECK(s.message(opcode::text, payload) == refusal::none);
        payload.assign(size, 'b');
        CHECK(s.taken() == s.frame(0x81, std::string(size, 'a')));
      }
      if (lent) CHECK(s.out.lend({}));
    }
  }
}

TEST_CASE("10.3: F-62: a client's masking does not touch the caller's buffer") {
  sender s(role::client, {.entropy = counting_entropy});
  std::string const payload(300, 'a');
  prepared_message const shared(opcode::text, as_bytes(payload));
  CHECK(s.message(opcode::text, payload) == refusal::none);
  CHECK(s.coder.message(s.out, shared, s.with) == refusal::none);
  CHECK(payload == std::string(300, 'a'));
  CHECK(as_text(shared.payload()) == payload);
}

TEST_CASE("a server sends a large shared message by reference, a client a masked copy") {
  prepared_message const shared(opcode::binary, octets(5000, std::byte{'s'}));
  for (role const own : roles) {
    sender s(own);
    CHECK(s.coder.message(s.out, shared, s.with) == refusal::none);
    bytes_view spans[2];
    REQUIRE(s.out.gather(spans) == 1);
    CHECK((spans[0].data() == shared.frame().data()) == (own == role::server));
    CHECK(octets(spans[0].begin(), spans[0].end()) == s.frame(0x82, std::string(5000, 's')));
    s.out.consume(spans[0].size());
  }
}

TEST_CASE("5.4: fragments of a message: the first names the opcode, the last has FIN") {
  for (role const own : roles) {
    sender s(own);
    CHECK(s.piece(opcode::text, "a", fragment::more) == refusal::none);
    CHECK(s.piece(opcode::text, "b", fragment::more) == refusal::none);
    CHECK(s.piece(opcode::text, "c", fragment::last) == refusal::none);
    CHECK(s.piece(opcode::binary, "d", fragment::last) == refusal::none);
    CHECK(s.piece(opcode::binary, "", fragment::more) == refusal::none);
    CHECK(s.piece(opcode::binary, "", fragment::last) == refusal::none);
    CHECK(s.taken() == test::join(s.frame(0x01, "a"), s.frame(0x00, "b"), s.frame(0x80, "c"), s.frame(0x82, "d"),
                                  s.frame(0x02, ""), s.frame(0x80, "")));
  }
}

TEST_CASE("5.4: while a fragmented message is open, no other message is sent, but control frames are") {
  sender s(role::server);
  prepared_message const shared(opcode::text, as_bytes("shared"));
  CHECK(s.piece(opcode::text, "a", fragment::more) == refusal::none);
  CHECK(s.message(opcode::text, "b") == refusal::message_open);
  CHECK(s.message(opcode::binary, "b") == refusal::message_open);
  CHECK(s.coder.message(s.out, shared, s.with) == refusal::message_open);
  CHECK(s.coder.control(s.out, opcode::ping, as_bytes("p"), s.with) == refusal::none);
  CHECK(s.piece(opcode::text, "c", fragment::last) == refusal::none);
  CHECK(s.coder.message(s.out, shared, s.with) == refusal::none);
  CHECK(s.taken() == test::join(s.frame(0x01, "a"), s.frame(0x89, "p"), s.frame(0x80, "c"), s.frame(0x81, "shared")));
}

TEST_CASE("8.1: U-07: text that is not UTF-8 is refused, and nothing is sent") {
  for (role const own : roles)
    for (std::string const& bad : {std::string("\xff"), std::string("good\xc3"), std::string("\xed\xa0\x80"),
                                   std::string(500, 'a') + "\xc0\x80", std::string("\xf4\x90\x80\x80")}) {
      sender s(own);
      CHECK(s.message(opcode::text, bad) == refusal::invalid_utf8);
      CHECK(s.piece(opcode::text, bad, fragment::last) == refusal::invalid_utf8);
      CHECK(s.out.empty());
      CHECK(s.message(opcode::binary, bad) == refusal::none);
      CHECK(s.message(opcode::text, "good") == refusal::none);  // the refusals left no message open
      CHECK(s.taken() == test::join(s.frame(0x82, bad), s.frame(0x81, "good")));
    }
}

TEST_CASE("8.1: U-07: text may be trusted, by option") {
  sender s(role::server, {.text = outgoing_text::trusted});
  CHECK(s.message(opcode::text, "\xff") == refusal::none);
  CHECK(s.piece(opcode::text, "\xff", fragment::more) == refusal::none);
  CHECK(s.piece(opcode::text, "\xc3", fragment::last) == refusal::none);
}

TEST_CASE("8.1: a code point may be divided between fragments, but not cut off by the end of a message") {
  sender s(role::server);
  CHECK(s.piece(opcode::text, "\xe2", fragment::more) == refusal::none);
  CHECK(s.piece(opcode::text, "", fragment::more) == refusal::none);
  CHECK(s.piece(opcode::text, "", fragment::last) == refusal::invalid_utf8);
  CHECK(s.piece(opcode::text, "x", fragment::more) == refusal::invalid_utf8);
  CHECK(s.piece(opcode::text, "\x82", fragment::last) == refusal::invalid_utf8);
  CHECK(s.piece(opcode::text, "\x82\xac", fragment::last) == refusal::none);  // the refusals changed nothing
  CHECK(s.taken() == test::join(s.frame(0x01, "\xe2"), s.frame(0x00, ""), s.frame(0x80, "\x82\xac")));
  CHECK(s.piece(opcode::text, "\xac", fragment::more) == refusal::invalid_utf8);  // a new message begins anew
}

TEST_CASE("8.1: what was trusted of a message is no matter for the next one, which is checked") {
  sender s(role::server);
  CHECK(s.piece(opcode::text, "\xe2", fragment::more) == refusal::none);
  s.with.text = outgoing_text::trusted;
  CHECK(s.piece(opcode::text, "", fragment::last) == refusal::none);
  s.with.text = outgoing_text::checked;
  CHECK(s.piece(opcode::text, "x", fragment::last) == refusal::none);
}

TEST_CASE("7692 6: a message that cannot be compressed is sent as it is, the rest of a compressed one is refused") {
  test::plain_codec codec;
  sender s(role::server);
  outgoing part{.op = opcode::text, .payload = as_bytes("part"), .last = false};
  CHECK(s.coder.encode(s.out, part, s.with, {.codec = &codec}) == refusal::none);
  CHECK(codec.asked == SIZE_MAX);  // nobody knows how long it will be
  codec.fails = true;
  part.first = false;
  CHECK(s.coder.encode(s.out, part, s.with, {.codec = &codec}) == refusal::out_of_memory);
  CHECK(s.taken() == s.frame(0x41, "part"));
  part.first = true;
  CHECK(s.coder.encode(s.out, part, s.with, {.codec = &codec}) == refusal::none);
  CHECK(s.taken() == s.frame(0x01, "part"));
}

TEST_CASE("5.5: a control frame has at most 125 bytes", "[hazard-15]") {
  for (role const own : roles)
    for (opcode const op : {opcode::ping, opcode::pong, opcode::close}) {
      sender s(own);
      CHECK(s.coder.control(s.out, op, octets(126), s.with) == refusal::payload_too_long);
      CHECK(s.out.empty());
      CHECK(s.coder.control(s.out, op, octets(125), s.with) == refusal::none);
      CHECK(s.taken() == s.frame(0x80U + static_cast<unsigned>(op), std::string(125, '\0')));
    }
}

TEST_CASE("decode(encode(x)) is x, for all lengths and both roles", "[hazard-15]") {
  for (role const own : roles) {
    role const other = own == role::server ? role::client : role::server;
    sender s(own, {.entropy = random_entropy});
    decoder receiver(other);
    input in;
    for (std::size_t size = 0; size < 70'000; size += size < 300 ? 1 : size > 65'520 && size < 65'550 ? 1 : 13'003) {
      octets payload(size);
      for (std::size_t i = 0; i < size; ++i) payload[i] = static_cast<std::byte>(i * 7);
      REQUIRE(s.coder.message(s.out, opcode::binary, payload, s.with) == refusal::none);
      octets wire = s.taken();
      REQUIRE(in.lend(wire));
      event const e = receiver.next(in, s.with);
      REQUIRE(e.what == kind::message);
      REQUIRE(octets(e.payload.begin(), e.payload.end()) == payload);
      REQUIRE(receiver.next(in, s.with).what == kind::none);
    }
  }
}

TEST_CASE("what is sent are bytes of the message, and none that nobody wrote", "[hazard-34]") {
  // Two queues whose memory held different things before: the wire is the same.
  for (role const own : roles) {
    octets wires[2];
    for (int i = 0; i < 2; ++i) {
      test::exact_copy const room(4096);
      for (std::byte& b : room.view()) b = static_cast<std::byte>(i == 0 ? 0x11 : 0xEE);
      sender s(own);
      CHECK(s.out.lend(room.view()));
      for (std::string_view payload : {"", "a", "ab", "some more"}) {
        CHECK(s.message(opcode::binary, payload) == refusal::none);
        CHECK(s.coder.control(s.out, opcode::ping, as_bytes(payload), s.with) == refusal::none);
        CHECK(s.coder.pong(s.out, as_bytes(payload), s.with) == refusal::none);
      }
      wires[i] = s.taken();
      CHECK(s.out.lend({}));
    }
    CHECK(wires[0] == wires[1]);
  }
}

TEST_CASE("misuse of an encoder ends the program") {
  auto const with = [](role own, options const& options_used, auto f) {
    return dies([&] {
      sender s(own, options_used);
      f(s);
    });
  };
  options const good{.entropy = test::zero_entropy};
  CHECK(with(role::client, {}, [](sender& s) { static_cast<void>(s.message(opcode::text, "no entropy")); }));
  CHECK(with(role::server, good, [](sender& s) { static_cast<void>(s.message(opcode::ping, "")); }));
  CHECK(with(role::server, good, [](sender& s) { static_cast<void>(s.message(opcode::continuation, "")); }));
  CHECK(with(role::server, good, [](sender& s) { static_cast<void>(s.piece(opcode::close, "", fragment::last)); }));
  CHECK(
      with(role::server, good, [](sender& s) { static_cast<void>(s.coder.control(s.out, opcode::text, {}, s.with)); }));
  CHECK(with(role::server, good, [](sender& s) {  // an empty one, because memory ran out when it was made
    static_cast<void>(s.coder.message(s.out, prepared_message(), s.with));
  }));
  CHECK(with(role::server, good, [](sender& s) {  // the opcode changes within a message
    static_cast<void>(s.piece(opcode::text, "a", fragment::more));
    static_cast<void>(s.piece(opcode::binary, "b", fragment::last));
  }));
  CHECK_FALSE(with(role::server, good, [](sender& s) { static_cast<void>(s.message(opcode::text, "good")); }));
}
