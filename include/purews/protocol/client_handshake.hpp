// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../wire/accept_key.hpp"
#include "../wire/text_writer.hpp"
#include "../wire/upgrade.hpp"
#include "options.hpp"
#include "refusal.hpp"

namespace purews::inline v0 {

// A client's side of the opening handshake. The order of a client:
//   validate -> request_size, write_request -> answer_reader::parse -> judge_answer

/// Whether a server may leave out all of the subprotocols that were offered.
enum class subprotocol_use : std::uint8_t { optional, required };

/// What a client asks for. All views are borrowed.
struct client_request {
  uri where{};                                       ///< from parse_uri
  std::span<std::string_view const> subprotocols{};  ///< in the order of preference
  subprotocol_use subprotocol = subprotocol_use::optional;
  std::string_view origin{};                ///< empty: none, as is usual outside browsers
  std::span<header_field const> headers{};  ///< more headers, such as Authorization and Cookie
  extension_use extension = extension_use::negotiated;
};

/// Checks what the application gave: refusal::invalid_uri, or refusal::invalid_header for a header that is not
/// writable (see are_writable), an Origin among them, or subprotocols that are not distinct tokens.
[[nodiscard]] inline refusal validate(client_request const& request) noexcept {
  if (!request.where.valid()) return refusal::invalid_uri;
  if (!are_writable(request.headers) || !is_field_value(request.origin)) return refusal::invalid_header;
  for (header_field const& field : request.headers)
    if (iequals(field.name, "Origin")) return refusal::invalid_header;
  return are_subprotocols(request.subprotocols) ? refusal::none : refusal::invalid_header;
}

/// Writes or counts a request. RFC 6455 section 4.1.
inline std::size_t put_request(text_writer out, client_request const& request, std::string_view extensions,
                               std::string_view key) noexcept {
  uri const& where = request.where;
  out.put("GET ").put(where.target.starts_with('/') ? "" : "/").put(where.target).put(" HTTP/1.1\r\n");
  out.put("Host: ").put(where.server.written);
  if (where.port() != where.default_port()) out.put(":").put_number(where.port());
  out.put("\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n");
  out.put_field(header_name::key, key).put_field(header_name::version, websocket_version);
  if (!request.origin.empty()) out.put_field("Origin", request.origin);
  if (!request.subprotocols.empty()) {
    out.put(header_name::subprotocol).put(": ");
    for (std::size_t i = 0; i < request.subprotocols.size(); ++i)
      out.put(i == 0 ? "" : ", ").put(request.subprotocols[i]);
    out.put("\r\n");
  }
  if (!extensions.empty()) out.put_field(header_name::extensions, extensions);
  return out.put_fields(request.headers).put("\r\n").size();
}

/// How many bytes write_request writes. `extensions` is the value of Sec-WebSocket-Extensions; empty: none is offered.
inline std::size_t request_size(client_request const& request, std::string_view extensions) noexcept {
  PUREWS_ASSERT(is_field_value(extensions));
  constexpr std::string_view as_long_as_any = "dGhlIHNhbXBsZSBub25jZQ==";
  return put_request(text_writer(), request, extensions, as_long_as_any);
}

/// Writes the request to the front of `out` and returns its size. `key` is make_key of 16 fresh random bytes.
/// Preconditions (asserted): `out` has room for request_size bytes; the key has 24 characters.
inline std::size_t write_request(bytes out, client_request const& request, std::string_view extensions,
                                 std::string_view key) noexcept {
  PUREWS_ASSERT(key.size() == 24);
  return put_request(text_writer(out), request, extensions, key);
}

/// Reads a server's answer and skips the interim ones (100, 103, ...) before it. RFC 9110 section 15.2.
class answer_reader {
 public:
  static constexpr int interim_answers_max = 8;

