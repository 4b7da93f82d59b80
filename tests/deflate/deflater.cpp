// SPDX-License-Identifier: BSL-1.0
#include "purews/deflate/deflater.hpp"

#include <thread>
#include <vector>

#include "purews/deflate/deflate_pool.hpp"
#include "support.hpp"
#include "support/catch.hpp"
#include "support/dies.hpp"

using namespace purews;

namespace {

test::octets pack(deflater& machine, std::string_view text, fragment position = fragment::last) {
  message_codec::encoded const made = machine.encode(as_bytes(text), position);
  REQUIRE(made.done);
  return {made.payload.begin(), made.payload.end()};
}

}  // namespace

TEST_CASE("7692 7.2.1 D-41: the tail is cut off, exactly once, and the empty message is 00") {
  deflater machine;
  REQUIRE(machine.begin(15, {}));
  CHECK(pack(machine, "") == test::hex("00"));
  test::octets const hello = pack(machine, "Hello");
  CHECK(hello == test::hex("f248cdc9c90700"));
  CHECK(pack(machine, "") == test::hex("00"));
  CHECK(pack(machine, "Hello") == test::hex("f200110000"));  // the RFC's example of a history
  CHECK(pack(machine, "", fragment::more).empty());
  machine.note({});  // nothing was told, nothing is forgotten
  CHECK(pack(machine, "Hello").size() < hello.size());
}

