// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../wire/accept_key.hpp"
#include "../wire/text_writer.hpp"
#include "../wire/upgrade.hpp"
#include "options.hpp"
#include "refusal.hpp"

namespace purews::inline v0 {

// A server's side of the opening handshake, as functions over a parsed request. The order of a server:
//   http_head::parse -> judge_request -> (the application decides) -> validate, accept_size, write_accept
//                                                                or -> http_answer

/// The limits on a head, as wire/http_head.hpp wants them.
constexpr head_limits head_limits_of(limits const& limit) noexcept {
  return {.bytes_max = limit.head_bytes_max,
          .line_bytes_max = limit.head_line_bytes_max,
          .lines_max = limit.head_lines_max};
}

enum class request_kind : std::uint8_t {
  plain,    ///< an HTTP request; answer it
  upgrade,  ///< asks for a WebSocket connection
};

/// What judge_request found.
struct request_judgement {
  error fault = error::none;  ///< answer it with answer_for(fault) and close; nothing else in the request counts
  request_kind what = request_kind::plain;
  std::uint32_t body_bytes = 0;  ///< plain: how many bytes of body follow the head
};

/// Judges a whole head: all that can be wrong with a request before an application sees it. An upgrade without
/// fault can be accepted; bytes behind its head are frames. A plain request has a body of `body_bytes`.
/// RFC 9112 sections 3.2 and 6, RFC 6455 section 4.2.1.
request_judgement judge_request(http_request const& request, std::uint32_t body_bytes_max) noexcept;

/// Whether a request asks for a WebSocket connection, rightly or wrongly: its Upgrade names websocket, in any version,
/// or one of its headers begins with Sec-WebSocket-. Other upgrades (h2c) are ignored, as RFC 9110 section 7.8 allows.
bool is_upgrade(http_request const& request) noexcept;

/// Checks the Host header: exactly one, well formed; HTTP/1.0 may do without. RFC 9112 section 3.2.
error check_host(http_request const& request) noexcept;

/// Checks all that RFC 6455 section 4.2.1 wants of an upgrade, the Host header aside, and refuses one with a body.
error check_upgrade(http_request const& request) noexcept;

/// The first subprotocol in the client's order that is in `supported`; empty if there is none. The result borrows
/// `supported`. RFC 6455 section 4.2.2.
std::string_view select_subprotocol(http_request const& request, std::span<std::string_view const> supported) noexcept;

/// How an upgrade is accepted. All views are borrowed.
struct acceptance {
  std::string_view subprotocol{};           ///< empty: none. One that the client offered
  std::span<header_field const> headers{};  ///< more headers for the 101, such as Set-Cookie
  extension_use extension = extension_use::negotiated;
};

/// Checks what the application gave: refusal::invalid_header if a header is not writable (see are_writable) or the
/// subprotocol was not offered. To be asked before write_accept.
[[nodiscard]] refusal validate(acceptance const& how, http_request const& request) noexcept;

/// How many bytes write_accept writes. `extensions` is the value of Sec-WebSocket-Extensions; empty: none.
std::size_t accept_size(acceptance const& how, std::string_view extensions) noexcept;

/// Writes the 101 answer to the front of `out` and returns its size. `key` is the request's Sec-WebSocket-Key.
/// Preconditions (asserted): `out` has room for accept_size bytes. RFC 6455 section 4.2.2.
std::size_t write_accept(bytes out, acceptance const& how, std::string_view extensions, std::string_view key) noexcept;

/// Judges the framing of a body by Content-Length; see request_judgement. RFC 9112 section 6.
inline request_judgement judge_body(http_request const& request, std::uint32_t body_bytes_max) noexcept {
  auto const [lengths, text] = request.match(header_name::content_length);
  if (request.header_count(header_name::transfer_encoding) > 0)
    // RFC 9112 6.1: with both, the message "might indicate an attempt to perform request smuggling".
    return {.fault = lengths > 0 ? error::body_framing : error::transfer_encoding};
  if (lengths == 0) return {};
  if (lengths > 1 || !is_all(text, http_char_table::digit)) return {.fault = error::body_framing};
  decimal const length = parse_decimal(text, body_bytes_max);  // all digits: invalid means above the limit
  if (!length.valid) return {.fault = error::body_too_big};
  return {.body_bytes = static_cast<std::uint32_t>(length.value)};
}

inline request_judgement judge_request(http_request const& request, std::uint32_t body_bytes_max) noexcept {
  error fault = check_host(request);
  if (fault != error::none) return {.fault = fault};
  if (!is_upgrade(request)) return judge_body(request, body_bytes_max);
  return {.fault = check_upgrade(request), .what = request_kind::upgrade};
}

inline bool is_upgrade(http_request const& request) noexcept {
  header_list upgrades(request, header_name::upgrade);
  for (std::string_view item = upgrades.next(); !item.empty(); item = upgrades.next())
    if (iequals(item.substr(0, item.find('/')), "websocket")) return true;
  for (std::size_t i = 0; i < request.line_count(); ++i)
    if (istarts_with(request.line(i).name, "Sec-WebSocket-")) return true;
  return false;
}

inline error check_host(http_request const& request) noexcept {
  auto const [hosts, host] = request.match("Host");
  if (hosts == 0 && request.version_minor() == 0) return error::none;
  if (hosts != 1 || parse_authority(host).fault != uri_fault::none) return error::host_invalid;
  return error::none;
}

/// Checks that exactly one Sec-WebSocket-Version says 13. RFC 6455 section 4.2.1(6).
inline error check_version(http_request const& request) noexcept {
  auto const [versions, version] = request.match(header_name::version);
  if (versions == 0) return error::upgrade_version_missing;
  return versions == 1 && version == websocket_version ? error::none : error::upgrade_version;
}

inline error check_upgrade(http_request const& request) noexcept {
  // RFC 9110 7.8: a server "MUST ignore an Upgrade header field that is received in an HTTP/1.0 request".
  if (request.version_minor() == 0) return error::upgrade_version_http;
  if (request.method() != "GET") return error::upgrade_method;
  if (!header_lists(request, header_name::upgrade, "websocket")) return error::upgrade_missing;
  if (!header_lists(request, header_name::connection, "upgrade")) return error::upgrade_missing;
  // A body behind an upgrade could be read as frames by us and as a body by a proxy: smuggling.
  error const body = judge_body(request, 0).fault;
  if (body == error::body_too_big || body == error::transfer_encoding) return error::upgrade_body;
  if (body != error::none) return body;
  if (error const what = check_version(request); what != error::none) return what;
  auto const [keys, key] = request.match(header_name::key);
  if (keys != 1 || !is_valid_key(key)) return error::upgrade_key;
  if (!has_valid_subprotocols(request)) return error::upgrade_subprotocol;
  if (!has_valid_extensions(request)) return error::upgrade_extensions;
  return error::none;
}

inline std::string_view select_subprotocol(http_request const& request,
                                           std::span<std::string_view const> supported) noexcept {
  header_list offers(request, header_name::subprotocol);
  for (std::string_view offer = offers.next(); !offer.empty(); offer = offers.next())
    for (std::string_view const ours : supported)
      if (ours == offer) return ours;
  return {};
}

inline refusal validate(acceptance const& how, http_request const& request) noexcept {
  if (!are_writable(how.headers)) return refusal::invalid_header;
  if (how.subprotocol.empty()) return refusal::none;
  bool const offered = is_token(how.subprotocol) && select_subprotocol(request, {&how.subprotocol, 1}) != "";
  return offered ? refusal::none : refusal::invalid_header;
}

/// Writes or counts the 101. RFC 9110 section 8.6: no Content-Length in it.
inline std::size_t put_accept(text_writer out, acceptance const& how, std::string_view extensions,
                              std::string_view accept) noexcept {
  out.put("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n");
  out.put_field(header_name::accept, accept);
  if (!how.subprotocol.empty()) out.put_field(header_name::subprotocol, how.subprotocol);
  if (!extensions.empty()) out.put_field(header_name::extensions, extensions);
  return out.put_fields(how.headers).put("\r\n").size();
}

inline std::size_t accept_size(acceptance const& how, std::string_view extensions) noexcept {
  PUREWS_ASSERT(is_field_value(extensions));
  constexpr std::string_view as_long_as_any = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
  return put_accept(text_writer(), how, extensions, as_long_as_any);
}

inline std::size_t write_accept(bytes out, acceptance const& how, std::string_view extensions,
                                std::string_view key) noexcept {
  accept_key_text const accept = accept_key(key);
  return put_accept(text_writer(out), how, extensions, accept);
}

}  // namespace purews::inline v0
