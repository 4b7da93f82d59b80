// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <span>

namespace chat {

/// A file of the page, which is part of the program.
struct page_file {
  char const* path;
  char const* type;
  std::span<unsigned char const> body;
};

[[nodiscard]] std::span<page_file const> page_files();

}  // namespace chat
