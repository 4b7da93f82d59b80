// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

/// The laws of the project, as functions from a tree of files to what breaks them. The program `tidy` runs them on the
/// checkout, and planted.cpp runs each on small trees with planted violations: a check that cannot fail is a defect.
namespace tidy {

/// A text file: its path from the project's root, with '/', and its lines without their ends.
struct file {
  std::string path;
  std::vector<std::string> lines;

  bool is(std::string_view ending) const { return path.ends_with(ending); }
  bool in(std::string_view folder) const { return path.starts_with(folder); }
};

using tree = std::vector<file>;

struct violation {
  std::string path;
  std::size_t line;  ///< from 1
  std::string sentence;
};

using report = std::vector<violation>;

/// Each header of the library includes only what its folder's row in the table of arrows permits.
report arrows(tree const& files);

/// Each header of the library includes only the system, standard and foreign headers that its folder permits.
report headers(tree const& files);

/// Every file has the form that the house style asks for.
report shape(tree const& files);

/// Every public header has its test file.
report twins(tree const& files);

/// Every row of the list of known hazards has a test with its tag, or a layer to come that will have it.
report hazards(tree const& files);

/// No source of zlib or of another DEFLATE is copied in: the system's is linked, which gets its security fixes.
report copies(tree const& files);

/// The changelog has the version of version.hpp, the code in the README and in docs/ is code that is compiled,
/// links lead somewhere, and what the pages on RFCs say of headers and tests is there.
report docs(tree const& files);

/// The value of `#include "x"` or `#include <x>` in a line, with its quotes; empty for any other line.
std::string included(std::string_view line);

file const* find(tree const& files, std::string_view path);

}  // namespace tidy
