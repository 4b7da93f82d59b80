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
      : ns(nanoseconds_in(d)) {}

  friend constexpr auto operator<=>(duration, duration) noexcept = default;

 private:
  template <class D>
  static constexpr std::int64_t nanoseconds_in(D d) noexcept;
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

// Saturates, because std::chrono::seconds::max() is what some write for `forever`.
template <class D>
constexpr std::int64_t duration::nanoseconds_in(D d) noexcept {
  constexpr std::int64_t per_second = 1'000'000'000;
  if constexpr (requires { d.count() % 1; }) {
    auto const count = static_cast<std::int64_t>(d.count());
    if constexpr (D::period::den > per_second) {
      return count / (D::period::den / per_second) * D::period::num;
    } else {
      constexpr std::int64_t unit = per_second / D::period::den * D::period::num;
      return count > INT64_MAX / unit ? INT64_MAX : count < INT64_MIN / unit ? INT64_MIN : count * unit;
    }
  } else {
    double const ns = static_cast<double>(d.count()) * 1e9 * D::period::num / D::period::den;
    return ns >= 9.2e18 ? INT64_MAX : ns <= -9.2e18 ? INT64_MIN : static_cast<std::int64_t>(ns);
  }
}

}  // namespace purews::inline v0
