// SPDX-License-Identifier: BSL-1.0
#include <algorithm>

#include "tidy.hpp"

namespace tidy {
namespace {

std::string version_of(file const& header) {
  std::string version;
  for (std::string_view part : {"MAJOR", "MINOR", "PATCH"}) {
    std::string const define = "#define PUREWS_VERSION_" + std::string(part) + " ";
    for (std::string const& line : header.lines)
      if (line.starts_with(define)) version += (version.empty() ? "" : ".") + line.substr(define.size());
  }
  return version;
}

void check_changelog(tree const& files, report& out) {
  std::string const path = "docs/changelog.md";
  file const* const header = find(files, "include/purews/version.hpp");
  file const* const changelog = find(files, path);
  if (header == nullptr || changelog == nullptr) {
    out.push_back({header == nullptr ? "include/purews/version.hpp" : path, 1, "the file is missing"});
    return;
  }
  auto const first = std::find_if(changelog->lines.begin(), changelog->lines.end(),
                                  [](std::string const& line) { return line.starts_with("## "); });
  std::string const version = version_of(*header);
  auto const line = static_cast<std::size_t>(first - changelog->lines.begin());
  if (first == changelog->lines.end() || (*first + " ").find("## " + version + " ") != 0)
    out.push_back({path, line + 1, "the first entry is not that of version " + version + ", which version.hpp has"});
}

// The path in `<!-- file: examples/readme/echo.cpp -->`; empty for any other line.
std::string named_file(std::string_view line) {
  std::string_view const before = "<!-- file: ";
  std::string_view const after = " -->";
  if (!line.starts_with(before) || !line.ends_with(after)) return {};
  line.remove_prefix(before.size());
  line.remove_suffix(after.size());
  return std::string(line);
}

// Whether the whole file but its licence line, or a run of its lines, is `block`.
bool holds(file const& source, std::vector<std::string> const& block) {
  return !block.empty() &&
         std::search(source.lines.begin(), source.lines.end(), block.begin(), block.end()) != source.lines.end();
}

void check_block(tree const& files, file const& page, std::size_t fence, std::vector<std::string> const& block,
                 report& out) {
  std::string const path = fence == 0 ? "" : named_file(page.lines[fence - 1]);
  if (path.empty()) {
    out.push_back({page.path, fence + 1, "the line before this code must name its file: <!-- file: PATH -->"});
    return;
  }
  file const* const source = find(files, path);
  if (source == nullptr)
    out.push_back({page.path, fence, path + " does not exist"});
  else if (!holds(*source, block))
    out.push_back({page.path, fence + 1, "this code is not, line by line, in " + path});
  else if (!source->in("examples/") && !source->in("tests/"))
    out.push_back({page.path, fence, path + " is not built: name a file of examples/ or tests/"});
}

// Code in the README and in docs/ is C++ or CMake, and each of its blocks is a part of a file that is built. Commands
// and other text may name their file, and then are checked too.
void check_code(tree const& files, file const& page, report& out) {
  for (std::size_t line = 0; line < page.lines.size(); ++line) {
    if (!page.lines[line].starts_with("```")) continue;
    std::size_t const fence = line;
    std::vector<std::string> block;
    for (++line; line < page.lines.size() && page.lines[line] != "```"; ++line) block.push_back(page.lines[line]);
    bool const checked = page.lines[fence] == "```cpp" || page.lines[fence] == "```cmake";
    bool const named = fence > 0 && !named_file(page.lines[fence - 1]).empty();
    if (checked || named) check_block(files, page, fence, block, out);
  }
}

// The target of each relative link exists. A page may link a folder.
void check_links(tree const& files, file const& page, report& out) {
  std::string const folder = page.path.substr(0, page.path.rfind('/') + 1);
  for (std::size_t line = 0; line < page.lines.size(); ++line) {
    std::string_view const text = page.lines[line];
    for (std::size_t at = text.find("]("); at != text.npos; at = text.find("](", at + 2)) {
      std::string_view link = text.substr(at + 2, text.find(')', at) - at - 2);
      link = link.substr(0, link.find('#'));
      if (link.empty() || link.find(':') != link.npos) continue;
      std::string base = folder;
      for (; link.starts_with("../"); link.remove_prefix(3)) base.resize(base.find_last_of('/', base.size() - 2) + 1);
      std::string const target = base + std::string(link);
      if (std::none_of(files.begin(), files.end(),
                       [&](file const& f) { return f.path == target || f.path.starts_with(target + "/"); }))
        out.push_back({page.path, line + 1, "the link leads nowhere: " + target});
    }
  }
}

}  // namespace

report docs(tree const& files) {
  report out;
  check_changelog(files, out);
  if (file const* const readme = find(files, "README.md"))
    check_code(files, *readme, out);
  else
    out.push_back({"README.md", 1, "the file is missing"});
  for (file const& page : files) {
    if (!page.is(".md")) continue;
    check_links(files, page, out);
    if (page.in("docs/")) check_code(files, page, out);
  }
  return out;
}

}  // namespace tidy
