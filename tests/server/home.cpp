// SPDX-License-Identifier: BSL-1.0
// What sessions of one loop share, and what other threads may have of them: inbox, handles, pool, counters.
#include "purews/server/home.hpp"

#include <poll.h>

#include "fake_session.hpp"

using namespace purews;

namespace {

bool is_awake(session_inbox& inbox) {
  pollfd asked{inbox.number(), POLLIN, 0};
  return ::poll(&asked, 1, 0) == 1;
}

/// Runs what has come, as a loop does when it was woken.
std::size_t serve(session_home& home) {
  home.inbox.clear_wake();
  return home.inbox.run([](session& who, session_inbox::command& task) { task(who); });
}

/// Runs what comes until `done`, within reason.
template <class F>
bool serve_until(session_home& home, F done) {
  for (int i = 0; i < 2000 && !done(); ++i) {
    pollfd asked{home.inbox.number(), POLLIN, 0};
    ::poll(&asked, 1, 10);
    serve(home);
  }
  return done();
}

}  // namespace

TEST_CASE("a handle sends, closes and calls on its session's loop, in order") {
  session_home home(16);
  test::fake_session s(home);
  session_handle const handle = s.handle();
  CHECK(!handle.stale());
  CHECK(handle == s.handle());
  CHECK(!is_awake(home.inbox));
  std::string trace;
  CHECK(handle.send("one") == handover::queued);
  CHECK(is_awake(home.inbox));
  CHECK(handle.send(opcode::binary, as_bytes("two")) == handover::queued);
  CHECK(handle.send(prepared_message(opcode::text, as_bytes("three"))) == handover::queued);
  CHECK(handle.post([&](session& who) { trace = &who == &s ? "posted" : "to somebody else"; }) == handover::queued);
  CHECK(s.sent().empty());
  CHECK(serve(home) == 0);
  CHECK(!is_awake(home.inbox));
  CHECK(s.sent_texts() == std::vector<std::string>{"one", "two", "three"});
  CHECK(trace == "posted");
  CHECK(handle.close(status_code::going_away, "bye") == handover::queued);
  serve(home);
  auto const frames = s.sent();
  REQUIRE(frames.size() == 1);
  CHECK(frames[0].text() ==
        "\x03\xE9"
        "bye");
}

TEST_CASE("8.1: a handle refuses text that is not UTF-8") {
  session_home home(16);
  test::fake_session s(home);
  CHECK(s.handle().send("\xFF") == handover::invalid_utf8);
  CHECK(s.handle().send(opcode::binary, as_bytes("\xFF")) == handover::queued);
}

TEST_CASE("a handle is stale once its session has ended, and never reaches the next one in its place") {
  session_home home(16);
  session_handle old;
  CHECK(old.stale());
  CHECK(old.send("x") == handover::stale);
  CHECK(old.close() == handover::stale);
  {
    test::fake_session first(home);
    old = first.handle();
    CHECK(old.send("on its way") == handover::queued);
  }
  CHECK(old.stale());
  CHECK(old.send("too late") == handover::stale);
  test::fake_session second(home);
  session_handle const fresh = second.handle();
  CHECK(!(fresh == old));
  CHECK(serve(home) == 1);  // dropped, and counted
  CHECK(second.sent().empty());
  CHECK(old.stale());
  CHECK(!fresh.stale());
}

TEST_CASE("a session that has ended gives out stale handles only") {
  session_home home(16);
  test::fake_session s(home);
  session_handle const handle = s.handle();
  s.machine().abort();
  s.end();
  CHECK(handle.stale());
  CHECK(s.handle().stale());
}

TEST_CASE("a handle outlives the loop of its session, with what waits in it") {
  session_handle handle;
  auto const held = std::make_shared<int>(1);
  {
    session_home home(16);
    test::fake_session s(home);
    handle = s.handle();
    CHECK(handle.post([held](session&) {}) == handover::queued);
    CHECK(held.use_count() == 2);
    CHECK(handle.post([handle](session&) {}) == handover::queued);  // a circle, which close() breaks
  }
  CHECK(held.use_count() == 1);
  CHECK(handle.stale());
  CHECK(handle.send("x") == handover::stale);
  session_handle copy = handle;
  handle = {};
  CHECK(copy.stale());
}