TEST_CASE("7692 7.2.1 D-41, D-42, D-43: zlib alone reads every message back, at every window and effort",
          "[hazard-42]") {
  std::mt19937 random(1);
  for (std::uint8_t bits = 8; bits <= 15; ++bits)
    for (int level = 1; level <= 9; ++level)
      for (int memory : {1, 5, 8, 9}) {
        deflater machine;
        REQUIRE(machine.begin(bits, {level, memory}));
        test::plain_inflate peer(bits);
        for (std::size_t size : {1U, 5U, 200U, 3U, 0U, 1000U, 255U, 70'000U, 40U, 300U}) {
          std::string const text = test::some_text(random, size);
          test::octets packed;
          std::size_t done = 0;
          while (random() % 3 == 0) {  // in fragments
            std::size_t const part = random() % (text.size() - done + 1);
            test::octets const piece = pack(machine, text.substr(done, part), fragment::more);
            packed.insert(packed.end(), piece.begin(), piece.end());
            done += part;
          }
          test::octets const rest = pack(machine, text.substr(done));
          packed.insert(packed.end(), rest.begin(), rest.end());
          CAPTURE(bits, level, memory, size);
          bool const same = peer.message(packed) == text;
          CHECK(same);
        }
      }
}

TEST_CASE("7692 7.1.2 N-12: an 8-bit window is kept by compressing with 9 bits", "[hazard-39]") {
  for (int level = 1; level <= 9; ++level)
    for (int memory = 1; memory <= 9; ++memory) CHECK(deflater::window_of_8_works({level, memory}));
}

TEST_CASE("what is noted can be referred to, as the peer has it too", "[hazard-42]") {
  std::mt19937 random(2);
  for (int level = 1; level <= 9; ++level)
    for (std::uint8_t const bits : std::initializer_list<std::uint8_t>{8, 9, 12, 15}) {
      deflater machine, other;
      REQUIRE(machine.begin(bits, {.level = level}));
      test::plain_inflate peer(bits);
      for (int i = 0; i < 60; ++i) {
        std::string const text = test::some_text(random, random() % (i % 7 == 0 ? 5000 : 300));
        bool same;
        if (random() % 3 == 0) {
          REQUIRE(other.begin(bits, {.level = level}));  // a shared message: without history
          same = peer.message(pack(other, text)) == text;
          machine.note(as_bytes(text));
        } else {
          same = peer.message(pack(machine, text)) == text;
        }
        CAPTURE(level, bits, i);
        CHECK(same);
      }
      // It was of use: what was noted last is compressed to next to nothing.
      std::string const unlike_any = "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich.";
      if (bits < 12) continue;
      machine.note(as_bytes(unlike_any));
      peer.message(pack(other, unlike_any));
      CHECK(pack(machine, unlike_any).size() < 16);
    }
}

TEST_CASE("a deflater begins anew without history, also with other settings") {
  deflater machine;
  REQUIRE(machine.begin(15, {}));
  CHECK(machine.fits(15, {}));
  test::octets const first = pack(machine, "Hello, hello");
  CHECK(pack(machine, "Hello, hello") != first);
  machine.forget_history();
  CHECK(pack(machine, "Hello, hello") == first);
  REQUIRE(machine.begin(15, {}));
  CHECK(pack(machine, "Hello, hello") == first);
  REQUIRE(machine.begin(9, {.level = 9, .memory_level = 1}));
  CHECK_FALSE(machine.fits(15, {}));
  CHECK_FALSE(machine.fits(9, {}));
  CHECK(pack(machine, "Hello, hello").size() <= first.size());
  CHECK(dies([] { static_cast<void>(deflater().begin(7, {})); }));
  CHECK(dies([] { static_cast<void>(deflater().begin(16, {})); }));
  CHECK(dies([] { deflater().encode(as_bytes("x"), fragment::last); }));
}

TEST_CASE("a pool hands out what it was given, without history, and keeps no more than it may") {
  deflate_pool pool(1);
  deflater* const a = pool.take_deflater(15, {});
  deflater* const b = pool.take_deflater(15, {});
  REQUIRE(a != nullptr);
  REQUIRE(b != nullptr);
  test::octets const first = pack(*a, "Hello, hello");
  pool.give(a);
  pool.give(b);
  CHECK(pool.kept_deflaters() == 1);
  deflater* const c = pool.take_deflater(15, {});
  CHECK(c == a);
  CHECK(pool.kept_deflaters() == 0);
  CHECK(pack(*c, "Hello, hello") == first);
  pool.give(c);
  inflater* const i = pool.take_inflater();
  inflater* const k = pool.take_inflater();
  pool.give(i);
  pool.give(k);
  CHECK(pool.kept_inflaters() == 1);
}

TEST_CASE("a pool serves several threads: what one holds no other has, and what one gave back begins anew",
          "[hazard-43]") {
  constexpr unsigned threads_count = 4;
  deflate_pool pool(2);
  std::vector<int> wrong(threads_count);
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < threads_count; ++t)
    threads.emplace_back([t, &pool, &wrong] {
      std::mt19937 random(t);
      for (int i = 0; i < 300; ++i) {
        std::string const text = test::some_text(random, random() % 500);
        deflater* const packs = pool.take_deflater(i % 3 == 0 ? 10 : 15, {});
        inflater* const unpacks = pool.take_inflater();
        message_codec::encoded const made = packs->encode(as_bytes(text), fragment::last);
        test::plain_inflate peer(i % 3 == 0 ? 10 : 15);
        wrong[t] += peer.message({made.payload.begin(), made.payload.end()}) != text ? 1 : 0;
        pool.give(packs);
        pool.give(unpacks);
      }
    });
  for (std::thread& t : threads) t.join();
  CHECK(wrong == std::vector<int>(threads_count));
  CHECK(pool.kept_deflaters() <= 2);
  CHECK(pool.kept_inflaters() <= 2);
  CHECK(pool.kept_deflaters() > 0);
}

TEST_CASE("a pool that several threads ask all the time gives nothing to two of them", "[hazard-43]") {
  constexpr unsigned threads_count = 4;
  deflate_pool pool(threads_count);
  std::vector<int> wrong(threads_count);
  std::vector<std::thread> threads;
  for (int& mine : wrong)
    threads.emplace_back([&mine, &pool] {
      for (int i = 0; i < 30'000; ++i) {
        inflater* const held = pool.take_inflater();
        held->next = held;  // nobody else has it, so nobody else writes into it
        for (int k = 0; k < 30; ++k) mine += pool.kept_inflaters() >= threads_count ? 1 : 0;
        mine += held->next != held ? 1 : 0;
        pool.give(held);
      }
    });
  for (std::thread& t : threads) t.join();
  CHECK(wrong == std::vector<int>(threads_count));
}
