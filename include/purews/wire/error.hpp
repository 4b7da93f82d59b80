// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <string_view>

#include "close.hpp"

namespace purews::inline v0 {

/// What went wrong: one enumerator for each rule that a peer can break and for each deadline that it can miss.
enum class error : std::uint8_t {
  none,
  // Framing. RFC 6455 section 5.
  unmasked_frame,
  masked_frame,
  reserved_bit,
  unknown_opcode,
  length_not_minimal,
  length_too_large,
  control_fragmented,
  control_too_long,
  unexpected_continuation,
  expected_continuation,
  // Payload. RFC 6455 sections 5.5.1, 7.4 and 8.1.
  invalid_utf8,
  close_payload_short,
  close_code_invalid,
  close_reason_utf8,
  // Compression. RFC 7692 section 7.2.2.
  deflate_data,
  deflate_end,
  // Limits of ours.
  frame_too_big,
  message_too_big,
  too_many_fragments,
  compressed_too_big,
  inflate_ratio,
  out_of_memory,
  // Deadlines of ours.
  handshake_timeout,
  pong_timeout,
  close_timeout,
  write_timeout,
  // The HTTP head, read by either side. RFC 9112.
  head_line_too_long,
  request_line_too_long,
  head_too_long,
  too_many_lines,
  head_syntax,
  request_line_syntax,
  http_version,
  status_line_syntax,
  host_invalid,
  body_framing,
  body_too_big,
  transfer_encoding,
  // The upgrade, read by a server. RFC 6455 section 4.2.
  upgrade_method,
  upgrade_version_http,
  upgrade_missing,
  upgrade_key,
  upgrade_version,
  upgrade_version_missing,
  upgrade_subprotocol,
  upgrade_extensions,
  upgrade_body,
  // The answer, read by a client. RFC 6455 section 4.1.
  answer_status,
  answer_interim,
  answer_upgrade,
  answer_connection,
  answer_accept,
  answer_subprotocol,
  answer_extension,
  answer_eof,
};

inline constexpr int error_count = static_cast<int>(error::answer_eof) + 1;

/// What `rule`, `message`, `section`, `status_for` and `http_status_for` know of an error.
struct error_info {
  error what;
  char const* rule;     ///< the enumerator
  std::uint16_t close;  ///< the status code of our Close frame; 0: it comes before the connection is open, or too late
  std::uint16_t http;   ///< what a server answers; 0: the error is not one of an HTTP request
  char const* message;  ///< one sentence, with the RFC's section
};

inline constexpr error_info error_table[] = {
    // clang-format off
    {error::none, "none", 0, 0, "no error"},
    {error::unmasked_frame, "unmasked_frame", 1002, 0, "a client's frame was not masked (RFC 6455 5.1)"},
    {error::masked_frame, "masked_frame", 1002, 0, "a server's frame was masked (RFC 6455 5.1)"},
    {error::reserved_bit, "reserved_bit", 1002, 0, "a reserved bit was set without an extension that defines it (RFC 6455 5.2)"},
    {error::unknown_opcode, "unknown_opcode", 1002, 0, "a reserved opcode was used (RFC 6455 5.2)"},
    {error::length_not_minimal, "length_not_minimal", 1002, 0, "a payload length was not written in its shortest form (RFC 6455 5.2)"},
    {error::length_too_large, "length_too_large", 1002, 0, "the most significant bit of a 64-bit length was set (RFC 6455 5.2)"},
    {error::control_fragmented, "control_fragmented", 1002, 0, "a control frame was fragmented (RFC 6455 5.5)"},
    {error::control_too_long, "control_too_long", 1002, 0, "a control frame was longer than 125 bytes (RFC 6455 5.5)"},
    {error::unexpected_continuation, "unexpected_continuation", 1002, 0, "a continuation came with no message open (RFC 6455 5.4)"},
    {error::expected_continuation, "expected_continuation", 1002, 0, "a new message began before the last one was finished (RFC 6455 5.4)"},
    {error::invalid_utf8, "invalid_utf8", 1007, 0, "a text message was not valid UTF-8 (RFC 6455 8.1)"},
    {error::close_payload_short, "close_payload_short", 1002, 0, "a Close frame had a payload of one byte (RFC 6455 5.5.1)"},
    {error::close_code_invalid, "close_code_invalid", 1002, 0, "a Close frame had a code that must not be on the wire (RFC 6455 7.4)"},
    {error::close_reason_utf8, "close_reason_utf8", 1007, 0, "the reason of a Close frame was not valid UTF-8 (RFC 6455 5.5.1)"},
    {error::deflate_data, "deflate_data", 1007, 0, "a compressed message was not valid DEFLATE (RFC 7692 7.2.2)"},
    {error::deflate_end, "deflate_end", 1007, 0, "a compressed message did not end where a DEFLATE block does (RFC 7692 7.2.2)"},
    {error::frame_too_big, "frame_too_big", 1009, 0, "a frame was longer than the limit (RFC 6455 10.4)"},
    {error::message_too_big, "message_too_big", 1009, 0, "a message was longer than the limit (RFC 6455 10.4)"},
    {error::too_many_fragments, "too_many_fragments", 1008, 0, "a message had more fragments than the limit (RFC 6455 10.4)"},
    {error::compressed_too_big, "compressed_too_big", 1009, 0, "a compressed message was longer than any of its size need be (RFC 6455 10.4)"},
    {error::inflate_ratio, "inflate_ratio", 1008, 0, "a compressed message grew by more than the limit (RFC 7692 8)"},
    {error::out_of_memory, "out_of_memory", 1011, 500, "memory ran out"},
    {error::handshake_timeout, "handshake_timeout", 0, 408, "the opening handshake took longer than its deadline"},
    {error::pong_timeout, "pong_timeout", 1011, 0, "the peer sent nothing, not even a pong, before the deadline"},
    {error::close_timeout, "close_timeout", 0, 0, "the peer did not answer our Close frame before the deadline"},
    {error::write_timeout, "write_timeout", 0, 0, "the peer took no byte of our output before the deadline"},
    {error::head_line_too_long, "head_line_too_long", 0, 431, "a header line was longer than the limit (RFC 6585 5)"},
    {error::request_line_too_long, "request_line_too_long", 0, 414, "the request line was longer than the limit (RFC 9110 15.5.15)"},
    {error::head_too_long, "head_too_long", 0, 431, "the HTTP head was longer than the limit (RFC 6585 5)"},
    {error::too_many_lines, "too_many_lines", 0, 431, "the HTTP head had more lines than the limit (RFC 6585 5)"},
    {error::head_syntax, "head_syntax", 0, 400, "a header line was malformed (RFC 9112 5)"},
    {error::request_line_syntax, "request_line_syntax", 0, 400, "the request line was malformed (RFC 9112 3)"},
    {error::http_version, "http_version", 0, 505, "the HTTP version is not supported (RFC 9110 15.6.6)"},
    {error::status_line_syntax, "status_line_syntax", 0, 0, "the status line was malformed (RFC 9112 4)"},
    {error::host_invalid, "host_invalid", 0, 400, "the Host header was missing, repeated or malformed (RFC 9112 3.2)"},
    {error::body_framing, "body_framing", 0, 400, "Content-Length was malformed or repeated (RFC 9112 6.3)"},
    {error::body_too_big, "body_too_big", 0, 413, "the request's body was longer than the limit (RFC 9110 15.5.14)"},
    {error::transfer_encoding, "transfer_encoding", 0, 501, "Transfer-Encoding is not supported in requests (RFC 9112 6.1)"},
    {error::upgrade_method, "upgrade_method", 0, 405, "the method of an upgrade was not GET (RFC 6455 4.2.1)"},
    {error::upgrade_version_http, "upgrade_version_http", 0, 400, "an upgrade needs HTTP/1.1 (RFC 6455 4.2.1)"},
    {error::upgrade_missing, "upgrade_missing", 0, 426, "Upgrade: websocket and Connection: Upgrade did not both come (RFC 6455 4.2.1)"},
    {error::upgrade_key, "upgrade_key", 0, 400, "Sec-WebSocket-Key was missing, repeated or not 16 bytes in base64 (RFC 6455 4.2.1)"},
    {error::upgrade_version, "upgrade_version", 0, 426, "Sec-WebSocket-Version was not 13 (RFC 6455 4.4)"},
    {error::upgrade_version_missing, "upgrade_version_missing", 0, 400, "Sec-WebSocket-Version was missing (RFC 6455 4.2.1)"},
    {error::upgrade_subprotocol, "upgrade_subprotocol", 0, 400, "Sec-WebSocket-Protocol was malformed (RFC 6455 11.3.4)"},
    {error::upgrade_extensions, "upgrade_extensions", 0, 400, "Sec-WebSocket-Extensions was malformed (RFC 6455 9.1)"},
    {error::upgrade_body, "upgrade_body", 0, 400, "an upgrade must not have a body (RFC 9112 6.3)"},
    {error::answer_status, "answer_status", 0, 0, "the server did not answer 101 (RFC 6455 4.1)"},
    {error::answer_interim, "answer_interim", 0, 0, "the server sent too many interim answers (RFC 9110 15.2)"},
    {error::answer_upgrade, "answer_upgrade", 0, 0, "the answer's Upgrade header was not websocket (RFC 6455 4.1)"},
    {error::answer_connection, "answer_connection", 0, 0, "the answer's Connection header did not say Upgrade (RFC 6455 4.1)"},
    {error::answer_accept, "answer_accept", 0, 0, "the answer's Sec-WebSocket-Accept was wrong, missing or repeated (RFC 6455 4.1)"},
    {error::answer_subprotocol, "answer_subprotocol", 0, 0, "the answer selected a subprotocol that was not offered (RFC 6455 4.1)"},
    {error::answer_extension, "answer_extension", 0, 0, "the answer selected an extension that was not offered (RFC 6455 4.1)"},
    {error::answer_eof, "answer_eof", 0, 0, "the connection ended before the opening handshake was finished"},
    // clang-format on
};

static_assert(sizeof error_table / sizeof error_table[0] == error_count);

/// The enumerator's own name: short, stable, for logs and counters. The text is static.
constexpr std::string_view rule(error what) noexcept { return error_table[static_cast<int>(what)].rule; }

/// One sentence on `what`, with the section of the RFC. The text is static.
constexpr std::string_view message(error what) noexcept { return error_table[static_cast<int>(what)].message; }

/// The section that holds the broken rule, such as "RFC 6455 5.1"; empty for what no RFC rules. The text is static.
constexpr std::string_view section(error what) noexcept {
  std::string_view const text = message(what);
  std::size_t const at = text.rfind("(RFC ");
  return at == std::string_view::npos ? std::string_view{} : text.substr(at + 1, text.size() - at - 2);
}

/// The code of the Close frame that announces `what`; none where no Close frame can be sent.
constexpr status_code status_for(error what) noexcept {
  return static_cast<status_code>(error_table[static_cast<int>(what)].close);
}

/// The HTTP status with which a server answers `what`; 0 where the error is not one of a request.
constexpr std::uint16_t http_status_for(error what) noexcept { return error_table[static_cast<int>(what)].http; }

}  // namespace purews::inline v0
