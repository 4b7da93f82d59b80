// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <pthread.h>
#include <unistd.h>
#ifdef __linux__
#include <sched.h>
#endif

#include "callback.hpp"
#include "os_error.hpp"

namespace purews::inline v0 {

/// Mutual exclusion.
class mutex {
 public:
  mutex() noexcept = default;
  mutex(mutex const&) = delete;
  mutex& operator=(mutex const&) = delete;
  ~mutex() { ::pthread_mutex_destroy(&mutex_); }

  void lock() noexcept { PUREWS_ASSERT(::pthread_mutex_lock(&mutex_) == 0); }
  void unlock() noexcept { PUREWS_ASSERT(::pthread_mutex_unlock(&mutex_) == 0); }

  /// Waits until `condition` is signalled, or wakes for no reason. Precondition: locked by this thread.
  void wait(pthread_cond_t& condition) noexcept { ::pthread_cond_wait(&condition, &mutex_); }

 private:
  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
};

/// Holds a mutex for as long as it lives.
class lock_guard {
 public:
  explicit lock_guard(mutex& held) noexcept : held_(held) { held_.lock(); }
  lock_guard(lock_guard const&) = delete;
  lock_guard& operator=(lock_guard const&) = delete;
  ~lock_guard() { held_.unlock(); }

 private:
  mutex& held_;
};

/// A thread of the system, joined at the latest by the destructor.
class thread {
 public:
  thread() noexcept = default;
  thread(thread&& other) noexcept : handle_(other.handle_), running_(other.running_) { other.running_ = false; }
  thread& operator=(thread&& other) noexcept;
  ~thread() { join(); }

  /// Runs `body` in a new thread; it must not throw. Precondition: none runs under this object.
  [[nodiscard]] os_error start(callback<void()> body) noexcept;

  /// Waits until the body has returned. Does nothing without a thread.
  void join() noexcept;

  explicit operator bool() const noexcept { return running_; }

 private:
  static void* run(void* body) noexcept;

  pthread_t handle_{};
  bool running_ = false;
};

/// How many threads the system lets this process run at once; at least 1.
inline unsigned hardware_threads() noexcept {
#ifdef __linux__
  cpu_set_t allowed;
  if (::sched_getaffinity(0, sizeof allowed, &allowed) == 0) return static_cast<unsigned>(CPU_COUNT(&allowed));
#endif
  long const online = ::sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 ? static_cast<unsigned>(online) : 1;
}

/// Lets this thread, and those that it will start, run on one processor only: the `index`-th of those that it may use
/// now, counted round.
inline os_error pin_this_thread([[maybe_unused]] unsigned index) noexcept {
#ifdef __linux__
  cpu_set_t allowed;
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return last_os_error("sched_getaffinity");
  unsigned skip = index % static_cast<unsigned>(CPU_COUNT(&allowed));
  std::size_t chosen = 0;
  while (!CPU_ISSET(chosen, &allowed) || skip-- > 0) ++chosen;
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(chosen, &only);
  return ::sched_setaffinity(0, sizeof only, &only) == 0 ? os_error{} : last_os_error("sched_setaffinity");
#else
  return {ENOTSUP, "pin", os_error_kind::system};
#endif
}

inline thread& thread::operator=(thread&& other) noexcept {
  if (this == &other) return *this;
  join();
  handle_ = other.handle_;
  running_ = other.running_;
  other.running_ = false;
  return *this;
}

inline os_error thread::start(callback<void()> body) noexcept {
  PUREWS_ASSERT(!running_ && body);
  auto* const held = new (std::nothrow) callback<void()>(static_cast<callback<void()>&&>(body));
  if (held == nullptr) return {ENOMEM, "pthread_create", os_error_kind::system};
  int const code = ::pthread_create(&handle_, nullptr, &thread::run, held);
  running_ = code == 0;
  if (!running_) delete held;
  return {code, "pthread_create", os_error_kind::system};
}

inline void thread::join() noexcept {
  if (running_) ::pthread_join(handle_, nullptr);
  running_ = false;
}

inline void* thread::run(void* body) noexcept {
  auto* const held = static_cast<callback<void()>*>(body);
  (*held)();
  delete held;
  return nullptr;
}

}  // namespace purews::inline v0
