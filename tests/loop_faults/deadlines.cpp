// SPDX-License-Identifier: BSL-1.0
// What deadlines cost: nothing that the system sees.
#include "faults.hpp"
#include "purews/loop/epoll.hpp"
#include "support/catch.hpp"
#include "support/descriptors.hpp"

using namespace purews;
using faults::call;

namespace {

/// Something that has a deadline, as a connection has.
struct sleeper final : loop_source {
  sleeper() : loop_source(-1) {}
  void on_ready(interest) noexcept override {}
  void on_timer() noexcept override { fired = true; }
  void on_marked() noexcept override {}
  bool fired = false;
};

}  // namespace

TEST_CASE("a hundred thousand deadlines cost no call to the system and no descriptor") {
  constexpr std::uint32_t count = 100'000;
  epoll_loop loop;
  REQUIRE(!loop.error());
  std::vector<sleeper> all(count);
  int const descriptors = test::open_descriptors();
  instant const soon = steady_now() + milliseconds(10);
  faults::begin();
  faults::spared = false;
  bool attached = true;
  for (sleeper& each : all) attached = !loop.attach(each) && attached;
  for (std::uint32_t i = 0; i < count; ++i) loop.arm(all[i], soon + duration{(i * 7919) % count});
  for (sleeper& each : all) loop.arm_earlier(each, soon + duration{count});  // what a message does
  for (std::uint32_t i = 0; i < count; i += 2) loop.disarm(all[i]);
  int turns = 0;
  for (; loop.next_turn() != never; ++turns) loop.run_once(seconds(5));
  faults::spared = true;
  CHECK(attached);
  CHECK(test::open_descriptors() == descriptors);
  for (int i = 0; i < static_cast<int>(call::malloc); ++i) {
    INFO(faults::names[i]);
    CHECK(faults::seen[i] == (i == static_cast<int>(call::epoll_wait) ? turns : 0));
  }
  bool right = true;
  for (std::uint32_t i = 0; i < count; ++i) right = right && all[i].fired == (i % 2 == 1);
  CHECK(right);
  CHECK(faults::count_of(call::realloc) + faults::count_of(call::malloc) < 50);  // it grows by doubling
  CHECK(faults::count_of(call::operator_new) == 0);
  for (sleeper& each : all) loop.detach(each);
}
