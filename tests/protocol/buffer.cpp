// SPDX-License-Identifier: BSL-1.0
#include "purews/protocol/buffer.hpp"

#include <random>
#include <utility>

#include "support/catch.hpp"
#include "support/dies.hpp"
#include "support/hex.hpp"

using namespace purews;
using test::octets;

namespace {
octets content(buffer const& b) { return {b.view().begin(), b.view().end()}; }
}  // namespace

TEST_CASE("an empty buffer is one pointer and owns nothing") {
  static_assert(sizeof(buffer) == sizeof(void*));
  buffer b;
  CHECK(b.size() == 0);
  CHECK(b.view().empty());
  CHECK(b.view().data() == nullptr);
  CHECK(b.end() == nullptr);
  CHECK(b.append({}));
  CHECK(b.view().data() == nullptr);
  CHECK_FALSE(buffer().prepare(0).empty());
  b.truncate(0);
  b.erase_front(0);
  b.clear();
}

TEST_CASE("a buffer grows to twice its size, but not beyond what it will ever hold") {
  buffer b;
  REQUIRE(b.append(octets(1000)));
  CHECK(b.prepare(1001).size() == 1001);  // 1000 would have been enough for twice as much
  b.clear();
  REQUIRE(b.append(octets(1000)));
  CHECK(b.prepare(1, 1500).size() == 500);
  REQUIRE(b.append(octets(500), 1500));
  CHECK(b.prepare(7, 1500).size() == 7);  // more, if that is asked for
  CHECK(b.prepare(1).size() == 7);
  b.commit(7);
  CHECK(b.prepare(1).size() == 1507);
}

TEST_CASE("random use of a buffer is like that of a vector") {
  std::mt19937 random(1);
  auto const below = [&](std::size_t n) { return static_cast<std::size_t>(random()) % n; };
  for (int round = 0; round < 50; ++round) {
    buffer b;
    octets model;
    for (int i = 0; i < 200; ++i) {
      switch (below(7)) {
        case 0:
        case 1:
        case 2: {
          octets const more(below(10) == 0 ? below(3000) : below(60), static_cast<std::byte>(i));
          REQUIRE(b.append(more));
          model = test::join(model, more);
          break;
        }
        case 3: {
          std::size_t const wanted = below(300);
          bytes const room = b.prepare(wanted);
          REQUIRE(room.size() >= wanted);
          REQUIRE(room.data() == b.end());
          std::size_t const n = below(wanted + 1);
          for (std::byte& byte : room) byte = static_cast<std::byte>(i);  // all of it is ours
          REQUIRE(b.is_prepared(room.first(n)));
          b.commit(n);
          model.insert(model.end(), n, static_cast<std::byte>(i));
          break;
        }
        case 4: {
          std::size_t const n = below(model.size() + 1);
          b.truncate(n);
          model.resize(n);
          break;
        }
        case 5: {
          std::size_t const n = below(model.size() + 1);
          b.erase_front(n);
          model.erase(model.begin(), model.begin() + static_cast<std::ptrdiff_t>(n));
          break;
        }
        default:
          if (below(10) == 0) {
            b.clear();
            model.clear();
          }
      }
      REQUIRE(content(b) == model);
    }
  }
}

TEST_CASE("moving a buffer moves its memory") {
  buffer a;
  CHECK(a.append(test::octets_of("hello")));
  std::byte const* const where = a.view().data();
  buffer b(std::move(a));
  CHECK(b.view().data() == where);
  CHECK(a.size() == 0);
  buffer c;
  CHECK(c.append(test::octets_of("old")));
  c = std::move(b);
  CHECK(content(c) == test::octets_of("hello"));
  buffer& same = c;
  c = std::move(same);
  CHECK(content(c) == test::octets_of("hello"));
}

TEST_CASE("a buffer that cannot grow says so and keeps what it has", "[hazard-08]") {
  buffer b;
  CHECK(b.append(test::octets_of("kept")));
  CHECK(b.prepare(SIZE_MAX).empty());
  CHECK(b.prepare(SIZE_MAX - 3).empty());
  CHECK(b.prepare(SIZE_MAX / 4 + 1).empty());
  CHECK(content(b) == test::octets_of("kept"));
}

TEST_CASE("a buffer grows with what it holds, not far beyond it", "[hazard-11]") {
  buffer b;
  CHECK(b.append(octets(100'000)));
  CHECK(b.prepare(1).size() <= 100'000);
  buffer one;
  CHECK(one.prepare(1).size() <= 256);
}

TEST_CASE("bytes that begin where a full buffer's memory ends are not in it") {
  buffer b;
  CHECK_FALSE(b.is_prepared({}));
  bytes const room = b.prepare(10);
  std::size_t const all = room.size();
  CHECK(b.is_prepared(room));
  CHECK_FALSE(b.is_prepared({room.data(), all + 1}));
  CHECK_FALSE(b.is_prepared(room.subspan(1)));
  b.commit(all);
  CHECK_FALSE(b.is_prepared({b.end(), 1}));
}

TEST_CASE("misuse of a buffer ends the program") {
  auto const with_five = [](auto f) {
    return dies([&] {
      buffer b;
      static_cast<void>(b.append(octets(5)));
      f(b);
    });
  };
  CHECK(with_five([](buffer& b) { b.truncate(6); }));
  CHECK(with_five([](buffer& b) { b.erase_front(6); }));
  CHECK(with_five([](buffer& b) { b.commit(b.prepare(1).size() + 1); }));
  CHECK(dies([] { buffer().commit(0); }));
  CHECK_FALSE(with_five([](buffer& b) {
    b.truncate(5);
    b.erase_front(5);
  }));
}
