// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "purews/wire/accept_key.hpp"

namespace test {

using purews::sha1_digest;
using purews::sha1_kernel;

/// The whole algorithm of the standard, of which accept_key needs two blocks.
constexpr sha1_digest sha1(std::string_view text) noexcept {
  sha1_kernel kernel;
  std::uint64_t const bits = std::uint64_t{text.size()} * 8;
  for (; text.size() >= 64; text.remove_prefix(64)) kernel.add(sha1_kernel::expand(text.data()));
  char block[64]{};
  for (std::size_t i = 0; i < text.size(); ++i) block[i] = text[i];
  block[text.size()] = '\x80';
  if (text.size() >= 56) {
    kernel.add(sha1_kernel::expand(block));
    for (char& c : block) c = 0;
  }
  sha1_kernel::put_length(block, bits);
  kernel.add(sha1_kernel::expand(block));
  return kernel.digest();
}

}  // namespace test
