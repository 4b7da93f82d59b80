// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "ip.hpp"
#include "rate.hpp"

namespace chat {

/// What one address may have: of IPv4 a single one, of IPv6 the 2^64 that one customer gets.
struct address_limits {
  std::size_t connections = 64;  ///< at once; 0: any number
  rate arrivals{.per_second = 10, .burst = 30};
};

/// Who may connect, by their addresses. Times are in microseconds, as in rate.hpp.
class admission {
  struct account {
    std::size_t connections = 0;
    rate_meter arrivals{};
  };
  using accounts = std::map<ip, account>;

 public:
  /// A connection that counts for as long as this lives, which the admission must outlive; one that was made by nobody
  /// counts for nothing.
  class place {
   public:
    place() = default;
    explicit place(account& of) : of_(&of) { ++of.connections; }
    place(place&& from) noexcept : of_(std::exchange(from.of_, nullptr)) {}
    place& operator=(place&& from) noexcept {
      std::swap(of_, from.of_);
      return *this;
    }
    ~place() {
      if (of_ != nullptr) --of_->connections;
    }

   private:
    account* of_ = nullptr;  // which is not forgotten while it has connections
  };
  struct refused {
    std::int64_t retry_s;
  };

  admission(admission const&) = delete;
  admission& operator=(admission const&) = delete;
  admission(address_limits limits, std::vector<network> proxies) : limits_(limits), proxies_(std::move(proxies)) {}

  /// Whose connection it is: that of `peer`, or if it is a trusted proxy, of the last address in X-Forwarded-For that
  /// is none. What stands before that one may be anybody's invention.
  [[nodiscard]] ip client_of(ip const& peer, std::vector<std::string_view> const& forwarded) const;

  [[nodiscard]] std::variant<place, refused> enter(ip const& who, std::int64_t now_us);

  [[nodiscard]] std::size_t known() const { return accounts_.size(); }

 private:
  [[nodiscard]] bool is_proxy(ip const& who) const;
  void forget_idle(std::int64_t now_us);

  address_limits limits_;
  std::vector<network> proxies_;
  accounts accounts_;
  std::size_t forget_at_ = accounts_min;

  static constexpr std::size_t accounts_min = 64;
};

}  // namespace chat
