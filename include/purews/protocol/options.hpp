// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../wire/bytes.hpp"
#include "limits.hpp"

namespace purews::inline v0 {

class message_extension;

/// Whether one connection uses options::extension, where its peer speaks it too.
enum class extension_use : std::uint8_t { negotiated, none };

/// How messages are delivered.
enum class delivery : std::uint8_t {
  whole,   ///< one event a message
  pieces,  ///< events as the bytes arrive: nothing is stored, for messages that should stream
};

/// Whether outgoing texts and reasons are checked to be UTF-8. RFC 6455 section 8.1.
enum class outgoing_text : std::uint8_t {
  checked,  ///< an invalid one is refused
  trusted,  ///< the application promises it
};

/// Fills `out` with unpredictable bytes. A client needs it for its key and its masks (RFC 6455 sections 4.1, 5.3
/// and 10.3); loop/entropy.hpp has one from the operating system.
using entropy_source = void (*)(bytes out) noexcept;

/// What any number of machines share. It must outlive them.
struct options {
  limits limit{};
  timeouts timeout{};
  delivery deliver = delivery::whole;
  outgoing_text text = outgoing_text::checked;
  entropy_source entropy = nullptr;

  /// What the opening handshake offers or accepts, such as a permessage_deflate; null: nothing.
  message_extension const* extension = nullptr;
};

}  // namespace purews::inline v0
