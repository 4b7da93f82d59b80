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

// The target of each relative link exists. A page may link a folder. What looks like a link in code is a lambda.
void check_links(tree const& files, file const& page, report& out) {
  std::string const folder = page.path.substr(0, page.path.rfind('/') + 1);
  bool in_block = false;
  for (std::size_t line = 0; line < page.lines.size(); ++line) {
    std::string_view const text = page.lines[line];
    if (text.starts_with("```")) in_block = !in_block;
    if (in_block) continue;
    for (std::size_t at = text.find("]("); at != text.npos; at = text.find("](", at + 2)) {
      if (std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '`') % 2 != 0) continue;
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

std::vector<std::string> parts_between(std::string_view text, char begin, char end) {
  std::vector<std::string> parts;
  for (std::size_t at = text.find(begin); at != text.npos;) {
    std::size_t const stop = text.find(end, at + 1);
    if (stop == text.npos) break;
    parts.emplace_back(text.substr(at + 1, stop - at - 1));
    at = text.find(begin, stop + (begin == end ? 1 : 0));
  }
  return parts;
}

bool contains(file const& in, std::string_view what) {
  return std::any_of(in.lines.begin(), in.lines.end(),
                     [&](std::string const& line) { return line.find(what) != line.npos; });
}

// The names of all tests, of which a vector is one.
std::vector<std::string> test_names(tree const& files) {
  std::vector<std::string> names;
  for (file const& f : files)
    for (std::string const& line : f.lines)
      if (f.in("tests/") && (line.find("TEST_CASE(") != line.npos || line.starts_with("vector ")))
        names.push_back(line);
  return names;
}

// F-02, D-38: what the names of tests begin with.
std::vector<std::string> ids_in(std::string_view text) {
  auto const is_digit = [](char c) { return c >= '0' && c <= '9'; };
  std::vector<std::string> ids;
  for (std::size_t at = 0; at + 4 <= text.size(); ++at)
    if (text[at] >= 'A' && text[at] <= 'Z' && text[at + 1] == '-' && is_digit(text[at + 2]) && is_digit(text[at + 3]))
      ids.emplace_back(text.substr(at, 4));
  return ids;
}

// A row of a page on an RFC, | section | rule | code | tests |: headers and what is named of them exist, and so do
// tests.
void check_row(tree const& files, file const& page, std::size_t line, std::vector<std::string> const& names,
               report& out) {
  std::size_t const end = page.lines[line].rfind(" | ");
  std::string const tests = end == std::string::npos ? "" : page.lines[line].substr(end);
  std::vector<file const*> headers;
  for (std::string const& code : parts_between(page.lines[line], '`', '`')) {
    if (code.ends_with(".hpp")) {
      headers.push_back(find(files, "include/purews/" + code));
      if (headers.back() == nullptr) return out.push_back({page.path, line + 1, "there is no header " + code});
    } else if (std::none_of(headers.begin(), headers.end(), [&](file const* h) { return contains(*h, code); })) {
      out.push_back({page.path, line + 1, "no header named before it in this row has " + code});
    }
  }
  std::vector<std::string> wanted = ids_in(tests);
  for (std::string const& sentence : parts_between(tests, '"', '"')) wanted.push_back(sentence);
  for (std::string const& what : wanted)
    if (std::none_of(names.begin(), names.end(), [&](std::string const& n) { return n.find(what) != n.npos; }))
      out.push_back({page.path, line + 1, "no test has this in its name: " + what});
}

// The pages on RFCs say where each rule is kept and tested.
void check_references(tree const& files, file const& page, report& out) {
  std::vector<std::string> const names = test_names(files);
  for (std::size_t line = 0; line < page.lines.size(); ++line)
    if (page.lines[line].starts_with("| ")) check_row(files, page, line, names, out);
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
    if (page.in("docs/rfc")) check_references(files, page, out);
  }
  return out;
}

}  // namespace tidy
