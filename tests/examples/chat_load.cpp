// SPDX-License-Identifier: BSL-1.0
#include "chat/load/checker.hpp"
#include "support/catch.hpp"

using namespace chat_load;

namespace {

using faults = std::vector<std::string>;

message_name const one{"ada", "1"}, two{"bob", "1"}, three{"ada", "2"};

// Two observers, three messages, all as it should be, but for what `goes_wrong` changes: each event may be left out or
// take place in another way.
struct events {
  std::vector<numbered> acks{{1, one}, {2, two}, {3, three}};
  std::vector<numbered> first{{1, one}, {2, two}, {3, three}};
  std::vector<numbered> second = first;
  std::vector<numbered> stored = first;
};

faults judged(events const& e) {
  checker c(2);
  for (std::size_t i = 0; i < 2; ++i) c.begins(i, "x", 0);
  for (numbered const& n : e.acks) c.acked("x", n.seq, n.name);
  for (numbered const& n : e.first) c.delivered(0, "x", n.seq, n.name);
  for (numbered const& n : e.second) c.delivered(1, "x", n.seq, n.name);
  c.ends("x", e.stored);
  CHECK(c.faults() == c.first_faults().size());
  return c.first_faults();
}

}  // namespace

TEST_CASE("a chat that keeps its promises has no faults") {
  CHECK(judged({}) == faults{});
  CHECK(judged({.acks = {}}) == faults{});                              // nobody knows yet, but it is stored
  CHECK(judged({.acks = {{1, one}, {1, one}, {2, two}}}) == faults{});  // a repeat is acknowledged as the first was
  CHECK(judged({.acks = {}, .first = {}, .second = {}, .stored = {}}) == faults{});
}

TEST_CASE("what is acknowledged must be stored: an ack before the commit is found") {
  CHECK(judged({.first = {{1, one}, {2, two}}, .second = {{1, one}, {2, two}}, .stored = {{1, one}, {2, two}}}) ==
        faults{"x: 3 was acknowledged (ada's 2), and is not stored"});
  CHECK(judged({.acks = {}, .stored = {{1, one}, {2, two}}}) ==
        faults{"x: 3 was delivered (ada's 2), and is not stored"});
  CHECK(judged({.acks = {{1, one}}, .first = {}, .second = {}, .stored = {}}) ==
        faults{"x: 1 was acknowledged (ada's 1), and is not stored"});
}

TEST_CASE("what is stored must be delivered, in order, once, to everybody: each fault is found") {
  CHECK(judged({.second = {{1, one}, {3, three}}}) == faults{"x: observer 1 got 3 after 1"});
  CHECK(judged({.second = {{1, one}, {2, two}, {2, two}, {3, three}}}) == faults{"x: observer 1 got 2 after 2"});
  CHECK(judged({.second = {{1, one}, {3, three}, {2, two}}}) ==
        faults{"x: observer 1 got 3 after 1", "x: observer 1 got 2 after 3"});
  CHECK(judged({.second = {{1, one}, {2, two}}}) == faults{"x: observer 1 got nothing after 2, and the last one is 3"});
  CHECK(judged({.second = {{1, one}, {2, three}, {3, two}}}).size() == 4);  // another order than the first one's
}

TEST_CASE("a number is one message, and a message has one number") {
  CHECK(judged({.stored = {{1, one}, {2, two}, {3, one}}}) ==
        faults{"x: 3 is both ada's 2 and ada's 1", "x: ada's 1 is both 1 and 3"});
  CHECK(judged({.acks = {{2, one}}}).front() == "x: ada's 1 is both 2 and 1");
}

TEST_CASE("numbers have no gaps in the store") {
  CHECK(judged({.acks = {}, .first = {}, .second = {}, .stored = {{1, one}, {3, two}}}).front() ==
        "x: the store has 3 after 1");
}

TEST_CASE("an observer begins where it joins, and again after a reload") {
  checker c(2);
  c.delivered(0, "x", 1, one);
  CHECK(c.first_faults() == faults{"x: observer 0 got 1 without having joined"});
  c.begins(0, "x", 1);
  c.delivered(0, "x", 2, two);
  c.begins(0, "x", 5);
  c.begins(1, "y", 0);  // of another channel
  c.delivered(0, "x", 6, three);
  CHECK(c.faults() == 1);
  CHECK(c.deliveries() == 3);
}

TEST_CASE("many faults are counted, and twenty are kept") {
  checker c(1);
  c.begins(0, "x", 0);
  for (int i = 2; i < 100; i += 2) c.delivered(0, "x", i, {"ada", std::to_string(i)});
  CHECK(c.faults() == 49);
  CHECK(c.first_faults().size() == 20);
}
