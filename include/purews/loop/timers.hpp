// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../protocol/time.hpp"
#include "flat_array.hpp"

namespace purews::inline v0 {

/// What can wait for a deadline: four bytes, to be inherited. Not copyable while armed.
class timer_node {
 public:
  bool armed() const noexcept { return position_ != unarmed; }

 private:
  friend class timer_heap;
  static constexpr std::uint32_t unarmed = UINT32_MAX;

  std::uint32_t position_ = unarmed;
};

/// All deadlines of a loop: a heap of four children a node, with the deadlines beside the pointers, so that a look at
/// the four touches one cache line or two and no node. Arming and firing cost O(log4 n), the next deadline O(1).
///
/// A connection's deadline moves with every message, mostly to later. It is not moved here then: when the old one
/// fires, the owner looks at the real one and arms again (see `arm_earlier`).
class timer_heap {
 public:
  /// Makes room for `count` nodes, so that arming cannot fail. False: memory ran out.
  [[nodiscard]] bool reserve(std::uint32_t count) noexcept { return entries_.reserve(count); }

  /// Arms `node` for `when`, or moves it there. `never` disarms. Precondition: there is room for it.
  void arm(timer_node& node, instant when) noexcept;

  /// As arm(), but leaves a node alone that fires before `when` already.
  void arm_earlier(timer_node& node, instant when) noexcept;

  /// Forgets `node`. Does nothing when it is not armed.
  void disarm(timer_node& node) noexcept;

  /// When the next node fires, or never.
  instant next() const noexcept { return entries_.size() == 0 ? never : entries_[0].when; }

  /// Takes out a node whose time has come, the earliest first; null when there is none.
  timer_node* pop_due(instant now) noexcept;

 private:
  struct entry {
    instant when;
    timer_node* node;
  };

  void put(std::uint32_t at, entry value) noexcept;
  void rise(std::uint32_t at, entry value) noexcept;
  void sink(std::uint32_t at, entry value) noexcept;
  void settle(std::uint32_t at, entry value) noexcept;

  flat_array<entry> entries_;
};

inline void timer_heap::arm(timer_node& node, instant when) noexcept {
  if (when == never) return disarm(node);
  std::uint32_t at = node.position_;
  if (!node.armed()) {
    at = entries_.size();
    entries_.push({});
  }
  settle(at, {when, &node});
}

inline void timer_heap::arm_earlier(timer_node& node, instant when) noexcept {
  if (when == never || (node.armed() && entries_[node.position_].when <= when)) return;
  arm(node, when);
}

inline void timer_heap::disarm(timer_node& node) noexcept {
  if (!node.armed()) return;
  std::uint32_t const at = node.position_;
  std::uint32_t const last = entries_.size() - 1;
  entry const moved = entries_[last];
  entries_.shrink(last);
  node.position_ = timer_node::unarmed;
  if (at != last) settle(at, moved);
}

inline timer_node* timer_heap::pop_due(instant now) noexcept {
  if (entries_.size() == 0 || entries_[0].when > now) return nullptr;
  timer_node* const due = entries_[0].node;
  disarm(*due);
  return due;
}

inline void timer_heap::put(std::uint32_t at, entry value) noexcept {
  entries_[at] = value;
  value.node->position_ = at;
}

/// Puts `value` at `at` or above it.
inline void timer_heap::rise(std::uint32_t at, entry value) noexcept {
  while (at > 0) {
    std::uint32_t const parent = (at - 1) / 4;
    if (entries_[parent].when <= value.when) break;
    put(at, entries_[parent]);
    at = parent;
  }
  put(at, value);
}

/// Puts `value` at `at` or below it.
inline void timer_heap::sink(std::uint32_t at, entry value) noexcept {
  for (;;) {
    std::uint32_t const first = at * 4 + 1;
    if (first >= entries_.size()) break;
    std::uint32_t const behind = entries_.size() - first < 4 ? entries_.size() : first + 4;
    std::uint32_t least = first;
    for (std::uint32_t child = first + 1; child < behind; ++child) {
      if (entries_[child].when < entries_[least].when) least = child;
    }
    if (value.when <= entries_[least].when) break;
    put(at, entries_[least]);
    at = least;
  }
  put(at, value);
}

inline void timer_heap::settle(std::uint32_t at, entry value) noexcept {
  if (at > 0 && value.when < entries_[(at - 1) / 4].when) return rise(at, value);
  sink(at, value);
}

}  // namespace purews::inline v0
