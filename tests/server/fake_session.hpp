// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "purews/server/topics.hpp"
#include "support/catch.hpp"
#include "support/dies.hpp"
#include "support/frames.hpp"
#include "support/names.hpp"

namespace test {

inline constexpr std::string_view upgrade_text =
    "GET /chat?room=1 HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// A server's endpoint in memory that has an upgrade to decide.
class asked_endpoint {
 public:
  explicit asked_endpoint(std::string_view headers = {}, purews::limits limits = {})
      : with_{.limit = limits},
        input_(octets_of(std::string(upgrade_text) + std::string(headers) + "\r\n")),
        machine_(purews::role::server, with_, purews::instant{}) {
    machine_.receive(input_, purews::instant{1});
    REQUIRE(machine_.next().what == purews::kind::request);
  }
  purews::endpoint& machine() { return machine_; }

  /// Takes what is to be transmitted, for as long as there is some.
  octets take_output() {
    octets all;
    purews::bytes_view spans[8];
    while (std::size_t const count = machine_.gather(spans)) {
      std::size_t total = 0;
      for (std::size_t i = 0; i < count; ++i) {
        all.insert(all.end(), spans[i].begin(), spans[i].end());
        total += spans[i].size();
      }
      machine_.consume_output(total, purews::instant{1});
    }
    return all;
  }
  std::string take_text() { return std::string(purews::as_text(take_output())); }

 private:
  purews::options with_;
  octets input_;
  purews::endpoint machine_;
};

/// A session on an open connection in memory.
class fake_session final : public purews::session {
 public:
  explicit fake_session(purews::topic_table& table, std::uint64_t id = 1, purews::limits limits = {})
      : session(id), table_(table), asked_({}, limits) {
    REQUIRE(asked_.machine().accept() == purews::refusal::none);
    REQUIRE(asked_.machine().next().what == purews::kind::open);
    REQUIRE(asked_.machine().next().what == purews::kind::none);
    asked_.take_output();
  }
  ~fake_session() { table_.unsubscribe_all(*this); }

  /// The frames that were sent since the last call.
  std::vector<parsed_frame> sent() {
    octets const all = join(std::move(taken_), asked_.take_output());
    taken_.clear();
    return parse_frames(all);
  }
  std::vector<std::string> sent_texts() {
    std::vector<std::string> texts;
    for (parsed_frame const& frame : sent()) texts.push_back(frame.text());
    return texts;
  }

  purews::session_data& object() { return data_; }

  int touches = 0;
  bool reads = false;  ///< whether its socket takes anything before sent()

 private:
  purews::endpoint& machine() noexcept override { return asked_.machine(); }
  purews::topic_table& topics() noexcept override { return table_; }
  purews::socket_address peer_address() noexcept override { return {}; }
  void touch() noexcept override { ++touches; }
  void send_now() noexcept override {
    if (!reads) return;
    octets const now = asked_.take_output();
    taken_.insert(taken_.end(), now.begin(), now.end());
  }

  purews::topic_table& table_;
  asked_endpoint asked_;
  octets taken_;
};

}  // namespace test
