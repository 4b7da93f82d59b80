// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace chat {

/// What is wrong with a list of origins, in one sentence: an entry that no page has, that allows less or more than it
/// seems to, or that is there twice. "*" allows all pages, and stands alone.
[[nodiscard]] std::optional<std::string> origins_flaw(std::vector<std::string> const& allowed);

}  // namespace chat
