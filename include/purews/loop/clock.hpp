// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <time.h>

#include "../protocol/time.hpp"

namespace purews::inline v0 {

/// Reads the monotonic clock of the system.
inline instant steady_now() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return {static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec};
}

}  // namespace purews::inline v0
