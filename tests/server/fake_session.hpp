// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "purews/server/home.hpp"
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

/// A session in memory whose upgrade is not decided yet.
class asking_session : public purews::session {
 public:
  explicit asking_session(purews::session_home& home, std::uint64_t id = 1, purews::limits limits = {},
                          std::string_view headers = {})
      : session(home, id), asked_(headers, limits) {}

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
  std::string take_text() { return asked_.take_text(); }

  purews::session_data& object() { return data_; }
  purews::endpoint& machine() noexcept override { return asked_.machine(); }
  void end() noexcept { leave(); }

  int touches = 0;
  bool reads = false;  ///< whether its socket takes anything before sent()

 protected:
  asked_endpoint asked_;

 private:
  purews::socket_address peer() noexcept override { return {}; }
  void abort() noexcept override { asked_.machine().abort(); }
  void resume() noexcept override {
    paused_ = false;
    asked_.machine().resume(purews::instant{1});
  }
  void decide(purews::callback<void(purews::upgrade&)>&) noexcept override {}
  void touch() noexcept override { ++touches; }
  void send_now() noexcept override {
    if (!reads) return;
    octets const now = asked_.take_output();
    taken_.insert(taken_.end(), now.begin(), now.end());
  }

  octets taken_;
};

/// A session on an open connection in memory.
class fake_session final : public asking_session {
 public:
  explicit fake_session(purews::session_home& home, std::uint64_t id = 1, purews::limits limits = {})
      : asking_session(home, id, limits) {
    REQUIRE(asked_.machine().accept() == purews::refusal::none);
    REQUIRE(asked_.machine().next().what == purews::kind::open);
    REQUIRE(asked_.machine().next().what == purews::kind::none);
    asked_.take_output();
  }
};

}  // namespace test
