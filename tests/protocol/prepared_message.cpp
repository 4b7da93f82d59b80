// SPDX-License-Identifier: BSL-1.0
#include "purews/protocol/prepared_message.hpp"

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
