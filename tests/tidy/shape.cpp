// SPDX-License-Identifier: BSL-1.0
#include <algorithm>

#include "functions.hpp"
#include "tidy.hpp"

namespace tidy {
namespace {

constexpr std::size_t columns_max = 120;
constexpr std::size_t header_lines_max = 400;
constexpr std::size_t function_lines_max = 70;

bool is_cpp(file const& f) { return f.is(".hpp") || f.is(".cpp"); }
bool is_script(file const& f) {
  return f.is(".cmake") || f.is(".cmake.in") || f.is("CMakeLists.txt") || f.is(".js") || f.is(".mjs") || f.is(".sh") ||
         f.is(".yml") || f.is("Makefile") || f.in(".ci/");
}

// Characters, not bytes: the continuation bytes of UTF-8 do not count.
std::size_t columns(std::string_view line) {
  return static_cast<std::size_t>(
      std::count_if(line.begin(), line.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

void check_head(file const& f, report& out) {
  std::string const licence = "SPDX-License-Identifier: BSL-1.0";
  if (is_cpp(f) && (f.lines.empty() || f.lines[0] != "// " + licence))
    out.push_back({f.path, 1, "the first line must be // " + licence});
  if (is_script(f)) {
    std::size_t const first = std::min<std::size_t>(f.lines.size(), 3);
    if (std::none_of(f.lines.begin(), f.lines.begin() + static_cast<std::ptrdiff_t>(first),
                     [&](std::string const& line) { return line.find(licence) != line.npos; }))
      out.push_back({f.path, 1, "the first lines must name the licence: " + licence});
  }
  if (f.is(".hpp") && (f.lines.size() < 2 || f.lines[1] != "#pragma once"))
    out.push_back({f.path, 2, "the second line of a header must be #pragma once"});
}

void check_lines(file const& f, report& out) {
  bool table = false;  // laid out by hand: one row, one line
  for (std::size_t i = 0; i < f.lines.size(); ++i) {
    std::string_view const line = f.lines[i];
    if (line.find("// clang-format off") != line.npos) table = true;
    if (line.find("// clang-format on") != line.npos) table = false;
    if ((is_cpp(f) || is_script(f)) && !table && columns(line) > columns_max)
      out.push_back({f.path, i + 1, "the line has " + std::to_string(columns(line)) + " columns, 120 are allowed"});
    if (line.ends_with(' ') || line.ends_with('\t') || line.ends_with('\r'))
      out.push_back({f.path, i + 1, "the line ends in white space"});
    bool const recipe = f.is("Makefile") && line.starts_with('\t');
    if (line.find('\t', recipe ? 1 : 0) != line.npos) out.push_back({f.path, i + 1, "the line has a tab"});
    if (f.in("include/") && (line.find("namespace detail") != line.npos || line.find("::detail") != line.npos))
      out.push_back({f.path, i + 1, "there is no detail namespace: give the helper a name and a place"});
  }
  if (f.in("include/") && f.lines.size() > header_lines_max)
    out.push_back(
        {f.path, header_lines_max + 1, "the header has " + std::to_string(f.lines.size()) + " lines, 400 are allowed"});
}

void check_functions(file const& f, report& out) {
  if (!is_cpp(f) || f.in("tests/")) return;
  function_lengths const found = measure_functions(f.lines);
  if (!found.balanced)
    out.push_back(
        {f.path, f.lines.size(), "the braces do not balance, perhaps across an #if: functions are unmeasured"});
  for (function_length const& function : found.functions)
    if (function.lines > function_lines_max)
      out.push_back(
          {f.path, function.first, "the function has " + std::to_string(function.lines) + " lines, 70 are allowed"});
}

}  // namespace

report shape(tree const& files) {
  report out;
  for (file const& f : files) {
    check_head(f, out);
    check_lines(f, out);
    check_functions(f, out);
  }
  return out;
}

}  // namespace tidy