TEST_CASE("an inbox is bounded, answers aside, and takes more when it was emptied") {
  session_home home(3);
  test::fake_session s(home);
  session_handle const handle = s.handle();
  for (int i = 0; i < 3; ++i) CHECK(handle.send("m") == handover::queued);
  CHECK(handle.send("m") == handover::full);
  CHECK(handle.post([](session&) {}) == handover::full);
  serve(home);
  CHECK(handle.send("m") == handover::queued);
  CHECK(s.sent().size() == 3);
}

TEST_CASE("places are found again by the thousand, over the chunks of the table") {
  session_home home(10'000);
  std::vector<std::unique_ptr<test::fake_session>> sessions;
  std::vector<session_handle> handles;
  for (int i = 0; i < 5000; ++i) {
    sessions.push_back(std::make_unique<test::fake_session>(home));
    handles.push_back(sessions.back()->handle());
  }
  for (std::size_t i = 0; i < sessions.size(); i += 2) sessions[i].reset();
  int calls = 0;
  for (std::size_t i = 0; i < handles.size(); ++i) {
    CHECK(handles[i].stale() == (i % 2 == 0));
    auto* const expected = sessions[i].get();
    handles[i].post([&, expected](session& got) { calls += &got == expected ? 1 : 1000; });
  }
  CHECK(serve(home) == 0);
  CHECK(calls == 2500);
}

TEST_CASE("threads use handles while sessions come and go: each call is done, stale, or counted as missed") {
  constexpr int threads = 3;
  session_home home(1'000'000);
  auto s = std::make_unique<test::fake_session>(home);
  mutex lock;
  session_handle current = s->handle();
  bool ending = false;  // atomic
  std::size_t queued = 0;
  std::size_t done = 0;
  CHECK(current.post([&done](session&) { ++done; }) == handover::queued);
  ++queued;
  thread callers[threads];
  for (thread& t : callers) {
    REQUIRE(!t.start([&] {
      while (!__atomic_load_n(&ending, __ATOMIC_ACQUIRE)) {
        session_handle mine;
        {
          lock_guard const held(lock);
          mine = current;
        }
        if (mine.post([&done](session&) { ++done; }) == handover::queued)
          __atomic_add_fetch(&queued, 1, __ATOMIC_RELAXED);
      }
    }));
  }
  std::size_t missed = 0;
  for (int i = 0; i < 300; ++i) {
    missed += serve(home);
    s = std::make_unique<test::fake_session>(home);
    session_handle next = s->handle();
    lock_guard const held(lock);
    current = next;
  }
  __atomic_store_n(&ending, true, __ATOMIC_RELEASE);
  for (thread& t : callers) t.join();
  missed += serve(home);
  CHECK(queued == done + missed);
  CHECK(done > 0);
}

TEST_CASE("a pool runs jobs in the order in which they came, is bounded, and ends without those that wait") {
  std::string trace;
  mutex hold;
  int alive = 0;
  struct counted {
    explicit counted(int& n) : count(&n) { ++*count; }
    counted(counted&& other) noexcept : count(other.count) { ++*count; }
    ~counted() { --*count; }
    int* count;
  };
  {
    work_pool pool(2);
    bool begun = false;  // atomic
    callback<void()> job;
    hold.lock();
    REQUIRE(!pool.start(1));
    job = [&] {
      __atomic_store_n(&begun, true, __ATOMIC_RELEASE);
      hold.lock();
      trace += 'a';
      hold.unlock();
    };
    CHECK(pool.push(job));
    while (!__atomic_load_n(&begun, __ATOMIC_ACQUIRE)) continue;
    job = [&] { trace += 'b'; };
    CHECK(pool.push(job));
    job = [&] { trace += 'c'; };
    CHECK(pool.push(job));
    job = [&] { trace += 'd'; };
    CHECK(!pool.push(job));
    CHECK(static_cast<bool>(job));  // as it was
    hold.unlock();
    while (!pool.push(job)) continue;
  }
  CHECK(std::string_view("abcd").starts_with(trace));
  CHECK(trace.starts_with("a"));
  {
    work_pool pool(2);  // without threads
    callback<void()> job = [c = counted(alive)] {};
    CHECK(pool.push(job));
    CHECK(alive == 1);
  }
  CHECK(alive == 0);
}

TEST_CASE("the answers of work come to the session in the order in which it was asked for") {
  work_pool pool(100);
  REQUIRE(!pool.start(3));
  session_home home(1, &pool);  // answers come beyond the bound
  test::fake_session s(home);
  std::string trace;
  bool second_is_done = false;  // atomic
  REQUIRE(s.work(
              [&] {
                while (!__atomic_load_n(&second_is_done, __ATOMIC_ACQUIRE)) continue;
                return std::string("a");
              },
              [&](session& who, std::string got) { trace += got + (&who == &s ? "" : "?"); }) == refusal::none);
  REQUIRE(s.work([&] { __atomic_store_n(&second_is_done, true, __ATOMIC_RELEASE); }, [&](session&) { trace += 'b'; }) ==
          refusal::none);
  for (char c = 'c'; c <= 'z'; ++c)
    REQUIRE(s.work([c] { return c; }, [&](session&, char got) { trace += got; }) == refusal::none);
  CHECK(serve_until(home, [&] { return trace.size() == 26; }));
  CHECK(trace == "abcdefghijklmnopqrstuvwxyz");
}

TEST_CASE("work is refused when too much waits, and answers of a session that has ended are dropped") {
  work_pool pool(2);
  session_home home(16, &pool);
  int answered = 0;
  {
    test::fake_session s(home);
    auto const ask = [&] { return s.work([] {}, [&](session&) { ++answered; }); };
    CHECK(ask() == refusal::none);
    CHECK(ask() == refusal::none);
    CHECK(ask() == refusal::queue_full);
    REQUIRE(!pool.start(1));
    CHECK(serve_until(home, [&] { return answered == 2; }));
    CHECK(ask() == refusal::none);
    pool.stop();
    s.machine().abort();
    s.end();
    CHECK(ask() == refusal::not_open);
  }
  serve(home);
  CHECK(answered == 2);
  CHECK(dies([] {
    session_home without(16);
    test::fake_session s(without);
    s.work([] {}, [](session&) {});
  }));
}

TEST_CASE("counters of several threads are added up, while they count") {
  counter_set a;
  counter_set b;
  server_counters const before{};
  thread other;
  REQUIRE(!other.start([&] {
    for (int i = 0; i < 1000; ++i) b.add(&server_counters::messages_received);
    b.add(error::invalid_utf8);
  }));
  a.add(&server_counters::bytes_sent, 7);
  a.add(&server_counters::sessions);
  a.add(&server_counters::sessions);
  a.subtract(&server_counters::sessions);
  server_counters during;
  b.add_into(during);
  CHECK(during.messages_received <= 1000);
  other.join();
  server_counters sum;
  a.add_into(sum);
  b.add_into(sum);
  CHECK(sum.messages_received == 1000);
  CHECK(sum.bytes_sent == 7);
  CHECK(sum.sessions == 1);
  CHECK(sum.faults[static_cast<int>(error::invalid_utf8)] == 1);
  CHECK(sum.messages_sent == before.messages_sent);
}

TEST_CASE("a session counts what it sends and what is refused") {
  session_home home(16);
  test::fake_session s(home, 1, {.queue_bytes_max = 100});
  s.send("12345");
  s.send(opcode::binary, as_bytes(std::string(200, 'x')));
  s.send("refused");
  server_counters sum;
  home.counters.add_into(sum);
  CHECK(sum.messages_sent == 2);
  CHECK(sum.bytes_sent == 205);
  CHECK(sum.sends_refused == 1);
}
