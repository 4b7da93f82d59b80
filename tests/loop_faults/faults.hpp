// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cerrno>

/// Calls of the system, of the heap and of other libraries that fail when they are told to, and operations of an
/// io_uring. The linker puts them between the library and what it calls (--wrap, see tests/CMakeLists.txt), so that
/// sanitizers keep their own interceptors beneath.
namespace faults {

// clang-format off
#define PUREWS_FAULTY_CALLS(each) \
  each(epoll_create1) each(epoll_ctl) each(epoll_wait) each(eventfd) each(timerfd_create) each(read) each(write) \
  each(accept4) each(recv) each(send) each(sendmsg) each(socket) each(bind) each(listen) each(connect) \
  each(setsockopt) each(getsockopt) each(getsockname) each(getpeername) each(shutdown) each(close) each(unlink) \
  each(fcntl) each(mmap) each(madvise) each(getrandom) each(pthread_create) each(sched_getaffinity) \
  each(sched_setaffinity) each(uring_setup) each(uring_probe) each(uring_buffers) each(uring_submit) each(uring_look) \
  each(uring_wait) each(uring_wait_timeout) each(ring_accept) each(ring_accept_more) each(ring_recv) \
  each(ring_recv_more) each(ring_send) each(ring_sendmsg) each(ring_poll) each(ring_cancel) each(uv_loop_init) \
  each(uv_poll_init) each(malloc) each(realloc) each(aligned_alloc) \
  each(operator_new)
// clang-format on

enum class call {
#define PUREWS_FAULTY(name) name,
  PUREWS_FAULTY_CALLS(PUREWS_FAULTY)
#undef PUREWS_FAULTY
};

inline constexpr char const* names[] = {
#define PUREWS_FAULTY(name) #name,
    PUREWS_FAULTY_CALLS(PUREWS_FAULTY)
#undef PUREWS_FAULTY
};

inline constexpr int calls = static_cast<int>(sizeof names / sizeof names[0]);

/// Which call fails, and how.
struct plan {
  call which = call::close;
  long at = -1;  ///< the number of the call, from 0; -1: none fails
  int code = 0;  ///< errno
};

inline plan now;                       // changed only while there is one thread
inline std::atomic<long> seen[calls];  // since begin()
inline std::atomic<bool> struck{false};
inline thread_local bool spared = true;  ///< calls of this thread neither count nor fail

/// Counts anew, and lets one call of all threads that are not spared fail.
inline void begin(plan next = {}) {
  now = next;
  for (auto& count : seen) count = 0;
  struck = false;
}

inline long count_of(call which) { return seen[static_cast<int>(which)]; }

inline bool fails(call which) noexcept {
  if (spared) return false;
  long const number = seen[static_cast<int>(which)]++;
  if (which != now.which || number != now.at) return false;
  struck = true;
  errno = now.code;
  return true;
}

}  // namespace faults
