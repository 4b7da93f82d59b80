// SPDX-License-Identifier: BSL-1.0
#include "faults.hpp"

#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace faults {

/// New threads belong to the server.
struct start {
  void* (*body)(void*);
  void* argument;
};
inline void* run_started(void* held) {
  start const what = *static_cast<start*>(held);
  std::free(held);
  spared = false;
  return what.body(what.argument);
}

}  // namespace faults

extern "C" {
int __real_epoll_create1(int);
int __real_epoll_ctl(int, int, int, epoll_event*);
int __real_epoll_wait(int, epoll_event*, int, int);
int __real_eventfd(unsigned, int);
int __real_timerfd_create(int, int);
ssize_t __real_read(int, void*, std::size_t);
ssize_t __real_write(int, void const*, std::size_t);
int __real_accept4(int, sockaddr*, socklen_t*, int);
ssize_t __real_recv(int, void*, std::size_t, int);
ssize_t __real_send(int, void const*, std::size_t, int);
ssize_t __real_sendmsg(int, msghdr const*, int);
int __real_socket(int, int, int);
int __real_bind(int, sockaddr const*, socklen_t);
int __real_listen(int, int);
int __real_connect(int, sockaddr const*, socklen_t);
int __real_setsockopt(int, int, int, void const*, socklen_t);
int __real_getsockopt(int, int, int, void*, socklen_t*);
int __real_getsockname(int, sockaddr*, socklen_t*);
int __real_getpeername(int, sockaddr*, socklen_t*);
int __real_shutdown(int, int);
int __real_close(int);
int __real_unlink(char const*);
int __real_fcntl(int, int, ...);
void* __real_mmap(void*, std::size_t, int, int, int, off_t);
int __real_madvise(void*, std::size_t, int);
ssize_t __real_getrandom(void*, std::size_t, unsigned);
int __real_pthread_create(pthread_t*, pthread_attr_t const*, void* (*)(void*), void*);
int __real_sched_getaffinity(pid_t, std::size_t, cpu_set_t*);
int __real_sched_setaffinity(pid_t, std::size_t, cpu_set_t const*);
void* __real_malloc(std::size_t);
void* __real_realloc(void*, std::size_t);
void* __real_aligned_alloc(std::size_t, std::size_t);

int __wrap_epoll_create1(int flags) {
  return faults::fails(faults::call::epoll_create1) ? -1 : __real_epoll_create1(flags);
}
// Forgetting a descriptor that is known does not fail.
int __wrap_epoll_ctl(int epoll, int operation, int fd, epoll_event* event) {
  if (operation != EPOLL_CTL_DEL && faults::fails(faults::call::epoll_ctl)) return -1;
  return __real_epoll_ctl(epoll, operation, fd, event);
}
int __wrap_epoll_wait(int epoll, epoll_event* events, int room, int timeout) {
  return faults::fails(faults::call::epoll_wait) ? -1 : __real_epoll_wait(epoll, events, room, timeout);
}
int __wrap_eventfd(unsigned count, int flags) {
  return faults::fails(faults::call::eventfd) ? -1 : __real_eventfd(count, flags);
}
int __wrap_timerfd_create(int clock, int flags) {
  return faults::fails(faults::call::timerfd_create) ? -1 : __real_timerfd_create(clock, flags);
}
ssize_t __wrap_read(int fd, void* into, std::size_t size) {
  return faults::fails(faults::call::read) ? -1 : __real_read(fd, into, size);
}
// Of an eventfd: it would block when its counter is full, and so it is from then on.
ssize_t __wrap_write(int fd, void const* from, std::size_t size) {
  if (!faults::fails(faults::call::write)) return __real_write(fd, from, size);
  std::uint64_t const most = UINT64_MAX - 1;
  if (__real_write(fd, &most, sizeof most) < 0 && errno != EAGAIN) std::abort();
  errno = faults::now.code;
  return -1;
}
int __wrap_accept4(int fd, sockaddr* peer, socklen_t* size, int flags) {
  return faults::fails(faults::call::accept4) ? -1 : __real_accept4(fd, peer, size, flags);
}
ssize_t __wrap_recv(int fd, void* into, std::size_t size, int flags) {
  return faults::fails(faults::call::recv) ? -1 : __real_recv(fd, into, size, flags);
}
ssize_t __wrap_send(int fd, void const* from, std::size_t size, int flags) {
  return faults::fails(faults::call::send) ? -1 : __real_send(fd, from, size, flags);
}
ssize_t __wrap_sendmsg(int fd, msghdr const* what, int flags) {
  return faults::fails(faults::call::sendmsg) ? -1 : __real_sendmsg(fd, what, flags);
}
int __wrap_socket(int family, int type, int protocol) {
  return faults::fails(faults::call::socket) ? -1 : __real_socket(family, type, protocol);
}
int __wrap_bind(int fd, sockaddr const* to, socklen_t size) {
  return faults::fails(faults::call::bind) ? -1 : __real_bind(fd, to, size);
}
int __wrap_listen(int fd, int backlog) { return faults::fails(faults::call::listen) ? -1 : __real_listen(fd, backlog); }
int __wrap_connect(int fd, sockaddr const* to, socklen_t size) {
  return faults::fails(faults::call::connect) ? -1 : __real_connect(fd, to, size);
}
int __wrap_setsockopt(int fd, int level, int option, void const* value, socklen_t size) {
  return faults::fails(faults::call::setsockopt) ? -1 : __real_setsockopt(fd, level, option, value, size);
}
// How a connect has ended: with the error, once.
int __wrap_getsockopt(int fd, int level, int option, void* out, socklen_t* size) {
  int const result = __real_getsockopt(fd, level, option, out, size);
  if (option == SO_ERROR && faults::fails(faults::call::getsockopt)) *static_cast<int*>(out) = faults::now.code;
  return result;
}
int __wrap_getsockname(int fd, sockaddr* out, socklen_t* size) {
  return faults::fails(faults::call::getsockname) ? -1 : __real_getsockname(fd, out, size);
}
int __wrap_getpeername(int fd, sockaddr* out, socklen_t* size) {
  return faults::fails(faults::call::getpeername) ? -1 : __real_getpeername(fd, out, size);
}
int __wrap_shutdown(int fd, int how) { return faults::fails(faults::call::shutdown) ? -1 : __real_shutdown(fd, how); }
// Whatever it says, the descriptor is closed.
int __wrap_close(int fd) {
  bool const says_no = faults::fails(faults::call::close);
  int const result = __real_close(fd);
  if (says_no) errno = faults::now.code;
  return says_no ? -1 : result;
}
int __wrap_unlink(char const* path) { return faults::fails(faults::call::unlink) ? -1 : __real_unlink(path); }
int __wrap_fcntl(int fd, int command, ...) {
  std::va_list arguments;
  va_start(arguments, command);
  long const argument = va_arg(arguments, long);
  va_end(arguments);
  return faults::fails(faults::call::fcntl) ? -1 : __real_fcntl(fd, command, argument);
}
void* __wrap_mmap(void* where, std::size_t size, int protection, int flags, int fd, off_t offset) {
  return faults::fails(faults::call::mmap) ? MAP_FAILED : __real_mmap(where, size, protection, flags, fd, offset);
}
int __wrap_madvise(void* where, std::size_t size, int advice) {
  return faults::fails(faults::call::madvise) ? -1 : __real_madvise(where, size, advice);
}
ssize_t __wrap_getrandom(void* into, std::size_t size, unsigned flags) {
  return faults::fails(faults::call::getrandom) ? -1 : __real_getrandom(into, size, flags);
}
int __wrap_pthread_create(pthread_t* thread, pthread_attr_t const* attributes, void* (*body)(void*), void* argument) {
  if (faults::fails(faults::call::pthread_create)) return faults::now.code;
  auto* const held = static_cast<faults::start*>(__real_malloc(sizeof(faults::start)));
  *held = {body, argument};
  int const code = __real_pthread_create(thread, attributes, &faults::run_started, held);
  if (code != 0) std::free(held);
  return code;
}
int __wrap_sched_getaffinity(pid_t who, std::size_t size, cpu_set_t* out) {
  return faults::fails(faults::call::sched_getaffinity) ? -1 : __real_sched_getaffinity(who, size, out);
}
int __wrap_sched_setaffinity(pid_t who, std::size_t size, cpu_set_t const* set) {
  return faults::fails(faults::call::sched_setaffinity) ? -1 : __real_sched_setaffinity(who, size, set);
}
void* __wrap_malloc(std::size_t size) { return faults::fails(faults::call::malloc) ? nullptr : __real_malloc(size); }
void* __wrap_aligned_alloc(std::size_t alignment, std::size_t size) {
  return faults::fails(faults::call::aligned_alloc) ? nullptr : __real_aligned_alloc(alignment, size);
}
void* __wrap_realloc(void* block, std::size_t size) {
  return faults::fails(faults::call::realloc) ? nullptr : __real_realloc(block, size);
}
}

// The standard's own: those for arrays call these.
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (faults::fails(faults::call::operator_new)) throw std::bad_alloc();
  if (void* const block = __real_malloc(size != 0 ? size : 1)) return block;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(std::size_t size, std::nothrow_t const&) noexcept {
  return faults::fails(faults::call::operator_new) ? nullptr : __real_malloc(size != 0 ? size : 1);
}
[[gnu::noinline]] void operator delete(void* block) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete(void* block, std::size_t) noexcept { std::free(block); }
