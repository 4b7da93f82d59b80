// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "assert.hpp"
#include "error.hpp"

namespace purews::inline v0 {

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-------+-+-------------+-------------------------------+
// |F|R|R|R| opcode|M| Payload len |  Extended payload length      |
// |I|S|S|S|  (4)  |A|     (7)     |  (0, 16 or 64 bits)           |
// |N|V|V|V|       |S|             |                               |
// |<- byte 0 ---->|<-- byte 1 --->|  then 4 bytes of masking key  |
// +-+-+-+-+-------+-+-------------+  if MASK is set, then payload |
//                                                 RFC 6455 5.2

enum class role : std::uint8_t { client, server };

enum class opcode : std::uint8_t {
  continuation = 0x0,
  text = 0x1,
  binary = 0x2,
  close = 0x8,
  ping = 0x9,
  pong = 0xA,
};

/// Whether `op` is a control opcode: close, ping, pong or one reserved for control frames. RFC 6455 section 5.5.
constexpr bool is_control(opcode op) noexcept { return (static_cast<unsigned>(op) & 0x8U) != 0; }

/// Whether RFC 6455 section 5.2 defines `op`.
constexpr bool is_known(opcode op) noexcept { return (static_cast<unsigned>(op) & 0x7U) <= 2U; }

/// The four bytes that a client XORs its payload with, in the order of the wire. RFC 6455 section 5.3.
struct masking_key {
  std::byte octets[4]{};
  friend constexpr bool operator==(masking_key const&, masking_key const&) = default;
};

/// The head of a frame. RFC 6455 section 5.2.
struct frame_header {
  bool fin = true;
  std::uint8_t rsv = 0;  ///< RSV1 = 4, RSV2 = 2, RSV3 = 1
  opcode op = opcode::binary;
  bool masked = false;
  std::uint64_t length = 0;  ///< of the payload, in bytes; below 2^63
  masking_key key{};         ///< meaningful if `masked`

  friend constexpr bool operator==(frame_header const&, frame_header const&) = default;
};

constexpr std::size_t frame_header_bytes_max = 14;

/// How many bytes `write_frame_header` writes for this header: 2 to 14.
constexpr std::size_t frame_header_size(std::uint64_t length, bool masked) noexcept {
  return 2U + (length > 0xFFFF ? 8U : length > 125 ? 2U : 0U) + (masked ? 4U : 0U);
}

/// The result of reading a header: `size` bytes of it, or 0 with the number of bytes it needs in `needed`,
/// or `fault`.
struct frame_header_result {
  frame_header header{};
  std::size_t size = 0;
  std::size_t needed = 0;
  error fault = error::none;
};

/// Reads a frame header from the front of `in`, which is not changed.
///
/// Checks what the header alone can tell: the length is written in its shortest form and its top bit is clear,
/// control frames are whole and at most 125 bytes long, the opcode is a known one. A fault is reported as soon
/// as the field that shows it is whole. What depends on the connection (mask, reserved bits, order of fragments) is for
/// the decoder. RFC 6455 section 5.2.
constexpr frame_header_result read_frame_header(bytes_view in) noexcept {
  if (in.size() < 2) return {.needed = 2};
  unsigned const first = std::to_integer<unsigned>(in[0]);
  unsigned const second = std::to_integer<unsigned>(in[1]);
  frame_header_result result;
  frame_header& header = result.header;
  header.fin = (first & 0x80U) != 0;
  header.rsv = static_cast<std::uint8_t>((first >> 4) & 0x7U);
  header.op = static_cast<opcode>(first & 0xFU);
  header.masked = (second & 0x80U) != 0;
  unsigned const short_length = second & 0x7FU;

  if (!is_known(header.op)) return {.header = header, .fault = error::unknown_opcode};
  if (is_control(header.op)) {
    if (!header.fin) return {.header = header, .fault = error::control_fragmented};
    if (short_length > control_payload_bytes_max) return {.header = header, .fault = error::control_too_long};
  }

  std::size_t at = 2;
  header.length = short_length;
  if (short_length == 126) {
    if (in.size() < 4) return {.header = header, .needed = 4U + (header.masked ? 4U : 0U)};
    header.length = load_be16(in.data() + 2);
    if (header.length < 126) return {.header = header, .fault = error::length_not_minimal};
    at = 4;
  } else if (short_length == 127) {
    if (in.size() < 10) return {.header = header, .needed = 10U + (header.masked ? 4U : 0U)};
    header.length = load_be64(in.data() + 2);
    if ((header.length >> 63) != 0) return {.header = header, .fault = error::length_too_large};
    if (header.length <= 0xFFFF) return {.header = header, .fault = error::length_not_minimal};
    at = 10;
  }
  if (header.masked) {
    if (in.size() < at + 4) return {.header = header, .needed = at + 4};
    for (std::size_t i = 0; i < 4; ++i) header.key.octets[i] = in[at + i];
    at += 4;
  }
  result.size = at;
  return result;
}

/// Writes `header` to the front of `out` and returns its size in bytes.
/// Preconditions (asserted): `out` has room for `frame_header_size` bytes; the length is below 2^63; a control frame
/// is whole and at most 125 bytes long. RFC 6455 section 5.2.
constexpr std::size_t write_frame_header(bytes out, frame_header const& header) noexcept {
  PUREWS_ASSERT(out.size() >= frame_header_size(header.length, header.masked));
  PUREWS_ASSERT((header.length >> 63) == 0);
  PUREWS_ASSERT(!is_control(header.op) || (header.fin && header.length <= control_payload_bytes_max));
  out[0] = static_cast<std::byte>((header.fin ? 0x80U : 0U) | (static_cast<unsigned>(header.rsv) << 4) |
                                  static_cast<unsigned>(header.op));
  unsigned const mask_bit = header.masked ? 0x80U : 0U;
  std::size_t at = 2;
  if (header.length <= 125) {
    out[1] = static_cast<std::byte>(mask_bit | static_cast<unsigned>(header.length));
  } else if (header.length <= 0xFFFF) {
    out[1] = static_cast<std::byte>(mask_bit | 126U);
    store_be16(out.data() + 2, static_cast<std::uint16_t>(header.length));
    at = 4;
  } else {
    out[1] = static_cast<std::byte>(mask_bit | 127U);
    store_be64(out.data() + 2, header.length);
    at = 10;
  }
  if (header.masked)
    for (std::size_t i = 0; i < 4; ++i) out[at++] = header.key.octets[i];
  return at;
}

}  // namespace purews::inline v0
