// SPDX-License-Identifier: BSL-1.0
#include "admission.hpp"

#include <algorithm>

namespace chat {
namespace {

constexpr int customer_bits = 64;          // of an IPv6 address
constexpr std::int64_t full_retry_s = 10;  // nobody knows when one of theirs will go

}  // namespace

ip admission::client_of(ip const& peer, std::vector<std::string_view> const& forwarded) const {
  ip nearest = peer;
  for (auto each = forwarded.rbegin(); each != forwarded.rend() && is_proxy(nearest); ++each) {
    auto const before = parse_ip(*each);
    if (!before) break;  // "unknown": the proxy that wrote it has to answer for it
    nearest = *before;
  }
  return nearest;
}

bool admission::is_proxy(ip const& who) const {
  return std::any_of(proxies_.begin(), proxies_.end(), [&who](network const& each) { return each.contains(who); });
}

std::variant<admission::place, admission::refused> admission::enter(ip const& who, std::int64_t now_us) {
  if (accounts_.size() >= forget_at_) forget_idle(now_us);
  auto& theirs = accounts_[who.is_v4() ? who : who.first_bits(customer_bits)];
  if (limits_.connections != 0 && theirs.connections >= limits_.connections) return refused{full_retry_s};
  if (auto const wait = theirs.arrivals.wait(limits_.arrivals, now_us); wait > 0) return refused{wait / 1'000'000 + 1};
  theirs.arrivals.take(limits_.arrivals, now_us);
  return place(theirs);
}

/// Those who have no connection and no arrival that counts. The more are left, the later it is done again: so each
/// arrival pays for a few steps of it.
void admission::forget_idle(std::int64_t now_us) {
  std::erase_if(accounts_, [now_us](auto const& each) {
    return each.second.connections == 0 && each.second.arrivals.rested(now_us);
  });
  forget_at_ = std::max(accounts_min, 2 * accounts_.size());
}

}  // namespace chat
