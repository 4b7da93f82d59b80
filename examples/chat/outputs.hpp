// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <string>

#include "protocol.hpp"

/// What the chat wants done with its clients. The store's part is in store.hpp.
namespace chat {

using client_id = std::uint64_t;

struct to_client {
  client_id client;
  event what;
};
/// To all who are subscribed to a channel.
struct to_channel {
  std::string channel;
  event what;
  client_id but = 0;  ///< who knows it already
};
struct subscribe {
  client_id client;
  std::string channel;
};
struct unsubscribe {
  client_id client;
  std::string channel;
};
struct close_client {
  client_id client;
  std::uint16_t code;
  std::string reason;
};
struct report {
  std::string sentence;  ///< for the operator
};

}  // namespace chat
