// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "callback.hpp"

namespace purews::inline v0 {

/// What other threads want done on the loop's thread, in the order in which it was posted. No lock: a thread that posts
/// changes one pointer, the loop takes all at once and turns them round.
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

  node* last_ = nullptr;  // atomic: the newest, and each leads to the one before it
};

inline bool post_queue::push(callback<void()> task) {
  node* const added = new node{static_cast<callback<void()>&&>(task)};
  node* before = __atomic_load_n(&last_, __ATOMIC_RELAXED);
  do {
    added->next = before;
  } while (!__atomic_compare_exchange_n(&last_, &before, added, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
  return before == nullptr;  // not from the node, which may have been run and deleted by now
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

/// All of them, the oldest first.
inline post_queue::node* post_queue::take_all() noexcept {
  if (__atomic_load_n(&last_, __ATOMIC_RELAXED) == nullptr) return nullptr;
  node* newest = __atomic_exchange_n(&last_, nullptr, __ATOMIC_ACQUIRE);
  node* oldest = nullptr;
  while (newest != nullptr) {
    node* const before = newest->next;
    newest->next = oldest;
    oldest = newest;
    newest = before;
  }
  return oldest;
}

}  // namespace purews::inline v0
