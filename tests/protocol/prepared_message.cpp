// SPDX-License-Identifier: BSL-1.0
#include "purews/protocol/prepared_message.hpp"

#include <atomic>
#include <thread>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/dies.hpp"
#include "support/frames.hpp"

using namespace purews;
using test::octets;

TEST_CASE("5.7: a prepared message is the frame that a server sends") {
  prepared_message const hello(opcode::text, as_bytes("Hello"));
  REQUIRE(hello);
  CHECK(hello.op() == opcode::text);
  CHECK(as_text(hello.payload()) == "Hello");
  CHECK(test::to_hex(hello.frame()) == "810548656c6c6f");
}

TEST_CASE("5.2: a prepared message has the shortest header for its length") {
  for (std::size_t const size : {0U, 1U, 125U, 126U, 127U, 65535U, 65536U, 100'000U}) {
    octets const payload(size, std::byte{'x'});
    prepared_message const m(opcode::binary, payload);
    CHECK(octets(m.frame().begin(), m.frame().end()) == test::raw_frame(0x82, payload, false));
    CHECK(octets(m.payload().begin(), m.payload().end()) == payload);
  }
}

TEST_CASE("a prepared message copies what it is given") {
  octets payload = test::octets_of("before");
  prepared_message const m(opcode::text, payload);
  payload = test::octets_of("after ");
  CHECK(as_text(m.payload()) == "before");
}

TEST_CASE("copies of a prepared message share one frame, which the last of them gives back") {
  prepared_message copy;
  CHECK_FALSE(copy);
  CHECK(copy.frame().empty());
  CHECK(copy.payload().empty());
  CHECK(copy.op() == opcode::continuation);
  CHECK(copy.rsv() == 0);
  CHECK_FALSE(copy.variant(7));
  prepared_message const neither = copy;
  CHECK_FALSE(neither);
  std::byte const* where = nullptr;
  {
    prepared_message const first(opcode::text, as_bytes("shared"));
    where = first.frame().data();
    copy = first;
    prepared_message const second(copy);
    CHECK(second.frame().data() == where);
  }
  CHECK(copy.frame().data() == where);
  CHECK(as_text(copy.payload()) == "shared");
  prepared_message moved(std::move(copy));
  CHECK(moved.frame().data() == where);
  prepared_message& same = moved;
  moved = same;
  moved = std::move(same);
  CHECK(as_text(moved.payload()) == "shared");
  moved = prepared_message();
  CHECK_FALSE(moved);
}

TEST_CASE("a prepared message may be shared between threads", "[hazard-43]") {
  prepared_message const shared(opcode::binary, octets(1000, std::byte{'t'}));
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&shared] {
      prepared_message mine(shared);
      for (int i = 0; i < 2000; ++i) {
        prepared_message other = mine;
        mine = shared;
        if (other.frame().size() != 1004) std::abort();
      }
    });
  for (std::thread& t : threads) t.join();
  CHECK(shared.payload().size() == 1000);
}

TEST_CASE("7692 6: a variant that several threads add at once is one, for all of them and for good", "[hazard-43]") {
  constexpr std::size_t threads_count = 4;
  std::vector<prepared_message> shared;
  for (int i = 0; i < 300; ++i) shared.emplace_back(opcode::text, as_bytes("what was said"));
  // Where each thread found the two variants of each message.
  std::vector<std::byte const*> found[threads_count];
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < threads_count; ++t)
    threads.emplace_back([t, &shared, &found] {
      for (prepared_message const& original : shared) {
        prepared_message const mine(original);
        for (unsigned const which : {9U + 6U * (t % 2U == 0U), 15U - 6U * (t % 2U == 0U)}) {
          octets const packed(20 + which, static_cast<std::byte>(which));
          prepared_message variant = mine.variant(which);
          if (!variant) variant = mine.add_variant(which, 4, packed);
          if (variant.rsv() != 4 || octets(variant.payload().begin(), variant.payload().end()) != packed) std::abort();
        }
        found[t].push_back(mine.variant(9).frame().data());
        found[t].push_back(mine.variant(15).frame().data());
      }
    });
  for (std::thread& t : threads) t.join();
  for (std::size_t t = 1; t < threads_count; ++t) CHECK(found[t] == found[0]);
  for (prepared_message const& original : shared) CHECK(as_text(original.payload()) == "what was said");
}

TEST_CASE("7692 6: no variant gets lost that threads add at the same moment", "[hazard-43]") {
  constexpr std::uint32_t threads_count = 4;
  constexpr std::uint32_t each = 1500;  // so that they go on for a while, each through a list that grows
  prepared_message const shared(opcode::text, as_bytes("what was said"));
  auto const packed = [](std::uint32_t which) { return std::to_string(which); };
  std::atomic<std::uint32_t> ready = 0;
  std::vector<std::thread> threads;
  for (std::uint32_t t = 0; t < threads_count; ++t)
    threads.emplace_back([t, &shared, &packed, &ready] {
      for (++ready; ready != threads_count;) std::this_thread::yield();
      for (std::uint32_t which = t; which < threads_count * each; which += threads_count)
        shared.add_variant(which, 4, as_bytes(packed(which)));
    });
  for (std::thread& t : threads) t.join();
  for (std::uint32_t which = 0; which < threads_count * each; ++which)
    REQUIRE(as_text(shared.variant(which).payload()) == packed(which));
}

TEST_CASE("only text and binary messages can be prepared") {
  for (opcode const op : {opcode::continuation, opcode::close, opcode::ping, opcode::pong})
    CHECK(dies([op] { prepared_message(op, {}); }));
  CHECK(dies([] { prepared_message().add_variant(7, 4, {}); }));  // memory ran out when it was made
}

TEST_CASE("a variant of a prepared message is made once") {
  prepared_message const shared(opcode::text, as_bytes("shared"));
  CHECK_FALSE(shared.variant(7));
  prepared_message const first = shared.add_variant(7, 4, as_bytes("packed"));
  CHECK(shared.add_variant(7, 4, as_bytes("packed")).frame().data() == first.frame().data());
  CHECK(shared.variant(7).frame().data() == first.frame().data());
  CHECK(shared.add_variant(8, 4, as_bytes("packed")).frame().data() != first.frame().data());
}
