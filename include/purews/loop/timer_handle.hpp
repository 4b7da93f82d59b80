// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "callback.hpp"
#include "clock.hpp"
#include "source.hpp"

namespace purews::inline v0 {

/// A deadline with a callback, from the loop's after(). Destroying the handle cancels it, even inside the callback.
/// Movable; belongs to the loop's thread.
template <class Loop>
class loop_timer {
 public:
  loop_timer() noexcept = default;
  loop_timer(Loop& loop, instant when, callback<void()> done)
      : node_(new node(loop, static_cast<callback<void()>&&>(done))) {
    if (node_->ready()) {
      loop.arm(*node_, when);
    } else {
      clear();
    }
  }
  loop_timer(loop_timer&& other) noexcept : node_(other.node_) { other.node_ = nullptr; }
  loop_timer& operator=(loop_timer&& other) noexcept;
  ~loop_timer() { clear(); }

  /// False: moved from, or memory ran out when it was made.
  explicit operator bool() const noexcept { return node_ != nullptr; }

  /// Whether the callback is still to come.
  bool armed() const noexcept { return node_ != nullptr && node_->armed(); }

  /// Calls it once more, `delay` from now, instead of at the old time. Precondition: not empty.
  void restart(duration delay) noexcept;

  /// Does not call it any more, unless restart().
  void cancel() noexcept;

 private:
  class node;

  void clear() noexcept;

  node* node_ = nullptr;
};

template <class Loop>
class loop_timer<Loop>::node final : public loop_source {
 public:
  node(Loop& loop, callback<void()> done) noexcept
      : loop_source(-1), loop_(loop), done_(static_cast<callback<void()>&&>(done)) {
    static_cast<void>(loop.attach(*this));
  }
  ~node() { loop_.detach(*this); }

  bool ready() const noexcept { return attached(); }
  Loop& loop() const noexcept { return loop_; }

  /// Destroys the node, but not under the callback that runs.
  void drop() noexcept {
    loop_.disarm(*this);
    if (running_) {
      dropped_ = true;
    } else {
      delete this;
    }
  }

 private:
  void on_ready(interest) noexcept override {}
  void on_timer() noexcept override {
    running_ = true;
    done_();
    running_ = false;
    if (dropped_) delete this;
  }
  void on_marked() noexcept override {}

  Loop& loop_;
  callback<void()> done_;
  bool running_ = false;
  bool dropped_ = false;
};

template <class Loop>
loop_timer<Loop>& loop_timer<Loop>::operator=(loop_timer&& other) noexcept {
  if (this == &other) return *this;
  clear();
  node_ = other.node_;
  other.node_ = nullptr;
  return *this;
}

template <class Loop>
void loop_timer<Loop>::restart(duration delay) noexcept {
  PUREWS_ASSERT(node_ != nullptr);
  node_->loop().arm(*node_, steady_now() + delay);
}

template <class Loop>
void loop_timer<Loop>::cancel() noexcept {
  if (node_ != nullptr) node_->loop().disarm(*node_);
}

template <class Loop>
void loop_timer<Loop>::clear() noexcept {
  node* const held = node_;
  node_ = nullptr;
  if (held != nullptr) held->drop();
}

}  // namespace purews::inline v0
