// SPDX-License-Identifier: BSL-1.0

// The third law of docs/architecture.md for connection.hpp: chunking never matters. Random streams of frames, of which
// the generator knows what they mean, are received whole, byte by byte and in random pieces, by loops of all manners,
// while the application sends and closes at fixed places of the stream.
#include <algorithm>
#include <functional>
#include <random>

#include "purews/protocol/connection.hpp"
#include "support/catch.hpp"
#include "support/machine_driver.hpp"

using namespace purews;
using test::octets;

namespace {

using lines = std::vector<std::string>;

class dice {
 public:
  explicit dice(unsigned seed) : random_(seed) {}
  unsigned below(unsigned n) { return static_cast<unsigned>(random_() % n); }
  bool one_in(unsigned n) { return below(n) == 0; }

 private:
  std::mt19937 random_;
};

std::string shown(unsigned first, octets const& payload) {
  return test::to_hex(octets{static_cast<std::byte>(first)}) + " " + test::describe(payload);
}

octets code_bytes(unsigned code) { return {static_cast<std::byte>(code >> 8), static_cast<std::byte>(code)}; }

/// What arrives, what the application does meanwhile, and what must come of it.
struct story {
  struct call {
    std::size_t at;  // bytes of the stream that were received before
    std::function<refusal(connection&)> f;
  };
  role own = role::server;
  options with{};
  octets stream{};
  std::vector<call> calls{};
  bool eof = false;

