// SPDX-License-Identifier: BSL-1.0
#include "dies.hpp"

#if defined(_WIN32)

#define WIN32_LEAN_AND_MEAN
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>

#include <csignal>

namespace {

enum exit_code : DWORD { returned, aborted, thrown };

struct task {
  void (*call)(void*);
  void* f;
};

void end_this_thread(int) { ::ExitThread(aborted); }

DWORD WINAPI run(void* p) {
  auto const* const what = static_cast<task const*>(p);
  try {
    what->call(what->f);
  } catch (...) {
    return thrown;
  }
  return returned;
}

}  // namespace

bool aborts(void (*call)(void*), void* f) {
  task what{call, f};
  auto* const before = std::signal(SIGABRT, end_this_thread);
  HANDLE const thread = ::CreateThread(nullptr, 0, run, &what, 0, nullptr);
  if (thread == nullptr) std::abort();
  ::WaitForSingleObject(thread, INFINITE);
  DWORD code = thrown;
  ::GetExitCodeThread(thread, &code);
  ::CloseHandle(thread);
  std::signal(SIGABRT, before);
  return code == aborted;
}

#endif
