// SPDX-License-Identifier: BSL-1.0
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "purews/loop/callback.hpp"
#include "purews/loop/clock.hpp"
#include "purews/loop/descriptor.hpp"
#include "purews/loop/entropy.hpp"
#include "purews/loop/error_code.hpp"
#include "purews/loop/fixed_text.hpp"
#include "purews/loop/flat_array.hpp"
#include "purews/loop/handover_queue.hpp"
#include "purews/loop/os_error.hpp"
#include "purews/loop/page_buffer.hpp"
#include "purews/loop/thread.hpp"
#include "purews/loop/waker.hpp"
#include "support/catch.hpp"
#include "support/dies.hpp"

using namespace purews;

namespace {

struct counted {
  explicit counted(int& alive) : alive_(&alive) { ++*alive_; }
  counted(counted&& other) noexcept : alive_(other.alive_) { ++*alive_; }
  ~counted() { --*alive_; }
  int* alive_;
};

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

}  // namespace

TEST_CASE("a callback holds small and large callables, moves them and destroys them once") {
  int alive = 0;
  {
    callback<int(int)> small = [c = counted(alive)](int n) { return n + *c.alive_; };
    callback<int(int)> large = [c = counted(alive), more = std::string(100, 'x')](int n) {
      return n + static_cast<int>(more.size());
    };
    REQUIRE(alive == 2);
    CHECK(small(1) == 3);
    CHECK(large(1) == 101);
    callback<int(int)> moved = std::move(small);
    CHECK(!small);
    CHECK(alive == 2);
    CHECK(moved(1) == 3);
    moved = std::move(large);
    CHECK(alive == 1);
    CHECK(moved(2) == 102);
    moved.clear();
    CHECK(alive == 0);
    CHECK(!moved);
  }
  CHECK(alive == 0);
}

TEST_CASE("a callback takes what is move-only, passes references on and drops results") {
  callback<void(std::unique_ptr<int>, int&)> f = [held = std::make_unique<int>(1)](std::unique_ptr<int> a, int& out) {
    out = *held + *a;
    return out;
  };
  int out = 0;
  f(std::make_unique<int>(2), out);
  CHECK(out == 3);
  callback<void()> empty;
  CHECK(!empty);
  CHECK(dies([] { callback<void()>()(); }));
}

TEST_CASE("a descriptor closes what it owns, once", "[hazard-66]") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  descriptor write_end(ends[1]);
  {
    descriptor read_end(ends[0]);
    descriptor moved = std::move(read_end);
    CHECK(!read_end);
    CHECK(moved.number() == ends[0]);
    write_end = std::move(moved);
    CHECK(!is_open(ends[1]));
    CHECK(is_open(ends[0]));
  }
  int const given = write_end.release();
  CHECK(is_open(given));
  write_end.reset(given);
  write_end.reset();
  CHECK(!is_open(given));
}

TEST_CASE("a fixed text cuts off what does not fit and stays a string of C") {
  fixed_text<5> text;
  text += "abc";
  text += 4567U;
  CHECK(text.view() == "abc45");
  CHECK(std::string(text.c_str()) == "abc45");
  fixed_text<12> zero;
  zero += 0U;
  zero += 4294967295U;
  CHECK(zero.view() == "04294967295");
}

TEST_CASE("an os_error says which call failed and why") {
  CHECK(!os_error{});
  errno = EADDRINUSE;
  os_error const e = last_os_error("bind");
  CHECK(e);
  CHECK(describe(e).view() == "bind: " + std::string(std::strerror(EADDRINUSE)));
  os_error const r{EAI_NONAME, "resolve", os_error_kind::resolver};
  CHECK(describe(r).view() == "resolve: " + std::string(::gai_strerror(EAI_NONAME)));
}

TEST_CASE("faults and refusals map to std::error_code") {
  std::error_code const fault = error::invalid_utf8;
  CHECK(fault);
  CHECK(fault == error::invalid_utf8);
  CHECK(fault.message() == std::string(message(error::invalid_utf8)));
  CHECK(std::string(fault.category().name()) == "purews");
  CHECK(!std::error_code(error::none));
  CHECK(protocol_errors().message(9999) == "unknown error");
  CHECK(make_error_code(os_error{EPIPE, "send"}) == std::errc::broken_pipe);
  CHECK(make_error_code(os_error{EAI_NONAME, "resolve", os_error_kind::resolver}).category() == resolver_errors());
}

TEST_CASE("the clock never goes back") {
  instant const a = steady_now();
  instant const b = steady_now();
  CHECK(a <= b);
  CHECK(a.ns > 0);
}

TEST_CASE("entropy differs from call to call and fills every size") {
  std::byte a[4096]{};
  std::byte b[4096]{};
  for (std::size_t const size : {4U, 16U, 1020U, 1021U, 4096U}) {
    os_entropy(bytes(a, size));
    os_entropy(bytes(b, size));
    if (size > 4) CHECK(std::memcmp(a, b, size) != 0);
  }
  // A batch is used up and fetched again without repeating: 16 bytes at a time over several batches.
  std::string seen;
  bool repeated = false;
  for (int i = 0; i < 300; ++i) {
    os_entropy(bytes(a, 16));
    std::string const piece(as_text(bytes_view(a, 16)));
    repeated = repeated || seen.find(piece) != seen.npos;
    seen += piece;
  }
  CHECK(!repeated);
  os_entropy({});
}

