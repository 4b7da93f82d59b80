// SPDX-License-Identifier: BSL-1.0
#include "purews/protocol/decoder.hpp"

#include <memory>
#include <random>

#include "plain_codec.hpp"
#include "support/catch.hpp"
#include "support/dies.hpp"
#include "support/machine_driver.hpp"

using namespace purews;
using test::octets;

namespace {

// A decoder with its input. What it is fed is an exact copy, which lives as long as anything may look at it.
struct fed_decoder {
  explicit fed_decoder(role own, options const& options_used = {}) : with(options_used), coder(own) {}

  void feed(octets const& more) {
    auto fresh = std::make_unique<test::exact_copy>(more);
    if (!in.lend(fresh->view())) throw std::bad_alloc();
    lent = std::move(fresh);
  }
  event next(attachments const& has = {}) { return coder.next(in, with, has); }
  std::string next_line() { return test::describe(next()); }

  // The events of `bytes`, until there is none or the decoder failed.
  std::vector<std::string> events(octets const& all) {
    std::vector<std::string> lines;
    feed(all);
    for (;;) {
      event const e = next();
      if (e.what != kind::none) lines.push_back(test::describe(e));
      if (e.what == kind::none || e.what == kind::failed) return lines;
    }
  }

  options with;
  decoder coder;
  input in{};
  std::unique_ptr<test::exact_copy> lent{};
};

using lines = std::vector<std::string>;

}  // namespace

TEST_CASE("5.2: lengths at every border, in every form, against every limit", "[hazard-01][hazard-02][hazard-06]") {
  std::uint64_t const big = std::uint64_t{1} << 63;
  std::vector<std::uint64_t> const borders = {
      0,          1,          125,        126,        127,         128,
      65534,      65535,      65536,      65537,      1U << 20,    (1U << 20) + 1,
      0x7FFFFFFF, 0x80000000, 0x80000001, 0xFFFFFFFF, 0x100000000, 0x100000001,
      big - 1,    big,        big + 1,    UINT64_MAX};
  for (role const own : {role::server, role::client})
    for (std::uint64_t const limit : borders)
      for (std::uint64_t const length : borders)
        for (int const form : {0, 2, 8}) {
          if ((form == 0 && length > 125) || (form == 2 && length > 65535)) continue;
          octets head{std::byte{0x82}};
          unsigned const mask = own == role::server ? 0x80U : 0U;
          head.push_back(static_cast<std::byte>(mask | (form == 0   ? static_cast<unsigned>(length)
                                                        : form == 2 ? 126U
                                                                    : 127U)));
          for (int i = form - 1; i >= 0; --i) head.push_back(static_cast<std::byte>(length >> (8 * i)));
          if (mask != 0) head.insert(head.end(), 4, std::byte{0});
          error expected = error::none;
          if (length >= big)
            expected = error::length_too_large;
          else if ((form == 2 && length < 126) || (form == 8 && length < 65536))
            expected = error::length_not_minimal;
          else if (length > limit)
            expected = error::message_too_big;
          fed_decoder d(own, {.limit = {.message_bytes_max = limit}});
          d.feed(head);
          event const e = d.next();
          CAPTURE(length, limit, form);
          REQUIRE(e.fault == expected);
          if (expected == error::none) REQUIRE(e.what == (length == 0 ? kind::message : kind::none));
          REQUIRE(d.coder.receive_room().empty());  // memory follows what came, not what was announced
        }
}

TEST_CASE("10.4: the sum of fragments is compared without overflow", "[hazard-01][hazard-27]") {
  for (std::uint64_t const limit : {std::uint64_t{5}, UINT64_MAX >> 1, UINT64_MAX - 1}) {
    fed_decoder d(role::client, {.limit = {.message_bytes_max = limit}, .deliver = delivery::pieces});
    d.events(test::hex("02 05 6161616161"));
    CHECK(d.events(test::hex("00 00")).empty());
    d.feed(test::hex("80 7f 7fffffffffffffff"));
    event const e = d.next();
    CHECK(e.fault == (limit == UINT64_MAX - 1 ? error::none : error::message_too_big));
  }
}

