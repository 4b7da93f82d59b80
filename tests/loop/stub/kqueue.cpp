// SPDX-License-Identifier: BSL-1.0
// A kqueue for the tests, over epoll: two level-triggered filters for each descriptor, reported apart. A descriptor
// must be deleted before it is closed, as the loop does it.
#include <sys/epoll.h>
#include <sys/event.h>

#include <cerrno>
#include <map>
#include <mutex>

/// Whether kqueue() fails as on a kernel without it.
bool kqueue_is_absent = false;

namespace {

constexpr std::uint32_t broken = EPOLLERR | EPOLLHUP;

struct filters {
  std::uint32_t events = 0;
  void* reads = nullptr;
  void* writes = nullptr;
};

std::mutex guard;
std::map<std::pair<int, int>, filters> known;  // by queue and descriptor

int apply(int queue, struct kevent const& change) {
  std::lock_guard const lock(guard);
  int const fd = static_cast<int>(change.ident);
  std::uint32_t const bit = change.filter == EVFILT_READ ? EPOLLIN : EPOLLOUT;
  filters& entry = known[{queue, fd}];
  filters const before = entry;
  if ((change.flags & EV_ADD) != 0) {
    (bit == EPOLLIN ? entry.reads : entry.writes) = change.udata;
    entry.events |= bit;
  } else {
    entry.events &= ~bit;
  }
  int result = -1;
  errno = ENOENT;
  if (before.events != 0 || entry.events != 0) {
    epoll_event event{};
    event.events = entry.events;
    event.data.fd = fd;
    result = ::epoll_ctl(queue,
                         before.events == 0  ? EPOLL_CTL_ADD
                         : entry.events == 0 ? EPOLL_CTL_DEL
                                             : EPOLL_CTL_MOD,
                         fd, &event);
  }
  if (result < 0) entry = before;
  if (entry.events == 0) known.erase({queue, fd});
  return result;
}

}  // namespace

extern "C" int kqueue() {
  if (kqueue_is_absent) {
    errno = ENOSYS;
    return -1;
  }
  int const queue = ::epoll_create1(0);
  std::lock_guard const lock(guard);
  // The number may have been that of a queue which was closed since.
  known.erase(known.lower_bound({queue, 0}), known.lower_bound({queue + 1, 0}));
  return queue;
}

extern "C" int kevent(int queue, struct kevent const* changes, int change_count, struct kevent* events, int event_count,
                      timespec const* timeout) {
  for (int i = 0; i < change_count; ++i) {
    if (apply(queue, changes[i]) < 0) return -1;
  }
  if (event_count == 0) return 0;
  epoll_event ready[128];
  int const room = event_count / 2 < 128 ? (event_count + 1) / 2 : 128;
  int const limit =
      timeout == nullptr ? -1 : static_cast<int>(timeout->tv_sec * 1000 + (timeout->tv_nsec + 999'999) / 1'000'000);
  int const count = ::epoll_wait(queue, ready, room, limit);
  if (count < 0) return -1;
  std::lock_guard const lock(guard);
  int reported = 0;
  for (int i = 0; i < count; ++i) {
    int const fd = ready[i].data.fd;
    bool const ended = (ready[i].events & broken) != 0;
    filters const& entry = known[{queue, fd}];
    for (std::uint32_t const bit : {std::uint32_t{EPOLLIN}, std::uint32_t{EPOLLOUT}}) {
      if ((entry.events & bit) == 0 || (ready[i].events & (bit | broken)) == 0 || reported == event_count) continue;
      EV_SET(&events[reported++], static_cast<uintptr_t>(fd), bit == EPOLLIN ? EVFILT_READ : EVFILT_WRITE,
             ended ? EV_EOF : 0, 0, 0, bit == EPOLLIN ? entry.reads : entry.writes);
    }
  }
  return reported;
}
