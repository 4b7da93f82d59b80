// SPDX-License-Identifier: BSL-1.0
#include <algorithm>

#include "tidy.hpp"

namespace tidy {
namespace {

// Names of the files that a copied zlib consists of, and of its usual replacements.
constexpr std::string_view stems[] = {"adler32",  "compress", "crc32",    "deflate",    "gzlib", "infback", "inffast",
                                      "inffixed", "inflate",  "inftrees", "libdeflate", "miniz", "trees",   "uncompr",
                                      "zconf",    "zlib",     "zlib-ng",  "zopfli",     "zutil"};

bool is_copy(file const& f) {
  std::size_t const slash = f.path.rfind('/');
  std::string_view const name = std::string_view(f.path).substr(slash == f.path.npos ? 0 : slash + 1);
  std::string_view const stem = name.substr(0, name.find('.'));
  bool const source = f.is(".h") || f.is(".hpp") || f.is(".c") || f.is(".cc") || f.is(".cpp");
  return source && std::find(std::begin(stems), std::end(stems), stem) != std::end(stems);
}

bool has(file const& f, std::string_view text) {
  return std::any_of(f.lines.begin(), f.lines.end(),
                     [&](std::string const& line) { return line.find(text) != line.npos; });
}

}  // namespace

report copies(tree const& files) {
  report out;
  bool deflates = false;
  for (file const& f : files) {
    if (f.is(".hpp") && f.in("include/purews/deflate/")) deflates = true;
    // Not those of a test that is named after its header, or after what it measures.
    if (is_copy(f) && !(f.is(".cpp") && (f.in("tests/") || f.in("bench/"))))
      out.push_back({f.path, 1, "a source of zlib must not be copied in: the system's is linked"});
    if (f.is(".h") || f.is(".hpp"))
      for (std::size_t i = 0; i < f.lines.size(); ++i)
        if (f.lines[i].find("define ZLIB_VERSION") != std::string::npos)
          out.push_back({f.path, i + 1, "zlib must not be copied in, under whatever name"});
  }
  file const* const build = find(files, "CMakeLists.txt");
  if (deflates && (build == nullptr || !has(*build, "FIND_PACKAGE ZLIB") || !has(*build, "ZLIB::ZLIB")))
    out.push_back({"CMakeLists.txt", 1, "include/purews/deflate must be built on the system's zlib"});
  return out;
}

}  // namespace tidy
