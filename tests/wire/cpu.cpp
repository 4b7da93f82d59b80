// SPDX-License-Identifier: BSL-1.0
#include "purews/wire/cpu.hpp"

#include "support/catch.hpp"

using namespace purews;

static_assert(simd_level::portable < simd_level::baseline && simd_level::baseline < simd_level::avx2);

TEST_CASE("the level of this machine does not change, and is what the architecture promises at least", "[cpu]") {
  simd_level const level = best_simd_level();
  CHECK(level == best_simd_level());
#if defined(__GNUC__) && (defined(__x86_64__) || defined(__aarch64__))
  CHECK(level >= simd_level::baseline);
#endif
#if !defined(__x86_64__)
  CHECK(level < simd_level::avx2);
#elif defined(__AVX2__)
  CHECK(level == simd_level::avx2);  // compiled for such machines only
#endif
}
