// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../wire/text_writer.hpp"
#include "../wire/upgrade.hpp"
#include "refusal.hpp"

namespace purews::inline v0 {

/// What the RFCs call a status; empty for one that they do not name. RFC 9110 section 15, RFC 6585.
constexpr std::string_view reason_phrase(std::uint16_t status) noexcept {
  struct phrase {
    std::uint16_t status;
    std::string_view text;
  };
  // clang-format off
  constexpr phrase phrases[] = {
      {200, "OK"}, {201, "Created"}, {202, "Accepted"}, {204, "No Content"}, {206, "Partial Content"},
      {301, "Moved Permanently"}, {302, "Found"}, {303, "See Other"}, {304, "Not Modified"},
      {307, "Temporary Redirect"}, {308, "Permanent Redirect"}, {400, "Bad Request"}, {401, "Unauthorized"},
      {403, "Forbidden"}, {404, "Not Found"}, {405, "Method Not Allowed"}, {406, "Not Acceptable"},
      {408, "Request Timeout"}, {409, "Conflict"}, {410, "Gone"}, {411, "Length Required"},
      {412, "Precondition Failed"}, {413, "Content Too Large"}, {414, "URI Too Long"},
      {415, "Unsupported Media Type"}, {416, "Range Not Satisfiable"}, {417, "Expectation Failed"},
      {422, "Unprocessable Content"}, {426, "Upgrade Required"}, {429, "Too Many Requests"},
      {431, "Request Header Fields Too Large"}, {500, "Internal Server Error"}, {501, "Not Implemented"},
      {502, "Bad Gateway"}, {503, "Service Unavailable"}, {504, "Gateway Timeout"},
      {505, "HTTP Version Not Supported"},
  };
  // clang-format on
  for (phrase const& entry : phrases)
    if (entry.status == status) return entry.text;
  return {};
}

/// An answer to a plain request, or the refusal of an upgrade. It ends the connection: there is one exchange on each,
/// as a proxy may tunnel after any answer to an upgrade, so that a second request could be smuggled. All views are
/// borrowed.
struct http_answer {
  std::uint16_t status = 200;  ///< 200 to 599
  std::string_view content_type = "text/plain; charset=utf-8";
  std::span<header_field const> headers{};  ///< more headers; Content-Type and reserved ones are refused
  bytes_view body{};
};

/// Who keeps the body of an answer.
enum class body_lifetime : std::uint8_t {
  call,       ///< it is copied
  permanent,  ///< it has static storage duration: it is sent by reference
};

/// Checks what the application gave: refusal::invalid_code for a status outside 200 to 599,
/// refusal::invalid_header for a header that is not writable (see are_writable). To be asked before write_head.
[[nodiscard]] inline refusal validate(http_answer const& answer) noexcept {
  if (answer.status < 200 || answer.status > 599) return refusal::invalid_code;
  if (!are_writable(answer.headers) || !is_field_value(answer.content_type)) return refusal::invalid_header;
  for (header_field const& field : answer.headers)
    if (iequals(field.name, "Content-Type")) return refusal::invalid_header;
  return refusal::none;
}

/// Whether the body goes on the wire: not in the answer to HEAD, nor with a status that has none. The head is the same.
/// RFC 9110 sections 9.3.2 and 6.4.1.
constexpr bool has_body(http_answer const& answer, std::string_view method) noexcept {
  return method != "HEAD" && answer.status != 204 && answer.status != 304;
}

/// Writes or counts the head of an answer.
inline std::size_t put_head(text_writer out, http_answer const& answer) noexcept {
  out.put("HTTP/1.1 ").put_number(answer.status).put(" ").put(reason_phrase(answer.status)).put("\r\n");
  if (answer.status == 426) {
    // RFC 9110 15.5.22: "MUST send an Upgrade header field". RFC 6455 4.4: the versions that we speak.
    out.put_field(header_name::upgrade, "websocket").put_field(header_name::connection, "Upgrade, close");
    out.put_field(header_name::version, websocket_version);
  } else {
    out.put_field(header_name::connection, "close");
  }
  // RFC 9110 8.6: none in a 204; in a 304 it would have to be that of the 200.
  if (answer.status != 204 && answer.status != 304) {
    out.put(header_name::content_length).put(": ").put_number(answer.body.size()).put("\r\n");
    if (!answer.content_type.empty() && !answer.body.empty()) out.put_field("Content-Type", answer.content_type);
  }
  return out.put_fields(answer.headers).put("\r\n").size();
}

/// How many bytes write_head writes.
inline std::size_t head_size(http_answer const& answer) noexcept { return put_head(text_writer(), answer); }

/// Writes the head of `answer` to the front of `out` and returns its size; the body follows it if has_body.
/// Precondition (asserted): `out` has room for head_size bytes. RFC 9112 section 4.
inline std::size_t write_head(bytes out, http_answer const& answer) noexcept {
  return put_head(text_writer(out), answer);
}

/// The answer to a faulty request: its status, the headers that the RFCs demand with it, and one sentence as text.
/// Nothing in it comes from the request. Precondition (asserted): the fault is one of a request.
inline http_answer answer_for(error fault) noexcept {
  static constexpr header_field allow[] = {{"Allow", "GET"}};                             // RFC 9110 15.5.6
  static constexpr header_field version[] = {{header_name::version, websocket_version}};  // RFC 6455 4.4
  PUREWS_ASSERT(http_status_for(fault) != 0);
  http_answer answer{.status = http_status_for(fault), .body = as_bytes(message(fault))};
  if (fault == error::upgrade_method) answer.headers = allow;
  if (fault == error::upgrade_version_missing) answer.headers = version;
  return answer;
}

/// Whether the client waits for leave to send its body: write continue_answer if the body is wanted. RFC 9110
/// section 10.1.1.
inline bool expects_continue(http_request const& request) noexcept {
  return request.version_minor() > 0 && header_lists(request, known_header::expect, "100-continue");
}
inline constexpr std::string_view continue_answer = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace purews::inline v0
