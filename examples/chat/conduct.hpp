// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>

#include "protocol.hpp"
#include "rate.hpp"

namespace chat {

/// How a client behaves: what it got wrong in a row, and how much it has said.
struct conduct {
  static constexpr int invalid_in_a_row_max = 10;
  static constexpr int limited_in_a_row_max = 40;

  struct ending {
    std::uint16_t code;
    std::string reason;
  };

  /// What its request came to. It may have earned a Close.
  std::optional<ending> judge(std::optional<fault> const& wrong) {
    if (!wrong) return invalid_in_a_row = 0, std::nullopt;
    if (wrong->retry_ms > 0)
      return ++limited_in_a_row == limited_in_a_row_max ? std::optional(ending{4429, std::to_string(wrong->retry_ms)})
                                                        : std::nullopt;
    return ++invalid_in_a_row == invalid_in_a_row_max ? std::optional(ending{1008, "10 invalid messages in a row"})
                                                      : std::nullopt;
  }

  int invalid_in_a_row = 0;
  int limited_in_a_row = 0;
  rate_meter said{};
};

/// One rate for each connection, and one for each user on all of theirs.
class rates {
 public:
  explicit rates(rate allowed) : allowed_(allowed) {}

  /// Counts one more message; or gives the milliseconds until it may be sent, and counts nothing.
  std::int64_t take(conduct& from, std::string const& user, std::int64_t now_us) {
    if (users_.size() >= forget_at_) forget_rested(now_us);
    auto& theirs = users_[user];
    if (auto const wait = std::max(from.said.wait(allowed_, now_us), theirs.wait(allowed_, now_us)); wait > 0)
      return wait / 1000 + 1;
    from.limited_in_a_row = 0;
    from.said.take(allowed_, now_us);
    theirs.take(allowed_, now_us);
    return 0;
  }

 private:
  /// The more are left, the later it is done again: so each message pays for a few steps of it.
  void forget_rested(std::int64_t now_us) {
    std::erase_if(users_, [now_us](auto const& each) { return each.second.rested(now_us); });
    forget_at_ = std::max(users_min, 2 * users_.size());
  }

  static constexpr std::size_t users_min = 64;

  rate allowed_;
  std::map<std::string, rate_meter> users_;
  std::size_t forget_at_ = users_min;
};

}  // namespace chat
