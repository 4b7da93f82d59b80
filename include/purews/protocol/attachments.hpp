// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "extension.hpp"
#include "flight_recorder.hpp"

namespace purews::inline v0 {

/// What a connection may have beside the protocol itself. Most have neither.
struct attachments {
  message_codec* codec = nullptr;       ///< of an extension that was agreed on
  flight_recorder* recorder = nullptr;  ///< the application's

  void note(flight_recorder::direction way, frame_header const& header) const noexcept {
    if (recorder != nullptr) recorder->add(way, header);
  }
};

}  // namespace purews::inline v0
