// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <vector>

#include "../loop/callback.hpp"
#include "../loop/thread.hpp"

namespace purews::inline v0 {

/// Threads for what would hold a loop up: a query, a password hash, a picture. Jobs begin in the order in which they
/// were pushed.
class work_pool {
 public:
  /// Up to `waiting_max` jobs wait while all threads are busy. Starts no thread yet.
  explicit work_pool(std::size_t waiting_max) noexcept : waiting_max_(waiting_max) {}
  work_pool(work_pool const&) = delete;
  work_pool& operator=(work_pool const&) = delete;
  ~work_pool() {
    stop();
    ::pthread_cond_destroy(&pushed_);
  }

  /// Starts `count` threads. On an error none runs.
  [[nodiscard]] os_error start(unsigned count);

  /// Waits for the jobs that run, and destroys those that wait. Does nothing without threads. Not from a job.
  void stop() noexcept;

  /// Runs `job` on one of the threads; it must not throw. False: too many wait, and `job` is as it was. Any thread;
  /// throws only std::bad_alloc.
  [[nodiscard]] bool push(callback<void()>& job);

 private:
  struct waiting {
    callback<void()> job;
    waiting* next = nullptr;
  };

  void run() noexcept;
  waiting* take_first() noexcept;

  mutex mutex_;
  pthread_cond_t pushed_ = PTHREAD_COND_INITIALIZER;
  waiting* first_ = nullptr;
  waiting** end_ = &first_;
  std::size_t count_ = 0;
  std::size_t const waiting_max_;
  std::vector<thread> threads_;
  bool stopping_ = false;
};

inline os_error work_pool::start(unsigned count) {
  threads_.reserve(count);  // what throws, throws before a thread runs
  for (unsigned i = 0; i < count; ++i) {
    thread one;
    if (os_error const e = one.start([this] { run(); })) {
      stop();
      return e;
    }
    threads_.push_back(static_cast<thread&&>(one));
  }
  return {};
}

inline void work_pool::stop() noexcept {
  {
    lock_guard const lock(mutex_);
    stopping_ = true;
    ::pthread_cond_broadcast(&pushed_);
  }
  threads_.clear();  // joins them
  while (first_ != nullptr) delete take_first();
  stopping_ = false;
}

inline bool work_pool::push(callback<void()>& job) {
  lock_guard const lock(mutex_);
  if (count_ >= waiting_max_) return false;
  *end_ = new waiting;
  (*end_)->job = static_cast<callback<void()>&&>(job);
  end_ = &(*end_)->next;
  ++count_;
  ::pthread_cond_signal(&pushed_);
  return true;
}

/// Precondition: one waits.
inline work_pool::waiting* work_pool::take_first() noexcept {
  waiting* const taken = first_;
  first_ = taken->next;
  if (first_ == nullptr) end_ = &first_;
  --count_;
  return taken;
}

inline void work_pool::run() noexcept {
  for (;;) {
    waiting* taken = nullptr;
    {
      lock_guard const lock(mutex_);
      while (first_ == nullptr && !stopping_) mutex_.wait(pushed_);
      if (stopping_) return;
      taken = take_first();
    }
    taken->job();
    delete taken;
  }
}

}  // namespace purews::inline v0
