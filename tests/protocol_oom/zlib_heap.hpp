// SPDX-License-Identifier: BSL-1.0
#pragma once

// What zlib takes for the library is counted and can run out, too, and what it inflates is counted. To be included
// instead of purews/deflate/permessage_deflate.hpp.
#include "heap.hpp"

#include <zlib.h>

namespace heap {

/// A z_stream whose memory is ours. It is as large as zlib's: deflateInit2 compares.
struct zlib_stream : z_stream {
  zlib_stream() : z_stream{} {
    zalloc = [](voidpf, uInt items, uInt size) -> voidpf { return reallocate(nullptr, std::size_t{items} * size); };
    zfree = [](voidpf, voidpf block) { release(block); };
  }
};
static_assert(sizeof(zlib_stream) == sizeof(z_stream));

inline std::size_t inflated = 0;

inline int inflate_counted(z_stream* stream, int flush) {
  uLong const before = stream->total_out;
  int const code = inflate(stream, flush);
  inflated += stream->total_out - before;
  return code;
}

}  // namespace heap

#define z_stream heap::zlib_stream
#define inflate(stream, flush) heap::inflate_counted(stream, flush)
#include "purews/deflate/permessage_deflate.hpp"
#undef z_stream
#undef inflate
