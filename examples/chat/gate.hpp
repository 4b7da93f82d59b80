// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "outputs.hpp"
#include "rate.hpp"
#include "token.hpp"

namespace chat {

/// The one way to the hub, without any I/O: it knows who everybody is, and lets nobody through who has not said so by a
/// token. Do what take_outputs() gives, in its order.
class gate {
 public:
  static constexpr std::int64_t patience_us = 10'000'000;  ///< for a token, of who has just connected
  static constexpr std::size_t connections_per_user_max = 10;
  static constexpr std::int64_t busy_retry_ms = 10'000;
  static constexpr rate tokens_allowed{.per_second = 1, .burst = 5};  ///< of a connection

  using verifier = std::function<std::variant<identity, token_fault>(std::string_view token, std::int64_t now_ms)>;
  using output = std::variant<to_client, close_client>;
  struct moment {
    std::int64_t us;       ///< of a clock that does not go back
    std::int64_t unix_ms;  ///< of that which tokens go by
  };

  /// Without a verifier everybody says who they are when they join, and is believed.
  explicit gate(verifier verify) : verify_(std::move(verify)) {}

  void connected(client_id who, moment now);
  /// Gives what the hub is to do, with the name of who wants it, or a fault; nothing if it is none of its business.
  [[nodiscard]] std::optional<request> pass(client_id who, request asked, moment now);
  void disconnected(client_id who);

  /// Whether somebody may ask for anything but to be let in.
  [[nodiscard]] bool knows(client_id who) const;

  /// True: run end_overdue() now and then.
  [[nodiscard]] bool is_waiting() const { return !overdue_.empty(); }
  void end_overdue(moment now);

  [[nodiscard]] std::vector<output> take_outputs() { return std::exchange(outputs_, {}); }

 private:
  struct guest {
    std::string user{};       ///< empty: nobody knows
    std::int64_t end_us = 0;  ///< of its patience, or of its token
    rate_meter shown{};       ///< tokens
  };

  std::optional<request> introduce(client_id who, guest& from, std::string const& token, moment now);
  void postpone(client_id who, guest& from, std::int64_t end_us);
  void end(client_id who, std::uint16_t code, std::string_view reason);

  verifier verify_;
  std::map<client_id, guest> guests_;
  std::map<std::string, std::size_t> connections_;        // of each user
  std::set<std::pair<std::int64_t, client_id>> overdue_;  // when, who
  std::vector<output> outputs_;
};

}  // namespace chat
