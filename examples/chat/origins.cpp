// SPDX-License-Identifier: BSL-1.0
#include "origins.hpp"

#include <purews/protocol/origin.hpp>

namespace chat {
namespace {

std::string flaw(std::string const& text) {
  std::string const sentence = "--origin '" + text + "' ";
  if (text == "*") return {};
  if (text.find('*') != text.npos) return sentence + "has a *: name each origin, or allow all with '*' alone";
  auto const parsed = purews::parse_origin(text);
  if (!parsed.valid()) return sentence + "is no origin: write it as https://chat.example, without anything behind it";
  for (auto const* const scheme : {"ws", "wss"})
    if (purews::iequals(parsed.scheme, scheme))
      return sentence + "is of no page: their origins begin with http or https";
  return {};
}

}  // namespace

std::optional<std::string> origins_flaw(std::vector<std::string> const& allowed) {
  for (auto each = allowed.begin(); each != allowed.end(); ++each) {
    if (auto sentence = flaw(*each); !sentence.empty()) return sentence;
    if (*each == "*" && allowed.size() > 1) return "--origin '*' allows all pages: do not name others beside it";
    for (auto before = allowed.begin(); before != each; ++before)
      if (purews::parse_origin(*before) == purews::parse_origin(*each))
        return "--origin '" + *before + "' and '" + *each + "' are the same";
  }
  return std::nullopt;
}

}  // namespace chat
