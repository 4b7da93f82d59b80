// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "callback.hpp"
#include "os_error.hpp"
#include "source.hpp"

namespace purews::inline v0 {

/// A descriptor of somebody else (libpq, hiredis, a pipe), watched by the loop; from its watch(). Destroying the handle
/// ends that, even inside the callback; the descriptor stays open. Movable; belongs to the loop's thread.
template <class Loop>
class loop_watch {
 public:
  using called = callback<void(interest)>;

  loop_watch() noexcept = default;
  loop_watch(Loop& loop, int fd, interest what, called ready)
      : node_(new node(loop, fd, static_cast<called&&>(ready))), error_(node_->begin(what)) {
    if (error_) clear();
  }
  loop_watch(loop_watch&& other) noexcept : node_(other.node_), error_(other.error_) { other.node_ = nullptr; }
  loop_watch& operator=(loop_watch&& other) noexcept;
  ~loop_watch() { clear(); }

  explicit operator bool() const noexcept { return node_ != nullptr; }

  /// Why nothing is watched: the kernel refused this kind of descriptor, or knows it already, or memory ran out.
  os_error error() const noexcept { return error_; }

  /// Waits for `what` from now on; none pauses. Precondition: not empty.
  os_error change(interest what) noexcept;

 private:
  class node;

  void clear() noexcept;

  node* node_ = nullptr;
  os_error error_;
};

template <class Loop>
class loop_watch<Loop>::node final : public loop_source {
 public:
  node(Loop& loop, int fd, called ready) noexcept
      : loop_source(fd), loop_(loop), ready_(static_cast<called&&>(ready)) {}
  ~node() { loop_.detach(*this); }

  os_error begin(interest what) noexcept {
    if (os_error const e = loop_.attach(*this)) return e;
    return change(what);
  }
  os_error change(interest what) noexcept { return loop_.change(*this, what); }

  /// Destroys the node, but not under the callback that runs.
  void drop() noexcept {
    loop_.detach(*this);
    if (running_) {
      dropped_ = true;
    } else {
      delete this;
    }
  }

 private:
  void on_ready(interest what) noexcept override {
    running_ = true;
    ready_(what);
    running_ = false;
    if (dropped_) delete this;
  }
  void on_timer() noexcept override {}
  void on_marked() noexcept override {}

  Loop& loop_;
  called ready_;
  bool running_ = false;
  bool dropped_ = false;
};

template <class Loop>
loop_watch<Loop>& loop_watch<Loop>::operator=(loop_watch&& other) noexcept {
  if (this == &other) return *this;
  clear();
  node_ = other.node_;
  error_ = other.error_;
  other.node_ = nullptr;
  return *this;
}

template <class Loop>
os_error loop_watch<Loop>::change(interest what) noexcept {
  PUREWS_ASSERT(node_ != nullptr);
  return node_->change(what);
}

template <class Loop>
void loop_watch<Loop>::clear() noexcept {
  node* const held = node_;
  node_ = nullptr;
  if (held != nullptr) held->drop();
}

}  // namespace purews::inline v0
