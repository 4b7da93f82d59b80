// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../loop/socket.hpp"
#include "../protocol/options.hpp"
#include "../wire/close.hpp"

namespace purews::inline v0 {

/// Where the threads of a server run.
enum class pinning : std::uint8_t {
  none,   ///< where the system lets them
  cores,  ///< each on one processor only, among those that the process may use
};

/// How a server ends after stop(). Meanwhile plain HTTP is answered, and new upgrades get a 503 with Retry-After.
struct drain_options {
  /// The Close frame: going_away (1001), or service_restart (1012).
  status_code code = status_code::going_away;

  /// Over how long the Close frames are spread, so that not all clients come back at once. The first hundred sessions
  /// of each loop are closed at once.
  duration spread = seconds(2);

  /// When what is left is cut off.
  duration deadline = seconds(10);
};

/// How a server works. Everything has a default.
struct server_options {
  purews::limits limits{};
  timeouts timeout{};
  delivery deliver = delivery::whole;
  message_extension const* extension = nullptr;  ///< such as a permessage_deflate; it must outlive the server

  unsigned threads = 1;  ///< loops, each with its own connections; at least 1
  pinning pin = pinning::none;
  unsigned workers = 0;              ///< threads for session::work(), beside the loops
  std::size_t work_max = 10'000;     ///< jobs that wait for them; more are refused
  std::uint32_t inbox_max = 65'536;  ///< calls to session_handles that wait, for each loop; more are refused

  drain_options drain{};

  /// What all connections together may keep (session::buffered_bytes), in bytes; 0: any amount. Above 80 % of it new
  /// upgrades get a 503, above 90 % those sessions are cut off that keep the most. Stops: many slow clients.
  std::uint64_t memory_bytes_max = 0;

  tcp_options tcp{};
  int backlog = 4096;  ///< connections that wait to be accepted
};

}  // namespace purews::inline v0
