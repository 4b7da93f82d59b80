// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "callback.hpp"
#include "thread.hpp"

namespace purews::inline v0 {

/// What other threads want done on the loop's thread, in the order in which it was posted.
class post_queue {
 public:
  post_queue() noexcept = default;
  post_queue(post_queue const&) = delete;
  post_queue& operator=(post_queue const&) = delete;
  ~post_queue() { clear(); }

  /// Appends `task`. True: the queue was empty, so the loop must be woken. Any thread; throws only std::bad_alloc.
  [[nodiscard]] bool push(callback<void()> task);

  /// Runs what was posted before this call; what the tasks post themselves waits for the next.
  void run() noexcept;

  /// Destroys what is left without running it.
  void clear() noexcept;

 private:
  struct node {
    callback<void()> task;
    node* next = nullptr;
  };

  node* take_all() noexcept;

  mutex mutex_;
  node* first_ = nullptr;
  node** end_ = &first_;
};

inline bool post_queue::push(callback<void()> task) {
  node* const added = new node{static_cast<callback<void()>&&>(task)};
  lock_guard const lock(mutex_);
  bool const was_empty = first_ == nullptr;
  *end_ = added;
  end_ = &added->next;
  return was_empty;
}

inline void post_queue::run() noexcept {
  for (node* at = take_all(); at != nullptr;) {
    at->task();
    node* const done = at;
    at = at->next;
    delete done;
  }
}

inline void post_queue::clear() noexcept {
  // A task may hold something whose destructor posts again.
  while (node* at = take_all()) {
    while (at != nullptr) {
      node* const done = at;
      at = at->next;
      delete done;
    }
  }
}

inline post_queue::node* post_queue::take_all() noexcept {
  lock_guard const lock(mutex_);
  node* const all = first_;
  first_ = nullptr;
  end_ = &first_;
  return all;
}

}  // namespace purews::inline v0
