// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../wire/http_message.hpp"

namespace purews::inline v0 {

/// The origin of a web page as browsers write it: scheme://host[:port], and nothing else. RFC 6454 section 6.2.
struct origin {
  std::string_view scheme{};  ///< empty: the text was not an origin ("null" is none)
  authority where{};

  constexpr bool valid() const noexcept { return !scheme.empty(); }
  /// The port, given or standard; 0 if the scheme has no standard one.
  constexpr std::uint16_t port() const noexcept {
    return where.port_or(iequals(scheme, "https") ? 443 : iequals(scheme, "http") ? 80 : 0);
  }

  /// Whether scheme, host and port are all the same. Letters may have either case; a standard port may be left out.
  friend constexpr bool operator==(origin const& a, origin const& b) noexcept {
    return a.valid() && iequals(a.scheme, b.scheme) && iequals(a.where.written, b.where.written) &&
           a.port() == b.port();
  }
};

/// Takes an origin apart; see origin::valid(). User names, paths (a final slash too) and characters outside ASCII are
/// refused: write an international host as browsers do, in punycode. Use it to check a configuration at its start.
constexpr origin parse_origin(std::string_view text) noexcept {
  scheme_split const split = split_scheme(text);
  authority const where = parse_authority(split.rest);
  // A scheme's characters are those of a token and fewer; the comparison does not need to know.
  if (!is_token(split.scheme) || where.fault != uri_fault::none) return {};
  return {split.scheme, where};
}

/// Which scheme our own pages have. A server behind a proxy that ends TLS knows what the proxy speaks.
enum class origin_scheme : std::uint8_t { http_or_https, http, https };

/// Whether a request without Origin may pass. Browsers always send one, so it does not come from a web page; but if it
/// carries a cookie we do not rely on that.
inline bool may_lack_origin(http_request const& request) noexcept {
  return request.header_count(known_header::origin) == 0 && request.header_count(known_header::cookie) == 0;
}

/// Whether the page that asks came from this server: its Origin has the host and port of the Host header. With
/// `scheme` known, that is compared too: a page over http: must not reach a server over https:. "null" never passes;
/// for a request without Origin see may_lack_origin. Stops: cross-site hijacking. RFC 6455 section 10.2.
inline bool same_origin(http_request const& request, origin_scheme scheme = origin_scheme::http_or_https) noexcept {
  if (may_lack_origin(request)) return true;
  auto const [origins, text] = request.match(known_header::origin);
  if (origins != 1) return false;
  origin const page = parse_origin(text);
  bool const secure = iequals(page.scheme, "https");
  if (!secure && !iequals(page.scheme, "http")) return false;
  if (scheme == origin_scheme::https && !secure) return false;
  if (scheme == origin_scheme::http && secure) return false;
  authority const here = parse_authority(request.host());
  return here.fault == uri_fault::none && page == origin{page.scheme, here};
}

/// Whether the page that asks is on the list `allowed` of origins, such as "https://chat.example". An entry that is
/// not an origin allows nobody. For a request without Origin see may_lack_origin. RFC 6455 section 10.2.
inline bool origin_allowed(http_request const& request, std::span<std::string_view const> allowed) noexcept {
  if (may_lack_origin(request)) return true;
  auto const [origins, text] = request.match(known_header::origin);
  if (origins != 1) return false;
  origin const page = parse_origin(text);
  for (std::string_view const entry : allowed)
    if (page == parse_origin(entry)) return true;
  return false;
}

}  // namespace purews::inline v0
