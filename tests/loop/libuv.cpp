// SPDX-License-Identifier: BSL-1.0
// A loop inside the uv_loop_t of somebody else. What every loop does is tested with the others, in loops.cpp and
// stream.cpp.
#include "purews/loop/libuv.hpp"

#include "harness.hpp"
#include "purews/loop/thread.hpp"

using namespace purews;

namespace {

/// A loop of a user, with a timer and something that other threads send.
struct uv_user {
  uv_user() {
    REQUIRE(::uv_loop_init(&uv) == 0);
    REQUIRE(::uv_timer_init(&uv, &timer) == 0);
    REQUIRE(::uv_async_init(&uv, &async, [](uv_async_t* a) {
              auto& self = *static_cast<uv_user*>(a->data);
              if (self.on_async) self.on_async();
            }) == 0);
    timer.data = async.data = this;
  }
  ~uv_user() {
    close();
    ::uv_run(&uv, UV_RUN_DEFAULT);
    CHECK(::uv_loop_close(&uv) == 0);  // nothing of a loop that was inside is left
  }
  void after(std::uint64_t milliseconds, callback<void()> done) {
    on_timer = std::move(done);
    ::uv_timer_start(
        &timer, [](uv_timer_t* t) { static_cast<uv_user*>(t->data)->on_timer(); }, milliseconds, 0);
  }
  void run() { ::uv_run(&uv, UV_RUN_DEFAULT); }
  /// Closes what is the user's.
  void close() {
    if (closed) return;
    closed = true;
    ::uv_close(reinterpret_cast<uv_handle_t*>(&timer), nullptr);
    ::uv_close(reinterpret_cast<uv_handle_t*>(&async), nullptr);
  }

  uv_loop_t uv;
  uv_timer_t timer;
  uv_async_t async;
  bool closed = false;
  callback<void()> on_timer;
  callback<void()> on_async;
};

}  // namespace

TEST_CASE("a loop is work for its uv_loop_t until it is destroyed, which uv_run notices") {
  uv_user user;
  std::string trace;
  auto loop = std::make_unique<libuv_loop>(&user.uv);
  REQUIRE(!loop->error());
  CHECK(loop->uv() == &user.uv);
  libuv_loop::timer_handle timer = loop->after(milliseconds(20), [&] {
    trace += 'b';
    loop->post([&] {
      trace += 'c';
      ::uv_async_send(&user.async);
    });
  });
  user.on_async = [&] {
    timer = {};
    loop.reset();
    user.close();
    trace += 'd';
  };
  user.after(1, [&] { trace += 'a'; });
  user.run();
  CHECK(trace == "abcd");
}

TEST_CASE("a post of another thread wakes the uv_loop_t, and stop ends nothing there") {
  uv_user user;
  libuv_loop loop(&user.uv);
  int posted = 0;
  thread other;
  REQUIRE(!other.start([&] {
    loop.stop();
    for (int i = 0; i < 100; ++i) {
      loop.post([&] {
        if (++posted == 100) ::uv_stop(&user.uv);
      });
    }
  }));
  user.run();
  CHECK(posted == 100);
  CHECK(loop.take_stop());
  CHECK(!loop.take_stop());
  other.join();
}

TEST_CASE("what other callbacks of libuv do on the loop, between its turns, is seen") {
  uv_user user;
  socket_pair pair = connect_pair(transport::tcp);
  hand peer{std::move(pair.peers)};
  libuv_loop loop(&user.uv);
  session<libuv_loop> ours(loop, std::move(pair.ours));
  REQUIRE(!ours.held->start());
  instant started;
  instant fired;
  auto const late = loop.after(seconds(1000), [] {});
  auto early = loop.after(seconds(1000), [&] {
    fired = steady_now();
    ::uv_stop(&user.uv);
  });
  user.after(5, [&] {
    ours.machine().send("from outside");
    ours.held->touch();
    started = steady_now();
    early.restart(milliseconds(10));  // long before the timer that libuv was given
  });
  user.run();
  CHECK(fired - started >= milliseconds(10));
  peer.send("echo me");
  for (int i = 0; i < 1000 && peer.got != "from outsideecho me"; ++i) {
    ::uv_run(&user.uv, UV_RUN_NOWAIT);
    peer.collect();
  }
  CHECK(peer.got == "from outsideecho me");
}

TEST_CASE("a timer of no delay that starts itself again leaves libuv time for the rest") {
  uv_user user;
  libuv_loop loop(&user.uv);
  int fired = 0;
  libuv_loop::timer_handle timer = loop.after(milliseconds(1), [&] {
    ++fired;
    timer.restart(duration{});
  });
  bool came = false;
  user.on_async = [&] {
    came = true;
    ::uv_stop(&user.uv);
  };
  user.after(10, [&] { ::uv_async_send(&user.async); });
  user.run();
  CHECK(came);
  CHECK(fired > 1);
}

TEST_CASE("loops that share a uv_loop_t may destroy each other, ready or not") {
  uv_user user;
  std::unique_ptr<libuv_loop> loops[3];
  int calls = 0;
  for (std::size_t i = 0; i < 2; ++i) {
    loops[i] = std::make_unique<libuv_loop>(&user.uv);
    loops[i]->post([&, other = 1 - i] {
      ++calls;
      loops[other].reset();
      loops[2].reset();
    });
  }
  loops[2] = std::make_unique<libuv_loop>(&user.uv);
  for (int i = 0; i < 5; ++i) ::uv_run(&user.uv, UV_RUN_NOWAIT);
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
    uv_user user;
    libuv_loop loop(&user.uv);
    loop.run();
  }));
  CHECK(dies([] {
    libuv_loop loop;
    uv_timer_t left;
    ::uv_timer_init(loop.uv(), &left);
  }));
}
