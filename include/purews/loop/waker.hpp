// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "socket.hpp"
#ifdef __linux__
#include <sys/eventfd.h>
#endif

namespace purews::inline v0 {

/// A descriptor that becomes readable when any thread, or a signal handler, says so: an eventfd on Linux, a pipe
/// elsewhere. (EVFILT_USER is not on every BSD, and kevent() is not promised to be safe in a signal handler.)
class waker {
 public:
  waker() noexcept;

  os_error error() const noexcept { return error_; }
  int number() const noexcept { return read_end_.number(); }

  /// Makes the descriptor readable. Any thread, async-signal-safe, keeps errno.
  void wake() noexcept;

  /// Makes the descriptor unreadable again.
  void clear() noexcept;

 private:
  descriptor read_end_;
#ifndef __linux__
  descriptor write_end_;
#endif
  os_error error_;
};

#ifdef __linux__

inline waker::waker() noexcept : read_end_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (!read_end_) error_ = last_os_error("eventfd");
}

inline void waker::wake() noexcept {
  int const saved = errno;
  std::uint64_t const one = 1;
  // It fails only when the counter is full, and then the descriptor is readable already.
  [[maybe_unused]] ssize_t const written = ::write(read_end_.number(), &one, sizeof one);
  errno = saved;
}

inline void waker::clear() noexcept {
  std::uint64_t count = 0;
  [[maybe_unused]] ssize_t const got = ::read(read_end_.number(), &count, sizeof count);
}

#else

inline waker::waker() noexcept {
  int ends[2];
  if (::pipe(ends) < 0) {
    error_ = last_os_error("pipe");
    return;
  }
  read_end_.reset(ends[0]);
  write_end_.reset(ends[1]);
  for (int const end : ends) {
    if (::fcntl(end, F_SETFL, O_NONBLOCK) < 0 || ::fcntl(end, F_SETFD, FD_CLOEXEC) < 0) error_ = last_os_error("fcntl");
  }
}

inline void waker::wake() noexcept {
  int const saved = errno;
  char const one = 1;
  // It fails only when the pipe is full, and then the other end is readable already.
  [[maybe_unused]] ssize_t const written = ::write(write_end_.number(), &one, 1);
  errno = saved;
}

inline void waker::clear() noexcept {
  char drop[64];
  while (::read(read_end_.number(), drop, sizeof drop) == static_cast<ssize_t>(sizeof drop)) continue;
}

#endif

}  // namespace purews::inline v0
