// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

/// Pages of docs/, for the tests that compare them with the code. Run in the project's folder, as ctest does.
namespace test {

inline std::string page(char const* path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

/// The lines between `<!-- generated: NAME -->` and `<!-- end -->`.
inline std::string generated_part(std::string const& page, std::string const& name) {
  std::string const mark = "<!-- generated: " + name + " -->\n";
  std::size_t const begin = page.find(mark);
  if (begin == std::string::npos) return {};
  std::size_t const end = page.find("<!-- end -->", begin);
  return page.substr(begin + mark.size(), end - begin - mark.size());
}

/// The names in the first column of the tables of a page, where they are code.
inline std::vector<std::string> rows(std::string const& page) {
  std::vector<std::string> result;
  for (std::size_t at = page.find("\n| `"); at != std::string::npos; at = page.find("\n| `", at + 1))
    result.push_back(page.substr(at + 4, page.find('`', at + 4) - at - 4));
  return result;
}

/// A number as people write it: 131,072.
inline std::string count(std::uint64_t n) {
  std::string text = std::to_string(n);
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

/// Bytes as people write them: 64 KiB.
inline std::string size(std::uint64_t n) {
  if (n == UINT64_MAX) return "none";
  if (n != 0 && n % (1U << 20) == 0) return count(n >> 20) + " MiB";
  if (n != 0 && n % (1U << 10) == 0) return count(n >> 10) + " KiB";
  return count(n) + " bytes";
}

/// Whether a table has a row with this name and this value.
inline bool has_row(std::string const& page, std::string const& name, std::string const& value) {
  return page.find("\n| `" + name + "` | " + value + " |") != std::string::npos;
}

}  // namespace test
