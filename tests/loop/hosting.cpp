// SPDX-License-Identifier: BSL-1.0
// A loop inside one that knows nothing of it: the code of docs/event-loops.md.
#include <poll.h>

#include "purews/loop/default_loop.hpp"
#include "support/catch.hpp"

namespace {

/// The loop of somebody else, as small as it can be. What is asked of any other is the same.
class toolkit {
 public:
  void run(purews::default_loop& loop, bool const& ended) {
    loop.host();
    while (!ended) {
      purews::instant const next = loop.next_turn();
      purews::instant const now = purews::steady_now();
      std::int64_t const left = next == purews::never ? -1 : next <= now ? 0 : (next - now).ns / 1'000'000 + 1;
      pollfd asked{loop.number(), POLLIN, 0};  // and whatever else the toolkit has
      ::poll(&asked, 1, static_cast<int>(left));
      if ((asked.revents & POLLIN) != 0 || loop.next_turn() <= purews::steady_now()) loop.run_once(purews::duration{});
    }
  }
};

}  // namespace

TEST_CASE("a loop of this system lives inside another that has descriptors and timers") {
  purews::default_loop loop;
  bool ended = false;
  int ticks = 0;
  purews::default_loop::timer_handle timer = loop.after(purews::milliseconds(1), [&] {
    if (++ticks < 3) return timer.restart(purews::milliseconds(1));
    loop.post([&] { ended = true; });
  });
  toolkit().run(loop, ended);
  CHECK(ticks == 3);
}
