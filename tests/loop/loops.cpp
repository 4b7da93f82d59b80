// SPDX-License-Identifier: BSL-1.0
// The behaviour of a loop itself, the same for every one: timers, watches, posts, stop, listeners.
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <csignal>
#include <vector>

#include "harness.hpp"
#include "purews/loop/default_loop.hpp"
#include "purews/loop/thread.hpp"
#include "support/descriptors.hpp"

using namespace purews;

namespace {

struct pipe_pair {
  pipe_pair() {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    reading.reset(ends[0]);
    writing.reset(ends[1]);
  }
  void write() const { REQUIRE(::write(writing.number(), "x", 1) == 1); }
  void read() const {
    char one = 0;
    REQUIRE(::read(reading.number(), &one, 1) == 1);
  }

  descriptor reading, writing;
};

/// Something that has deadlines, as a connection has: when the first one fires, it may have moved.
template <class Loop>
struct sleeper final : loop_source {
  sleeper() : loop_source(-1) {}
  void on_ready(interest) noexcept override {}
  void on_timer() noexcept override {
    in_order = in_order && due >= last && due <= loop->now();
    last = due;
    due = real;
    real > loop->now() ? loop->arm(*this, real) : static_cast<void>(++fired);
  }
  void on_marked() noexcept override {}

