// SPDX-License-Identifier: BSL-1.0

// URIs, authorities and origins against a second reading of the grammar, and against their own written form.
// Input: the text.
#include "purews/wire/uri.hpp"

#include <vector>

#include "purews/protocol/origin.hpp"

#include "fuzz.hpp"

using namespace purews;

namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return result;
}

bool only(std::string_view text, std::string_view allowed) { return text.find_first_not_of(allowed) == text.npos; }
constexpr std::string_view digits = "0123456789";
constexpr std::string_view hex_digits = "0123456789abcdefABCDEF";
constexpr std::string_view unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

std::vector<std::string> split(std::string const& text, char at) {
  std::vector<std::string> parts(1);
  for (char const c : text) {
    if (c == at)
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

bool model_ipv4(std::string const& text) {
  auto const groups = split(text, '.');
  for (std::string const& g : groups)
    if (g.empty() || g.size() > 3 || !only(g, digits) || std::to_string(std::stoi(g)) != g || std::stoi(g) > 255)
      return false;
  return groups.size() == 4;
}

// How many groups of 16 bits one side of the "::" has; a large number if it is wrong.
int model_groups(std::string const& side, bool at_end) {
  constexpr int wrong = 100;
  if (side.empty()) return 0;
  auto const parts = split(side, ':');
  int count = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    bool const dotted = at_end && i + 1 == parts.size() && model_ipv4(parts[i]);
    bool const group = !parts[i].empty() && parts[i].size() <= 4 && only(parts[i], hex_digits);
    count += dotted ? 2 : group ? 1 : wrong;
  }
  return count;
}

bool model_ipv6(std::string const& text) {
  std::size_t const gap = text.find("::");
  if (gap == text.npos) return model_groups(text, true) == 8;
  return model_groups(text.substr(0, gap), false) + model_groups(text.substr(gap + 2), true) < 8;
}

struct model_authority {
  bool valid = false;
  std::string host{};
  std::string written{};
  unsigned port = 0;
};
model_authority read_authority(std::string const& text) {
  std::size_t const bracket = text.starts_with('[') ? text.find(']') : 0;
  if (bracket == text.npos || text.find('@') != text.npos) return {};
  std::size_t const colon = text.find(':', bracket);
  model_authority result{true, text.substr(0, colon), text.substr(0, colon)};
  if (bracket != 0) {
    result.host = result.host.substr(1, bracket - 1);
    result.valid = bracket + 1 == result.written.size() && model_ipv6(result.host);
  } else {
    result.valid = !result.host.empty() && only(result.host, unreserved);
  }
  std::string const port = colon == text.npos ? "" : text.substr(colon + 1);
  if (port.empty()) return result;
  result.valid = result.valid && port.size() <= 5 && only(port, digits);
  if (result.valid) result.port = static_cast<unsigned>(std::stoi(port));
  result.valid = result.valid && result.port >= 1 && result.port <= 65535;
  return result;
}

void try_authority(std::string_view text) {
  authority const got = parse_authority(text);
  model_authority const expected = read_authority(std::string(text));
  fuzz::check((got.fault == uri_fault::none) == expected.valid, "an authority is valid when the grammar says so", text);
  if (!expected.valid) return;
  fuzz::check(fuzz::within(got.host, text) && fuzz::within(got.written, text), "views lie in the text", text);
  fuzz::check(got.host == expected.host && got.written == expected.written && got.port == expected.port,
              "host and port are what the grammar says", text);
  fuzz::check((got.what == host_kind::ipv4) == model_ipv4(expected.host), "an IPv4 address is recognised", text);
  fuzz::check((got.what == host_kind::ipv6) == text.starts_with('['), "an IPv6 address is recognised", text);
  std::string const again = expected.written + (got.port != 0 ? ":" + std::to_string(got.port) : "");
  fuzz::check(read_authority(again).valid && parse_authority(again).written == got.written, "it can be written", text);
}

void try_uri(std::string_view text) {
  uri const got = parse_uri(text);
  std::string const all(text);
  bool valid = all.find('#') == all.npos;
  for (char const c : all) valid = valid && c > ' ' && c < 0x7F;
  std::size_t const colon = all.find("://");
  std::string const scheme = colon == all.npos ? "" : lower(all.substr(0, colon));
  valid = valid && (scheme == "ws" || scheme == "wss");
  std::string const rest = valid ? all.substr(colon + 3) : "";
  std::size_t const end = rest.find_first_of("/?");
  model_authority const server = read_authority(rest.substr(0, end));
  valid = valid && server.valid;
  fuzz::check(got.valid() == valid, "a URI is valid when the grammar says so", text);
  if (!valid) {
    fuzz::check(message(got.fault) != message(uri_fault::none), "a fault has a sentence", text);
    return;
  }
  unsigned const standard = scheme == "wss" ? 443 : 80;
  std::string const target = end == rest.npos ? "" : rest.substr(end);
  fuzz::check((got.transport == security::tls) == (scheme == "wss"), "wss means TLS", text);
  fuzz::check(got.server.written == server.written && got.target == target, "server and target are as written", text);
  fuzz::check(got.port() == (server.port != 0 ? server.port : standard), "the port is given or standard", text);
  fuzz::check(fuzz::within(got.server.host, text) && fuzz::within(got.target, text), "views lie in the text", text);

  std::string const again = scheme + "://" + server.written + ":" + std::to_string(got.port()) +
                            (target.starts_with('/') ? "" : "/") + target;
  uri const reread = parse_uri(again);
  fuzz::check(reread.valid() && reread.transport == got.transport && reread.server.host == got.server.host &&
                  reread.port() == got.port() && reread.target.ends_with(target),
              "a URI can be written and read again", text);
}

void try_origin(std::string_view text) {
  origin const got = parse_origin(text);
  std::size_t const colon = text.find("://");
  bool const split = colon != text.npos && colon != 0;
  bool const valid =
      split && is_token(text.substr(0, colon)) && read_authority(std::string(text.substr(colon + 3))).valid;
  fuzz::check(got.valid() == valid, "an origin is a scheme and an authority, and nothing else", text);
  fuzz::check(!(got == parse_origin("null")), "null is no origin", text);
  fuzz::check((got == got) == valid, "an origin is itself, and what is none equals nothing", text);
  if (!valid) return;
  fuzz::check(got == parse_origin(lower(text)), "letters may have either case", text);
  std::string const plain = std::string(got.scheme) + "://" + std::string(got.where.written);
  fuzz::check(got.port() == 0 || got == parse_origin(plain + ":" + std::to_string(got.port())),
              "a standard port may be given or left out", text);
  unsigned const other = got.port() == 65535 ? 1U : got.port() + 1U;
  fuzz::check(!(got == parse_origin(plain + ":" + std::to_string(other))), "another port is another origin", text);
  fuzz::check(!(got == parse_origin("x" + std::string(text))), "another scheme is another origin", text);
}

}  // namespace

void fuzz::one_input(bytes_view in) {
  std::string_view const text = as_text(in);
  try_authority(text);
  try_uri(text);
  try_origin(text);
  check(is_ipv4(text) == model_ipv4(std::string(text)), "IPv4 addresses are those of the grammar", text);
  check(is_ipv6(text) == model_ipv6(std::string(text)), "IPv6 addresses are those of the grammar", text);
}
