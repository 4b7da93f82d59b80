// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

/// What one translation unit makes of the core: a digest of everything that its calls answered, and what it was
/// compiled as.
struct unit_result {
  std::uint64_t digest;
  char const* flags;
};
