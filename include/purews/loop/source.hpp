// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "timers.hpp"

namespace purews::inline v0 {

/// What one waits for on a descriptor, and what has come: a set of two bits.
enum class interest : std::uint8_t { none = 0, read = 1, write = 2, read_write = 3 };

constexpr interest operator|(interest a, interest b) noexcept {
  return static_cast<interest>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
constexpr interest operator&(interest a, interest b) noexcept {
  return static_cast<interest>(static_cast<unsigned>(a) & static_cast<unsigned>(b));
}

/// Whether `set` has all of `bit`.
constexpr bool has(interest set, interest bit) noexcept { return (set & bit) == bit; }

/// A place in a circular list; alone, it points at itself.
struct mark_link {
  mark_link* next = this;
  mark_link* previous = this;

  mark_link() noexcept = default;
  mark_link(mark_link const&) = delete;
  mark_link& operator=(mark_link const&) = delete;

  bool alone() const noexcept { return next == this; }
  void leave() noexcept {
    previous->next = next;
    next->previous = previous;
    next = previous = this;
  }
  /// Joins a list behind its last, where `head` is what holds the list. Precondition: alone.
  void join(mark_link& head) noexcept {
    previous = head.previous;
    next = &head;
    previous->next = this;
    head.previous = this;
  }
};

/// What a readiness loop calls: a descriptor, a deadline, and a mark that asks for a call at the end of the turn. Each
/// of the calls may destroy the object, and any other one.
class loop_source : private mark_link, public timer_node {
 public:
  /// The descriptor, or -1.
  int number() const noexcept { return number_; }

 protected:
  explicit loop_source(int number) noexcept : number_(number) {}
  ~loop_source() { PUREWS_ASSERT(!attached_); }

  bool attached() const noexcept { return attached_; }

  /// Gives the descriptor away. Precondition: detached from the loop.
  int take_number() noexcept {
    PUREWS_ASSERT(!attached_);
    int const number = number_;
    number_ = -1;
    return number;
  }

  /// The descriptor is ready for `what`, which is never none nor more than what was asked for.
  virtual void on_ready(interest what) noexcept = 0;
  /// The deadline has passed; the source is not armed any more.
  virtual void on_timer() noexcept = 0;
  /// The turn ends; the source is not marked any more.
  virtual void on_marked() noexcept = 0;

 private:
  template <class Poller>
  friend class event_loop;

  int number_;
  interest interest_ = interest::none;
  bool attached_ = false;
};

/// What a poller reports.
struct ready_event {
  loop_source* who = nullptr;
  interest what = interest::none;
};

}  // namespace purews::inline v0
