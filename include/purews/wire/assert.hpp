// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <stdio.h>  // the plain name costs a quarter less than <cstdio>

#if defined(_MSC_VER) && !defined(__clang__)
#include <cstdlib>
#endif

namespace purews::inline v0 {

/// Reports a bug of the caller and ends the program. Never returns.
[[noreturn]] inline void assertion_failed(char const* what, char const* file, int line) noexcept {
  fprintf(stderr, "purews: %s:%d: broken precondition: %s\n", file, line, what);
#if defined(_MSC_VER) && !defined(__clang__)
  std::abort();
#else
  __builtin_abort();
#endif
}

}  // namespace purews::inline v0

/// Checks a precondition, always: it does not look at NDEBUG, so that translation units with different settings
/// compile every inline function to the same meaning and can be linked together. Each check is one compare.
#define PUREWS_ASSERT(condition) \
  ((condition) ? static_cast<void>(0) : ::purews::assertion_failed(#condition, __FILE__, __LINE__))
