// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <uv.h>

#include <new>

#include "default_loop.hpp"

namespace purews::inline v0 {

/// An event loop that lives inside a uv_loop_t. It is the loop of this system, and libuv is told of one descriptor and
/// one timer of it, whatever is on it: turns are made, and all owners and callbacks are called, by uv_run().
///
/// It counts as work while it exists, as a socket that waits does: uv_run() returns after the loop was destroyed, or
/// after uv_stop(). It belongs to the thread of the uv_loop_t, which must outlive it and, before uv_loop_close(), must
/// be run once more: libuv closes its handles there, and only then their memory can be given back.
class libuv_loop : public default_loop {
 public:
  /// Makes a uv_loop_t of its own, which run() runs.
  libuv_loop() noexcept;
  /// Lives inside `uv` from now on.
  explicit libuv_loop(uv_loop_t* uv) noexcept { enter(uv); }
  /// Precondition: what else was opened on a uv_loop_t of its own is closed.
  ~libuv_loop();

  /// Where this loop lives.
  uv_loop_t* uv() const noexcept { return uv_; }

  /// Runs the own uv_loop_t until stop(). Precondition: it has one. Inside somebody else's stop() ends nothing: it is
  /// for whoever asks take_stop().
  void run() noexcept;

 private:
  /// What libuv knows of the loop. It lives on until libuv has closed both handles.
  struct place {
    libuv_loop* loop = nullptr;
    uv_poll_t ready;
    uv_timer_t timer;
    int open = 2;
  };

  bool owns() const noexcept { return uv_ == &own_; }
  void enter(uv_loop_t* uv) noexcept;
  void leave() noexcept;
  void turn() noexcept;
  void set_timer() noexcept;
  static void closed(uv_handle_t* handle) noexcept;

  uv_loop_t own_;
  uv_loop_t* uv_ = nullptr;
  place* place_ = nullptr;
  instant armed_ = never;  ///< when the timer makes a turn
};

inline libuv_loop::libuv_loop() noexcept {
  if (error()) return;
  int const code = ::uv_loop_init(&own_);
  code == 0 ? enter(&own_) : fail({-code, "uv_loop_init", os_error_kind::system});
}

inline libuv_loop::~libuv_loop() {
  leave();
  if (!owns()) return;
  ::uv_run(&own_, UV_RUN_NOWAIT);  // a stop may be left over, which ends the first at once
  ::uv_run(&own_, UV_RUN_NOWAIT);
  PUREWS_ASSERT(::uv_loop_close(&own_) == 0);
}

inline void libuv_loop::enter(uv_loop_t* uv) noexcept {
  uv_ = uv;
  if (error()) return;
  host();
  place_ = new (std::nothrow) place{this, {}, {}};
  if (place_ == nullptr) return fail({ENOMEM, "uv_poll_init", os_error_kind::system});
  if (int const code = ::uv_poll_init(uv, &place_->ready, number())) {
    delete place_;
    place_ = nullptr;
    return fail({-code, "uv_poll_init", os_error_kind::system});
  }
  ::uv_timer_init(uv, &place_->timer);  // neither this nor the start below can fail
  place_->ready.data = place_->timer.data = place_;
  ::uv_poll_start(&place_->ready, UV_READABLE,
                  [](uv_poll_t* ready, int, int) { static_cast<place*>(ready->data)->loop->turn(); });
}

inline void libuv_loop::leave() noexcept {
  if (place_ == nullptr) return;
  ::uv_close(reinterpret_cast<uv_handle_t*>(&place_->ready), closed);
  ::uv_close(reinterpret_cast<uv_handle_t*>(&place_->timer), closed);
}

inline void libuv_loop::closed(uv_handle_t* handle) noexcept {
  auto* const left = static_cast<place*>(handle->data);
  if (--left->open == 0) delete left;
}

inline void libuv_loop::run() noexcept {
  if (error()) return;
  PUREWS_ASSERT(owns());
  if (take_stop()) return;
  set_timer();
  ::uv_run(&own_, UV_RUN_DEFAULT);
}

inline void libuv_loop::turn() noexcept {
  run_once(duration{});
  if (owns() && take_stop()) ::uv_stop(&own_);
  set_timer();
}

/// Leaves the timer as it is when it makes a turn earlier than is needed: most deadlines move to later.
inline void libuv_loop::set_timer() noexcept {
  instant const next = next_turn();
  if (next >= armed_) return;
  std::int64_t const left = (next - steady_now()).ns;
  if (left <= 0) return wake();  // libuv never leaves its timers when one of no delay starts itself again
  armed_ = next;
  auto const milliseconds = static_cast<std::uint64_t>((left - 1) / 1'000'000 + 1);
  auto const make_turn = [](uv_timer_t* timer) {
    libuv_loop& loop = *static_cast<place*>(timer->data)->loop;
    loop.armed_ = never;
    loop.turn();
  };
  ::uv_timer_start(&place_->timer, make_turn, milliseconds, 0);
}

}  // namespace purews::inline v0
