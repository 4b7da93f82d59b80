// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "conduct.hpp"
#include "outputs.hpp"
#include "policy.hpp"
#include "store.hpp"
#include "tail.hpp"

namespace chat {

using output = std::variant<to_client, to_channel, subscribe, unsubscribe, close_client, report, append_request,
                            read_request, heads_request>;

/// The chat without any I/O: tell it who came, what they said, who went and what the store answered, and do what
/// take_outputs() gives, in its order.
///
/// Messages wait until flush(), which the caller runs once per turn of its loop, and while another batch is being
/// stored: so one transaction serves many. They are acknowledged and delivered when the store has answered.
class hub {
 public:
  static constexpr std::size_t page_messages = 50;
  static constexpr std::size_t page_bytes = 256 * 1024;  ///< of text; one message is always in
  static constexpr std::size_t missed_messages_max = 300;
  static constexpr std::size_t missed_bytes_max = 512 * 1024;
  static constexpr std::size_t channels_per_client_max = 128;
  static constexpr std::size_t reads_per_client_max = 256;  ///< that wait; one at a time is with the store
  static constexpr std::size_t batch_messages_max = 512;
  static constexpr std::size_t waiting_messages_max = 8192;  ///< for the next batches

  /// Ids for messages without one begin with `id_prefix`: it must be unique. `allowed` are messages and typings of a
  /// connection, and of a user.
  explicit hub(std::string id_prefix, rate allowed = {}, policy may = allow_all)
      : id_prefix_(std::move(id_prefix)), rates_(allowed), may_(std::move(may)) {}

  void connected(client_id who) { clients_.try_emplace(who); }
  void received(client_id who, request const& what, std::int64_t now_us);
  void disconnected(client_id who);
  /// To be called when the policy says something else: takes everybody out of the channels where they may not be.
  void review();

  /// Much waits to be sent to this client: nothing is read for it from the store until released().
  void held(client_id who);
  void released(client_id who);

  /// True: run flush() at the end of this turn.
  [[nodiscard]] bool pending() const { return !waiting_.empty() && in_flight_.number == 0; }
  void flush(std::int64_t now_ms);
  void answered(answer from_store);

  /// True: run catch_up() after a while, because reading what a channel is behind has failed.
  [[nodiscard]] bool is_behind() const { return !behind_.empty(); }
  void catch_up();
  /// Sees whether anybody else has stored something. Run it at intervals where the store is shared.
  void look();

  /// True: run tell_presence() after a while, so that many changes are told together.
  [[nodiscard]] bool presence_changed() const { return !changed_.empty(); }
  void tell_presence();

  [[nodiscard]] std::vector<output> take_outputs() { return std::exchange(outputs_, {}); }

 private:
  struct membership {
    std::string user, device;
    ticket joining = 0;  ///< its read; 0: it is live, and gets what is published
  };
  /// What is to be read from the store, and why.
  struct job {
    enum class purpose { join, page, catch_up } why = purpose::join;
    client_id who = 0;
    read_request read{};
    std::string epoch{};        ///< what a client that resumes has; empty: nothing
    std::int64_t position = 0;  ///< of the channel when the store was asked
  };
  struct client {
    std::map<std::string, membership> joined;
    std::deque<job> reads;  ///< that wait
    bool reading = false;   ///< one is with the store
    bool held = false;
    conduct behaviour{};
  };
  /// A channel that somebody is in, or about to join.
  struct channel_state {
    tail end{};
    std::map<std::string, std::size_t> present{};  ///< user -> on how many connections
    std::size_t members = 0;                       ///< connections that have joined, or are about to
    std::size_t reading = 0;                       ///< how much of it is asked of the store
    bool catching_up = false;                      ///< a part of that
  };

  std::optional<fault> handle(client_id, client&, authenticate const&);
  std::optional<fault> handle(client_id who, client& from, join const& asked);
  std::optional<fault> handle(client_id who, client& from, leave const& asked);
  std::optional<fault> handle(client_id who, client& from, message const& asked);
  std::optional<fault> handle(client_id who, client& from, history const& asked);
  std::optional<fault> handle(client_id who, client& from, typing const& asked);
  std::optional<fault> handle(client_id who, client& from, ping const& request);
  std::optional<fault> handle(client_id, client&, fault const& wrong) { return wrong; }
  std::optional<fault> too_fast(client& from, std::string const& user, std::string const& channel,
                                std::string const& id = {});
  void judge(client_id who, client& from, std::optional<fault> const& wrong);
  void part(client_id who, client& from, std::string const& name);
  void unavailable(client_id who, std::string const& channel, std::string const& id = {});

  void stored(std::vector<receipt> const& receipts);
  void not_stored();

  void ask(job what);
  void ask_next(client& from);
  bool is_wanted(job const& what) const;
  void submit(job what);
  void not_read(job const& what, channel_state& in);
  void was_read(job const& what, channel_state& in, page& found);
  static void trim(page& found);

  void joined(job const& what, channel_state& in, page& found);
  static bool continues(job const& what, page const& found);
  static presence present_in(std::string const& name, channel_state const& in);
  void advance(std::string const& name, channel_state& in);
  void enter(job const& what, channel_state& in, page& found);
  void catch_up(std::string const& name, channel_state& in);
  void looked(std::vector<head> const& found);
  void start_anew(std::string const& name, channel_state& in);
  static job join_anew(client_id who, std::string const& name);
  channel_state* find(std::string const& name);
  void tidy(std::string const& name);

  std::string id_prefix_;
  rates rates_;
  policy may_;
  std::int64_t now_us_ = 0;
  std::uint64_t ids_made_ = 0;
  ticket last_ticket_ = 0;
  std::map<client_id, client> clients_;
  std::map<std::string, channel_state> channels_;
  std::map<ticket, job> reading_;
  ticket looking_ = 0;  // 0: not
  std::deque<std::pair<client_id, new_message>> waiting_;
  append_request in_flight_{};                // number 0: none
  std::vector<client_id> senders_;            // of the batch in flight, in its order
  std::map<std::string, client_id> changed_;  // channels whose presence is to be told, but not to who knows it already
  std::set<std::string> behind_;              // channels that could not catch up
  std::string reported_;                      // what the store failed with last, empty if it works
  std::vector<output> outputs_;
};

}  // namespace chat
