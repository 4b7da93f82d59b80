// SPDX-License-Identifier: BSL-1.0
#include <purews/purews.hpp>
#include <purews/version.hpp>

#include "other.hpp"

// A program of someone else: it has our headers in two translation units and none of our build.

int main() {
  std::byte frame[purews::frame_header_bytes_max];
  std::size_t const size = purews::write_frame_header(frame, {.op = purews::opcode::text, .length = 300});
  purews::frame_header const seen = read_elsewhere({frame, size});
  return size == 4 && seen.length == 300 && purews::version{}.major == PUREWS_VERSION_MAJOR ? 0 : 1;
}
