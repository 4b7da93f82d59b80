// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <deque>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <purews/loop/default_loop.hpp>
#include <purews/loop/entropy.hpp>
#include <purews/purews.hpp>
#include <random>

#include "checker.hpp"
#include "latencies.hpp"

namespace chat_load {

/// What the users of one channel share: whoever is the second to get a text need not read it.
struct channel {
  std::size_t number = 0;
  std::string name;
  std::string last_text{};
  numbered last{};
  std::unordered_map<std::int64_t, purews::instant> committed{};  // when the first sign of it came
};

/// What all users have in common.
struct crowd {
  purews::default_loop& loop;
  checker& truth;
  std::size_t bytes = 64;  ///< of a text
  purews::options options{.entropy = purews::os_entropy};
  std::mt19937_64 random{std::random_device{}()};
  latencies to_ack{};    ///< from sending on
  latencies delivery{};  ///< from the first sign of the commit on: an ack, or the first delivery
  std::uint64_t sent = 0, repeats = 0, reconnects = 0, reloads = 0, too_fast = 0;
  std::string trouble{};  ///< not empty: a sentence about what makes going on useless
};

/// One client of the chat that loses nothing (docs/chat.md): it resumes, and repeats what was not acknowledged. It
/// belongs to one channel.
class user {
 public:
  user(crowd& all, std::size_t number, channel& in, purews::uri where, purews::socket_address at, std::string device);

  void start() { connect(); }
  void say();
  void leave();

  /// Asks for the whole past of the channel, page by page, back to its first message or to 1.
  void read_history();
  std::optional<std::vector<numbered>> const& history() const { return history_; }

  bool joined() const { return joined_; }
  bool gone() const { return !stream_ || stream_->ended(); }
  std::size_t waiting() const { return waiting_.size(); }
  std::int64_t position() const { return seq_; }
  channel& in() const { return channel_; }

 private:
  friend class purews::readiness_stream<purews::default_loop, purews::endpoint, user>;
  using stream = purews::default_loop::stream<purews::endpoint, user>;
  using json = nlohmann::json;

  struct unacknowledged {
    std::string id, text;
    purews::instant since;
  };

  void connect();
  void comes_back();
  void on_events(stream& s) noexcept;
  void on_end(stream& s) noexcept;

  void take(std::string_view text);
  void answered(nlohmann::json const& answer);
  void take_message(numbered const& what);
  void take_history(json const& answer);
  void take_ack(json const& answer);
  void take_error(json const& answer);
  void put(json const& request);
  void put(unacknowledged const& message);
  void put_waiting();
  purews::instant committed(std::int64_t seq);

  crowd& all_;
  std::size_t number_;
  channel& channel_;
  purews::uri where_;
  purews::socket_address at_;
  purews::client_request request_;
  std::string name_, device_, epoch_;
  std::int64_t seq_ = 0;
  std::int64_t messages_ = 0;
  std::deque<unacknowledged> waiting_;
  std::vector<numbered> pages_;  // newest first
  std::optional<std::vector<numbered>> history_;
  std::optional<stream> stream_;
  purews::default_loop::timer_handle later_;
  int tries_ = 0;
  bool joined_ = false, leaving_ = false, reading_ = false;
};

}  // namespace chat_load
