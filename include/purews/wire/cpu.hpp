// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace purews::inline v0 {

/// Whether the low octet of a word comes first in memory.
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
inline constexpr bool is_little_endian = false;
#else
inline constexpr bool is_little_endian = true;
#endif

/// Which of the same routine's versions runs. They give the same results; each machine has all up to its best.
enum class simd_level : std::uint8_t {
  portable,  ///< 8-byte words, on every machine and compiler
  baseline,  ///< 16-byte vectors that the architecture always has: SSE2 on x86-64, NEON on AArch64
  avx2,      ///< 32-byte vectors, chosen at run time
};

/// The best level of this machine. Costs a load and a test: the compiler's runtime asks the processor once, before
/// main(). It never depends on -march, so that all translation units agree whatever they were compiled for.
inline simd_level best_simd_level() noexcept {
#if defined(__GNUC__) && defined(__x86_64__)
  return __builtin_cpu_supports("avx2") ? simd_level::avx2 : simd_level::baseline;
#elif defined(__GNUC__) && defined(__aarch64__)
  return simd_level::baseline;
#else
  return simd_level::portable;
#endif
}

#if defined(__GNUC__) && defined(__x86_64__)
/// Whether the processor has instructions for SHA-1. The name of that feature is not known to all compilers' runtimes,
/// so the processor is asked, once.
inline bool has_sha_instructions() noexcept {
  static bool const has = [] {
    unsigned a = 0, b = 0, c = 0, d = 0;
    __asm__("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(0));
    if (a < 7) return false;
    __asm__("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(7), "c"(0));
    return ((b >> 29) & 1U) != 0 && __builtin_cpu_supports("ssse3") != 0;
  }();
  return has;
}
#endif

}  // namespace purews::inline v0
