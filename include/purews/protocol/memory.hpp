// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <new>

#if defined(_MSC_VER) && !defined(__clang__)
#include <cstdlib>
#endif

namespace purews::inline v0 {

// The heap, as all machines use it: every call may say no by a null pointer. The compilers' own names for it spare
// the price of <cstdlib>.
#if defined(_MSC_VER) && !defined(__clang__)
inline void* allocate_bytes(std::size_t n) noexcept { return std::malloc(n); }
inline void* reallocate_bytes(void* block, std::size_t n) noexcept { return std::realloc(block, n); }
inline void free_bytes(void* block) noexcept { std::free(block); }
#else
inline void* allocate_bytes(std::size_t n) noexcept { return __builtin_malloc(n); }
inline void* reallocate_bytes(void* block, std::size_t n) noexcept { return __builtin_realloc(block, n); }
inline void free_bytes(void* block) noexcept { __builtin_free(block); }
#endif

}  // namespace purews::inline v0