TEST_CASE("5.3: F-04: a million masking keys are evenly spread, and repeat no more than chance has it", "[hazard-57]") {
  constexpr std::size_t count = 1'000'000;
  std::vector<std::uint32_t> keys(count);
  std::vector<std::size_t> octets(std::size_t{4} * 256);  // of each place in the key
  for (std::uint32_t& key : keys) {
    std::byte drawn[4];
    os_entropy(drawn);
    std::memcpy(&key, drawn, sizeof key);
    for (std::size_t i = 0; i < 4; ++i) ++octets[i * 256 + std::to_integer<std::size_t>(drawn[i])];
  }
  // Of 10^12 / 2 pairs each is equal by a chance of 2^-32: 116 on average, with a deviation of 11.
  std::sort(keys.begin(), keys.end());
  std::size_t equal = 0;
  for (std::size_t i = 1; i < count; ++i) equal += keys[i] == keys[i - 1] ? 1U : 0U;
  CHECK(equal < 116 + 10 * 11);
  CHECK(equal > 116 - 10 * 11);
  // Chi-square of 255 degrees of freedom: 255 on average, with a deviation of 23.
  for (std::size_t place = 0; place < 4; ++place) {
    double sum = 0;
    for (std::size_t value = 0; value < 256; ++value) {
      double const off = static_cast<double>(octets[place * 256 + value]) - count / 256.0;
      sum += off * off / (count / 256.0);
    }
    CHECK(sum < 255 + 10 * 23);
    CHECK(sum > 255 - 10 * 23);
  }
}

TEST_CASE("10.3: a forked child does not repeat the entropy of its parent", "[hazard-57]") {
  std::byte warm[4];
  os_entropy(warm);  // a batch is there
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  descriptor const read_end(ends[0]);
  descriptor const write_end(ends[1]);
  std::byte mine[16];
  std::byte childs[16];
  pid_t const child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    os_entropy(mine);
    ::_exit(::write(ends[1], mine, sizeof mine) == sizeof mine ? 0 : 1);
  }
  os_entropy(mine);
  REQUIRE(::read(ends[0], childs, sizeof childs) == sizeof childs);
  CHECK(std::memcmp(mine, childs, sizeof mine) != 0);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}

TEST_CASE("threads run, are joined and exclude each other") {
  mutex guard;
  int count = 0;
  {
    thread workers[4];
    for (thread& w : workers) {
      REQUIRE(!w.start([&] {
        for (int i = 0; i < 1000; ++i) {
          lock_guard const lock(guard);
          ++count;
        }
        std::byte unused[8];
        os_entropy(unused);
      }));
    }
    thread const moved = std::move(workers[0]);
    CHECK(moved);
    CHECK(!workers[0]);
  }
  CHECK(count == 4000);
  CHECK(hardware_threads() >= 1);
}

TEST_CASE("a flat array keeps its values while it grows and refuses what is not reserved") {
  flat_array<int> values;
  for (int i = 0; i < 1000; ++i) {
    REQUIRE(values.reserve(values.size() + 1));
    values.push(i);
  }
  CHECK(values.size() == 1000);
  CHECK(values[0] == 0);
  CHECK(values[999] == 999);
  values.shrink(10);
  CHECK(values.size() == 10);
  CHECK(dies([] { flat_array<int>().push(1); }));
}

TEST_CASE("a page buffer begins at a page") {
  page_buffer const buffer(100'000);
  REQUIRE(buffer.data().size() == 100'000);
  CHECK((reinterpret_cast<std::uintptr_t>(buffer.data().data()) & 4095) == 0);
  buffer.data().back() = std::byte{1};
}

TEST_CASE("a waker is readable from wake() to clear(), however often it was woken") {
  waker w;
  REQUIRE(!w.error());
  pollfd asked{w.number(), POLLIN, 0};
  CHECK(::poll(&asked, 1, 0) == 0);
  errno = 12;
  for (int i = 0; i < 100; ++i) w.wake();
  CHECK(errno == 12);
  CHECK(::poll(&asked, 1, 0) == 1);
  w.clear();
  CHECK(::poll(&asked, 1, 0) == 0);
}

TEST_CASE("what is handed over is taken in order; what comes meanwhile waits; left-overs are destroyed") {
  handover_queue<callback<void()>> queue;
  auto const run = [&] { return queue.take([](callback<void()>& task) { task(); }); };
  std::string trace;
  CHECK(run() == 0);
  CHECK(queue.push([&] {
    trace += 'a';
    CHECK(queue.push([&] { trace += 'c'; }));
  }));
  CHECK(!queue.push([&] { trace += 'b'; }));
  CHECK(run() == 2);
  CHECK(trace == "ab");
  CHECK(run() == 1);
  CHECK(trace == "abc");
  int alive = 0;
  CHECK(queue.push([&, c = counted(alive)] { trace += 'd'; }));
  CHECK(alive == 1);
  queue.clear();
  CHECK(alive == 0);
  CHECK(trace == "abc");
}

TEST_CASE("many threads hand over, one takes: nothing is lost, and each thread's order stays") {
  constexpr unsigned threads = 4;
  constexpr unsigned each = 5000;
  struct item {
    unsigned from, number;
  };
  handover_queue<item> queue;
  thread pushers[threads];
  for (unsigned t = 0; t < threads; ++t) {
    REQUIRE(!pushers[t].start([&queue, t] {
      for (unsigned i = 0; i < each; ++i) static_cast<void>(queue.push({t, i}));
    }));
  }
  unsigned next[threads] = {};
  bool ordered = true;
  std::size_t count = 0;
  while (count < threads * each) {
    count += queue.take([&](item const& got) { ordered = ordered && next[got.from]++ == got.number; });
  }
  for (thread& t : pushers) t.join();
  CHECK(ordered);
  CHECK(queue.take([](item const&) {}) == 0);
}
