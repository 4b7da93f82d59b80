// SPDX-License-Identifier: BSL-1.0
#include "gate.hpp"

#include "words.hpp"

namespace chat {
namespace {

constexpr std::uint16_t close_token = 4401;
constexpr std::uint16_t close_deadline = 4408;
constexpr std::uint16_t close_busy = 4429;

}  // namespace

void gate::connected(client_id who, moment now) {
  if (verify_) postpone(who, guests_[who], now.us + patience_us);
}

void gate::disconnected(client_id who) {
  auto const at = guests_.find(who);
  if (at == guests_.end()) return;
  overdue_.erase({at->second.end_us, who});
  if (auto const theirs = connections_.find(at->second.user); theirs != connections_.end())
    if (--theirs->second == 0) connections_.erase(theirs);
  guests_.erase(at);
}

bool gate::knows(client_id who) const {
  auto const at = guests_.find(who);
  return !verify_ || (at != guests_.end() && !at->second.user.empty());
}

std::optional<request> gate::pass(client_id who, request asked, moment now) {
  auto* const joining = std::get_if<join>(&asked);
  if (!verify_) {
    if (joining != nullptr && joining->user.empty()) return about(asked, "bad_message", "\"user\" is missing");
    return asked;
  }
  end_overdue(now);
  auto const at = guests_.find(who);
  if (at == guests_.end()) return std::nullopt;  // it was closed: this was on its way
  auto& from = at->second;
  if (auto const* const shown = std::get_if<authenticate>(&asked)) return introduce(who, from, shown->token, now);
  if (from.user.empty()) return about(asked, "unauthenticated", "say who you are first");
  if (joining == nullptr) return asked;
  if (joining->user.empty()) joining->user = from.user;
  if (joining->user != from.user) return about(asked, "forbidden", "you are not this user");
  return asked;
}

std::optional<request> gate::introduce(client_id who, guest& from, std::string const& token, moment now) {
  if (auto const wait = from.shown.wait(tokens_allowed, now.us); wait > 0)
    return fault{"rate_limited", "slow down, and send it again", {}, {}, wait / 1000 + 1};
  from.shown.take(tokens_allowed, now.us);
  auto const found = verify_(token, now.unix_ms);
  if (auto const* const flaw = std::get_if<token_fault>(&found)) {
    outputs_.push_back(to_client{who, fault{"unauthenticated", std::string(describe(*flaw)), {}, {}}});
    return end(who, close_token, describe(*flaw)), std::nullopt;
  }
  auto const& [user, expires_ms] = std::get<identity>(found);
  if (!from.user.empty() && from.user != user) return fault{"forbidden", "this connection is another user's", {}, {}};
  if (from.user.empty()) {
    auto& theirs = connections_[user];
    if (theirs == connections_per_user_max) {
      outputs_.push_back(to_client{who, fault{"too_many_connections", "close another one first", {}, {}}});
      return end(who, close_busy, std::to_string(busy_retry_ms)), std::nullopt;
    }
    ++theirs;
    from.user = user;
  }
  postpone(who, from, now.us + (expires_ms + token_verifier::leeway_ms - now.unix_ms) * 1000);
  outputs_.push_back(to_client{who, authenticated{user, expires_ms}});
  return std::nullopt;
}

void gate::postpone(client_id who, guest& from, std::int64_t end_us) {
  overdue_.erase({from.end_us, who});
  from.end_us = end_us;
  overdue_.emplace(end_us, who);
}

void gate::end_overdue(moment now) {
  while (!overdue_.empty() && overdue_.begin()->first <= now.us) {
    auto const who = overdue_.begin()->second;
    guests_.at(who).user.empty() ? end(who, close_deadline, "nobody has said who this is")
                                 : end(who, close_token, describe(token_fault::expired));
  }
}

void gate::end(client_id who, std::uint16_t code, std::string_view reason) {
  outputs_.push_back(close_client{who, code, std::string(reason)});
  disconnected(who);
}

}  // namespace chat
