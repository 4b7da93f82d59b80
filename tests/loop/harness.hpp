// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <tuple>

#ifdef PUREWS_TEST_HOSTED
#include "hosts.hpp"
#else
#ifdef __linux__
#include "purews/loop/epoll.hpp"
#endif
#include "purews/loop/kqueue.hpp"
#endif
#ifdef PUREWS_TEST_URING
#include "purews/loop/io_uring.hpp"
#endif
#include "echo_machine.hpp"
#include "support/catch.hpp"
#include "support/dies.hpp"

/// The loops of this program: those of a kernel, or those that live inside another. On Linux the kqueue is that of
/// stub/kqueue.cpp.
#ifdef PUREWS_TEST_HOSTED
using all_loops = hosted_loops;
#elif defined(PUREWS_TEST_URING)
using all_loops = std::tuple<purews::epoll_loop, purews::kqueue_loop, purews::uring_loop>;
#elif defined(__linux__)
using all_loops = std::tuple<purews::epoll_loop, purews::kqueue_loop>;
#else
using all_loops = std::tuple<purews::kqueue_loop>;
#endif

/// Whether a stream reads into the buffer of a machine that offers one.
template <class Loop>
inline constexpr bool asks_for_room = true;
#ifdef PUREWS_TEST_URING
template <>
inline constexpr bool asks_for_room<purews::uring_loop> = false;
#endif

/// Turns the loop until `done`, within reason.
template <class Loop, class F>
bool turn_until(Loop& loop, F done) {
  for (int i = 0; i < 1000 && !done(); ++i) loop.run_once(purews::milliseconds(10));
  return done();
}

template <class Loop>
void turns(Loop& loop, int count) {
  for (int i = 0; i < count; ++i) loop.run_once(purews::duration{});
}

/// Whether the loop finds nothing to do for 30 ms: a turn that waits cannot return early, except by a signal. Each ring
/// that was closed before counts as one, when the kernel comes to tidy up behind it; a loop that spins fails every
/// time.
template <class Loop>
bool rests(Loop& loop) {
  turns(loop, 3);
  for (int tries = 0; tries < 100; ++tries) {
    purews::instant const before = purews::steady_now();
    loop.run_once(purews::milliseconds(30));
    if (purews::steady_now() - before >= purews::milliseconds(29)) return true;
  }
  return false;
}

/// Runs `body` in a child process; its result is the exit code.
template <class F>
int in_child(F body) {
  std::fflush(nullptr);
  pid_t const child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) ::_exit(body());
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

enum class transport { local, tcp };

struct socket_pair {
  purews::descriptor ours, peers;
};

inline socket_pair connect_pair(transport how) {
  int ends[2];
  if (how == transport::local) {
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  } else {
    purews::listen_result const listening = purews::listen_tcp("127.0.0.1", 0);
    REQUIRE(listening);
    purews::connect_result connecting = purews::connect_tcp(listening.bound);
    REQUIRE(connecting);
    pollfd asked{listening.socket.number(), POLLIN, 0};
    REQUIRE(::poll(&asked, 1, 5000) == 1);
    purews::accept_result accepted = purews::accept_one(listening.socket.number());
    REQUIRE(accepted.socket);
    ends[0] = accepted.socket.release();
    ends[1] = connecting.socket.release();
  }
  REQUIRE(!purews::prepare_socket(ends[0]));
  REQUIRE(!purews::prepare_socket(ends[1]));
  return {purews::descriptor(ends[0]), purews::descriptor(ends[1])};
}

/// The other end of a stream, driven by hand. Nothing here waits.
struct hand {
  purews::descriptor socket;

  /// Sends what the socket takes and says how much that was.
  std::size_t send(std::string_view text) const {
    purews::bytes_view const span = purews::as_bytes(text);
    return purews::send_spans(socket.number(), {&span, 1}).count;
  }
  /// Appends what is there to `got`.
  void collect() {
    static char buffer[65536];
    while (!ended) {
      auto const part = purews::receive(socket.number(), std::as_writable_bytes(std::span(buffer)));
      if (part.would_block()) return;
      ended = part.count == 0;
      got.append(buffer, part.count);
    }
  }
  void shut() const { ::shutdown(socket.number(), SHUT_WR); }

  std::string got{};
  bool ended = false;
};

/// An owner that keeps a record, echoes, and does what a test asks for.
template <class Loop>
struct session {
  using stream = typename Loop::template stream<echo_machine, session>;

  session(Loop& loop, purews::descriptor socket, echo_settings settings = {})
      : held(std::make_unique<stream>(loop, *this, std::move(socket), settings)) {}

  void on_events(stream& s) noexcept {
    ++calls;
    if (parks) s.machine().park();
    for (;;) {
      purews::event const e = s.machine().next();
      if (e.what == purews::kind::none) break;
      if (e.what == purews::kind::closed) closed = true;
      received += e.text();
      if (echoes) s.machine().send(e.payload);
    }
    if (also) also();
  }
  void on_settled(stream& s) noexcept {
    if (at_settled) at_settled(s);
  }
  void on_end(stream&) noexcept {
    ++ends;
    if (at_end) at_end();
  }

  echo_machine& machine() { return held->machine(); }

  bool echoes = true;
  bool parks = false;
  std::string received;
  bool closed = false;
  int calls = 0;
  int ends = 0;
  purews::callback<void()> also;
  purews::callback<void(stream&)> at_settled;
  purews::callback<void()> at_end;
  std::unique_ptr<stream> held;
};

/// A loop, one session on it, and its peer.
template <class Loop>
struct rig {
  explicit rig(transport how = transport::local, echo_settings settings = {}) : rig(connect_pair(how), settings) {}
  rig(socket_pair pair, echo_settings settings)
      : peer{std::move(pair.peers)}, ours(loop, std::move(pair.ours), settings) {
    REQUIRE(!loop.error());
    REQUIRE(!ours.held->start());
  }

  /// Turns, and collects at the peer, until `done`.
  template <class F>
  bool until(F done) {
    return turn_until(loop, [&] {
      peer.collect();
      return done();
    });
  }

  Loop loop;
  hand peer;
  session<Loop> ours;
};
