// SPDX-License-Identifier: BSL-1.0
#include "zlib_heap.hpp"

#include "purews/protocol/connection.hpp"
#include "support/catch.hpp"
#include "support/machine_driver.hpp"

using namespace purews;
using test::octets;

namespace {

constexpr std::size_t mebibyte = 1U << 20;
constexpr instant birth{1'000'000'000};
constexpr role roles[] = {role::server, role::client};

// 1 GiB of zeros in about a megabyte: 64 times 16 MiB, each of which begins without history.
octets const& bomb() {
  static octets const packed = [] {
    octets const zeros(16 * mebibyte);
    octets once(mebibyte);
    z_stream stream{};
    REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY) == Z_OK);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(zeros.data()));
    stream.avail_in = static_cast<uInt>(zeros.size());
    stream.next_out = reinterpret_cast<Bytef*>(once.data());
    stream.avail_out = static_cast<uInt>(once.size());
    REQUIRE(deflate(&stream, Z_FULL_FLUSH) == Z_OK);
    REQUIRE(stream.avail_in == 0);
    once.resize(stream.total_out);
    deflateEnd(&stream);
    octets all = test::repeated(64, once);
    all.resize(all.size() - 4);  // RFC 7692 7.2.1: the tail is not sent
    return all;
  }();
  return packed;
}

struct outcome {
  kind what = kind::none;
  error fault = error::none;
  std::size_t delivered = 0;  // bytes
  std::size_t memory = 0;     // at most, without what the peer sent
};

// Sends `payload` as one compressed frame, in reads of 16 KiB, to a connection that does with it what it wants.
outcome send_to(role own, options& with, octets const& payload) {
  octets const wire = test::peer_frame(own, 0xC2, payload);
  octets scratch(16'384);
  outcome result;
  permessage_deflate const deflate;
  with.extension = &deflate;
  heap::start();
  std::size_t const before = heap::used;
  heap::inflated = 0;
  {
    connection c(own, with, birth);
    REQUIRE(c.use(*deflate.make_codec(own, {})) == refusal::none);
    for (std::size_t at = 0; at < wire.size() && result.what != kind::failed; at += scratch.size()) {
      std::size_t const size = wire.size() - at < scratch.size() ? wire.size() - at : scratch.size();
      copy_bytes(scratch.data(), bytes_view(wire).subspan(at, size));
      c.receive(bytes(scratch).first(size), birth);
      for (event e = c.next(); e.what != kind::none; e = c.next()) {
        result.what = e.what;
        result.fault = e.fault;
        if (e.what == kind::fragment || e.what == kind::message) result.delivered += e.payload.size();
      }
    }
  }
  result.memory = heap::most_used - before;
  return result;
}

}  // namespace

TEST_CASE("memory: 7692 7.2.2, D-38: a gigabyte in a megabyte costs the limit, not more", "[hazard-35][hazard-36]") {
  REQUIRE(bomb().size() < 1'100'000);
  for (role const own : roles)
    for (delivery const deliver : {delivery::whole, delivery::pieces})
      for (std::size_t const limit : {std::size_t{0}, 32 * mebibyte}) {
        CAPTURE(own == role::server, deliver == delivery::whole, limit);
        options with{.deliver = deliver, .entropy = test::zero_entropy};
        if (limit != 0) with.limit.message_bytes_max = limit;  // 0: the default is what is tested
        std::size_t const allowed = static_cast<std::size_t>(with.limit.message_bytes_max);
        outcome const got = send_to(own, with, bomb());
        CHECK(got.what == kind::failed);
        CHECK(got.fault == error::message_too_big);
        CHECK(got.delivered <= allowed);
        // Work stops at the limit as well.
        CHECK(heap::inflated <= allowed + 65'536);
        CHECK(got.memory <= (deliver == delivery::whole ? allowed : 0) + mebibyte);
      }
}

TEST_CASE("memory: 7692 7.2.2: a gigabyte that is wanted streams through constant memory", "[hazard-35]") {
  options with{.deliver = delivery::pieces, .entropy = test::zero_entropy};
  with.limit.message_bytes_max = UINT64_MAX;
  outcome const got = send_to(role::server, with, bomb());
  CHECK(got.what == kind::fragment);
  CHECK(got.delivered == 1024 * mebibyte);
  CHECK(got.memory <= mebibyte);
}

TEST_CASE("memory: 7692: 100,000 connections with compression leave nothing behind", "[hazard-44]") {
  std::size_t const before = heap::used;
  {
    permessage_deflate const deflate({.kept_max = 2});
    options const with{.entropy = test::zero_entropy, .extension = &deflate};
    std::string const text(200, 't');
    octets hello = test::peer_frame(role::server, 0xC1, test::hex("f248cdc9c90700"));
    auto const live = [&](int how) {
      connection c(role::server, with, birth);
      REQUIRE(c.use(*deflate.make_codec(role::server, {})) == refusal::none);
      octets in = hello;
      if (how % 5 == 0) in.resize(in.size() - 3);  // a message that never ends
      c.receive(in, birth);
      event const e = c.next();
      if (how % 5 != 0) REQUIRE(e.text() == "Hello");
      c.park();
      REQUIRE(c.send(text, {.compress = compression::on}) == refusal::none);
      bytes_view spans[2];
      std::size_t const count = c.gather(spans);
      REQUIRE(count == 1);
      if (how % 3 == 0) c.consume_output(spans[0].size(), birth);  // or it is destroyed with output
      if (how % 7 == 0) c.abort();
    };
    for (int i = 0; i < 105; ++i) live(i);
    std::size_t const after_some = heap::used;
    for (int i = 0; i < 100'000 - 105; ++i) {
      live(i);
      REQUIRE(heap::used == after_some);
    }
    CHECK(deflate.pool().kept_deflaters() <= 2);
  }
  CHECK(heap::used == before);
}

TEST_CASE("out of memory: 7692 7.2.3.4: a block with BFINAL fails the message when its history cannot be kept") {
  test::octets const packed = test::hex("f348cdc9c9070000");
  long fails_at = 0;
  for (bool failed = true; failed; ++fails_at) {
    inflater machine;
    REQUIRE(machine.begin());
    std::byte room[64];
    heap::start();
    heap::fails_at = fails_at;
    decoded const got = machine.decode(packed, room, fragment::last);
    failed = heap::failed();
    heap::start();
    CHECK(got.fault == (failed ? error::out_of_memory : error::none));
    CHECK(got.finished == !failed);
  }
  CHECK(fails_at > 2);  // zlib's window, and the copy of it
}
