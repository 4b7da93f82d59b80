// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <vector>

#include "purews/wire/cpu.hpp"

namespace test {

/// Every level that this machine has, the portable one first.
inline std::vector<purews::simd_level> const& simd_levels() {
  static std::vector<purews::simd_level> const all = [] {
    std::vector<purews::simd_level> found;
    for (purews::simd_level const level :
         {purews::simd_level::portable, purews::simd_level::baseline, purews::simd_level::avx2})
      if (level <= purews::best_simd_level()) found.push_back(level);
    return found;
  }();
  return all;
}

}  // namespace test
