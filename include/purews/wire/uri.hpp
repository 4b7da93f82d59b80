// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "http_tokens.hpp"

namespace purews::inline v0 {

/// What is wrong with a URI, an Origin or a Host.
enum class uri_fault : std::uint8_t {
  none,
  scheme,     ///< not one of those that are wanted here, or no "://" behind it
  userinfo,   ///< "user@": credentials do not belong into a URI. RFC 9110 section 4.2.4
  host,       ///< missing, or not a name, an IPv4 address or a bracketed IPv6 address
  port,       ///< not a number from 1 to 65535
  fragment,   ///< '#'. RFC 6455 section 3
  character,  ///< a space, a control character or one outside ASCII
};

/// One sentence on `why`. The text is static.
constexpr std::string_view message(uri_fault why) noexcept {
  constexpr std::string_view sentences[] = {
      "no fault",
      "the URI does not begin with ws:// or wss:// (RFC 6455 3)",
      "the URI has a user name or password in it (RFC 9110 4.2.4)",
      "the URI's host is missing or malformed (RFC 3986 3.2.2)",
      "the URI's port is not a number from 1 to 65535",
      "the URI has a fragment (RFC 6455 3)",
      "the URI has a space, a control character or a character outside ASCII in it (RFC 3986 2)",
  };
  return sentences[static_cast<int>(why)];
}

/// Whether `text` is an IPv4 address: four numbers from 0 to 255 without leading zeros. RFC 3986 section 3.2.2.
constexpr bool is_ipv4(std::string_view text) noexcept {
  for (int group = 0;; ++group) {
    std::size_t const digits = http_span(text, 0, http_char_table::digit);
    std::string_view const number = text.substr(0, digits);
    if (digits > 3 || !parse_decimal(number, 255).valid || (digits > 1 && number[0] == '0')) return false;
    text.remove_prefix(digits);
    if (group == 3) return text.empty();
    if (!text.starts_with('.')) return false;
    text.remove_prefix(1);
  }
}

/// Whether `text` is an IPv6 address, without brackets and without a zone. RFC 3986 section 3.2.2.
constexpr bool is_ipv6(std::string_view text) noexcept {
  int groups = 0;
  bool gap = text.starts_with("::");
  if (gap) text.remove_prefix(2);
  while (!text.empty()) {
    std::size_t const digits = http_span(text, 0, http_char_table::hex);
    if (digits < text.size() && text[digits] == '.') {
      if (!is_ipv4(text)) return false;
      groups += 2;
      break;
    }
    if (digits == 0 || digits > 4) return false;
    ++groups;
    text.remove_prefix(digits);
    if (text.empty()) break;
    if (text[0] != ':' || text.size() == 1) return false;
    text.remove_prefix(1);
    if (text[0] == ':') {
      if (gap) return false;
      gap = true;
      text.remove_prefix(1);
    }
  }
  return gap ? groups < 8 : groups == 8;
}

enum class host_kind : std::uint8_t { name, ipv4, ipv6 };

/// A host with an optional port, as in a URI, an Origin and a Host header: views into what was parsed.
struct authority {
  std::string_view host{};     ///< an IPv6 address without its brackets: what to resolve, connect to and verify
  std::string_view written{};  ///< an IPv6 address with its brackets: what to write into a Host header
  std::uint16_t port = 0;      ///< 0: none was given
  host_kind what = host_kind::name;
  uri_fault fault = uri_fault::none;

  constexpr std::uint16_t port_or(std::uint16_t standard) const noexcept { return port != 0 ? port : standard; }
};

/// Takes `host[:port]` apart. Never fails: see `fault`.
///
/// Stricter than the RFC's grammar, as nothing that can be resolved needs more: a name consists of letters, digits and
/// "-._~", without percent encoding; user names, zones and future IP versions are refused. RFC 3986 section 3.2.
constexpr authority parse_authority(std::string_view text) noexcept {
  authority result;
  if (text.find('@') != std::string_view::npos) return {.fault = uri_fault::userinfo};
  std::size_t end = 0;
  if (text.starts_with('[')) {
    std::size_t const bracket = text.find(']');
    if (bracket == std::string_view::npos) return {.fault = uri_fault::host};
    end = bracket + 1;
    result.host = text.substr(1, bracket - 1);
    result.what = host_kind::ipv6;
    if (!is_ipv6(result.host)) return {.fault = uri_fault::host};
  } else {
    end = http_span(text, 0, http_char_table::host);
    result.host = text.substr(0, end);
    if (result.host.empty()) return {.fault = uri_fault::host};
    if (is_ipv4(result.host)) result.what = host_kind::ipv4;
  }
  result.written = text.substr(0, end);
  std::string_view const rest = text.substr(end);
  if (rest.empty()) return result;
  if (rest[0] != ':') return {.fault = uri_fault::host};
  if (rest.size() == 1) return result;  // RFC 3986 3.2.3: the port may be empty
  decimal const port = parse_decimal(rest.substr(1), 65'535);
  if (!port.valid || port.value == 0 || rest.size() > 6) return {.fault = uri_fault::port};
  result.port = static_cast<std::uint16_t>(port.value);
  return result;
}

/// A scheme and what follows its "://".
struct scheme_split {
  std::string_view scheme{};  ///< empty: there is no "://"
  std::string_view rest{};
};
constexpr scheme_split split_scheme(std::string_view text) noexcept {
  std::size_t const end = text.find("://");
  if (end == std::string_view::npos) return {{}, text};
  return {text.substr(0, end), text.substr(end + 3)};
}

/// Whether TLS is spoken.
enum class security : std::uint8_t { plain, tls };

/// A ws: or wss: URI, taken apart: views into what was parsed. RFC 6455 section 3.
struct uri {
  security transport = security::plain;
  authority server{};         ///< its `port` is 0 if none was given
  std::string_view target{};  ///< path and query as written. If it does not begin with '/', write one before it
  uri_fault fault = uri_fault::scheme;  ///< none: the URI is valid

  constexpr bool valid() const noexcept { return fault == uri_fault::none; }
  constexpr std::uint16_t default_port() const noexcept { return transport == security::tls ? 443 : 80; }
  constexpr std::uint16_t port() const noexcept { return server.port_or(default_port()); }
};

/// Takes a ws: or wss: URI apart; the scheme's letters may have either case. Never fails: see uri::fault.
/// The result borrows `text`. RFC 6455 section 3, RFC 3986.
constexpr uri parse_uri(std::string_view text) noexcept {
  uri result;
  for (char const c : text) {
    if (c == '#') return {.fault = uri_fault::fragment};
    if (!is_http_char(c, http_char_table::target)) return {.fault = uri_fault::character};
  }
  scheme_split const split = split_scheme(text);
  if (iequals(split.scheme, "wss"))
    result.transport = security::tls;
  else if (!iequals(split.scheme, "ws"))
    return {.fault = uri_fault::scheme};
  std::size_t const end = split.rest.find_first_of("/?");
  result.server = parse_authority(split.rest.substr(0, end));
  if (end != std::string_view::npos) result.target = split.rest.substr(end);
  result.fault = result.server.fault;
  return result;
}

}  // namespace purews::inline v0
