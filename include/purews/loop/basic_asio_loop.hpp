// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>
#include <memory>

#include "default_loop.hpp"

namespace purews::inline v0 {

/// An event loop that lives inside an Asio io_context: asio_loop and boost_asio_loop are what one uses. `Asio` has the
/// types of one of the two Asios.
///
/// It is the loop of this system, and Asio is told of one descriptor and one timer of it, whatever is on it: turns are
/// made, and all owners and callbacks are called, on its executor. With a context that several threads run, that must
/// be a strand. Streams, timers, watches and the loop itself are then for that executor only; post() and stop() are for
/// all threads, as ever.
///
/// It counts as work while it exists, as a socket that waits does: the context's run() returns after the loop was
/// destroyed, or when it is stopped. The context must outlive the loop, and when neither runs any more it does not
/// matter in which thread the loop is destroyed. Handlers of it that wait in the context then do nothing.
///
/// Asio takes memory for its first waits when the loop is made, and uses that again; should it want more and there is
/// none, std::bad_alloc leaves the context's run().
template <class Asio>
class basic_asio_loop : public default_loop {
 public:
  using executor_type = typename Asio::any_io_executor;

  /// Makes a context of its own, which run() runs; more can be put on it by executor().
  basic_asio_loop() noexcept { enter(nullptr); }
  /// Lives inside the context of `executor` from now on.
  explicit basic_asio_loop(executor_type executor) noexcept { enter(&executor); }
  ~basic_asio_loop();

  /// Where everything on this loop is called.
  executor_type const& executor() const noexcept { return executor_; }

  /// Runs the own context until stop(); what else is on it must not throw. Precondition: it has one. Inside somebody
  /// else's context stop() ends nothing: it is for whoever asks take_stop().
  void run() noexcept;

 private:
  using context_type = typename Asio::io_context;
  using error_code = typename Asio::error_code;

  /// What Asio knows of the loop.
  struct place {
    explicit place(executor_type const& executor) : ready(executor), timer(executor) {}
    typename Asio::stream_descriptor ready;
    typename Asio::steady_timer timer;
  };

  void enter(executor_type const* given) noexcept;
  void turn();
  void wait_ready();
  void wait_timer();

  std::unique_ptr<context_type> own_;
  executor_type executor_;
  std::unique_ptr<place> place_;
  std::shared_ptr<basic_asio_loop*> self_;  ///< shared with the handlers; null when the loop is gone
  instant armed_ = never;                   ///< when the timer makes a turn
};

template <class Asio>
basic_asio_loop<Asio>::~basic_asio_loop() {
  if (self_) *self_ = nullptr;
  if (place_ && place_->ready.is_open()) static_cast<void>(place_->ready.release());  // the descriptor is the loop's
  place_.reset();
  // Posts may hold what lives on the own context, and handlers there what lives on this loop.
  drop_posts();
  executor_ = executor_type();
  own_.reset();
}

template <class Asio>
void basic_asio_loop<Asio>::enter(executor_type const* given) noexcept {
  if (error()) return;
  host();
  try {
    if (given == nullptr) own_ = std::make_unique<context_type>(1);
    executor_ = given == nullptr ? executor_type(own_->get_executor()) : *given;
    place_ = std::make_unique<place>(executor_);
    self_ = std::make_shared<basic_asio_loop*>(this);
    place_->ready.assign(number());
    wait_ready();
  } catch (typename Asio::system_error const& failed) {
    fail({failed.code().value(), "asio", os_error_kind::system});
  } catch (std::bad_alloc const&) {
    fail({ENOMEM, "asio", os_error_kind::system});
  }
}

template <class Asio>
void basic_asio_loop<Asio>::run() noexcept {
  if (error()) return;
  PUREWS_ASSERT(own_ != nullptr);
  if (take_stop()) return;
  own_->restart();
  wait_timer();
  own_->run();
}

template <class Asio>
void basic_asio_loop<Asio>::turn() {
  run_once(duration{});
  if (own_ && take_stop()) own_->stop();
  wait_timer();
}

/// Waits again after the turn, not before: what the turn takes would be reported once more.
template <class Asio>
void basic_asio_loop<Asio>::wait_ready() {
  place_->ready.async_wait(Asio::stream_descriptor::wait_read, [self = self_](error_code const& failed) {
    if (*self == nullptr || failed) return;
    (*self)->turn();
    (*self)->wait_ready();
  });
}

/// Leaves the timer as it is when it makes a turn earlier than is needed: most deadlines move to later.
template <class Asio>
void basic_asio_loop<Asio>::wait_timer() {
  instant const next = next_turn();
  if (next >= armed_) return;
  armed_ = next;
  place_->timer.expires_after(std::chrono::nanoseconds((next - steady_now()).ns));
  place_->timer.async_wait([self = self_](error_code const& moved) {
    if (*self == nullptr || moved) return;
    (*self)->armed_ = never;
    (*self)->turn();
  });
}

}  // namespace purews::inline v0
