// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <string>

#include "fuzz.hpp"
#include "purews/protocol/endpoint.hpp"
#include "support/names.hpp"

namespace fuzz {

/// What may never change by a call that was refused, or came too early.
struct visible_state {
  purews::state current;
  std::size_t queued;
  purews::instant deadline;
  purews::transport_action transport;
  bool wants_input;
  purews::drop_counts dropped;

  explicit visible_state(purews::endpoint const& m)
      : current(m.current()),
        queued(m.queued_bytes()),
        deadline(m.deadline()),
        transport(m.transport()),
        wants_input(m.wants_input()),
        dropped(m.dropped()) {}
  friend bool operator==(visible_state const&, visible_state const&) = default;
  std::string describe() const {
    return std::string(purews::state_names[static_cast<int>(current)]) + ", " + std::to_string(queued) +
           " bytes queued, deadline " + std::to_string(deadline.ns) + ", transport " + test::name(transport) +
           (wants_input ? ", wants input, " : ", ") + std::to_string(dropped.oldest) + " " +
           std::to_string(dropped.newest) + " " + std::to_string(dropped.conflated) + " dropped\n";
  }
  /// Equal, but that the deadline may have moved away.
  bool only_later(visible_state other) const {
    bool const later = other.deadline >= deadline;
    other.deadline = deadline;
    return later && *this == other;
  }
};

/// Ends the program if a promise is broken, and says what the machine was and what it became.
inline void check(bool kept, std::string_view promise, visible_state const& before, visible_state const& after) {
  if (!kept) check(kept, promise, before.describe() + after.describe());
}

}  // namespace fuzz
