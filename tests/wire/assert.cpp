// SPDX-License-Identifier: BSL-1.0
#undef NDEBUG
#define NDEBUG  // preconditions are checked all the same
#include "purews/wire/assert.hpp"

#include <string>

#include "support/catch.hpp"
#include "support/dies.hpp"

namespace {

constexpr int checked(int value) {
  PUREWS_ASSERT(value > 0);
  return value;
}
static_assert(checked(1) == 1);

}  // namespace

TEST_CASE("a broken precondition ends the program, with or without NDEBUG", "[assert]") {
  CHECK(dies([] { checked(0); }));
  CHECK_FALSE(dies([] { checked(1); }));
}

TEST_CASE("a precondition is evaluated once", "[assert]") {
  int times = 0;
  PUREWS_ASSERT(++times == 1);
  CHECK(times == 1);
}

#if !defined(_WIN32)
TEST_CASE("a broken precondition says what and where", "[assert]") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  pid_t const child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::signal(SIGABRT, SIG_DFL);
    rlimit const no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    ::dup2(ends[1], STDERR_FILENO);
    checked(-1);
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string text;
  char buffer[256];
  for (ssize_t n; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<std::size_t>(n));
  ::close(ends[0]);
  int status = 0;
  CHECK(::waitpid(child, &status, 0) == child);
  CHECK(text.find("purews: ") == 0);
  CHECK(text.find("assert.cpp:") != std::string::npos);
  CHECK(text.find("value > 0") != std::string::npos);
  CHECK(text.back() == '\n');
}
#endif
