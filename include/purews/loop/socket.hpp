// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "../protocol/time.hpp"
#include "../wire/assert.hpp"
#include "address.hpp"
#include "descriptor.hpp"

namespace purews::inline v0 {

/// Whether several sockets may listen on one port (SO_REUSEPORT), one for each thread.
enum class port_sharing : std::uint8_t { exclusive, shared };

/// Whether the kernel spreads connections over the sockets that share a port. Where it does not (macOS), let one
/// thread accept and hand the sockets to the others with post().
#if defined(__linux__) || defined(SO_REUSEPORT_LB)
inline constexpr bool shared_port_balances = true;
#else
inline constexpr bool shared_port_balances = false;
#endif

/// When the system gives up a TCP connection whose peer is silent: after idle, every interval, count times. It finds
/// what the pings of the protocol find, also before and after the WebSocket connection. Whole seconds; `forever` for
/// `idle` turns it off.
struct tcp_keep_alive {
  duration idle = seconds(60);
  duration interval = seconds(10);
  int count = 3;
};

/// Options of the connections that a listening socket accepts. They inherit them, so that no call is spent on each.
struct tcp_options {
  tcp_keep_alive keep_alive{};
  int send_buffer_bytes = 0;     ///< 0: the system tunes it, which setting it would end
  int receive_buffer_bytes = 0;  ///< the same
};

struct listen_options {
  int backlog = 4096;  ///< connections that wait for accept(); the system may lower it
  port_sharing sharing = port_sharing::exclusive;
  tcp_options tcp{};
};

struct listen_result {
  descriptor socket{};
  socket_address bound{};  ///< with the port that the system chose for port 0
  os_error error{};

  explicit operator bool() const noexcept { return static_cast<bool>(socket); }
};

/// Listens on the first address of `host` that can be bound; see resolve(). The socket is ready for a listener.
listen_result listen_tcp(std::string_view host, std::uint16_t port, listen_options options = {}) noexcept;

/// Listens on a local socket (AF_UNIX) that it makes at `path`. One that is left over from a process that has ended is
/// replaced; any other file, or a socket that somebody listens on, is not (EADDRINUSE). Who closes the socket removes
/// the file.
listen_result listen_local(std::string_view path, listen_options options = {}) noexcept;

/// Removes the file of a local socket that was listened on. Does nothing for another address.
void remove_socket_file(socket_address const& bound) noexcept;

struct connect_result {
  descriptor socket{};
  os_error error{};

  explicit operator bool() const noexcept { return static_cast<bool>(socket); }
};

/// Begins to connect, to a local socket too, and does not wait: when the socket becomes writable, ask
/// connect_outcome().
connect_result connect_tcp(socket_address const& to) noexcept;

/// How a connect that was begun has ended: 0, or errno.
int connect_outcome(int socket) noexcept;

struct accept_result {
  descriptor socket{};
  socket_address peer{};
  int error = 0;  ///< errno, when there is no socket
};

/// Accepts one connection that is waiting. Its socket is prepared.
accept_result accept_one(int listening) noexcept;

/// Whether accepting failed because the process or the system has no descriptor or memory left. The connection stays in
/// the queue: a loop is to ask again after a rest, and not to spin.
constexpr bool accept_is_exhausted(int error) noexcept {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}
inline constexpr duration accept_rest = milliseconds(100);

/// Makes a socket fit for a loop: non-blocking, closed on exec, without Nagle's delay, without SIGPIPE. Sockets from
/// listen_tcp(), accept_one() and connect_tcp() are that already. A socket that is not TCP has no delay.
os_error prepare_socket(int socket) noexcept;

struct io_result {
  std::size_t count = 0;
  int error = 0;  ///< errno

