// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <purews/protocol/time.hpp>
#include <vector>

namespace chat_load {

/// How long something took, each time.
class latencies {
 public:
  void add(purews::duration each) {
    microseconds_.push_back(static_cast<std::uint32_t>(each.ns < 0 ? 0 : each.ns / 1000));
  }

  std::size_t count() const { return microseconds_.size(); }

  /// In milliseconds; 0 if there are none. `part` of all took at most so long.
  double percentile(double part) {
    if (microseconds_.empty()) return 0;
    auto const last = static_cast<double>(microseconds_.size() - 1);
    auto const at = microseconds_.begin() + static_cast<std::ptrdiff_t>(part * last);
    std::nth_element(microseconds_.begin(), at, microseconds_.end());
    return *at / 1000.0;
  }

 private:
  std::vector<std::uint32_t> microseconds_;
};

}  // namespace chat_load
