// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>

#include "../wire/assert.hpp"

namespace purews::inline v0 {

/// What many threads hand over to one, in the order in which it was pushed. No lock: who pushes changes one pointer,
/// and the one thread takes all at once and turns them round.
template <class T>
class handover_queue {
 public:
  handover_queue() noexcept = default;
  handover_queue(handover_queue const&) = delete;
  handover_queue& operator=(handover_queue const&) = delete;
  ~handover_queue() { clear(); }

  /// Appends `value`. True: the queue was empty, so its reader must be woken. Any thread; throws only std::bad_alloc.
  [[nodiscard]] bool push(T value) { return push_from(value); }
  /// The same, but `value` is as it was when this throws.
  [[nodiscard]] bool push_from(T& value);

  /// Calls `each` with what was pushed before this call, and says how many that were; what is pushed meanwhile waits
  /// for the next.
  template <class F>
  std::size_t take(F each) noexcept;

  /// Destroys what is left.
  void clear() noexcept;

 private:
  struct node {
    T value;
    node* next;
  };

  node* take_all() noexcept;

  node* last_ = nullptr;  // atomic: the newest, and each leads to the one before it
};

template <class T>
bool handover_queue<T>::push_from(T& value) {
  node* before = __atomic_load_n(&last_, __ATOMIC_RELAXED);
  node* const added = new node{static_cast<T&&>(value), before};
  while (!__atomic_compare_exchange_n(&last_, &before, added, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
    added->next = before;
  return before == nullptr;  // not from the node, which may be read and deleted by now
}

template <class T>
template <class F>
std::size_t handover_queue<T>::take(F each) noexcept {
  std::size_t count = 0;
  for (node* at = take_all(); at != nullptr; ++count) {
    each(at->value);
    node* const done = at;
    at = at->next;
    delete done;
  }
  return count;
}

template <class T>
void handover_queue<T>::clear() noexcept {
  // What is destroyed may push again.
  while (take([](T&) {}) != 0) continue;
}

/// All of them, the oldest first.
template <class T>
typename handover_queue<T>::node* handover_queue<T>::take_all() noexcept {
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