  bool would_block() const noexcept { return error == EAGAIN || error == EWOULDBLOCK; }
};

/// The most spans that one call sends.
inline constexpr std::size_t send_spans_max = 64;

/// Sends the spans by one system call. `count` is what the kernel took. Never raises SIGPIPE.
/// Precondition: at most send_spans_max of them.
io_result send_spans(int socket, std::span<bytes_view const> spans) noexcept;

/// Receives what is there. A count of 0 without an error is the end of the stream. Precondition: `into` is not empty.
io_result receive(int socket, bytes into) noexcept;

inline os_error set_option(int socket, int level, int option, char const* name, int value = 1) noexcept {
  return ::setsockopt(socket, level, option, &value, sizeof value) == 0 ? os_error{} : last_os_error(name);
}

inline os_error prepare_socket(int socket) noexcept {
  int const flags = ::fcntl(socket, F_GETFL);
  if (flags < 0 || ::fcntl(socket, F_SETFL, flags | O_NONBLOCK) < 0) return last_os_error("fcntl");
  if (::fcntl(socket, F_SETFD, FD_CLOEXEC) < 0) return last_os_error("fcntl");
  set_option(socket, IPPROTO_TCP, TCP_NODELAY, "setsockopt");  // fails on a local socket, which has no delay
#ifdef SO_NOSIGPIPE
  return set_option(socket, SOL_SOCKET, SO_NOSIGPIPE, "setsockopt SO_NOSIGPIPE");
#else
  return {};
#endif
}

/// Opens a prepared socket.
inline os_error open_socket(int family, descriptor& out) noexcept {
#ifdef SOCK_CLOEXEC
  out.reset(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));  // nothing is leaked by a fork() in between
#else
  out.reset(::socket(family, SOCK_STREAM, 0));
#endif
  return out ? prepare_socket(out.number()) : last_os_error("socket");
}

inline os_error share_port(int socket) noexcept {
#if defined(SO_REUSEPORT_LB)
  return set_option(socket, SOL_SOCKET, SO_REUSEPORT_LB, "setsockopt SO_REUSEPORT_LB");
#else
  return set_option(socket, SOL_SOCKET, SO_REUSEPORT, "setsockopt SO_REUSEPORT");
#endif
}

inline os_error set_keep_alive(int socket, tcp_keep_alive const& how) noexcept {
  if (how.idle == forever) return {};
  auto const whole = [](duration d) { return d.ns < 1'000'000'000 ? 1 : static_cast<int>(d.ns / 1'000'000'000); };
#ifdef TCP_KEEPIDLE
  constexpr int idle = TCP_KEEPIDLE;
#else
  constexpr int idle = TCP_KEEPALIVE;
#endif
  if (os_error const e = set_option(socket, SOL_SOCKET, SO_KEEPALIVE, "setsockopt SO_KEEPALIVE")) return e;
  if (os_error const e = set_option(socket, IPPROTO_TCP, idle, "setsockopt TCP_KEEPIDLE", whole(how.idle))) return e;
  if (os_error const e =
          set_option(socket, IPPROTO_TCP, TCP_KEEPINTVL, "setsockopt TCP_KEEPINTVL", whole(how.interval)))
    return e;
  return set_option(socket, IPPROTO_TCP, TCP_KEEPCNT, "setsockopt TCP_KEEPCNT", how.count);
}

inline os_error set_buffers(int socket, tcp_options const& how) noexcept {
  if (int const size = how.send_buffer_bytes; size > 0) {
    if (os_error const e = set_option(socket, SOL_SOCKET, SO_SNDBUF, "setsockopt SO_SNDBUF", size)) return e;
  }
  if (int const size = how.receive_buffer_bytes; size > 0)
    return set_option(socket, SOL_SOCKET, SO_RCVBUF, "setsockopt SO_RCVBUF", size);
  return {};
}

inline os_error listen_on(socket_address const& address, listen_options options, listen_result& out) noexcept {
  descriptor socket;
  if (os_error const e = open_socket(address.family(), socket)) return e;
  int const number = socket.number();
  if (os_error const e = set_option(number, SOL_SOCKET, SO_REUSEADDR, "setsockopt SO_REUSEADDR")) return e;
  if (options.sharing == port_sharing::shared) {
    if (os_error const e = share_port(number)) return e;
  }
  if (os_error const e = set_buffers(number, options.tcp)) return e;
  if (address.family() != AF_UNIX) {
    if (os_error const e = set_keep_alive(number, options.tcp.keep_alive)) return e;
  }
  // The systems differ in their default: "::" is to mean IPv4 as well.
  if (address.family() == AF_INET6) set_option(number, IPPROTO_IPV6, IPV6_V6ONLY, "setsockopt IPV6_V6ONLY", 0);
  if (::bind(number, address.data(), address.size) < 0) return last_os_error("bind");
  os_error const e = ::listen(number, options.backlog) < 0 ? last_os_error("listen") : local_address(number, out.bound);
  if (e) {
    remove_socket_file(address);  // bind() has made it
    return e;
  }
  out.socket = static_cast<descriptor&&>(socket);
  return {};
}

