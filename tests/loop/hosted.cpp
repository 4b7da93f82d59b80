// SPDX-License-Identifier: BSL-1.0
// A loop inside that of a program, whichever that is. What every loop does is tested with the others, in loops.cpp and
// stream.cpp.
#include "harness.hpp"
#include "programs.hpp"
#include "purews/loop/thread.hpp"

using namespace purews;

TEMPLATE_LIST_TEST_CASE("a loop is work for its host until it is destroyed", "", programs) {
  TestType program;
  using loop_type = typename TestType::loop;
  std::string trace;
  auto loop = std::make_unique<loop_type>(program.place());
  REQUIRE(!loop->error());
  typename loop_type::timer_handle timer = loop->after(milliseconds(20), [&] {
    trace += 'b';
    loop->post([&] {
      trace += 'c';
      program.post([&] {
        timer = {};
        loop.reset();
        trace += 'd';
      });
    });
  });
  program.after(1, [&] { trace += 'a'; });
  program.run();
  CHECK(trace == "abcd");
}

TEMPLATE_LIST_TEST_CASE("a post of another thread wakes the host, and stop ends nothing there", "", programs) {
  TestType program;
  typename TestType::loop loop(program.place());
  int posted = 0;
  thread other;
  REQUIRE(!other.start([&] {
    loop.stop();
    for (int i = 0; i < 100; ++i) {
      loop.post([&] {
        if (++posted == 100) program.stop();
      });
    }
  }));
  program.run();
  CHECK(posted == 100);
  CHECK(loop.take_stop());
  CHECK(!loop.take_stop());
  other.join();
}

TEMPLATE_LIST_TEST_CASE("what the host itself does on the loop, between its turns, is seen", "", programs) {
  TestType program;
  socket_pair pair = connect_pair(transport::local);
  hand peer{std::move(pair.peers)};
  typename TestType::loop loop(program.place());
  session<typename TestType::loop> ours(loop, std::move(pair.ours));
  REQUIRE(!ours.held->start());
  instant started;
  instant fired;
  auto const late = loop.after(seconds(1000), [] {});
  auto early = loop.after(seconds(1000), [&] {
    fired = steady_now();
    program.stop();
  });
  program.after(5, [&] {
    ours.machine().send("from outside");
    ours.held->touch();
    started = steady_now();
    early.restart(milliseconds(10));  // long before the timer that the host was given
  });
  program.run();
  CHECK(fired - started >= milliseconds(10));
  peer.collect();
  CHECK(peer.got == "from outside");
}
