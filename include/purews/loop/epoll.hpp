// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <sys/epoll.h>

#include "event_loop.hpp"

namespace purews::inline v0 {

/// Linux: readiness by epoll, level-triggered.
class epoll_poller {
 public:
  epoll_poller() noexcept : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    if (!epoll_) error_ = last_os_error("epoll_create1");
  }

  template <class Loop>
  using listener_on = readiness_listener<Loop>;
  template <class Loop, byte_machine Machine, class Owner>
  using stream_on = readiness_stream<Loop, Machine, Owner>;

  os_error error() const noexcept { return error_; }
  int number() const noexcept { return epoll_.number(); }
  os_error change(int fd, interest from, interest to, loop_source* who) noexcept;
  std::size_t wait(std::span<ready_event> out, std::int64_t milliseconds) noexcept;

 private:
  static constexpr std::size_t events_max = 256;

  static constexpr std::uint32_t bits_of(interest what) noexcept {
    return (has(what, interest::read) ? EPOLLIN : 0U) | (has(what, interest::write) ? EPOLLOUT : 0U);
  }
  /// EPOLLERR and EPOLLHUP come unasked; the next call on the descriptor says what they mean.
  static constexpr interest interest_of(std::uint32_t bits) noexcept {
    constexpr std::uint32_t broken = EPOLLERR | EPOLLHUP;
    return ((bits & (EPOLLIN | broken)) != 0 ? interest::read : interest::none) |
           ((bits & (EPOLLOUT | broken)) != 0 ? interest::write : interest::none);
  }

  descriptor epoll_;
  os_error error_;
};

inline os_error epoll_poller::change(int fd, interest from, interest to, loop_source* who) noexcept {
  int const operation = to == interest::none ? EPOLL_CTL_DEL : from == interest::none ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  epoll_event event{};
  event.events = bits_of(to);
  event.data.ptr = who;
  return ::epoll_ctl(epoll_.number(), operation, fd, &event) == 0 ? os_error{} : last_os_error("epoll_ctl");
}

inline std::size_t epoll_poller::wait(std::span<ready_event> out, std::int64_t milliseconds) noexcept {
  epoll_event events[events_max];
  int const room = static_cast<int>(out.size() < events_max ? out.size() : events_max);
  int const count = ::epoll_wait(epoll_.number(), events, room, static_cast<int>(milliseconds));
  if (count <= 0) return 0;  // the time is over, or a signal came
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    out[i] = {static_cast<loop_source*>(events[i].data.ptr), interest_of(events[i].events)};
  }
  return static_cast<std::size_t>(count);
}

/// The event loop of Linux.
using epoll_loop = event_loop<epoll_poller>;

}  // namespace purews::inline v0
