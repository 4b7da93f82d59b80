// SPDX-License-Identifier: BSL-1.0
#include <algorithm>
#include <map>
#include <set>

#include "tidy.hpp"

namespace tidy {
namespace {

std::string const library = "include/purews/";

struct row {
  std::string_view folder;
  std::vector<std::string_view> may_include;  // beside itself and version.hpp
};

// The table of docs/architecture.md. What a row permits, it permits with all below it.
std::vector<row> const table = {
    {"wire", {}},
    {"protocol", {"wire"}},
    {"deflate", {"wire", "protocol"}},
    {"tls", {"wire", "protocol"}},
    {"sim", {"wire", "protocol", "deflate"}},
    {"loop", {"wire", "protocol"}},
    {"server", {"wire", "protocol", "loop"}},
    {"client", {"wire", "protocol", "loop"}},
    {"co", {"wire", "protocol", "loop"}},
    // The umbrellas.
    {"version.hpp", {}},
    {"purews.hpp", {"wire", "protocol"}},
    {"server.hpp", {"wire", "protocol", "loop", "server", "purews.hpp"}},
    {"client.hpp", {"wire", "protocol", "loop", "client", "purews.hpp"}},
};

// include/purews/wire/frame.hpp -> wire; include/purews/purews.hpp -> purews.hpp
std::string row_of(std::string_view path) {
  std::string_view const rest = path.substr(library.size());
  return std::string(rest.substr(0, rest.find('/')));
}

// Resolves "../wire/frame.hpp", seen from a path, to a path from the root.
std::string resolve(std::string_view from, std::string_view relative) {
  std::string base(from.substr(0, from.rfind('/') + 1));
  while (relative.starts_with("../")) {
    relative.remove_prefix(3);
    base.pop_back();
    base.resize(base.rfind('/') + 1);
  }
  return base + std::string(relative);
}

using graph = std::map<std::string, std::vector<std::string>>;

void check_include(tree const& files, file const& from, std::size_t line, row const& rules, graph& edges, report& out) {
  std::string const what = included(from.lines[line]);
  if (what.starts_with("<purews/") || what.starts_with("\"purews/")) {
    out.push_back({from.path, line + 1, "headers of the library include each other by relative paths, not as " + what});
    return;
  }
  if (!what.starts_with('"')) return;
  std::string const target = resolve(from.path, std::string_view(what).substr(1, what.size() - 2));
  if (find(files, target) == nullptr || !target.starts_with(library)) {
    out.push_back({from.path, line + 1, what + " is not a header of the library"});
    return;
  }
  edges[from.path].push_back(target);
  std::string const to = row_of(target);
  auto const& may = rules.may_include;
  if (to != rules.folder && to != "version.hpp" && std::find(may.begin(), may.end(), to) == may.end())
    out.push_back({from.path, line + 1, std::string(rules.folder) + " must not include " + to + " (" + what + ")"});
}

// Reports one circle of includes through `at`, if there is one: #pragma once would hide it from the compiler.
bool circle(graph const& edges, std::string const& at, std::set<std::string>& done, std::vector<std::string>& way,
            report& out) {
  if (std::find(way.begin(), way.end(), at) != way.end()) {
    out.push_back({at, 1, "the header includes itself by way of " + way.back()});
    return true;
  }
  if (!done.insert(at).second) return false;
  way.push_back(at);
  bool found = false;
  if (auto const next = edges.find(at); next != edges.end())
    for (std::string const& to : next->second) found = found || circle(edges, to, done, way, out);
  way.pop_back();
  return found;
}

}  // namespace

report arrows(tree const& files) {
  report out;
  graph edges;
  for (file const& header : files) {
    if (!header.in(library)) continue;
    std::string const name = row_of(header.path);
    auto const rules = std::find_if(table.begin(), table.end(), [&](row const& r) { return r.folder == name; });
    if (rules == table.end()) {
      out.push_back({header.path, 1, "the table of arrows has no row for " + name});
      continue;
    }
    for (std::size_t line = 0; line < header.lines.size(); ++line)
      check_include(files, header, line, *rules, edges, out);
  }
  std::set<std::string> done;
  std::vector<std::string> way;
  for (auto const& edge : edges) circle(edges, edge.first, done, way, out);
  return out;
}

}  // namespace tidy
