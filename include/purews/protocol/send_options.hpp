// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "extension.hpp"

namespace purews::inline v0 {

/// What becomes of a message when the peer reads too slowly: its queue is over limits::queue_bytes_max. Only messages
/// that are not yet encoded are dropped, never a control frame, and each that is dropped is counted.
enum class overflow : std::uint8_t {
  refuse,       ///< refusal::queue_full
  close,        ///< the connection is closed with 1013, after what is queued; refusal::queue_full
  drop_oldest,  ///< messages queued before with drop_oldest or conflate make room, the oldest first
  drop_newest,  ///< this message is dropped
  conflate,     ///< it takes the place of the waiting message with the same key, always, also in a short queue
};

/// How a message is sent, beyond what it says.
struct send_options {
  overflow when_full = overflow::refuse;
  std::uint64_t key = 0;  ///< overflow::conflate: which messages stand for the same thing
  compression compress = compression::automatic;
};

/// How many messages of a connection were dropped, for each reason.
struct drop_counts {
  std::uint64_t oldest = 0;
  std::uint64_t newest = 0;
  std::uint64_t conflated = 0;

  friend constexpr bool operator==(drop_counts const&, drop_counts const&) noexcept = default;
};

}  // namespace purews::inline v0
