// SPDX-License-Identifier: BSL-1.0
// A loop inside the uv_loop_t of somebody else. What every loop does is tested with the others, in loops.cpp and
// stream.cpp; what every host does, in hosted.cpp.
#include "purews/loop/libuv.hpp"

#include <functional>

#include "harness.hpp"
#include "programs.hpp"

using namespace purews;

TEST_CASE("a timer of no delay that starts itself again leaves libuv time for the rest") {
  libuv_program program;
  libuv_loop loop(program.place());
  CHECK(loop.uv() == program.place());
  int fired = 0;
  libuv_loop::timer_handle timer = loop.after(milliseconds(1), [&] {
    ++fired;
    timer.restart(duration{});
  });
  std::function<void()> const look = [&] {
    if (fired > 1) return program.stop();
    program.after(1, [&] { program.post(look); });
  };
  program.after(10, [&] { program.post(look); });
  program.run();
  CHECK(fired > 1);
}

TEST_CASE("loops that share a uv_loop_t may destroy each other, ready or not") {
  libuv_program program;
  std::unique_ptr<libuv_loop> loops[3];
  int calls = 0;
  for (std::size_t i = 0; i < 2; ++i) {
    loops[i] = std::make_unique<libuv_loop>(program.place());
    loops[i]->post([&, other = 1 - i] {
      ++calls;
      loops[other].reset();
      loops[2].reset();
    });
  }
  loops[2] = std::make_unique<libuv_loop>(program.place());
  for (int i = 0; i < 5; ++i) ::uv_run(program.place(), UV_RUN_NOWAIT);
  CHECK(calls == 1);
}

TEST_CASE("on a uv_loop_t of its own, run also runs what else is there, and may be called again") {
  libuv_loop loop;
  struct of_user {
    uv_timer_t timer;
    libuv_loop* loop;
    int fired = 0;
  } user{{}, &loop};
  REQUIRE(::uv_timer_init(loop.uv(), &user.timer) == 0);
  user.timer.data = &user;
  for (int i = 1; i <= 3; ++i) {
    auto const fire = [](uv_timer_t* t) {
      auto& self = *static_cast<of_user*>(t->data);
      ++self.fired;
      self.loop->stop();
    };
    ::uv_timer_start(&user.timer, fire, 1, 0);
    loop.run();
    CHECK(user.fired == i);
  }
  ::uv_close(reinterpret_cast<uv_handle_t*>(&user.timer), nullptr);
}

TEST_CASE("misuse of a loop inside libuv is found") {
  CHECK(dies([] {
    libuv_program program;
    libuv_loop loop(program.place());
    loop.run();
  }));
  CHECK(dies([] {
    libuv_loop loop;
    uv_timer_t left;
    ::uv_timer_init(loop.uv(), &left);
  }));
}
