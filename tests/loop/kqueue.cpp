// SPDX-License-Identifier: BSL-1.0
// What a loop does is tested with the others; here, every line of it is compiled, and its kernel may be absent. On
// Linux the kqueue is that of stub/kqueue.cpp.
#include "purews/loop/kqueue.hpp"

#include "echo_machine.hpp"
#include "support/catch.hpp"

#ifdef __linux__
extern bool kqueue_is_absent;
#endif

struct nobody {
  using stream = purews::kqueue_loop::stream<echo_machine, nobody>;
  void on_events(stream&) noexcept {}
  void on_end(stream&) noexcept {}
};

template class purews::event_loop<purews::kqueue_poller>;
template class purews::readiness_listener<purews::kqueue_loop>;
template class purews::loop_timer<purews::kqueue_loop>;
template class purews::loop_watch<purews::kqueue_loop>;
template class purews::readiness_stream<purews::kqueue_loop, echo_machine, nobody>;

#ifdef __linux__
TEST_CASE("a loop without a kernel says why, runs nothing and lets nothing start") {
  kqueue_is_absent = true;
  purews::kqueue_loop loop;
  REQUIRE(loop.error().code == ENOSYS);
  CHECK(purews::describe(loop.error()).view().starts_with("kqueue: "));
  loop.run();
  CHECK(!loop.after(purews::seconds(1), [] {}));
  CHECK(loop.watch(0, purews::interest::read, [](purews::interest) {}).error().code == ENOSYS);
  kqueue_is_absent = false;
}
#endif