  /// Reads on in `in`: the same bytes as in the call before, with more appended, from the first byte of the connection
  /// on; as http_head::parse. The limit on the size of a head holds for all answers together.
  http_progress parse(bytes_view in, head_limits const& limits) noexcept {
    for (;;) {
      head_limits rest = limits;
      rest.bytes_max = limits.bytes_max > skipped_ ? limits.bytes_max - skipped_ : 0;
      if (fault_ != error::none) return http_progress::failed;
      http_progress const progress = head_.parse(in.subspan(skipped_), rest);
      fault_ = head_.fault();
      if (progress != http_progress::done || !is_interim(head_.parts().status)) return progress;
      skipped_ += static_cast<std::uint32_t>(head_.size());
      head_ = http_head(head_kind::response);
      if (++interim_answers_ > interim_answers_max) fault_ = error::answer_interim;
    }
  }

  error fault() const noexcept { return fault_; }
  std::size_t fault_at() const noexcept { return skipped_ + head_.fault_at(); }  ///< see http_head
  /// When done: how many bytes the answers take, so that the first frame begins there.
  std::size_t size() const noexcept { return skipped_ + head_.size(); }
  /// When done: the answer. `in` is what parse() was given. The result borrows it and this reader.
  http_response answer(bytes_view in) const noexcept { return {head_, in.subspan(skipped_)}; }

 private:
  static constexpr bool is_interim(std::uint16_t status) noexcept { return status < 200 && status != 101; }

  http_head head_{head_kind::response};
  std::uint32_t skipped_ = 0;  ///< bytes of interim answers
  int interim_answers_ = 0;
  error fault_ = error::none;
};

/// What judge_answer found.
struct answer_judgement {
  error fault = error::none;       ///< answer_status: the server did not switch; see http_response::status()
  std::string_view subprotocol{};  ///< empty: none. Borrows client_request::subprotocols
  std::size_t extension_headers = 0;
  std::string_view extensions{};  ///< what the server chose, unchecked. Borrows the answer
};

/// Judges the subprotocol: at most one header, with exactly one of those that were offered. RFC 6455 section 4.1.
inline answer_judgement judge_subprotocol(http_response const& answer, client_request const& request) noexcept {
  auto const [headers, chosen] = answer.match(known_header::subprotocol);
  if (headers == 0) {
    bool const missed = request.subprotocol == subprotocol_use::required && !request.subprotocols.empty();
    return {.fault = missed ? error::answer_subprotocol : error::none};
  }
  if (headers == 1)
    for (std::string_view const offer : request.subprotocols)
      if (offer == chosen) return {.subprotocol = offer};
  return {.fault = error::answer_subprotocol};
}

/// Judges a server's answer to `request`, which was sent with `key`. With no fault the connection is open, but for the
/// extensions: without an offer any is a fault, and what was chosen must be checked by whoever offered it.
/// RFC 6455 section 4.1.
inline answer_judgement judge_answer(http_response const& answer, client_request const& request,
                                     std::string_view key) noexcept {
  if (answer.status() != 101) return {.fault = error::answer_status};
  if (answer.version_minor() == 0) return {.fault = error::http_version};
  auto const [upgrades, upgrade] = answer.match(known_header::upgrade);
  if (upgrades != 1 || !iequals(upgrade, "websocket")) return {.fault = error::answer_upgrade};
  if (!header_lists(answer, known_header::connection, "upgrade")) return {.fault = error::answer_connection};
  accept_key_text const expected = accept_key(key);
  auto const [accepts, accept] = answer.match(known_header::accept);
  if (accepts != 1 || accept != std::string_view(expected)) return {.fault = error::answer_accept};
  answer_judgement result = judge_subprotocol(answer, request);
  if (result.fault != error::none) return result;
  auto const [headers, extensions] = answer.match(known_header::extensions);
  if (headers > 1) return {.fault = error::answer_extension};
  result.extension_headers = headers;
  result.extensions = extensions;
  return result;
}

}  // namespace purews::inline v0
