// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <sys/types.h>

#include <sys/event.h>
#include <sys/time.h>

#include "event_loop.hpp"

namespace purews::inline v0 {

/// macOS and the BSDs: readiness by kqueue, level-triggered. Reading and writing are two filters there, so that a
/// socket that is ready for both is reported twice.
class kqueue_poller {
 public:
  kqueue_poller() noexcept : kqueue_(::kqueue()) {
    if (!kqueue_ || ::fcntl(kqueue_.number(), F_SETFD, FD_CLOEXEC) < 0) error_ = last_os_error("kqueue");
  }

  template <class Loop>
  using listener_on = readiness_listener<Loop>;
  template <class Loop, byte_machine Machine, class Owner>
  using stream_on = readiness_stream<Loop, Machine, Owner>;

  os_error error() const noexcept { return error_; }
  int number() const noexcept { return kqueue_.number(); }
  os_error change(int fd, interest from, interest to, loop_source* who) noexcept;
  std::size_t wait(std::span<ready_event> out, std::int64_t milliseconds) noexcept;

 private:
  static constexpr std::size_t events_max = 256;

  descriptor kqueue_;
  os_error error_;
};

inline os_error kqueue_poller::change(int fd, interest from, interest to, loop_source* who) noexcept {
  struct kevent changes[2];
  int count = 0;
  for (interest const bit : {interest::read, interest::write}) {
    if (has(from, bit) == has(to, bit)) continue;
    EV_SET(&changes[count++], static_cast<uintptr_t>(fd), bit == interest::read ? EVFILT_READ : EVFILT_WRITE,
           has(to, bit) ? EV_ADD : EV_DELETE, 0, 0, who);
  }
  // After EINTR the changes have been made.
  int const result = ::kevent(kqueue_.number(), changes, count, nullptr, 0, nullptr);
  return result >= 0 || errno == EINTR ? os_error{} : last_os_error("kevent");
}

inline std::size_t kqueue_poller::wait(std::span<ready_event> out, std::int64_t milliseconds) noexcept {
  struct kevent events[events_max];
  int const room = static_cast<int>(out.size() < events_max ? out.size() : events_max);
  timespec limit{};
  limit.tv_sec = static_cast<time_t>(milliseconds / 1000);
  limit.tv_nsec = static_cast<long>(milliseconds % 1000 * 1'000'000);
  int const count = ::kevent(kqueue_.number(), nullptr, 0, events, room, milliseconds < 0 ? nullptr : &limit);
  if (count <= 0) return 0;  // the time is over, or a signal came
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    out[i] = {static_cast<loop_source*>(events[i].udata),
              events[i].filter == EVFILT_WRITE ? interest::write : interest::read};
  }
  return static_cast<std::size_t>(count);
}

/// The event loop of macOS and the BSDs.
using kqueue_loop = event_loop<kqueue_poller>;

}  // namespace purews::inline v0
