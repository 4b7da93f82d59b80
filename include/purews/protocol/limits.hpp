// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "time.hpp"

namespace purews::inline v0 {

/// Every bound that a peer can press against, with the attack that it stops. One value may serve any number of
/// connections. All sizes are in bytes.
struct limits {
  /// A message, all fragments together. Stops: filling memory with one message. Over it: Close 1009.
  std::uint64_t message_bytes_max = 1U << 20;

  /// The payload of one frame. Stops: a declared length far above what will come. Over it: Close 1009 at the header.
  std::uint64_t frame_bytes_max = UINT64_MAX;

  /// Fragments of one message, empty ones counted. Stops: burning time with frames that carry nothing.
  /// Over it: Close 1008.
  std::uint32_t fragments_max = 131'072;

  /// How many times longer than it came a compressed message may become; 0: as long as message_bytes_max allows. The
  /// first 64 KiB are free. Stops: burning time with a few bytes (DEFLATE reaches 1,030). Over it: Close 1008. It is
  /// off because ordinary text reaches hundreds; 100 suits servers whose clients type. RFC 7692 section 8.
  std::uint32_t inflate_ratio_max = 0;

  /// Output that waits for the peer. A send is refused when the queue already exceeds it, so one message may pass it;
  /// control frames are exempt. Stops: a peer that asks and does not read.
  std::size_t queue_bytes_max = 1U << 20;

  /// Above this much waiting output the machine does not want input. Stops: pings and requests that are never
  /// collected.
  std::size_t queue_bytes_high = 256U << 10;

  /// The HTTP head and its parts. Stops: heads without end. Over them: 431, 414.
  std::uint32_t head_bytes_max = 16U << 10;
  std::uint32_t head_line_bytes_max = 8U << 10;
  std::uint32_t head_lines_max = 100;

  /// The body of a plain HTTP request. Stops: filling memory before any handler runs. Over it: 413.
  std::uint32_t body_bytes_max = 64U << 10;

  /// What is read and thrown away after a failure, so that our last frame is not destroyed by a reset.
  /// Stops: a peer that goes on sending for ever.
  std::uint32_t linger_bytes_max = 64U << 10;
};

/// Every deadline. `forever` turns one off.
struct timeouts {
  /// From the first byte of the transport to the end of the opening handshake, absolute. Stops: slow heads.
  duration handshake = seconds(5);

  /// After this long without any byte from the peer a ping is sent. Finds: peers that are gone.
  duration ping = seconds(25);

  /// After this long without any byte following our ping the connection fails.
  duration pong = seconds(10);

  /// From our Close frame to the peer's. RFC 6455 section 7.1.1.
  duration close = seconds(5);

  /// With output waiting, the longest time in which the peer may take none of it. Stops: peers that do not read.
  duration write = seconds(10);

  /// From its opening to our Close 1001, so that every client comes back to a balanced set of servers. Up to an eighth
  /// of it earlier, spread by the instant of opening, so that those who came at once do not leave at once.
  duration lifetime = forever;

  /// After this long without a message to compress or to inflate, a connection gives the memory for it back.
  duration idle_codec = seconds(10);

  /// How long input is thrown away after the end before the socket is closed.
  duration linger = seconds(1);
};

}  // namespace purews::inline v0
