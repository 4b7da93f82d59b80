// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "callback.hpp"
#include "clock.hpp"
#include "flat_array.hpp"
#include "socket.hpp"
#include "uring_ring.hpp"

namespace purews::inline v0 {

/// Accepts connections by one operation of the ring that goes on. Its promises are those of readiness_listener: when
/// descriptors or memory run out, it pauses for 100 ms.
template <class Loop>
class uring_listener final : public loop_source {
 public:
  using accepted = callback<void(descriptor, socket_address const&)>;

  /// Takes a socket of listen_tcp(). `each` is called by the loop with a prepared socket and its peer; it must not
  /// throw, nor destroy the listener: close() it instead.
  uring_listener(Loop& loop, descriptor listening, accepted each)
      : loop_source(listening.number()),
        loop_(loop),
        target_(new target(*this)),
        each_(static_cast<accepted&&>(each)) {
    static_cast<void>(listening.release());  // not before there is no more memory to run out of
  }
  ~uring_listener() {
    PUREWS_ASSERT(!accepting_);
    close();
    target_->to = nullptr;
    loop_.poller().ring().abandon(*target_);
  }

  /// Registers with the loop. After an error nothing will be called.
  [[nodiscard]] os_error start() noexcept;

  /// Leaves connections in the kernel's queue until resume(), and those that the ring has accepted here.
  void pause() noexcept;
  void resume() noexcept;

  /// Stops listening: the socket is closed, and connections in its queue are reset.
  void close() noexcept;

 private:
  using operation = uring_target::operation;

  struct target final : uring_target {
    explicit target(uring_listener& l) noexcept : to(&l) {}
    void on_completion(operation, int result, unsigned) noexcept override {
      if (to != nullptr) return to->on_accept(result);
      descriptor const closes(result);
    }
    uring_listener* to;
  };

  void on_ready(interest) noexcept override {}
  void on_timer() noexcept override { loop_.mark(*this); }
  void on_marked() noexcept override;

  void on_accept(int result) noexcept;
  void hand_over(descriptor socket) noexcept;
  void listen() noexcept;
  bool listens() const noexcept { return attached() && !paused_; }

  Loop& loop_;
  target* target_;
  accepted each_;
  flat_array<int> waiting_;  ///< accepted while paused
  bool paused_ = false;
  bool accepting_ = false;
};

template <class Loop>
os_error uring_listener<Loop>::start() noexcept {
  if (os_error const e = loop_.attach(*this)) return e;
  loop_.mark(*this);
  return {};
}

template <class Loop>
void uring_listener<Loop>::pause() noexcept {
  paused_ = true;
  if (!attached()) return;
  loop_.disarm(*this);
  loop_.unmark(*this);
  loop_.poller().ring().cancel_now(*target_);
}

template <class Loop>
void uring_listener<Loop>::resume() noexcept {
  paused_ = false;
  if (attached()) loop_.mark(*this);
}

template <class Loop>
void uring_listener<Loop>::close() noexcept {
  if (number() < 0) return;
  loop_.detach(*this);
  loop_.poller().ring().cancel_now(*target_);
  descriptor const closes(take_number());
  for (std::uint32_t i = 0; i < waiting_.size(); ++i) descriptor const unheard(waiting_[i]);
  waiting_.shrink(0);
}

/// First those that have waited longest.
template <class Loop>
void uring_listener<Loop>::on_marked() noexcept {
  while (listens() && waiting_.size() > 0) {
    descriptor first(waiting_[0]);
    for (std::uint32_t i = 1; i < waiting_.size(); ++i) waiting_[i - 1] = waiting_[i];
    waiting_.shrink(waiting_.size() - 1);
    hand_over(static_cast<descriptor&&>(first));
  }
  listen();
}

template <class Loop>
void uring_listener<Loop>::on_accept(int result) noexcept {
  descriptor socket(result);
  if (socket && listens() && waiting_.size() == 0) {
    hand_over(static_cast<descriptor&&>(socket));
  } else if (socket && attached() && waiting_.reserve(waiting_.size() + 1)) {
    waiting_.push(socket.release());
  } else if (listens() && accept_is_exhausted(-result)) {
    return loop_.arm(*this, loop_.now() + accept_rest);
  }
  listen();
}

template <class Loop>
void uring_listener<Loop>::hand_over(descriptor socket) noexcept {
  socket_address peer;
  if (remote_address(socket.number(), peer)) return;  // the connection is over already
  accepting_ = true;
  each_(static_cast<descriptor&&>(socket), peer);
  accepting_ = false;
}

/// Asks for connections, unless it is being done.
template <class Loop>
void uring_listener<Loop>::listen() noexcept {
  if (!listens() || this->armed() || target_->under_way(operation::accept)) return;
  uring_ring& ring = loop_.poller().ring();
  io_uring_sqe& asks = ring.entry();
  io_uring_prep_multishot_accept(&asks, number(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  ring.begin(asks, *target_, operation::accept);
}

}  // namespace purews::inline v0
