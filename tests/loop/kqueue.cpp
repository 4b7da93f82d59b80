// SPDX-License-Identifier: BSL-1.0
// Where there is no kqueue, this compiles every line of its loop against stub/sys/event.h, and the calls fail.
#include "purews/loop/kqueue.hpp"

#include "echo_machine.hpp"
#include "support/catch.hpp"

#ifdef __linux__
extern "C" int kqueue() {
  errno = ENOSYS;
  return -1;
}
extern "C" int kevent(int, struct kevent const*, int, struct kevent*, int, timespec const*) {
  errno = EBADF;
  return -1;
}
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
  purews::kqueue_loop loop;
  REQUIRE(loop.error().code == ENOSYS);
  CHECK(purews::describe(loop.error()).view().starts_with("kqueue: "));
  loop.run();
  CHECK(!loop.after(purews::seconds(1), [] {}));
  CHECK(loop.watch(0, purews::interest::read, [](purews::interest) {}).error().code == ENOSYS);
}
#endif
