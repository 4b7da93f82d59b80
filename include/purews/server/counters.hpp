// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../wire/error.hpp"

namespace purews::inline v0 {

/// What has happened on a server since it was made, and what is there now: a snapshot from server::counters(). Bytes
/// are those of payloads.
struct server_counters {
  std::uint64_t connections_accepted = 0;
  std::uint64_t connections_ended = 0;
  std::uint64_t requests = 0;  ///< plain HTTP requests, each of which got an answer

  std::uint64_t upgrades_accepted = 0;
  std::uint64_t upgrades_refused = 0;  ///< there is no such route, or the origin or the handler said no
  std::uint64_t upgrades_busy = 0;     ///< refused with 503: draining, or memory is short

  std::uint64_t messages_received = 0;  ///< or pieces, with delivery::pieces
  std::uint64_t bytes_received = 0;
  std::uint64_t messages_sent = 0;  ///< queued for a session; each copy of what was published counts
  std::uint64_t bytes_sent = 0;
  std::uint64_t sends_refused = 0;

  std::uint64_t closed_cleanly = 0;     ///< both sides sent a Close frame
  std::uint64_t closed_abnormally = 0;  ///< the peer was gone without one
  std::uint64_t shed = 0;               ///< ended because their queues were the largest when memory ran short
  std::uint64_t drains = 0;             ///< how often a queue that was high became low again
  std::uint64_t stale_commands = 0;     ///< from a session_handle whose session had ended on the way
  std::uint64_t faults[error_count]{};  ///< failures, by the rule that was broken: faults[int(error::...)]

  // Now.
  std::uint64_t connections() const noexcept { return connections_accepted - connections_ended; }
  std::uint64_t sessions = 0;        ///< WebSocket connections that are open or closing
  std::uint64_t buffered_bytes = 0;  ///< see server_options::memory_bytes_max, without which it is not counted
};

/// The counters of one thread: it adds, any thread reads. An addition is a load and a store; nothing is locked.
class counter_set {
 public:
  void add(std::uint64_t server_counters::*which, std::uint64_t n = 1) noexcept { add_to(values_.*which, n); }
  void subtract(std::uint64_t server_counters::*which) noexcept { add_to(values_.*which, ~std::uint64_t{0}); }
  void add(error fault) noexcept { add_to(values_.faults[static_cast<int>(fault)], 1); }

  /// Adds what is counted here to `sum`. Any thread.
  void add_into(server_counters& sum) const noexcept;

 private:
  static_assert(sizeof(server_counters) % sizeof(std::uint64_t) == 0);

  static void add_to(std::uint64_t& counter, std::uint64_t n) noexcept {
    __atomic_store_n(&counter, counter + n, __ATOMIC_RELAXED);
  }

  server_counters values_{};
};

inline void counter_set::add_into(server_counters& sum) const noexcept {
  auto const* const from = reinterpret_cast<std::uint64_t const*>(&values_);
  auto* const to = reinterpret_cast<std::uint64_t*>(&sum);
  for (std::size_t i = 0; i < sizeof sum / sizeof *to; ++i) to[i] += __atomic_load_n(from + i, __ATOMIC_RELAXED);
}

}  // namespace purews::inline v0
