// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "options.hpp"
#include "route.hpp"

namespace purews::inline v0 {

/// What all threads of a server share. While it runs nothing in it changes but what is atomic.
struct server_shared {
  explicit server_shared(server_options const& how) noexcept
      : with(with_a_loop(how)),
        machine{.limit = how.limits, .timeout = how.timeout, .deliver = how.deliver, .extension = how.extension},
        pool(how.work_max),
        queue_high(how.limits.queue_bytes_high < how.limits.queue_bytes_max ? how.limits.queue_bytes_high
                                                                            : how.limits.queue_bytes_max) {}

  /// Whether stop() was called, and whether it was called again.
  bool draining() const noexcept { return __atomic_load_n(&stops, __ATOMIC_ACQUIRE) > 0; }
  bool hurried() const noexcept { return __atomic_load_n(&stops, __ATOMIC_ACQUIRE) > 1; }

  std::uint64_t buffered() const noexcept { return __atomic_load_n(&buffered_bytes, __ATOMIC_RELAXED); }
  /// Whether connections keep more than `percent` of server_options::memory_bytes_max.
  bool is_above(unsigned percent) const noexcept {
    return with.memory_bytes_max != 0 && buffered() > with.memory_bytes_max / 100 * percent;
  }

  /// Wakes all loops, so that each has a look at the above. Any thread, async-signal-safe.
  void wake_all() const noexcept {
    for (session_inbox* const each : inboxes) each->wake();
  }

  server_options const with;
  options const machine;
  router routes;
  work_pool pool;
  std::size_t const queue_high;         // with more waiting for a client, on_drain is to follow
  std::vector<session_inbox*> inboxes;  // of the workers
  callback<void()> ended;
  std::uint64_t last_id = 0;         // atomic
  std::uint64_t buffered_bytes = 0;  // atomic; not counted without a bound
  unsigned running = 0;              // atomic: workers that have not finished
  int stops = 0;                     // atomic: how often stop() was called

  /// Who makes room when memory is short: one loop at a time, so that no more is cut off than must be.
  enum class shedding : std::uint8_t { calm, wanted, going_on };
  std::uint8_t shed = 0;  // atomic: a shedding

  /// Takes the turn from `from` to `to`. False: it is not that turn.
  bool turn(shedding from, shedding to) noexcept {
    auto before = static_cast<std::uint8_t>(from);  // clang 14 knows no atomic enumerations
    return __atomic_compare_exchange_n(&shed, &before, static_cast<std::uint8_t>(to), false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_RELAXED);
  }

 private:
  static server_options with_a_loop(server_options how) noexcept {
    if (how.threads == 0) how.threads = 1;
    return how;
  }
};

}  // namespace purews::inline v0