  Loop* loop = nullptr;
  instant due = never;   // as the loop knows it
  instant real = never;  // and as it is
  int fired = 0;
  static inline instant last{};
  static inline bool in_order = true;
};

std::uint64_t descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("a timer fires once, in order, and not before its time", "", all_loops) {
  TestType loop;
  std::string trace;
  instant const start = steady_now();
  auto const late = loop.after(milliseconds(30), [&] {
    trace += 'b';
    CHECK(loop.now() - start >= milliseconds(30));
  });
  auto const early = loop.after(milliseconds(5), [&] { trace += 'a'; });
  CHECK(early.armed());
  CHECK(turn_until(loop, [&] { return trace == "ab"; }));
  CHECK(!early.armed());
  CHECK(rests(loop));
  CHECK(trace == "ab");
}

TEMPLATE_LIST_TEST_CASE("a timer can be cancelled, moved, started again and destroyed, also by itself", "", all_loops) {
  TestType loop;
  int fired = 0;
  auto cancelled = loop.after(milliseconds(1), [&] { fired += 100; });
  cancelled.cancel();
  {
    auto const destroyed = loop.after(milliseconds(1), [&] { fired += 100; });
  }
  typename TestType::timer_handle again;
  again = loop.after(milliseconds(1), [&] {
    if (++fired < 3) again.restart(milliseconds(1));
  });
  auto moved = std::move(again);
  again = std::move(moved);
  int ended = 0;
  typename TestType::timer_handle itself = loop.after(duration{}, [&] {
    ++ended;
    itself = {};
    ++ended;
  });
  CHECK(turn_until(loop, [&] { return fired == 3 && ended == 2; }));
  CHECK(!itself);
  CHECK(rests(loop));
  CHECK(fired == 3);
}

TEMPLATE_LIST_TEST_CASE("a timer of no delay that starts itself again does not hold up the turn", "", all_loops) {
  TestType loop;
  int fired = 0;
  typename TestType::timer_handle t = loop.after(duration{}, [&] {
    ++fired;
    t.restart(duration{});
  });
  turn_until(loop, [&] { return fired > 0; });
  int const before = fired;
  turns(loop, 1);
  CHECK(fired <= before + 1);
}

TEMPLATE_LIST_TEST_CASE(
    "a hundred thousand connections have their deadlines in one structure and no descriptor for them", "", all_loops) {
  using each = sleeper<TestType>;
  constexpr std::uint32_t count = 100'000;
  TestType loop;
  REQUIRE(!loop.error());
  turns(loop, 1);
  int const descriptors = test::open_descriptors();
  std::vector<each> all(count);
  instant const soon = steady_now() + milliseconds(20);
  bool attached = true;
  for (std::uint32_t i = 0; i < count; ++i) {
    each& one = all[i];
    one.loop = &loop;
    one.due = one.real = soon + duration{100 * std::int64_t{(i * 7919) % count}};
    attached = !loop.attach(one) && attached;
    loop.arm_earlier(one, one.real);
    if (i % 4 == 1) one.real = one.real + milliseconds(10);
    if (i % 4 == 2) loop.disarm(one);
  }
  REQUIRE(attached);
  CHECK(test::open_descriptors() == descriptors);
  each::last = {};
  each::in_order = true;
  int const expected = count / 4 * 3;
  auto const fired = [&] {
    int sum = 0;
    for (each const& one : all) sum += one.fired;
    return sum;
  };
  CHECK(turn_until(loop, [&] { return fired() >= expected; }));
  CHECK(rests(loop));
  CHECK(fired() == expected);
  bool once = true;
  for (std::uint32_t i = 0; i < count; ++i) once = once && all[i].fired == (i % 4 == 2 ? 0 : 1);
  CHECK(once);
  CHECK(each::in_order);
  for (each& one : all) loop.detach(one);
}

TEMPLATE_LIST_TEST_CASE("run_once waits no longer than it may, and a loop with nothing to do rests", "", all_loops) {
  TestType loop;
  CHECK(rests(loop));
  instant const before = loop.now();
  loop.run_once(milliseconds(1));
  CHECK(loop.now() > before);
}

TEMPLATE_LIST_TEST_CASE("posts of many threads all run, each thread's in its order", "", all_loops) {
  constexpr int threads = 4;
  constexpr int each = 500;
  TestType loop;
  int count = 0;
  int next[threads] = {};
  bool ordered = true;
  thread workers[threads];
  for (int w = 0; w < threads; ++w) {
    REQUIRE(!workers[w].start([&, w] {
      for (int i = 0; i < each; ++i) {
        loop.post([&, w, i] {
          ordered = ordered && next[w]++ == i;
          if (++count == threads * each) loop.stop();
        });
      }
    }));
  }
  loop.run();
  CHECK(ordered);
  CHECK(count == threads * each);
}

TEMPLATE_LIST_TEST_CASE("what a post posts runs in a later turn, and left-overs go with the loop", "", all_loops) {
  auto const shared = std::make_shared<int>(0);
  {
    TestType loop;
    loop.post([&] {
      ++*shared;
      loop.post([&] { ++*shared; });
    });
    loop.run_once(seconds(5));
    CHECK(*shared == 1);
    loop.run_once(seconds(5));
    CHECK(*shared == 2);
    loop.post([shared] { *shared = 100; });
    loop.post([timer = loop.after(seconds(1), [] {})] {});
  }
  CHECK(shared.use_count() == 1);
  CHECK(*shared == 2);
}

TEMPLATE_LIST_TEST_CASE("stop ends run from another thread, from before, and from a signal handler", "", all_loops) {
  static TestType* signalled = nullptr;
  TestType loop;
  loop.stop();
  loop.run();  // at once
  thread other;
  REQUIRE(!other.start([&] { loop.stop(); }));
  loop.run();
  other.join();
  signalled = &loop;
  auto const before = std::signal(SIGALRM, [](int) { signalled->stop(); });
  itimerval const soon{{}, {0, 20'000}};
  ::setitimer(ITIMER_REAL, &soon, nullptr);
  loop.run();
  std::signal(SIGALRM, before);
  SUCCEED("all three runs have returned");
}

TEMPLATE_LIST_TEST_CASE("a watch reports what is asked for, as long as it is so", "", all_loops) {
  TestType loop;
  pipe_pair const pipe;
  int reads = 0;
  interest seen = interest::none;
  auto watched = loop.watch(pipe.reading.number(), interest::read, [&](interest what) {
    ++reads;
    seen = what;
  });
  REQUIRE(watched);
  CHECK(!watched.error());
  CHECK(rests(loop));
  pipe.write();
  turns(loop, 3);
  CHECK(reads == 3);
  CHECK(seen == interest::read);
  pipe.read();
  CHECK(rests(loop));
  CHECK(reads == 3);

  int writes = 0;
  typename TestType::watch_handle writable;
  writable = loop.watch(pipe.writing.number(), interest::write, [&](interest what) {
    CHECK(what == interest::write);
    if (++writes == 2) CHECK(!writable.change(interest::none));
  });
  turns(loop, 5);
  CHECK(writes == 2);
}

TEMPLATE_LIST_TEST_CASE("a paused watch on a broken descriptor does not spin", "", all_loops) {
  TestType loop;
  pipe_pair pipe;
  int calls = 0;
  auto watched = loop.watch(pipe.reading.number(), interest::read, [&](interest) { ++calls; });
  pipe.writing.reset();
  CHECK(turn_until(loop, [&] { return calls > 0; }));
  CHECK(!watched.change(interest::none));
  int const before = calls;
  CHECK(rests(loop));
  CHECK(calls == before);
  CHECK(!watched.change(interest::read));
  CHECK(turn_until(loop, [&] { return calls > before; }));
}

TEMPLATE_LIST_TEST_CASE("a watch may be destroyed by its callback, moved, and destroyed while it is ready", "",
                        all_loops) {
  TestType loop;
  pipe_pair const one;
  pipe_pair const two;
  int calls = 0;
  typename TestType::watch_handle first;
  typename TestType::watch_handle second;
  // Whichever is served first destroys both.
  auto const both = [&](interest) {
    ++calls;
    first = {};
    second = {};
    ++calls;
  };
  first = loop.watch(one.reading.number(), interest::read, both);
  second = loop.watch(two.reading.number(), interest::read, both);
  auto moved = std::move(second);
  second = std::move(moved);
  one.write();
  two.write();
  loop.run_once(seconds(5));
  CHECK(calls == 2);
  CHECK(!first);
  CHECK(!second);
  CHECK(rests(loop));
}

TEMPLATE_LIST_TEST_CASE("what cannot be watched is refused with a reason", "", all_loops) {
  TestType loop;
  auto const bad = loop.watch(100'000, interest::read, [](interest) {});
  CHECK(!bad);
  CHECK(bad.error().code == EBADF);
}

TEMPLATE_LIST_TEST_CASE("a socket that is ready both ways is reported both ways", "", all_loops) {
  TestType loop;
  socket_pair const pair = connect_pair(transport::local);
  interest seen = interest::none;
  auto watched = loop.watch(pair.ours.number(), interest::read_write, [&](interest what) { seen = seen | what; });
  hand{descriptor(::dup(pair.peers.number()))}.send("x");
  CHECK(turn_until(loop, [&] { return seen == interest::read_write; }));
  CHECK(!watched.change(interest::read));
  seen = interest::none;
  turns(loop, 1);
  CHECK(seen == interest::read);
}

TEMPLATE_LIST_TEST_CASE("a listener hands over prepared sockets with their peers", "", all_loops) {
  TestType loop;
  listen_result listening = listen_tcp("127.0.0.1", 0);
  REQUIRE(listening);
  std::vector<descriptor> accepted;
  typename TestType::listener listener(loop, std::move(listening.socket),
                                       [&](descriptor socket, socket_address const& peer) {
                                         CHECK(host_text(peer).view() == "127.0.0.1");
                                         CHECK((::fcntl(socket.number(), F_GETFL) & O_NONBLOCK) != 0);
                                         accepted.push_back(std::move(socket));
                                       });
  REQUIRE(!listener.start());
  std::vector<connect_result> clients;
  for (int i = 0; i < 100; ++i) clients.push_back(connect_tcp(listening.bound));
  CHECK(turn_until(loop, [&] { return accepted.size() == 100; }));
  CHECK(rests(loop));

  listener.pause();
  clients.push_back(connect_tcp(listening.bound));
  CHECK(rests(loop));
  CHECK(accepted.size() == 100);
  listener.resume();
  CHECK(turn_until(loop, [&] { return accepted.size() == 101; }));
  listener.close();
  CHECK(listener.number() == -1);
  listener.resume();
  CHECK(!listen_tcp("127.0.0.1", listening.bound.port()).error);
}

TEMPLATE_LIST_TEST_CASE("a listener may be closed from its own callback", "", all_loops) {
  TestType loop;
  listen_result listening = listen_tcp("127.0.0.1", 0);
  REQUIRE(listening);
  int calls = 0;
  typename TestType::listener listener(loop, std::move(listening.socket), [&](descriptor, socket_address const&) {
    ++calls;
    listener.close();
  });
  REQUIRE(!listener.start());
  connect_result const one = connect_tcp(listening.bound);
  connect_result const two = connect_tcp(listening.bound);
  CHECK(turn_until(loop, [&] { return calls > 0; }));
  CHECK(rests(loop));
  CHECK(calls == 1);
}

TEMPLATE_LIST_TEST_CASE("out of descriptors a listener rests instead of spinning, and recovers", "[hazard-68]",
                        all_loops) {
  int const code = in_child([] {
    std::uint64_t const most = descriptor_limit() < 64 ? descriptor_limit() : 64;
    rlimit const few{most, most};
    ::setrlimit(RLIMIT_NOFILE, &few);
    TestType loop;
    listen_result listening = listen_tcp("127.0.0.1", 0);
    int accepted = 0;
    typename TestType::listener listener(loop, std::move(listening.socket),
                                         [&](descriptor, socket_address const&) { ++accepted; });
    if (listener.start()) return 10;
    connect_result const client = connect_tcp(listening.bound);
    if (!client) return 11;
    std::vector<descriptor> hoard;
    for (int fd = ::dup(0); fd >= 0; fd = ::dup(0)) hoard.emplace_back(fd);
    if (errno != EMFILE) return 12;
    loop.run_once(seconds(5));
    if (accepted != 0) return 13;
    instant const before = steady_now();
    loop.run_once(milliseconds(30));
    if (steady_now() - before < milliseconds(29)) return 14;  // it was woken: that is the spinning
    hoard.clear();
    connect_result const another = connect_tcp(listening.bound);  // valgrind's own limit loses the first one
    return turn_until(loop, [&] { return accepted >= 1; }) ? 0 : 15;
  });
  CHECK(code == 0);
}

TEMPLATE_LIST_TEST_CASE("a loop lives inside another by one descriptor and one time", "", all_loops) {
  TestType loop;
  loop.host();
  loop.run_once(duration{});
  auto const readable = [&](int milliseconds) {
    pollfd asked{loop.number(), POLLIN, 0};
    return ::poll(&asked, 1, milliseconds) == 1;
  };
  CHECK(!readable(0));
  CHECK(loop.next_turn() == never);

  int posted = 0;
  loop.post([&] { ++posted; });
  CHECK(readable(5000));
  loop.run_once(duration{});
  CHECK(posted == 1);

  int fired = 0;
  auto timer = loop.after(milliseconds(20), [&] { ++fired; });
  CHECK(readable(5000));  // the time of the next turn has changed
  loop.run_once(duration{});
  CHECK(loop.next_turn() != never);
  while (fired == 0) {
    if (steady_now() < loop.next_turn()) {
      readable(1);
      continue;
    }
    loop.run_once(duration{});
  }
  CHECK(loop.next_turn() == never);

  pipe_pair const pipe;
  int reads = 0;
  auto const watched = loop.watch(pipe.reading.number(), interest::read, [&](interest) { ++reads; });
  pipe.write();
  CHECK(readable(5000));
  loop.run_once(duration{});
  CHECK(reads == 1);

  CHECK(!loop.take_stop());
  loop.stop();
  CHECK(readable(5000));
  CHECK(loop.take_stop());
  CHECK(!loop.take_stop());
}

TEMPLATE_LIST_TEST_CASE("output from between the turns of a hosted loop asks for one", "", all_loops) {
  rig<TestType> r;
  r.loop.host();
  turns(r.loop, 2);
  r.ours.machine().send(as_bytes("from outside"));
  r.ours.held->touch();
  pollfd asked{r.loop.number(), POLLIN, 0};
  CHECK(::poll(&asked, 1, 5000) == 1);
  CHECK(r.loop.next_turn() <= r.loop.now());
  CHECK(r.until([&] { return r.peer.got == "from outside"; }));
}

TEMPLATE_LIST_TEST_CASE("misuse of a loop is found", "", all_loops) {
  CHECK(dies([] {
    TestType loop;
    auto const t = loop.after(duration{}, [&] { loop.run_once(); });
    turn_until(loop, [] { return false; });
  }));
  CHECK(dies([] {
    auto loop = std::make_unique<TestType>();
    auto const left = loop->after(seconds(1), [] {});
    loop.reset();
  }));
}

TEST_CASE("the default loop of this system runs") {
  default_loop loop;
  CHECK(!loop.error());
  loop.post([&] { loop.stop(); });
  loop.run();
}

TEMPLATE_LIST_TEST_CASE("a loop for which descriptors are lacking says so", "", all_loops) {
  enum { works, refused, wrong };
  // A child for each number: libuv loses a descriptor when its loop cannot be made.
  auto const with = [](std::uint64_t more) {
    return in_child([more] {
      { TestType const first; }  // libuv aborts when what all its loops share cannot be made
      descriptor const lowest(::dup(0));
      rlimit const few{static_cast<std::uint64_t>(lowest.number()) + more, descriptor_limit()};
      ::setrlimit(RLIMIT_NOFILE, &few);
      TestType loop;
      if (!loop.error()) return works;
      loop.run();  // at once
      bool const starts = static_cast<bool>(loop.after(seconds(1), [] {}));
      return loop.error().code == EMFILE && !starts ? refused : wrong;
    });
  };
  CHECK(with(0) == refused);
  std::uint64_t more = 1;
  while (more < 16 && with(more) == refused) ++more;
  CHECK(with(more) == works);
}
