// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <compare>
#include <cstdint>

namespace purews::inline v0 {

/// A length of time in nanoseconds. Converts from every std::chrono duration without including <chrono> here.
struct duration {
  std::int64_t ns = 0;

  constexpr duration() noexcept = default;
  constexpr explicit duration(std::int64_t nanoseconds) noexcept : ns(nanoseconds) {}
  template <class D>
    requires requires(D d) { d.count(); D::period::num; D::period::den; }
  constexpr duration(D d) noexcept  // NOLINT(google-explicit-constructor): a unit is part of the type
      : ns(static_cast<std::int64_t>(d.count()) * (1'000'000'000 / D::period::den) * D::period::num) {}

  friend constexpr auto operator<=>(duration, duration) noexcept = default;
};

constexpr duration milliseconds(std::int64_t n) noexcept { return duration{n * 1'000'000}; }
constexpr duration seconds(std::int64_t n) noexcept { return duration{n * 1'000'000'000}; }

/// Stands for a deadline that is turned off.
inline constexpr duration forever{INT64_MAX};

/// A point in time: nanoseconds on any clock that never goes back. The machines only compare and add; they never ask
/// a clock. Two machines that are driven by one loop should be given the same clock.
struct instant {
  std::int64_t ns = 0;

  friend constexpr auto operator<=>(instant, instant) noexcept = default;
  friend constexpr duration operator-(instant a, instant b) noexcept { return duration{a.ns - b.ns}; }
  /// Saturates: anything after `forever` is `never`.
  friend constexpr instant operator+(instant t, duration d) noexcept {
    return {d.ns > INT64_MAX - (t.ns > 0 ? t.ns : 0) ? INT64_MAX : t.ns + d.ns};
  }
};

/// Later than every other instant: no deadline.
inline constexpr instant never{INT64_MAX};

}  // namespace purews::inline v0
