// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <sys/resource.h>

#include <csignal>

/// What a program does to its process, and a library must not.
namespace process {

/// Raises the limit of open descriptors to what the system allows without privileges.
inline void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  rlim_t const before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) == 0 || limit.rlim_max != RLIM_INFINITY) return;
  // macOS calls its limit infinite and accepts no more than this.
  limit.rlim_cur = 10240 > before ? 10240 : before;
  setrlimit(RLIMIT_NOFILE, &limit);
}

template <class Server>
inline Server* stopped_by_signal = nullptr;

/// While it lives, SIGTERM and SIGINT stop `server`: gracefully at the first, at once at the second. Afterwards they
/// are ignored: the program is at its end, and the server may be gone.
template <class Server>
class stopping_signals {
 public:
  explicit stopping_signals(Server& server) {
    stopped_by_signal<Server> = &server;
    handle([](int) { stopped_by_signal<Server>->stop(); });
  }
  stopping_signals(stopping_signals const&) = delete;
  stopping_signals& operator=(stopping_signals const&) = delete;
  ~stopping_signals() { handle(SIG_IGN); }

 private:
  static void handle(void (*handler)(int)) {
    struct sigaction action {};
    action.sa_handler = handler;
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, nullptr);
    sigaction(SIGINT, &action, nullptr);
  }
};

}  // namespace process
