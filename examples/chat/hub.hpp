// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol.hpp"
#include "store.hpp"

namespace chat {

using client_id = std::uint64_t;

/// Something that the hub wants done. Do them in order.
struct output {
  enum class kind { send, publish, subscribe, unsubscribe, close, report } what;  ///< a report is for the operator
  client_id client = 0;
  std::string channel;     ///< of publish, subscribe, unsubscribe
  std::string text;        ///< of send, publish, report; the reason of a close
  std::uint16_t code = 0;  ///< of close
};

/// The chat without any I/O: tell it who came, what they said and who went, and do what take_outputs() gives.
///
/// Messages wait in a batch until commit(), which the caller runs once per turn of its loop: one transaction for all
/// of them, and only after it the acks and deliveries. So nobody sees what a crash could take back.
class hub {
 public:
  static constexpr std::size_t history_messages = 50;
  static constexpr std::size_t history_bytes = 256 * 1024;  ///< of text; the newest message is always in
  static constexpr std::size_t channels_per_client_max = 128;
  static constexpr int invalid_in_a_row_max = 10;

  /// Uses `truth`, which must live longer. Ids for messages without one begin with `id_prefix`: it must be unique.
  hub(store& truth, std::string id_prefix) : store_(truth), id_prefix_(std::move(id_prefix)) {}

  void connected(client_id who) { clients_.try_emplace(who); }
  void received(client_id who, std::string_view text);
  void received_binary(client_id who);
  void disconnected(client_id who);

  /// True: run commit() at the end of this turn.
  [[nodiscard]] bool pending() const { return !batch_.empty() || !changed_.empty(); }
  void commit(std::int64_t now_ms);

  [[nodiscard]] std::vector<output> take_outputs() { return std::exchange(outputs_, {}); }

 private:
  struct identity {
    std::string user, device;
  };
  struct client {
    std::map<std::string, identity> joined;
    int invalid_in_a_row = 0;
  };

  std::optional<fault> handle(client_id who, client& from, join const& request);
  std::optional<fault> handle(client_id who, client& from, leave const& request);
  std::optional<fault> handle(client_id who, client& from, message const& request);
  std::optional<fault> handle(client_id, client&, fault const& wrong) { return wrong; }

  void judge(client_id who, client& from, std::optional<fault> const& wrong);
  void part(client const& from, std::string const& channel);
  void unavailable(client_id who, std::string const& channel, std::string const& id);
  void emit(output::kind what, client_id who, std::string channel, std::string text, std::uint16_t code = 0) {
    outputs_.push_back({what, who, std::move(channel), std::move(text), code});
  }

  store& store_;
  std::string id_prefix_;
  std::uint64_t ids_made_ = 0;
  std::map<client_id, client> clients_;
  std::map<std::string, std::map<std::string, std::size_t>> present_;  // channel -> user -> on how many connections
  std::set<std::string> changed_;                                      // channels whose presence is to be told
  std::vector<new_message> batch_;
  std::vector<client_id> senders_;  // of the batch, in its order
  std::vector<output> outputs_;
};

}  // namespace chat
