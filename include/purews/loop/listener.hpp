// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "callback.hpp"
#include "clock.hpp"
#include "socket.hpp"
#include "source.hpp"

namespace purews::inline v0 {

/// Accepts connections on a listening socket. When the process or the system has no descriptor or memory left, it
/// pauses for 100 ms: the connection stays in the queue, and a readiness loop would spin on it. Other errors belong to
/// connections that died in the queue, and are skipped.
template <class Loop>
class readiness_listener final : public loop_source {
 public:
  using accepted = callback<void(descriptor, socket_address const&)>;

  /// Takes a socket of listen_tcp(). `each` is called by the loop with a prepared socket and its peer; it must not
  /// throw, nor destroy the listener: close() it instead.
  readiness_listener(Loop& loop, descriptor listening, accepted each)
      : loop_source(listening.release()), loop_(loop), each_(static_cast<accepted&&>(each)) {}
  ~readiness_listener() {
    PUREWS_ASSERT(!accepting_);
    close();
  }

  /// Registers with the loop. After an error nothing will be called.
  [[nodiscard]] os_error start() noexcept;

  /// Leaves connections in the kernel's queue until resume().
  void pause() noexcept;
  void resume() noexcept;

  /// Stops listening: the socket is closed, and connections in its queue are reset.
  void close() noexcept;

 private:
  static constexpr int accepts_max = 64;  ///< in a turn, while others wait

  void on_ready(interest) noexcept override;
  void on_timer() noexcept override { listen(); }
  void on_marked() noexcept override {}

  void listen() noexcept;

  Loop& loop_;
  accepted each_;
  bool paused_ = false;
  bool accepting_ = false;
};

template <class Loop>
os_error readiness_listener<Loop>::start() noexcept {
  if (os_error const e = loop_.attach(*this)) return e;
  os_error const e = loop_.change(*this, interest::read);
  if (e) loop_.detach(*this);
  return e;
}

template <class Loop>
void readiness_listener<Loop>::pause() noexcept {
  paused_ = true;
  if (!attached()) return;
  loop_.disarm(*this);
  static_cast<void>(loop_.change(*this, interest::none));
}

template <class Loop>
void readiness_listener<Loop>::resume() noexcept {
  paused_ = false;
  listen();
}

template <class Loop>
void readiness_listener<Loop>::close() noexcept {
  loop_.detach(*this);
  descriptor const closes(take_number());
}

template <class Loop>
void readiness_listener<Loop>::on_ready(interest) noexcept {
  accepting_ = true;
  for (int i = 0; i < accepts_max && attached() && !paused_; ++i) {
    accept_result got = accept_one(number());
    if (got.socket) {
      each_(static_cast<descriptor&&>(got.socket), got.peer);
      continue;
    }
    if (got.error == EAGAIN || got.error == EWOULDBLOCK) break;
    if (!accept_is_exhausted(got.error)) continue;
    static_cast<void>(loop_.change(*this, interest::none));
    loop_.arm(*this, loop_.now() + accept_rest);
    break;
  }
  accepting_ = false;
}

/// Asks for connections again; when even that needs memory that is not there, later.
template <class Loop>
void readiness_listener<Loop>::listen() noexcept {
  if (!attached() || paused_) return;
  if (loop_.change(*this, interest::read)) loop_.arm(*this, loop_.now() + accept_rest);
}

}  // namespace purews::inline v0
