// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace chat {

/// What somebody wants to do in a channel.
enum class action : std::uint8_t { join, message, history, typing };

/// Whether a user may. It is asked each time; who may join may hear what is said.
using policy = std::function<bool(std::string const& user, action what, std::string const& channel)>;

inline bool allow_all(std::string const&, action, std::string const&) { return true; }

}  // namespace chat
