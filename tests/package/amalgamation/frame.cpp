// SPDX-License-Identifier: BSL-1.0
#include "frame.hpp"

purews::bytes write_hello(purews::bytes out) {
  purews::masking_key const key{{std::byte{0x37}, std::byte{0xFA}, std::byte{0x21}, std::byte{0x3D}}};
  std::size_t const head =
      purews::write_frame_header(out, {.op = purews::opcode::text, .masked = true, .length = 5, .key = key});
  purews::copy_bytes(out.data() + head, purews::as_bytes("Hello"));
  purews::mask(out.subspan(head, 5), key);
  return out.first(head + 5);
}
