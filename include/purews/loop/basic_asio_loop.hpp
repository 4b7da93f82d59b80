// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <new>

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
/// Asio's waits live in memory that is set aside when the loop is made. On a strand it takes more, and should there be
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

  /// What the loop shares with its handlers: where it is, and room for Asio's waits. Besides the two that are under way
  /// there may be two that were cancelled and are yet to be told.
  struct shared {
    static constexpr int rooms_max = 4;
    basic_asio_loop* loop;      ///< null when it is gone
    bool used[rooms_max] = {};  // atomic
    alignas(std::max_align_t) std::byte rooms[rooms_max][320];
  };

  /// Gives handlers that room; and the heap's, should it not be enough.
  template <class T>
  struct room_allocator {
    using value_type = T;
    explicit room_allocator(shared* s) noexcept : of(s) {}
    template <class U>
    room_allocator(room_allocator<U> const& other) noexcept : of(other.of) {}
    T* allocate(std::size_t n);
    void deallocate(T* place, std::size_t) noexcept;
    template <class U>
    bool operator==(room_allocator<U> const& other) const noexcept {
      return of == other.of;
    }
    shared* of;
  };

  struct handler {
    using allocator_type = room_allocator<void>;
    allocator_type get_allocator() const noexcept { return allocator_type(rooms); }
    void operator()(error_code const& failed) const {
      if (self->loop != nullptr && !failed) (self->loop->*then)();
    }
    std::shared_ptr<shared> self;
    void (basic_asio_loop::*then)();
    shared* rooms;  // Asio asks for the allocator of a handler that it has moved from
  };

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
  void on_ready();
  void on_timer();

  std::unique_ptr<context_type> own_;
  executor_type executor_;
  std::unique_ptr<place> place_;
  std::shared_ptr<shared> self_;
  instant armed_ = never;  ///< when the timer makes a turn
};

template <class Asio>
basic_asio_loop<Asio>::~basic_asio_loop() {
  if (self_) self_->loop = nullptr;
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
    self_ = std::make_shared<shared>();
    self_->loop = this;
    place_->ready.assign(number());
    wait_ready();
    // A timer for nothing, so that Asio has the memory for one from now on.
    place_->timer.expires_after(std::chrono::hours(1));
    place_->timer.async_wait(handler{self_, &basic_asio_loop::on_timer, self_.get()});
    place_->timer.cancel();
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

template <class Asio>
void basic_asio_loop<Asio>::wait_ready() {
  place_->ready.async_wait(Asio::stream_descriptor::wait_read, handler{self_, &basic_asio_loop::on_ready, self_.get()});
}

/// Waits again after the turn, not before: what the turn takes would be reported once more.
template <class Asio>
void basic_asio_loop<Asio>::on_ready() {
  turn();
  wait_ready();
}

/// Leaves the timer as it is when it makes a turn earlier than is needed: most deadlines move to later.
template <class Asio>
void basic_asio_loop<Asio>::wait_timer() {
  instant const next = next_turn();
  if (next >= armed_) return;
  armed_ = next;
  place_->timer.expires_after(std::chrono::nanoseconds((next - steady_now()).ns));
  place_->timer.async_wait(handler{self_, &basic_asio_loop::on_timer, self_.get()});
}

template <class Asio>
void basic_asio_loop<Asio>::on_timer() {
  armed_ = never;
  turn();
}

template <class Asio>
template <class T>
T* basic_asio_loop<Asio>::room_allocator<T>::allocate(std::size_t n) {
  for (int i = 0; n * sizeof(T) <= sizeof of->rooms[0] && i < shared::rooms_max; ++i)
    if (!__atomic_exchange_n(&of->used[i], true, __ATOMIC_ACQUIRE)) return reinterpret_cast<T*>(of->rooms[i]);
  return static_cast<T*>(::operator new(n * sizeof(T)));
}

template <class Asio>
template <class T>
void basic_asio_loop<Asio>::room_allocator<T>::deallocate(T* place, std::size_t) noexcept {
  for (int i = 0; i < shared::rooms_max; ++i)
    if (static_cast<void*>(place) == of->rooms[i]) return __atomic_store_n(&of->used[i], false, __ATOMIC_RELEASE);
  ::operator delete(place);
}

}  // namespace purews::inline v0
