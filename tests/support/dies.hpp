// SPDX-License-Identifier: BSL-1.0
#pragma once

#if defined(_WIN32)

/// Calls `call(f)` in a thread of its own and tells whether it aborted. In support/dies.cpp.
bool aborts(void (*call)(void*), void* f);

/// There is no fork() here: `f` runs in a thread, which an abort ends as it stands. An exception does not count. What
/// `f` has changed stays changed, so that nobody may look at it afterwards.
template <class F>
bool dies(F f) {
  return aborts([](void* p) { (*static_cast<F*>(p))(); }, &f);
}

#else

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>

/// Runs `f` in a child process, with its stderr silenced, and tells whether it aborted, as a broken precondition does.
/// An exception, another signal or a sanitizer's report does not count. Works under ASan and valgrind.
template <class F>
bool dies(F f) {
  std::fflush(nullptr);
  pid_t const child = ::fork();
  if (child < 0) {
    std::perror("dies: fork");
    std::abort();
  }
  if (child == 0) {
    // Catch2 has handlers of its own, which would report a failed test from the child.
    for (int const signal : {SIGABRT, SIGFPE, SIGILL, SIGINT, SIGSEGV, SIGTERM}) std::signal(signal, SIG_DFL);
    rlimit const no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    int const silence = ::open("/dev/null", O_WRONLY);
    if (silence >= 0) ::dup2(silence, STDERR_FILENO);
    try {
      f();
    } catch (...) {
      ::_exit(2);
    }
    ::_exit(0);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

#endif
