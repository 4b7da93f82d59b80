// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "life.hpp"

#include "purews/deflate/permessage_deflate.hpp"

namespace test {

/// A permessage-deflate for one side of a life. What zlib makes of a message may differ from version to version, so
/// that the traces of such lives are the same only with the same zlib.
inline std::shared_ptr<message_extension const> any_deflate(sim::dice& rolls) {
  static constexpr std::size_t shortest[] = {0, 64, 500};
  static constexpr std::size_t kept[] = {0, 1, 16};
  deflate_options with;
  for (deflate_side* const side : {&with.most.server, &with.most.client}) {
    if (rolls.happens(300)) side->history = context::no_takeover;
    side->window_bits = static_cast<std::uint8_t>(rolls.happens(300) ? rolls.between(8, 15) : 9);
  }
  with.effort.level = static_cast<int>(rolls.between(1, 4));
  with.effort.memory_level = static_cast<int>(rolls.between(1, 4));
  with.message_bytes_min = rolls.any_of(shortest);
  with.kept_max = rolls.any_of(kept);
  return std::make_shared<permessage_deflate const>(with);
}

}  // namespace test
