// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>

#include "store.hpp"

/// The chat's protocol, docs/chat.md: JSON texts over /ws.
namespace chat {

inline constexpr std::size_t name_bytes_max = 64;  ///< of a channel, user, device or id
inline constexpr std::size_t text_bytes_max = 16384;
inline constexpr std::size_t page_limit_max = 100;
inline constexpr std::size_t users_told_max = 100;

struct join {
  std::string channel, user, device;
  std::string epoch{};   ///< empty: the client has nothing of the channel
  std::int64_t seq = 0;  ///< what it has of this epoch
};
struct leave {
  std::string channel;
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

using client_message = std::variant<join, leave, message, history, typing, ping, fault>;

/// Reads what a client sent. Whatever is wrong with it becomes a fault; nothing is thrown.
[[nodiscard]] client_message parse(std::string_view text);

/// `asked` is what was read for it.
[[nodiscard]] std::string history_text(read_request const& asked, page const& found);
[[nodiscard]] std::string reload_text(std::string const& channel);
[[nodiscard]] std::string presence_text(std::string const& channel, std::map<std::string, std::size_t> const& users);
[[nodiscard]] std::string message_text(std::string const& channel, stored_message const& stored);
[[nodiscard]] std::string ack_text(std::string const& channel, std::string const& id, receipt const& stored);
[[nodiscard]] std::string typing_text(std::string const& channel, std::string const& user);
[[nodiscard]] std::string pong_text();
[[nodiscard]] std::string error_text(fault const& what);

}  // namespace chat
