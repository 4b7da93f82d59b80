// SPDX-License-Identifier: BSL-1.0
#include "purews/loop/timers.hpp"

#include <algorithm>
#include <random>
#include <vector>

#include "support/catch.hpp"
#include "support/dies.hpp"

using namespace purews;

namespace {

struct numbered : timer_node {
  int number = 0;
};

int number_of(timer_node* node) { return node == nullptr ? -1 : static_cast<numbered*>(node)->number; }

}  // namespace

TEST_CASE("timers fire in the order of their deadlines and not before") {
  timer_heap heap;
  numbered nodes[3];
  for (int i = 0; i < 3; ++i) nodes[i].number = i;
  REQUIRE(heap.reserve(3));
  CHECK(heap.next() == never);
  CHECK(heap.pop_due({1000}) == nullptr);
  heap.arm(nodes[0], {30});
  heap.arm(nodes[1], {10});
  heap.arm(nodes[2], {20});
  CHECK(heap.next() == instant{10});
  CHECK(heap.pop_due({9}) == nullptr);
  CHECK(number_of(heap.pop_due({25})) == 1);
  CHECK(!nodes[1].armed());
  CHECK(number_of(heap.pop_due({25})) == 2);
  CHECK(heap.pop_due({25}) == nullptr);
  CHECK(heap.next() == instant{30});
}

TEST_CASE("a deadline is moved both ways by arm and only to earlier by arm_earlier; never disarms") {
  timer_heap heap;
  numbered node;
  REQUIRE(heap.reserve(1));
  heap.arm_earlier(node, {50});
  heap.arm_earlier(node, {70});
  CHECK(heap.next() == instant{50});
  heap.arm_earlier(node, never);
  CHECK(heap.next() == instant{50});
  heap.arm_earlier(node, {40});
  CHECK(heap.next() == instant{40});
  heap.arm(node, {60});
  CHECK(heap.next() == instant{60});
  heap.arm(node, never);
  CHECK(!node.armed());
  heap.arm_earlier(node, never);
  CHECK(!node.armed());
  heap.disarm(node);
  CHECK(heap.next() == never);
}

TEST_CASE("arming without reserved room is a bug") {
  CHECK(dies([] {
    timer_heap heap;
    timer_node node;
    heap.arm(node, {1});
  }));
}

TEST_CASE("any mixture of arming, moving, disarming and firing agrees with a sorted list") {
  std::mt19937 random(7);
  constexpr int count = 300;
  timer_heap heap;
  std::vector<numbered> nodes(count);
  std::vector<std::int64_t> expected(count, INT64_MAX);  // of each node; INT64_MAX: not armed
  for (int i = 0; i < count; ++i) nodes[static_cast<std::size_t>(i)].number = i;
  REQUIRE(heap.reserve(count));
  std::int64_t now = 0;
  for (int step = 0; step < 20'000; ++step) {
    auto const which = static_cast<std::size_t>(random() % count);
    std::int64_t const when = now + static_cast<std::int64_t>(random() % 1000);
    switch (random() % 4) {
      case 0:
        heap.arm(nodes[which], {when});
        expected[which] = when;
        break;
      case 1:
        heap.arm_earlier(nodes[which], {when});
        expected[which] = std::min(expected[which], when);
        break;
      case 2:
        heap.disarm(nodes[which]);
        expected[which] = INT64_MAX;
        break;
      default:
        now += static_cast<std::int64_t>(random() % 20);
        while (timer_node* const due = heap.pop_due({now})) {
          auto const fired = static_cast<std::size_t>(number_of(due));
          REQUIRE(expected[fired] <= now);
          REQUIRE(expected[fired] == *std::min_element(expected.begin(), expected.end()));
          expected[fired] = INT64_MAX;
        }
    }
    REQUIRE(heap.next().ns == *std::min_element(expected.begin(), expected.end()));
    REQUIRE(nodes[which].armed() == (expected[which] != INT64_MAX));
  }
}

TEST_CASE(
    "a hundred thousand deadlines are met in order and once, moved ones at their new time, cancelled ones never") {
  constexpr std::uint32_t count = 100'000;
  constexpr std::int64_t cancelled = -1;
  timer_heap heap;
  REQUIRE(heap.reserve(count));
  std::vector<numbered> nodes(count);
  std::vector<std::int64_t> expected(count);
  std::mt19937 random(11);
  for (std::uint32_t i = 0; i < count; ++i) {
    nodes[i].number = static_cast<int>(i);
    expected[i] = static_cast<std::int64_t>(random() % 1'000'000);
    heap.arm(nodes[i], {expected[i]});
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    switch (random() % 4) {
      case 0:
        heap.disarm(nodes[i]);
        expected[i] = cancelled;
        break;
      case 1:
        heap.arm(nodes[i], {expected[i] += 500'000});
        break;
      case 2:
        heap.arm(nodes[i], {expected[i] /= 2});
        break;
      default:
        heap.arm_earlier(nodes[i], {expected[i] + 1});  // it is left alone
    }
  }
  std::vector<int> fired(count);
  std::int64_t last = 0;
  bool in_order = true;
  bool in_time = true;
  for (std::int64_t now = 0; heap.next() != never; now += 1000) {
    while (timer_node* const due = heap.pop_due({now})) {
      auto const which = static_cast<std::size_t>(number_of(due));
      ++fired[which];
      in_order = in_order && expected[which] >= last;
      in_time = in_time && expected[which] <= now && expected[which] > now - 1000;
      last = expected[which];
    }
  }
  CHECK(in_order);
  CHECK(in_time);
  bool once = true;
  for (std::uint32_t i = 0; i < count; ++i) once = once && fired[i] == (expected[i] == cancelled ? 0 : 1);
  CHECK(once);
}
