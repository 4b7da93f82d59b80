// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstdint>

namespace chat {

/// So many a second on the average, and so many at once. Times are in microseconds, of any clock that does not go back.
struct rate {
  std::int64_t per_second = 20;  ///< 0: any number
  std::int64_t burst = 40;
};

/// What one sender has used up of a rate: the time at which it would be even, if it had kept to the rate.
class rate_meter {
 public:
  /// How long to wait until one more is within the rate; 0: it is.
  std::int64_t wait(rate const& allowed, std::int64_t now) const {
    if (allowed.per_second == 0) return 0;
    return std::max<std::int64_t>(0, even_at_ - now - (allowed.burst - 1) * interval(allowed));
  }
  void take(rate const& allowed, std::int64_t now) {
    if (allowed.per_second != 0) even_at_ = std::max(even_at_, now) + interval(allowed);
  }
  bool rested(std::int64_t now) const { return even_at_ <= now; }

 private:
  static std::int64_t interval(rate const& allowed) { return 1'000'000 / allowed.per_second; }
  std::int64_t even_at_ = 0;
};

}  // namespace chat
