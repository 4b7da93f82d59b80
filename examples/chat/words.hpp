// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <string_view>

#include "protocol.hpp"

/// What the words of a request may be, in every format: docs/chat.md, Words.
namespace chat {

inline constexpr std::size_t name_bytes_max = 64;  ///< of a channel, user, device or id
inline constexpr std::size_t text_bytes_max = 16384;
inline constexpr std::int64_t number_max = (std::int64_t{1} << 53) - 1;  ///< what JavaScript can count to
inline constexpr std::size_t page_limit_max = 100;

/// What is wrong with a name; empty if it is fine.
[[nodiscard]] std::string_view name_flaw(std::string_view name);

/// About the same channel and message as a request.
[[nodiscard]] fault about(request const& what, std::string code, std::string sentence);

/// `what`, or a fault that tells the first thing that is wrong with it.
[[nodiscard]] request checked(request what);

}  // namespace chat
