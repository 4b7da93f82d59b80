// SPDX-License-Identifier: BSL-1.0
#include "purews/protocol/message_queue.hpp"

#include <string>
#include <vector>

#include "purews/protocol/flight_recorder.hpp"
#include "support/catch.hpp"
#include "support/dies.hpp"

using namespace purews;

namespace {

outgoing message(std::string_view text, overflow how = overflow::refuse, std::uint64_t key = 0) {
  return {.op = opcode::text, .payload = as_bytes(text), .how = {.when_full = how, .key = key}};
}

std::vector<std::string> rest_of(message_queue& q) {
  std::vector<std::string> all;
  for (; !q.empty(); q.pop()) {
    outgoing const o = q.front();
    all.emplace_back(as_text(o.shared != nullptr ? o.shared->payload() : o.payload));
  }
  return all;
}

using texts = std::vector<std::string>;

}  // namespace

TEST_CASE("messages leave a queue as they came, with all that was said of them") {
  message_queue q;
  CHECK(q.empty());
  REQUIRE(q.push(message("one")));
  REQUIRE(q.push({.op = opcode::binary, .payload = as_bytes("two"), .first = false, .last = false}));
  prepared_message const shared(opcode::text, as_bytes("shared"));
  REQUIRE(q.push({.op = opcode::text, .shared = &shared, .how = {.compress = compression::off}}));
  REQUIRE(q.push({.op = opcode::close}));
  CHECK(q.size() == 12);
  q.pop();
  outgoing const two = q.front();
  CHECK(two.op == opcode::binary);
  CHECK_FALSE(two.first);
  CHECK_FALSE(two.last);
  CHECK(as_text(two.payload) == "two");
  q.pop();
  CHECK(q.front().shared->payload().data() == shared.payload().data());  // by reference
  CHECK(q.front().payload.empty());
  CHECK(q.front().how.compress == compression::off);
  q.pop();
  CHECK(q.front().op == opcode::close);
  q.pop();
  CHECK(q.empty());
  CHECK(q.size() == 0);
  CHECK(dies([&] { q.pop(); }));
  CHECK(dies([&] { q.front(); }));
}

TEST_CASE("the caller's buffer may change after push") {
  message_queue q;
  std::string text = "before";
  REQUIRE(q.push(message(text)));
  text = "after!";
  CHECK(rest_of(q) == texts{"before"});
}

TEST_CASE("only whole messages that allow it are dropped, the oldest first") {
  message_queue q;
  REQUIRE(q.push(message("kept")));
  REQUIRE(q.push(message("a", overflow::drop_oldest)));
  REQUIRE(q.push(message("newest", overflow::drop_newest)));
  REQUIRE(q.push(message("b", overflow::conflate, 1)));
  REQUIRE(q.push(message("c", overflow::drop_oldest)));
  outgoing part = message("part", overflow::drop_oldest);
  part.last = false;
  REQUIRE(q.push(part));
  outgoing ping = message("ping", overflow::drop_oldest);
  ping.op = opcode::ping;
  REQUIRE(q.push(ping));
  CHECK(q.droppable_bytes() == 3);
  CHECK(q.drop_oldest());
  CHECK(q.droppable_bytes() == 2);
  CHECK(q.drop_oldest());
  CHECK(q.size() == 4 + 6 + 1 + 4 + 4);
  CHECK(q.drop_oldest());
  CHECK_FALSE(q.drop_oldest());
  CHECK(q.droppable_bytes() == 0);
  REQUIRE(q.push(message("end")));  // the last one was not the last that was linked
  CHECK(rest_of(q) == texts{"kept", "newest", "part", "ping", "end"});
}

TEST_CASE("a conflated message takes the place of the one with the same key") {
  using enum message_queue::replacement;
  message_queue q;
  CHECK(q.replace(message("x", overflow::conflate, 1)) == none);
  REQUIRE(q.push(message("price 1", overflow::conflate, 1)));
  REQUIRE(q.push(message("between")));
  REQUIRE(q.push(message("price 2", overflow::conflate, 2)));
  CHECK(q.replace(message("price 1, later", overflow::conflate, 1)) == done);
  CHECK(q.replace(message("price 3", overflow::conflate, 3)) == none);
  CHECK(q.replace(message("2", overflow::conflate, 2)) == done);  // the last in the list
  CHECK(q.size() == 14 + 7 + 1);
  CHECK(q.droppable_bytes() == 14 + 1);
  REQUIRE(q.push(message("end")));
  CHECK(rest_of(q) == texts{"price 1, later", "between", "2", "end"});
}

TEST_CASE("5.4: neither a fragment nor a control frame is replaced by a conflated message") {
  message_queue q;
  outgoing first = message("first ", overflow::conflate, 1);
  first.last = false;
  outgoing last = message("last", overflow::conflate, 1);
  last.first = false;
  outgoing ping = message("ping", overflow::conflate, 1);
  ping.op = opcode::ping;
  for (outgoing const& part : {first, ping, last}) REQUIRE(q.push(part));
  CHECK(q.replace(message("new", overflow::conflate, 1)) == message_queue::replacement::none);
  CHECK(q.droppable_bytes() == 0);
  CHECK(rest_of(q) == texts{"first ", "ping", "last"});
}

TEST_CASE("a message that is replaced or popped takes nothing of the others with it") {
  message_queue q;
  REQUIRE(q.push(message("kept")));
  REQUIRE(q.push(message("old", overflow::conflate, 1)));
  REQUIRE(q.push(message("between")));
  CHECK(q.replace(message("new", overflow::conflate, 1)) == message_queue::replacement::done);
  REQUIRE(q.push(message("end")));
  q.pop();
  CHECK(q.droppable_bytes() == 3);
  CHECK(rest_of(q) == texts{"new", "between", "end"});
}

TEST_CASE("what is left in a queue is freed with it") {
  prepared_message const shared(opcode::text, as_bytes("shared"));
  message_queue q;
  REQUIRE(q.push({.op = opcode::text, .shared = &shared}));
  REQUIRE(q.push(message(std::string(1000, 'x'))));
}
