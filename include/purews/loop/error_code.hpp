// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <string>
#include <system_error>

#include "../wire/error.hpp"
#include "os_error.hpp"

namespace purews::inline v0 {

/// The category of `error` as a std::error_code.
class error_category final : public std::error_category {
 public:
  char const* name() const noexcept override { return "purews"; }
  std::string message(int code) const override {
    if (code < 0 || code >= error_count) return "unknown error";
    return std::string(purews::message(static_cast<error>(code)));
  }
};

/// The category of getaddrinfo's numbers.
class resolver_category final : public std::error_category {
 public:
  char const* name() const noexcept override { return "resolver"; }
  std::string message(int code) const override { return ::gai_strerror(code); }
};

inline std::error_category const& protocol_errors() noexcept {
  static error_category const category;
  return category;
}
inline std::error_category const& resolver_errors() noexcept {
  static resolver_category const category;
  return category;
}

/// Turns a protocol fault into a std::error_code; found by argument, so `std::error_code ec = error::invalid_utf8`.
inline std::error_code make_error_code(error what) noexcept { return {static_cast<int>(what), protocol_errors()}; }

/// Turns a refusal of the operating system into a std::error_code. The name of the call is lost.
inline std::error_code make_error_code(os_error what) noexcept {
  return {what.code, what.kind == os_error_kind::system ? std::system_category() : resolver_errors()};
}

}  // namespace purews::inline v0

template <>
struct std::is_error_code_enum<purews::error> : std::true_type {};
