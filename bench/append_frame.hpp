// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <vector>

#include "purews/purews.hpp"

/// Appends one masked frame, as a client sends it, with this payload.
inline void append_frame(std::vector<std::byte>& wire, purews::opcode op, purews::bytes_view payload,
                         purews::masking_key key) {
  std::byte header[purews::frame_header_bytes_max];
  std::size_t const size =
      purews::write_frame_header(header, {.op = op, .masked = true, .length = payload.size(), .key = key});
  wire.insert(wire.end(), header, header + size);
  std::size_t const at = wire.size();
  wire.resize(at + payload.size());
  purews::mask_copy(wire.data() + at, payload, key);
}
