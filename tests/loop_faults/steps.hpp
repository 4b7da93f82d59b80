// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>
#include <tuple>
#include <vector>

#ifdef PUREWS_TEST_HOSTED
#include "loop/hosts.hpp"
#else
#include "purews/loop/epoll.hpp"
#endif
#ifdef PUREWS_TEST_URING
#include "purews/loop/io_uring.hpp"
#endif
#include "faults.hpp"
#include "support/catch.hpp"
#include "support/descriptors.hpp"

/// Lives in which everything may fail, once each.
namespace faults {

#ifdef PUREWS_TEST_HOSTED
using loops = hosted_loops;
#elif defined(PUREWS_TEST_URING)
using loops = std::tuple<purews::epoll_loop, purews::uring_loop>;
#else
using loops = std::tuple<purews::epoll_loop>;
#endif

/// What a life is about; as a set, in which lives a call is made.
enum life : unsigned {
  epoll_server = 1,
  uring_server = 2,
  epoll_client = 4,
  uring_client = 8,
  asio_server = 16,
  libuv_server = 32,
  servers = epoll_server | uring_server,
  clients = epoll_client | uring_client,
  epoll_both = epoll_server | epoll_client,
  uring_both = uring_server | uring_client,
  hosted = asio_server | libuv_server,
  all = servers | clients | hosted,
};

struct life_kinds {
  life server, client;
};
template <class Loop>
inline constexpr life_kinds kinds_of{};
#ifdef PUREWS_TEST_ASIO
template <>
inline constexpr life_kinds kinds_of<purews::asio_loop>{asio_server, {}};
#endif
#ifdef PUREWS_TEST_LIBUV
template <>
inline constexpr life_kinds kinds_of<purews::libuv_loop>{libuv_server, {}};
#endif
#ifndef PUREWS_TEST_HOSTED
template <>
inline constexpr life_kinds kinds_of<purews::epoll_loop>{epoll_server, epoll_client};
#endif
#ifdef PUREWS_TEST_URING
template <>
inline constexpr life_kinds kinds_of<purews::uring_loop>{uring_server, uring_client};
#endif

struct faulty {
  call which;
  std::vector<int> codes;  ///< that the kernel may give us; for the heap, whatever
  unsigned made_in;        ///< lives
};

/// What is not said of the loops inside another fails in that of this system, which is in them. Asio and libuv do not
/// look at what their own epoll_ctl says.
inline std::vector<faulty> const& table() {
  static std::vector<faulty> const every{
      {call::epoll_create1, {EMFILE, ENFILE, ENOMEM}, all},
      {call::epoll_ctl, {ENOMEM, ENOSPC}, servers | clients},
      {call::epoll_wait, {EINTR}, servers | epoll_client | hosted},
      {call::eventfd, {EMFILE, ENFILE, ENOMEM, ENODEV}, all},
      {call::timerfd_create, {EMFILE, ENFILE, ENOMEM}, asio_server},
      {call::read, {EAGAIN, EINTR}, servers | hosted},
      {call::write, {EAGAIN}, all},
      {call::accept4,
       {EAGAIN, EINTR, ECONNABORTED, EMFILE, ENFILE, ENOBUFS, ENOMEM, EPROTO, EPERM, ENETDOWN},
       epoll_server},
      {call::recv, {EAGAIN, EINTR, ECONNRESET, ETIMEDOUT, ENOMEM, ENOBUFS, EHOSTUNREACH}, epoll_both},
      {call::send, {EAGAIN, EINTR, ECONNRESET, EPIPE, ENOMEM, ENOBUFS, ETIMEDOUT}, epoll_both},
      {call::sendmsg, {EAGAIN, EINTR, ECONNRESET, EPIPE, ENOMEM, ENOBUFS}, 0},
      {call::socket, {EMFILE, ENFILE, ENOBUFS, ENOMEM, EACCES, EAFNOSUPPORT}, servers | clients},
      {call::bind, {EADDRINUSE, EACCES, EADDRNOTAVAIL, ENOMEM}, servers},
      {call::listen, {EADDRINUSE, EOPNOTSUPP}, servers},
      {call::connect,
       {ECONNREFUSED, ETIMEDOUT, ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL, EACCES, EPERM, EAGAIN, ENOBUFS},
       clients},
      {call::setsockopt, {ENOPROTOOPT, ENOMEM, EPERM}, servers | clients},
      {call::getsockopt, {ECONNREFUSED, ETIMEDOUT, ECONNRESET, EHOSTUNREACH, ENETUNREACH, EPIPE}, clients},
      {call::getsockname, {ENOBUFS}, servers},
      {call::getpeername, {ENOTCONN, ENOBUFS}, servers},
      {call::shutdown, {ENOTCONN}, servers},
      {call::close, {EINTR, EIO}, servers | clients},
      {call::unlink, {EACCES, EPERM, EROFS}, servers},
      {call::fcntl, {ENOMEM}, servers | clients},
      {call::mmap, {ENOMEM}, servers | clients},
      {call::madvise, {EINVAL, ENOMEM}, servers},
      {call::getrandom, {EINTR}, servers | clients},
      {call::pthread_create, {EAGAIN}, servers},
      {call::sched_getaffinity, {EPERM}, servers},
      {call::sched_setaffinity, {EPERM, EINVAL}, servers},
      {call::uring_setup, {EINVAL, EPERM, ENOSYS, ENOMEM, EMFILE, ENFILE}, uring_both},
      {call::uring_probe, {EOPNOTSUPP}, uring_both},
      {call::uring_buffers, {ENOMEM, EINVAL, EPERM}, uring_both},
      {call::uring_submit, {EAGAIN, EBUSY, EINTR, ENOMEM}, uring_client},
      {call::uring_look, {EAGAIN, EBUSY, EINTR, ENOMEM}, uring_both},
      {call::uring_wait, {EAGAIN, EBUSY, EINTR, ENOMEM}, uring_server},
      {call::uring_wait_timeout, {ETIME, EAGAIN, EBUSY, EINTR, ENOMEM}, uring_both},
      {call::ring_accept,
       {EMFILE, ENFILE, ENOBUFS, ENOMEM, ECONNABORTED, EINTR, EPROTO, EPERM, ENETDOWN},
       uring_server},
      {call::ring_accept_more, {EMFILE, ENFILE, ENOBUFS, ENOMEM, ECONNABORTED, EINTR, EPROTO, ECANCELED}, uring_server},
      {call::ring_recv, {ENOBUFS, ECONNRESET, ETIMEDOUT, ENOMEM, EHOSTUNREACH, EINTR, ECANCELED}, uring_both},
      {call::ring_recv_more, {ENOBUFS, ECONNRESET, ETIMEDOUT, ENOMEM, EINTR, ECANCELED}, uring_both},
      {call::ring_send, {EAGAIN, EINTR, ECONNRESET, EPIPE, ENOMEM, ENOBUFS, ETIMEDOUT, ECANCELED}, uring_both},
      {call::ring_sendmsg, {EAGAIN, EINTR, ECONNRESET, EPIPE, ENOMEM, ENOBUFS, ECANCELED}, 0},
      {call::ring_poll, {ENOMEM, ECANCELED}, uring_both},
      {call::ring_cancel, {ENOENT, EALREADY}, uring_both},
      {call::uv_loop_init, {EMFILE, ENFILE, ENOMEM}, libuv_server},
      {call::uv_poll_init, {ENOMEM, EPERM}, libuv_server},
      {call::malloc, {ENOMEM}, all},
      {call::realloc, {ENOMEM}, all},
      {call::aligned_alloc, {ENOMEM}, 0},
      {call::operator_new, {ENOMEM}, servers | uring_client | hosted},
  };
  return every;
}

inline char running_now[160];
[[noreturn]] inline void hung(int) {
  [[maybe_unused]] ssize_t const written = ::write(2, running_now, std::strlen(running_now));
  std::signal(SIGALRM, SIG_DFL);
  std::abort();
}

/// Runs one life, in which one thing fails, and checks what is left of it; it must not hang. False: what is to fail was
/// not reached. `resting` are the fewest descriptors that were ever open between two lives: a peer may just have
/// accepted a connection of the life before.
template <class Life>
bool survives(plan what, int& resting, Life live) {
  std::snprintf(running_now, sizeof running_now, "hung: call %ld of %s gave %s\n", what.at,
                names[static_cast<int>(what.which)], ::strerrorname_np(what.code));
  INFO(std::string(running_now));
  ::alarm(120);
  begin(what);
  live(what);
  int open = test::open_descriptors();
  for (int i = 0; i < 10'000 && open > resting; ++i) {  // a peer may be slower
    ::usleep(1000);
    open = test::open_descriptors();
  }
  ::alarm(0);
  if (open > resting) CHECK(open == resting);
  resting = std::min(resting, open);
  return struck;
}

enum class part { system, heap };

/// Lives of one kind, in each of which one call fails: to the system, or to the heap.
template <class Life>
void fail_each(life kind, part which, Life live) {
  std::signal(SIGALRM, hung);
  // What is made once and kept, by this thread and the libraries, is made first.
  begin();
  live({});
  ::usleep(200'000);  // and its peer has closed, too
  int resting = test::open_descriptors();
  CHECK(survives({}, resting, live) == false);
  std::vector<long> counts;
  for (faulty const& f : table()) counts.push_back(count_of(f.which));
  int lives = 0;
  for (std::size_t i = 0; i < table().size(); ++i) {
    faulty const& f = table()[i];
    if ((f.which >= call::malloc) != (which == part::heap)) continue;
    bool const expected = (f.made_in & kind) != 0;
    if ((kind & hosted) != 0 && !expected && which == part::system) continue;
    INFO(names[static_cast<int>(f.which)]);
    if (expected) CHECK(counts[i] > 0);
    // The first ones with each error; behind them one here and there, with one or the other.
    long const dense = which == part::heap ? 32 : 4;
    long const step = counts[i] > dense + 12 ? (counts[i] - dense) / 12 : 1;
    std::size_t turn = 0;
    for (long at = 0; at < counts[i]; at += at < dense ? 1 : step) {
      for (std::size_t k = 0; k < f.codes.size(); ++k) {
        if (at >= dense && k != turn % f.codes.size()) continue;
        survives({f.which, at, f.codes[k]}, resting, live);
        ++lives;
      }
      ++turn;
    }
  }
  CHECK(lives > (which == part::heap ? 3 : 20));
  std::signal(SIGALRM, SIG_DFL);
}

}  // namespace faults