  lines events{};
  lines pongs{};   // payloads of our pongs, in order
  lines frames{};  // first byte and payload of our other frames, in order
  transport_action transport = transport_action::keep;
};

class storyteller {
 public:
  explicit storyteller(unsigned seed) : dice_(seed) {
    told_.own = seed % 2 == 0 ? role::server : role::client;
    told_.with = {.limit = {.message_bytes_max = 200'000},
                  .deliver = seed / 2 % 2 == 0 ? delivery::whole : delivery::pieces,
                  .entropy = test::zero_entropy};
  }

  story tell() {
    for (unsigned n = 1 + dice_.below(12); n != 0; --n) {
      if (dice_.one_in(4)) act();
      if (dice_.one_in(3)) {
        control();
      } else {
        fragment_of_peer();
      }
    }
    if (dice_.one_in(3)) close_of_ours();
    switch (dice_.below(4)) {
      case 0:
        close_of_peer();
        break;
      case 1:
        fault();
        break;
      case 2:
        end_of_stream();
        break;
      default:
        break;
    }
    return told_;
  }

 private:
  void receive(unsigned first, octets const& payload) {
    octets frame = test::peer_frame(told_.own, first, payload);
    if (told_.own == role::server) {
      std::size_t const begin = frame.size() - payload.size();
      for (std::size_t i = 0; i < 4; ++i) frame[begin - 4 + i] = static_cast<std::byte>(dice_.below(256));
      for (std::size_t i = 0; i < payload.size(); ++i) frame[begin + i] ^= frame[begin - 4 + i % 4];
    }
    told_.stream = test::join(told_.stream, frame);
  }

  octets some_bytes(unsigned size) {
    octets bytes(size);
    for (std::byte& b : bytes) b = static_cast<std::byte>(dice_.below(256));
    return bytes;
  }
  octets some_text(unsigned size) {
    octets text;
    while (text.size() < size) {
      if (dice_.one_in(10))
        text = test::join(text, test::octets_of(dice_.one_in(2) ? "\u20ac" : "\U0001f600"));
      else
        text.push_back(static_cast<std::byte>('a' + dice_.below(26)));
    }
    return text;
  }
  unsigned some_size() {
    constexpr unsigned borders[] = {0, 1, 125, 126, 127, 600};
    return dice_.one_in(40) ? dice_.below(30'000) : dice_.one_in(3) ? borders[dice_.below(6)] : dice_.below(40);
  }

  // A part of a message, cut anywhere, in a text too.
  void fragment_of_peer() {
    bool const first = rest_.empty() && !inside_;
    if (first) {
      op_ = dice_.one_in(2) ? opcode::text : opcode::binary;
      message_ = op_ == opcode::text ? some_text(some_size()) : some_bytes(some_size());
      rest_ = message_;
    }
    bool const fin = dice_.one_in(2);
    std::size_t const size = fin ? rest_.size() : dice_.below(static_cast<unsigned>(rest_.size()) + 1);
    octets const part(rest_.begin(), rest_.begin() + static_cast<std::ptrdiff_t>(size));
    rest_.erase(rest_.begin(), rest_.begin() + static_cast<std::ptrdiff_t>(size));
    receive((fin ? 0x80U : 0U) | (first ? static_cast<unsigned>(op_) : 0U), part);
    inside_ = !fin;
    if (fin && !closing_) told_.events.push_back("message " + test::name(op_) + " " + test::describe(message_));
  }

  // At most 16 pings: of more the output depends on when it is taken.
  void control() {
    octets const payload = some_bytes(dice_.one_in(5) ? 125 : dice_.below(20));
    bool const ping = dice_.one_in(2) && told_.pongs.size() < 16;
    receive(ping ? 0x89 : 0x8a, payload);
    if (closing_) return;
    told_.events.push_back((ping ? "ping " : "pong ") + test::describe(payload));
    if (ping) told_.pongs.push_back(test::to_hex(payload));
  }

  void call(unsigned first, octets const& payload, std::function<refusal(connection&)> const& f) {
    told_.calls.push_back({told_.stream.size(), f});
    told_.frames.push_back(shown(first, payload));
  }

  void act() {
    if (closing_) return;
    octets const data = some_bytes(some_size());
    if (dice_.one_in(4)) {
      octets const payload = some_bytes(dice_.below(126));
      call(0x89, payload, [=](connection& c) { return c.ping(payload); });
    } else if (sending_ || dice_.one_in(2)) {
      bool const last = dice_.one_in(2);
      call((last ? 0x80U : 0U) | (sending_ ? 0U : 2U), data, [=](connection& c) {
        return c.send_fragment(opcode::binary, data, last ? fragment::last : fragment::more);
      });
      sending_ = !last;
    } else if (dice_.one_in(3)) {
      call(0x82, data, [=](connection& c) { return c.send(prepared_message(opcode::binary, data)); });
    } else {
      call(0x82, data, [=](connection& c) { return c.send(opcode::binary, data); });
    }
  }

  void close_of_ours() {
    octets const reason = some_text(dice_.below(100));
    call(0x88, test::join(code_bytes(4000), reason),
         [=](connection& c) { return c.close(status_code{4000}, as_text(reason)); });
    closing_ = true;
    for (unsigned n = dice_.below(4); n != 0; --n) fragment_of_peer();
  }

  // Our Close frame, if there was none before.
  void answer(octets const& payload) {
    if (!closing_) told_.frames.push_back(shown(0x88, payload));
  }

  void close_of_peer() {
    octets const reason = some_text(dice_.below(100));
    bool const empty = dice_.one_in(4);
    receive(0x88, empty ? octets{} : test::join(code_bytes(3000), reason));
    told_.events.push_back(empty ? "closed 1005 clean " : "closed 3000 clean " + test::describe(reason));
    answer(empty ? octets{} : code_bytes(3000));
    if (told_.own == role::server) told_.transport = transport_action::shut_write;
    told_.stream = test::join(told_.stream, some_bytes(dice_.below(100)));
  }

  void fault() {
    bool const server = told_.own == role::server;
    std::string const mask = server ? "8" : "0", key = server ? "00000000" : "";
    struct broken {
      std::string bytes;
      unsigned code;
      error what;
    };
    std::vector<broken> const kinds = {
        {"83" + mask + "0" + key, 1002, error::unknown_opcode},
        {"c0" + mask + "0" + key, 1002, error::reserved_bit},
        {"09" + mask + "1" + key + "61", 1002, error::control_fragmented},
        {"8a" + std::string(server ? "fe" : "7e") + "0080", 1002, error::control_too_long},
        {"89" + std::string(server ? "05" : "85"), 1002, server ? error::unmasked_frame : error::masked_frame},
        {"88" + mask + "1" + key + "61", 1002, error::close_payload_short},
        {"88" + mask + "2" + key + "03ed", 1002, error::close_code_invalid},
        {"88" + mask + "3" + key + "03e8ff", 1007, error::close_reason_utf8},
        {inside_ ? "81" + mask + "0" + key : "80" + mask + "0" + key, 1002,
         inside_ ? error::expected_continuation : error::unexpected_continuation},
        {(inside_ ? "80" : "82") + std::string(server ? "fe" : "7e") + "007d", 1002, error::length_not_minimal},
        {(inside_ ? "80" : "82") + std::string(server ? "ff" : "7f") + "ffffffffffffffff", 1002,
         error::length_too_large},
        {(inside_ ? "80" : "82") + std::string(server ? "ff" : "7f") + "0000000000030d41" + key, 1009,
         error::message_too_big},
        {(inside_ ? "8b" : "01") + mask + "4" + key + "61e282ff", inside_ ? 1002U : 1007U,
         inside_ ? error::unknown_opcode : error::invalid_utf8},
    };
    broken const& b = kinds[dice_.below(static_cast<unsigned>(kinds.size()))];
    told_.stream = test::join(told_.stream, test::hex(b.bytes), some_bytes(dice_.below(100)));
    told_.events.push_back("failed " + std::to_string(b.code) + " " + test::name(b.what));
    answer(code_bytes(b.code));
    told_.transport = transport_action::shut_write;
  }

  void end_of_stream() {
    if (dice_.one_in(2)) told_.stream = test::join(told_.stream, octets{static_cast<std::byte>(inside_ ? 0x80 : 0x81)});
    told_.eof = true;
    told_.events.push_back("closed 1006 unclean ");
    told_.transport = transport_action::close;
  }

  dice dice_;
  story told_;
  octets message_{}, rest_{};  // of the peer
  opcode op_ = opcode::binary;
  bool inside_ = false;   // of a fragmented message of the peer
  bool sending_ = false;  // one of ours
  bool closing_ = false;  // our Close was sent
};

enum class cutting { whole, by_bytes, anywhere };

test::manner any_manner(dice& d) {
  return {.park_after = static_cast<int>(d.below(4)) - 1,
          .room = d.one_in(2) ? 1 + d.below(2000) : 0,
          .write_max = d.one_in(2) ? 1 + d.below(300) : SIZE_MAX,
          .writes_max = d.one_in(2) ? d.below(3) : SIZE_MAX,
          .spans_max = 1 + d.below(4),
          .withhold = d.one_in(4),
          .direct = d.one_in(2)};
}

struct outcome {
  lines events, pongs, frames;
  octets output;
  transport_action transport;
};

outcome live(story const& s, cutting how, dice& d) {
  test::manner manner = any_manner(d);
  manner.overlap = manner.room == 0 && d.one_in(3);
  connection c(s.own, s.with, instant{1'000'000'000});
  test::machine_driver<connection> driver(c, manner);
  auto next_call = s.calls.begin();
  for (std::size_t at = 0;;) {
    for (; next_call != s.calls.end() && next_call->at == at; ++next_call)
      if (next_call->f(c) != refusal::none) throw std::runtime_error("a call was refused");
    if (at == s.stream.size()) break;
    std::size_t const end = next_call == s.calls.end() ? s.stream.size() : next_call->at;
    auto const left = static_cast<unsigned>(end - at);
    std::size_t const size = how == cutting::whole      ? left
                             : how == cutting::by_bytes ? 1
                                                        : 1 + d.below(d.one_in(2) ? left : std::min(left, 20U));
    driver.receive(std::span(s.stream).subspan(at, size));
    at += size;
  }
  if (s.eof) driver.receive_eof();
  driver.flush();
  outcome o{driver.events, {}, {}, driver.output, c.transport()};
  bool closed = false;
  for (test::parsed_frame const& frame : test::parse_frames(driver.output)) {
    if (frame.masked != (s.own == role::client)) throw std::runtime_error("a frame is not masked as it must be");
    if (closed) throw std::runtime_error("something was sent after the Close frame");
    closed = frame.first == 0x88;
    if (frame.first == 0x8a)
      o.pongs.push_back(test::to_hex(frame.payload));
    else
      o.frames.push_back(shown(frame.first, frame.payload));
  }
  return o;
}

}  // namespace

TEST_CASE("5, 7: however a stream of frames is cut, the events and the output are the same", "[hazard-09][hazard-10]") {
  for (unsigned seed = 0; seed < 4000; ++seed) {
    CAPTURE(seed);
    story const s = storyteller(seed).tell();
    dice d(seed);
    octets output;
    for (cutting const how : {cutting::whole, cutting::by_bytes, cutting::anywhere, cutting::anywhere}) {
      outcome const o = live(s, how, d);
      REQUIRE(o.events == s.events);
      REQUIRE(o.frames == s.frames);
      REQUIRE(o.pongs == s.pongs);
      REQUIRE(o.transport == s.transport);
      // Where the application says nothing, there is only one order in which frames can leave.
      if (how == cutting::whole) output = o.output;
      if (s.calls.empty()) REQUIRE(o.output == output);
    }
  }
}