TEST_CASE("a message that lies whole in the input is a view of it") {
  for (role const own : {role::server, role::client})
    for (std::size_t const size : {1U, 125U, 126U, 65535U, 65536U, 200'000U}) {
      fed_decoder d(own);
      octets const frame = test::peer_frame(own, 0x82, octets(size, std::byte{'x'}));
      d.feed(test::join(frame, frame));
      std::span<std::byte> const lent = d.lent->view();
      CHECK(d.next().payload.data() == lent.data() + frame.size() - size);
      CHECK(d.next().payload.data() == lent.data() + 2 * frame.size() - size);
      CHECK(d.next().what == kind::none);
    }
}

TEST_CASE("the short way for whole messages gives what the long way gives", "[hazard-18]") {
  std::mt19937 random(3);
  auto const below = [&](unsigned n) { return static_cast<unsigned>(random()) % n; };
  for (int i = 0; i < 50'000; ++i) {
    role const own = below(2) == 0 ? role::server : role::client;
    options const with{.limit = {.message_bytes_max = below(3) == 0 ? 100U : 1U << 20,
                                 .frame_bytes_max = below(3) == 0 ? 120U : UINT64_MAX}};
    octets payload(below(4) == 0 ? below(300) : below(20));
    for (std::byte& b : payload) b = static_cast<std::byte>(below(8) == 0 ? below(256) : 'a' + below(26));
    unsigned const first = below(3) == 0 ? below(256) : 0x81U + below(2);
    octets frame = test::raw_frame(first, payload, below(10) == 0 ? own != role::server : own == role::server);
    if (below(6) == 0) frame.resize(below(static_cast<unsigned>(frame.size()) + 1));
    if (below(6) == 0) frame = test::join(frame, test::peer_frame(own, 0x81, "next"));
    if (below(8) == 0 && frame.size() > 1) frame[1] = static_cast<std::byte>(below(256));
    bool const inside = below(4) == 0;

    fed_decoder quick(own, with), slow(own, with);
    if (inside) quick.events(test::peer_frame(own, 0x02, "a")), slow.events(test::peer_frame(own, 0x02, "a"));
    quick.feed(frame);
    slow.feed(frame);
    event e;
    if (!quick.coder.next_whole(quick.in, with, e)) {
      bool const unchanged = e.what == kind::none && quick.in.unread().size() == frame.size() &&
                             octets(quick.lent->view().begin(), quick.lent->view().end()) == frame;
      if (!unchanged) FAIL("changed, though it is not a plain message: " << test::to_hex(frame));
      e = quick.next();
    }
    event const expected = slow.next();
    bool same = test::describe(e) == test::describe(expected);
    if (same && e.what != kind::failed)
      same = quick.in.unread().size() == slow.in.unread().size() && quick.next_line() == slow.next_line();
    if (!same) FAIL("not what the long way gives: " << test::to_hex(frame));
  }
  SUCCEED();
}

TEST_CASE("5.2: the short way takes no length of eight bytes for one of two", "[hazard-01]") {
  fed_decoder d(role::client);
  d.feed(test::join(test::hex("82 7f 00fe000000000000"), octets(300)));
  event e;
  CHECK_FALSE(d.coder.next_whole(d.in, d.with, e));
  CHECK(d.next_line() == "failed 1009 message_too_big");
}

TEST_CASE("a cut message is assembled once, and its memory given back") {
  fed_decoder d(role::client);
  octets const frame = test::peer_frame(role::client, 0x82, octets(1000, std::byte{'x'}));
  CHECK(d.events(octets(frame.begin(), frame.begin() + 500)).empty());
  CHECK(d.coder.inside_message());
  d.feed(octets(frame.begin() + 500, frame.end()));
  event const e = d.next();
  CHECK(e.payload.size() == 1000);
  CHECK_FALSE(d.coder.inside_message());
  CHECK(d.next().what == kind::none);  // only now the view is invalid
}

TEST_CASE("inside_message tells whether the stream may end here") {
  octets const stream =
      test::join(test::peer_frame(role::server, 0x01, "Hel"), test::peer_frame(role::server, 0x89, "p"),
                 test::peer_frame(role::server, 0x80, "lo"));
  fed_decoder d(role::server);
  CHECK_FALSE(d.coder.inside_message());
  for (std::size_t i = 0; i < stream.size(); ++i) {
    d.events({stream[i]});
    CHECK(d.coder.inside_message() == (i + 1 != stream.size()));
  }
}

TEST_CASE("the room of a cut message is read into directly, and not copied again") {
  constexpr std::size_t size = 300'000;
  octets payload(size);
  for (std::size_t i = 0; i < size; ++i) payload[i] = static_cast<std::byte>(i % 251);
  for (role const own : {role::server, role::client}) {
    fed_decoder d(own);
    octets const frame = test::peer_frame(own, 0x82, payload);
    CHECK(d.coder.receive_room().empty());
    std::size_t at = 20'000;
    CHECK(d.events(octets(frame.begin(), frame.begin() + 20'000)).empty());
    int reads = 0;
    for (;;) {
      bytes const room = d.coder.receive_room();
      if (room.empty()) break;
      REQUIRE(room.size() <= frame.size() - at);
      REQUIRE(room.size() <= (at > 65536 ? at : 65536));  // it at most doubles
      // The transport may bring less than there is room for.
      std::size_t const brought = reads++ % 2 == 0 ? room.size() / 2 : room.size();
      copy_bytes(room.data(), bytes_view(frame).subspan(at, brought));
      at += brought;
      REQUIRE(d.in.lend(room.first(brought)));
      if (at == frame.size()) break;
      REQUIRE(d.next().what == kind::none);
    }
    CHECK(reads > 2);
    if (at < frame.size()) d.feed(octets(frame.begin() + static_cast<std::ptrdiff_t>(at), frame.end()));
    event const e = d.next();
    REQUIRE(e.what == kind::message);
    CHECK(octets(e.payload.begin(), e.payload.end()) == payload);
  }
}

TEST_CASE("the room of a cut message is as large as what came of it") {
  fed_decoder d(role::client);
  octets const frame = test::peer_frame(role::client, 0x82, octets(1'000'000));
  d.events(octets(frame.begin(), frame.begin() + 10 + 100'000));
  CHECK(d.coder.receive_room().size() == 100'000);
}

TEST_CASE("room that was offered need not be used") {
  fed_decoder d(role::client);
  octets const frame = test::peer_frame(role::client, 0x82, octets(100'000, std::byte{'x'}));
  d.events(octets(frame.begin(), frame.begin() + 30'000));
  CHECK_FALSE(d.coder.receive_room().empty());
  CHECK(d.events(octets(frame.begin() + 30'000, frame.begin() + 60'000)).empty());
  CHECK_FALSE(d.coder.receive_room().empty());
  CHECK(d.events(octets(frame.begin() + 60'000, frame.end())) ==
        lines{"message binary " + test::describe(octets(100'000, std::byte{'x'}))});
}

TEST_CASE("there is no room for what streams, for control frames, for little, or for what has not begun to come") {
  octets const frame = test::peer_frame(role::client, 0x82, octets(100'000, std::byte{'x'}));
  fed_decoder streams(role::client, {.deliver = delivery::pieces});
  streams.feed(octets(frame.begin(), frame.begin() + 5000));
  CHECK(streams.next().payload.size() == 4990);
  CHECK(streams.next().what == kind::none);
  CHECK(streams.coder.receive_room().empty());

  fed_decoder announced(role::client);
  announced.events(octets(frame.begin(), frame.begin() + 10));
  CHECK(announced.coder.receive_room().empty());

  fed_decoder nearly(role::client);
  nearly.events(octets(frame.begin(), frame.end() - 10));
  CHECK(nearly.coder.receive_room().empty());

  fed_decoder pinged(role::client);
  pinged.events(test::hex("01 03 616161 89 7d 61"));
  CHECK(pinged.coder.receive_room().empty());
}

TEST_CASE("pieces are views of the input, and say when a message ends") {
  fed_decoder d(role::server, {.deliver = delivery::pieces});
  octets const stream = test::join(test::peer_frame(role::server, 0x02, "ab"), test::peer_frame(role::server, 0x00, ""),
                                   test::peer_frame(role::server, 0x80, ""), test::peer_frame(role::server, 0x81, ""));
  d.feed(stream);
  event e = d.next();
  CHECK(e.what == kind::fragment);
  CHECK(e.op == opcode::binary);
  CHECK_FALSE(e.fin);
  CHECK(e.payload.data() == d.lent->view().data() + 6);
  CHECK(as_text(e.payload) == "ab");
  e = d.next();  // the empty fragment says nothing, the last one does
  CHECK(e.what == kind::fragment);
  CHECK(e.op == opcode::binary);
  CHECK(e.fin);
  CHECK(e.payload.empty());
  e = d.next();
  CHECK(e.what == kind::fragment);
  CHECK(e.op == opcode::text);
  CHECK(e.fin);
  CHECK(d.next().what == kind::none);
}

TEST_CASE("reset gives back the memory of an unfinished message") {
  fed_decoder d(role::client);
  d.events(test::hex("02 05 6161"));
  d.coder.reset();
  SUCCEED();  // the leak checker has the word
}

TEST_CASE("F-33: a message of 1 MiB in fragments of one byte", "[hazard-22][hazard-26]") {
  constexpr std::uint32_t count = 1U << 20;
  fed_decoder d(role::client, {.limit = {.fragments_max = count}});
  CHECK(d.events(test::hex("02 01 61")).empty());
  octets const some = test::repeated(1023, test::hex("00 01 62"));
  for (std::uint32_t done = 1; done + 1023 < count; done += 1023) CHECK(d.events(some).empty());
  std::uint32_t const left = (count - 1) % 1023 == 0 ? 1023 : (count - 1) % 1023;
  CHECK(d.events(test::repeated(left - 1, test::hex("00 01 62"))).empty());
  lines const got = d.events(test::hex("80 01 63"));
  REQUIRE(got.size() == 1);
  CHECK(got[0].starts_with("message binary 1048576 bytes"));
}

TEST_CASE("F-60: a million empty fragments end at the limit", "[hazard-23][hazard-24][hazard-25]") {
  for (role const own : {role::server, role::client}) {
    fed_decoder d(own);
    CHECK(d.events(test::peer_frame(own, 0x01)).empty());
    octets const thousand = test::repeated(1000, test::peer_frame(own, 0x00));
    std::uint32_t fragments = 1;
    for (; fragments + 1000 <= limits{}.fragments_max; fragments += 1000) REQUIRE(d.events(thousand).empty());
    CHECK(d.events(thousand) == lines{"failed 1008 too_many_fragments"});
  }
}

TEST_CASE("every call makes progress: it consumes, reports, or asks for more", "[hazard-04]") {
  std::mt19937 random(4);
  for (int round = 0; round < 20'000; ++round) {
    role const own = round % 2 == 0 ? role::server : role::client;
    fed_decoder d(own, {.limit = {.message_bytes_max = 300}, .deliver = static_cast<delivery>(round / 2 % 2)});
    bool failed = false;
    for (int chunk = 0; chunk < 6 && !failed; ++chunk) {
      octets bytes(random() % 24);
      for (std::byte& b : bytes)
        b = static_cast<std::byte>(random() % 3 == 0 ? random() : random() % 4 == 0 ? 0x80 : 2);
      if (random() % 2 == 0)
        bytes = test::join(test::peer_frame(own, 0x80U + static_cast<unsigned>(random() % 11), bytes), bytes);
      d.feed(bytes);
      for (std::size_t budget = 2 * bytes.size() + 3;; --budget) {
        REQUIRE(budget > 0);
        event const e = d.next();
        failed = e.what == kind::failed;
        if (failed || e.what == kind::none) break;
      }
      if (!failed) REQUIRE(d.in.empty());
    }
  }
}

TEST_CASE("7692 7.2.2: what comes of a little input is delivered whole, and nothing is decoded before it came") {
  test::plain_codec codec{};
  codec.growth = 100;
  fed_decoder d(role::client);
  d.feed(test::hex("c2 0a"));
  CHECK(d.next({.codec = &codec}).what == kind::none);
  CHECK(codec.decodes == 0);
  d.feed(octets(10));
  event const e = d.next({.codec = &codec});
  CHECK(e.what == kind::message);
  CHECK(e.payload.size() == 1000);
  CHECK(codec.decodes > 1);
  codec.idle = true;
  d.feed(test::hex("c2 01 61"));
  CHECK(dies([&] { d.next({.codec = &codec}); }));
}

TEST_CASE("7692 7.2.2: a codec may take its input in steps, and end exactly where its room does") {
  for (std::size_t const taken_max : {std::size_t{1}, std::size_t{7}, SIZE_MAX})
    for (delivery const deliver : {delivery::whole, delivery::pieces}) {
      test::plain_codec codec{};
      codec.growth = 4;  // as much as the decoder has room for, for 64 bytes and more
      codec.taken_max = taken_max;
      fed_decoder d(role::client, {.deliver = deliver});
      d.feed(test::join(test::peer_frame(role::client, 0xC2, octets(100, std::byte{'x'})),
                        test::peer_frame(role::client, 0x42, octets(100, std::byte{'x'})),
                        test::peer_frame(role::client, 0x80, octets(100, std::byte{'x'}))));
      std::vector<std::size_t> sizes;
      std::string text;
      for (event e = d.next({.codec = &codec}); e.what != kind::none; e = d.next({.codec = &codec})) {
        REQUIRE((e.what == kind::message || e.what == kind::fragment));
        text += e.text();
        if (e.what != kind::message && !e.fin) continue;
        sizes.push_back(text.size());
        text.clear();
      }
      CHECK(sizes == std::vector<std::size_t>{400, 800});
      CHECK_FALSE(d.coder.inside_message());
    }
}

TEST_CASE("7692 8 D-39: what a message may become grows with what came of it, without overflow", "[hazard-01]") {
  test::plain_codec codec{};
  codec.growth = 100;
  fed_decoder grows(role::client, {.limit = {.inflate_ratio_max = 100}});
  grows.feed(test::peer_frame(role::client, 0xC2, octets(10'000)));
  CHECK(grows.next({.codec = &codec}).payload.size() == 1'000'000);

  // The ratio allows no more than there may be at all.
  fed_decoder bounded(role::client, {.limit = {.message_bytes_max = 1000, .inflate_ratio_max = 1000}});
  bounded.feed(test::peer_frame(role::client, 0xC2, octets(11)));
  CHECK(bounded.next({.codec = &codec}).fault == error::message_too_big);
  codec.made.clear();

  // 2^33 bytes are announced, of which each may become 2^31.
  limits const all{.message_bytes_max = UINT64_MAX, .inflate_ratio_max = 1U << 31};
  fed_decoder announced(role::client, {.limit = all});
  announced.feed(test::hex("c2 7f 0000000200000000"));
  for (int i = 0; i < 700; ++i) {
    CHECK(announced.next({.codec = &codec}).what == kind::none);
    announced.feed(octets(1));
  }

  fed_decoder huge(role::client, {.limit = all});
  huge.feed(test::hex("c2 7f 4000000000000000"));
  CHECK(huge.next({.codec = &codec}).what == kind::none);
}
