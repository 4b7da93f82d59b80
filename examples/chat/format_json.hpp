// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "format.hpp"

namespace chat {

/// A request; one of a known channel does not name it. What is wrong with it becomes a fault.
[[nodiscard]] request read_json(std::string_view text, std::string const* channel = nullptr);
[[nodiscard]] std::string write_json(event const& what, bool with_channel = true);

}  // namespace chat
