// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <netdb.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "fixed_text.hpp"

namespace purews::inline v0 {

/// Whose numbers an os_error has.
enum class os_error_kind : std::uint8_t {
  system,    ///< errno
  resolver,  ///< EAI_*, from getaddrinfo
};

/// What the operating system refused, and in which call. A value; false when all is well.
struct os_error {
  int code = 0;
  char const* operation = "";  ///< static text, such as "bind"
  os_error_kind kind = os_error_kind::system;

  explicit operator bool() const noexcept { return code != 0; }
};

/// Takes errno after `operation` failed.
inline os_error last_os_error(char const* operation) noexcept { return {errno, operation, os_error_kind::system}; }

/// strerror_r() comes in two kinds; an overload finds out which one this is.
inline char const* error_text_of(int, char const* buffer) noexcept { return buffer; }
inline char const* error_text_of(char const* text, char const*) noexcept { return text; }

/// Says what happened, such as "bind: Address already in use". Safe in any thread.
inline fixed_text<160> describe(os_error what) noexcept {
  fixed_text<160> text;
  char buffer[128] = "";
  text += what.operation;
  text += ": ";
  if (what.kind == os_error_kind::resolver) return text += ::gai_strerror(what.code);
  return text += error_text_of(::strerror_r(what.code, buffer, sizeof buffer), buffer);
}

}  // namespace purews::inline v0
