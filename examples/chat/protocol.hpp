// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "store.hpp"

/// The chat's protocol: JSON texts over /ws.
///
///   page to server                          server to page
///   join     channel, user, [device]        history   channel, epoch, messages (oldest first)
///   leave    channel                        presence  channel, users (sorted, each once)
///   message  channel, text, [id]            message   channel, user, text, id, seq, time
///                                           ack       channel, id, seq, time (only after the commit)
///                                           error     code, message, [channel], [id]
///
/// Error codes: bad_json, bad_message, unknown_type, bad_name, bad_text, already_joined, not_joined,
/// too_many_channels, unsupported, store_unavailable (send it again later, with the same id).
namespace chat {

inline constexpr std::size_t name_bytes_max = 64;  ///< of a channel, user, device or id
inline constexpr std::size_t text_bytes_max = 16384;

struct join {
  std::string channel, user, device;
};
struct leave {
  std::string channel;
};
struct message {
  std::string channel, text, id;  ///< an empty id: the server makes one
};

/// An error answer; channel and id are the request's own, so that its sender can tell what it is about.
struct fault {
  std::string code, message, channel, id;
};

using client_message = std::variant<join, leave, message, fault>;

/// Reads what a client sent. Whatever is wrong with it becomes a fault; nothing is thrown.
[[nodiscard]] client_message parse(std::string_view text);

[[nodiscard]] std::string history_text(std::string const& channel, past const& last);
[[nodiscard]] std::string presence_text(std::string const& channel, std::vector<std::string> const& users);
[[nodiscard]] std::string message_text(std::string const& channel, stored_message const& stored);
[[nodiscard]] std::string ack_text(std::string const& channel, std::string const& id, receipt const& stored);
[[nodiscard]] std::string error_text(fault const& what);

}  // namespace chat
