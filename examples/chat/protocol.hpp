// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "store.hpp"

/// The chat's protocol, docs/chat.md, as values; how they are written down is a format's business.
namespace chat {

// What a client asks for.

struct authenticate {
  std::string token;
};
struct join {
  std::string channel;
  std::string user;  ///< empty: whoever has authenticated
  std::string device;
  std::string epoch{};   ///< empty: the client has nothing of the channel
  std::int64_t seq = 0;  ///< what it has of this epoch
};
struct leave {
  std::string channel;
  bool if_joined = false;  ///< it is no fault not to be in it
};
struct message {
  std::string channel, text, id;  ///< an empty id: the server makes one
};
struct history {
  std::string channel;
  std::int64_t before = 0;
  std::size_t limit = 50;
};
struct typing {
  std::string channel;
};
struct ping {};

/// An error answer; channel and id are the request's own, so that its sender can tell what it is about.
struct fault {
  std::string code, message, channel, id;
  std::int64_t retry_ms = 0;  ///< of rate_limited
};

/// What came from a client, or what was wrong with it.
using request = std::variant<authenticate, join, leave, message, history, typing, ping, fault>;

// What the server tells.

struct authenticated {
  std::string user;
  std::int64_t expires_ms;  ///< since 1970
};
/// `asked` is what was read for it.
struct history_page {
  read_request asked;
  page found;
};
struct reload {
  std::string channel;
};
struct delivery {
  std::string channel;
  stored_message what;
};
struct ack {
  std::string channel, id;
  std::int64_t seq, time;
};
struct presence {
  static constexpr std::size_t users_max = 100;
  std::string channel;
  std::vector<std::string> users;  ///< the first ones
  std::size_t count;               ///< of all
};
struct somebody_types {
  std::string channel, user;
};
struct pong {};

using event = std::variant<authenticated, history_page, reload, delivery, ack, presence, somebody_types, pong, fault>;

}  // namespace chat
