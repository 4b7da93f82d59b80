// SPDX-License-Identifier: BSL-1.0
#include "sides.hpp"

#include <memory>

using namespace purews;
using test::birth;
using test::pair_of_sides;

namespace {

constexpr int rounds = 10'000;
constexpr std::size_t sizes[] = {0, 1, 125, 126, 1000, 16'383, 20'000};
std::byte payload[20'000];

struct cost {
  long calls;
  long news;
};

/// Lets the client say something `rounds` times and the server echo it, and tells what that cost.
template <class Say>
cost talk(pair_of_sides& both, Say say) {
  for (std::byte& b : payload) b = std::byte{'a'};
  int refused = 0;
  heap::start();
  long const before = heap::news;
  for (int i = 0; i < rounds; ++i) {
    both.client.machine.lend_output(both.client.room);
    refused += say(both.client.machine, i, bytes_view(payload).first(sizes[i % 7]));
    both.settle();
    both.client.machine.advance(birth);
    both.server.machine.advance(birth);
  }
  cost const result{heap::calls, heap::news - before};
  CHECK(refused + both.client.wrong + both.server.wrong == 0);
  CHECK(both.server.messages == rounds);
  CHECK(both.client.messages == rounds);
  CHECK(both.client.received == both.server.received);
  CHECK(both.client.received == rounds / 7 * (0 + 1 + 125 + 126 + 1000 + 16'383 + 20'000) + 0 + 1 + 125 + 126);
  CHECK(both.server.pings == rounds / 5);
  CHECK(both.client.pongs == rounds / 5);
  CHECK(both.client.pings == rounds / 7);
  CHECK(both.server.pongs == rounds / 7);
  CHECK(heap::used == 0);
  return result;
}

int say_whole(endpoint& client, int i, bytes_view message) noexcept {
  int refused = client.send(i % 2 == 0 ? opcode::text : opcode::binary, message) != refusal::none;
  if (i % 5 == 0) refused += client.ping(bytes_view(payload).first(static_cast<std::size_t>(i) % 126)) != refusal::none;
  return refused;
}

int say_in_fragments(endpoint& client, int i, bytes_view message) noexcept {
  opcode const op = i % 2 == 0 ? opcode::text : opcode::binary;
  std::size_t const third = message.size() / 3;
  int refused = client.send_fragment(op, message.first(third), fragment::more) != refusal::none;
  if (i % 5 == 0) refused += client.ping(as_bytes("between two fragments")) != refusal::none;
  refused += client.send_fragment(op, message.subspan(third, third), fragment::more) != refusal::none;
  refused += client.send_fragment(op, message.subspan(2 * third), fragment::last) != refusal::none;
  return refused;
}

}  // namespace

TEST_CASE("memory: 10,000 messages there and back cost no allocation after the handshake", "[hazard-30]") {
  for (delivery const deliver : {delivery::whole, delivery::pieces}) {
    auto const both = std::make_unique<pair_of_sides>(deliver);
    cost const it = talk(*both, say_whole);
    CHECK(it.calls == 0);
    CHECK(it.news == 0);
  }
}

TEST_CASE("memory: nor do messages in fragments, if they are delivered in pieces", "[hazard-30]") {
  auto const both = std::make_unique<pair_of_sides>(delivery::pieces);
  cost const it = talk(*both, say_in_fragments);
  CHECK(it.calls == 0);
  CHECK(it.news == 0);
}

TEST_CASE("memory: a message in fragments that is delivered whole is assembled, and then forgotten", "[hazard-30]") {
  auto const both = std::make_unique<pair_of_sides>(delivery::whole);
  cost const it = talk(*both, say_in_fragments);
  CHECK(it.calls > 0);
  CHECK(it.calls <= 3 * rounds);  // at most one for each fragment, and none for the echo, which is one frame
  CHECK(it.news == it.calls);     // those with which this program keeps its accounts
}