inline listen_result listen_tcp(std::string_view host, std::uint16_t port, listen_options options) noexcept {
  listen_result out;
  address_list const found = resolve(host, port, resolve_for::listening);
  out.error = found.error();
  for (socket_address const& address : found) {
    out.error = listen_on(address, options, out);
    if (!out.error) break;
  }
  return out;
}

inline void remove_socket_file(socket_address const& bound) noexcept {
  if (std::string_view const path = bound.path(); !path.empty()) ::unlink(path.data());
}

inline listen_result listen_local(std::string_view path, listen_options options) noexcept {
  listen_result out;
  options.sharing = port_sharing::exclusive;
  socket_address const address = local_path(path);
  out.error = {ENAMETOOLONG, "bind", os_error_kind::system};
  if (address.size == 0) return out;
  out.error = listen_on(address, options, out);
  if (out.error.code != EADDRINUSE) return out;
  struct stat there {};
  if (::lstat(address.path().data(), &there) != 0 || !S_ISSOCK(there.st_mode)) return out;
  connect_result const somebody = connect_tcp(address);
  if (somebody || somebody.error.code != ECONNREFUSED) return out;  // refused: nobody listens there any more
  remove_socket_file(address);
  out.error = listen_on(address, options, out);
  return out;
}

inline connect_result connect_tcp(socket_address const& to) noexcept {
  connect_result out;
  out.error = open_socket(to.family(), out.socket);
  if (out.error) return {{}, out.error};
  // After EINTR the kernel goes on connecting, exactly as after EINPROGRESS.
  if (::connect(out.socket.number(), to.data(), to.size) == 0 || errno == EINPROGRESS || errno == EINTR) return out;
  return {{}, last_os_error("connect")};
}

inline int connect_outcome(int socket) noexcept {
  int code = 0;
  socklen_t size = sizeof code;
  return ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &code, &size) == 0 ? code : errno;
}

inline accept_result accept_one(int listening) noexcept {
  accept_result out;
  int number = -1;
  do {
    out.peer.size = sizeof out.peer.storage;
    sockaddr* const peer = reinterpret_cast<sockaddr*>(&out.peer.storage);
#ifdef __linux__
    number = ::accept4(listening, peer, &out.peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC);  // TCP_NODELAY is inherited
#else
    number = ::accept(listening, peer, &out.peer.size);
#endif
  } while (number < 0 && errno == EINTR);
  if (number < 0) {
    out.error = errno;
    return out;
  }
  out.socket.reset(number);
#ifndef __linux__
  if (os_error const e = prepare_socket(number)) {
    out.socket.reset();
    out.error = e.code;
  }
#endif
  return out;
}

inline io_result send_spans(int socket, std::span<bytes_view const> spans) noexcept {
  PUREWS_ASSERT(spans.size() <= send_spans_max);
#ifdef MSG_NOSIGNAL
  constexpr int flags = MSG_NOSIGNAL;
#else
  constexpr int flags = 0;  // the socket has SO_NOSIGPIPE
#endif
  iovec parts[send_spans_max];
  for (std::size_t i = 0; i < spans.size(); ++i) {
    parts[i].iov_base = const_cast<std::byte*>(spans[i].data());  // sendmsg only reads
    parts[i].iov_len = spans[i].size();
  }
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = static_cast<decltype(message.msg_iovlen)>(spans.size());
  for (;;) {
    ssize_t const sent = spans.size() == 1 ? ::send(socket, spans[0].data(), spans[0].size(), flags)
                                           : ::sendmsg(socket, &message, flags);
    if (sent >= 0) return {static_cast<std::size_t>(sent), 0};
    if (errno != EINTR) return {0, errno};
  }
}

inline io_result receive(int socket, bytes into) noexcept {
  PUREWS_ASSERT(!into.empty());
  for (;;) {
    ssize_t const got = ::recv(socket, into.data(), into.size(), 0);
    if (got >= 0) return {static_cast<std::size_t>(got), 0};
    if (errno != EINTR) return {0, errno};
  }
}

}  // namespace purews::inline v0
