// SPDX-License-Identifier: BSL-1.0
#include "tidy.hpp"

#include <algorithm>

namespace tidy {

std::string included(std::string_view line) {
  auto const skip_spaces = [&line] { line.remove_prefix(std::min(line.find_first_not_of(' '), line.size())); };
  skip_spaces();
  if (!line.starts_with('#')) return {};
  line.remove_prefix(1);
  skip_spaces();
  if (!line.starts_with("include")) return {};
  line.remove_prefix(7);
  skip_spaces();
  if (!line.starts_with('"') && !line.starts_with('<')) return {};
  std::size_t const end = line.find(line[0] == '<' ? '>' : '"', 1);
  return end == line.npos ? std::string() : std::string(line.substr(0, end + 1));
}

file const* find(tree const& files, std::string_view path) {
  auto const found = std::find_if(files.begin(), files.end(), [&](file const& f) { return f.path == path; });
  return found == files.end() ? nullptr : &*found;
}

}  // namespace tidy
