// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "epoll.hpp"
#include "uring_buffers.hpp"
#include "uring_listener.hpp"
#include "uring_stream.hpp"

namespace purews::inline v0 {

/// Linux 6.0 and later: operations by io_uring. What a turn wants to send, and whom it waits for, goes to the kernel in
/// the one system call in which the next turn waits.
///
/// Watched descriptors are in an epoll instance, for whose readiness the ring waits: level-triggered watches would have
/// to be asked for again in every turn otherwise.
class uring_poller {
 public:
  uring_poller() noexcept;

  template <class Loop>
  using listener_on = uring_listener<Loop>;
  template <class Loop, byte_machine Machine, class Owner>
  using stream_on = uring_stream<Loop, Machine, Owner>;

  os_error error() const noexcept { return error_; }
  int number() const noexcept { return ring_.number(); }
  os_error change(int fd, interest from, interest to, loop_source* who) noexcept {
    return watched_.change(fd, from, to, who);
  }
  std::size_t wait(std::span<ready_event> out, std::int64_t milliseconds) noexcept;

  /// Delivers what was completed.
  void serve(instant) noexcept {
    if (!error_) ring_.serve();
  }

  /// Ends a turn that is not followed by another at once: what it asked for is begun in it, and what that completes at
  /// once is delivered.
  void finish() noexcept;

  /// Delivers, once in a turn, what has completed since it began.
  void look() noexcept;

  // For the streams and listeners.

  uring_ring& ring() noexcept { return ring_; }
  uring_buffers& buffers() noexcept { return buffers_; }
  uring_rooms& rooms() noexcept { return rooms_; }

  /// Sends the spans, as far as the socket takes them at once, when the ring is submitted next. They must stay until
  /// it is complete; the span of spans need not. Precondition: 1 to send_spans_max of them.
  void send(int socket, std::span<bytes_view const> spans, uring_target& target) noexcept;

 private:
  static constexpr unsigned watch_sign = 1;
  static constexpr std::size_t messages_max = 256;
  static constexpr std::size_t parts_max = 1024;

  void watch() noexcept;

  // The ring is the first to go.
  epoll_poller watched_;
  uring_buffers buffers_;
  uring_rooms rooms_;
  uring_ring ring_;
  os_error error_;
  bool watching_ = false;
  bool looked_ = false;
  // What submissions point at until they are submitted.
  std::size_t messages_used_ = 0;
  std::size_t parts_used_ = 0;
  msghdr messages_[messages_max];
  iovec parts_[parts_max];
};

inline uring_poller::uring_poller() noexcept : error_(ring_.error()) {
  if (!error_) error_ = watched_.error();
  if (!error_) error_ = rooms_.error();
  if (!error_) error_ = buffers_.open(ring_);
}

inline std::size_t uring_poller::wait(std::span<ready_event> out, std::int64_t milliseconds) noexcept {
  if (error_) return 0;
  watch();
  ring_.submit_and_wait(milliseconds);
  looked_ = false;
  if (!ring_.has_sign(watch_sign)) return 0;
  watching_ = false;
  return watched_.wait(out, 0);
}

inline void uring_poller::watch() noexcept {
  ring_.enable();
  if (watching_) return;
  io_uring_sqe& asks = ring_.entry();
  io_uring_prep_poll_add(&asks, watched_.number(), POLLIN);
  uring_ring::begin(asks, watch_sign);
  watching_ = true;
}

inline void uring_poller::finish() noexcept {
  if (error_) return;
  watch();
  ring_.submit();
  ring_.serve_until(watch_sign);
  ring_.submit();
}

inline void uring_poller::look() noexcept {
  if (looked_) return;
  looked_ = true;
  ring_.submit_and_look();
  if (ring_.has_sign(watch_sign)) watching_ = false;  // it is dropped, and the next wait() asks again
  ring_.serve();
}

inline void uring_poller::send(int socket, std::span<bytes_view const> spans, uring_target& target) noexcept {
  PUREWS_ASSERT(!spans.empty() && spans.size() <= send_spans_max);
  // It never waits in the kernel: a socket that takes no more is polled, and what was gathered is free at once.
  constexpr int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
  constexpr std::size_t bytes_max = 1U << 30;
  if (spans.size() == 1) {
    std::size_t const size = spans[0].size() < bytes_max ? spans[0].size() : bytes_max;
    io_uring_sqe& sends = ring_.entry();
    io_uring_prep_send(&sends, socket, spans[0].data(), size, flags);
    return ring_.begin(sends, target, uring_target::operation::send);
  }
  if (messages_used_ == messages_max || parts_used_ + spans.size() > parts_max) ring_.submit();
  io_uring_sqe& sends = ring_.entry();
  if (io_uring_sq_ready(&ring_.native()) == 1) messages_used_ = parts_used_ = 0;  // all before it is submitted
  iovec* const parts = parts_ + parts_used_;
  for (bytes_view const span : spans) parts_[parts_used_++] = {const_cast<std::byte*>(span.data()), span.size()};
  msghdr& message = messages_[messages_used_++];
  message = {};
  message.msg_iov = parts;
  message.msg_iovlen = spans.size();
  io_uring_prep_sendmsg(&sends, socket, &message, flags);
  ring_.begin(sends, target, uring_target::operation::send);
}

/// The event loop of recent Linux. A machine lives until the kernel has let go of its output: for a stream that is
/// destroyed with a send under way until a later turn, at the latest until the end of the loop.
using uring_loop = event_loop<uring_poller>;

}  // namespace purews::inline v0
