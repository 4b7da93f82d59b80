// SPDX-License-Identifier: BSL-1.0
#include "zlib_heap.hpp"

#include <memory>
#include <string>

#include "sides.hpp"

using namespace purews;
using test::birth;

namespace {

constexpr int rounds = 1000;

struct cost {
  long calls;
  std::size_t bytes;  // more in use at the end than at the beginning
};

/// Both sides are warm, and then the client says `message` 1000 times and the server echoes it.
cost talk(context history, delivery deliver, std::string const& message) {
  deflate_side const side{history, 15};
  permessage_deflate const deflate({.most = {side, side}});
  auto const both = std::make_unique<test::pair_of_sides>(deliver, &deflate);
  std::size_t before = 0;
  for (int i = -10; i < rounds; ++i) {
    if (i == 0) {
      heap::start();
      before = heap::used;
    }
    both->client.machine.lend_output(both->client.room);
    REQUIRE(both->client.machine.send(message) == refusal::none);
    both->settle();
  }
  CHECK(both->client.wrong + both->server.wrong == 0);
  CHECK(both->client.messages == rounds + 10);
  CHECK(both->client.received == (rounds + 10) * message.size());
  return {heap::calls, heap::used - before};
}

}  // namespace

TEST_CASE("memory: 7692: once it is warm, compression allocates only for the text that a message becomes") {
  for (context const history : {context::takeover, context::no_takeover})
    for (delivery const deliver : {delivery::whole, delivery::pieces})
      for (std::size_t const size : {100U, 1000U, 10'000U, 30'000U}) {
        std::string message;
        while (message.size() < size) message += std::to_string(message.size() * 7919 % 10'007) + " is a number, ";
        message.resize(size);
        CAPTURE(history == context::takeover, deliver == delivery::whole, size);
        cost const it = talk(history, deliver, message);
        // Room for 256 bytes of text, and twice as much until it is enough, or a piece that was handed over.
        long rooms = 1;
        for (std::size_t room = 256; room < size; room *= 2) ++rooms;
        CHECK(it.calls <= rounds * 2 * rooms);  // it is received twice; neither zlib nor what is sent takes any
        CHECK(it.bytes == 0);
      }
}
