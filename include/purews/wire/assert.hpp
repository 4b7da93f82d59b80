// SPDX-License-Identifier: BSL-1.0
#pragma once

#if defined(_MSC_VER) && !defined(__clang__)
#include <cstdlib>
#endif
#if defined(_WIN32)
#include <stdio.h>
#else
extern "C" void perror(char const*);  // <stdio.h> is dearer than many a header of ours
#endif

namespace purews::inline v0 {

/// Reports a bug of the caller and ends the program. Never returns.
[[noreturn]] inline void assertion_failed(char const* what) noexcept {
  ::perror(what);
#if defined(_MSC_VER) && !defined(__clang__)
  std::abort();
#else
  __builtin_abort();
#endif
}

}  // namespace purews::inline v0

#define PUREWS_TEXT_OF(token) #token
#define PUREWS_TEXT(token) PUREWS_TEXT_OF(token)

/// Checks a precondition, always: it does not look at NDEBUG, so that translation units with different settings
/// compile every inline function to the same meaning and can be linked together. Each check is one compare.
#define PUREWS_ASSERT(condition)                                \
  ((condition) ? static_cast<void>(0)                           \
               : ::purews::assertion_failed("purews: " __FILE__ \
                                            ":" PUREWS_TEXT(__LINE__) ": broken precondition: " #condition "; errno"))
