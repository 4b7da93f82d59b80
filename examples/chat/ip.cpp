// SPDX-License-Identifier: BSL-1.0
#include "ip.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace chat {
namespace {

constexpr std::array<std::uint8_t, 12> v4_prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

ip mapped(in_addr const& v4) {
  ip out;
  std::copy(v4_prefix.begin(), v4_prefix.end(), out.bytes.begin());
  std::memcpy(&out.bytes[v4_prefix.size()], &v4, sizeof v4);
  return out;
}

std::optional<int> parse_bits(std::string_view text, int max) {
  int bits = -1;
  auto const end = text.data() + text.size();
  auto const read = std::from_chars(text.data(), end, bits);
  bool const good = read.ec == std::errc{} && read.ptr == end && bits >= 0 && bits <= max;
  return good ? std::optional(bits) : std::nullopt;
}

}  // namespace

bool ip::is_v4() const { return std::equal(v4_prefix.begin(), v4_prefix.end(), bytes.begin()); }

ip ip::first_bits(int count) const {
  ip out;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    int const here = std::clamp(count - static_cast<int>(8 * i), 0, 8);
    out.bytes[i] = static_cast<std::uint8_t>(bytes[i] & (0xFF00 >> here));
  }
  return out;
}

std::optional<ip> parse_ip(std::string_view text) {
  if (text.starts_with('[')) {
    text = text.substr(1, text.find(']') == text.npos ? 0 : text.find(']') - 1);
  } else if (std::count(text.begin(), text.end(), ':') == 1) {
    text = text.substr(0, text.find(':'));
  }
  std::string const number(text);
  in_addr v4{};
  if (::inet_pton(AF_INET, number.c_str(), &v4) == 1) return mapped(v4);
  ip out;
  if (::inet_pton(AF_INET6, number.c_str(), out.bytes.data()) == 1) return out;
  return std::nullopt;
}

std::optional<ip> ip_of(purews::socket_address const& address) {
  if (address.family() == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &address.storage, sizeof v4);
    return mapped(v4.sin_addr);
  }
  if (address.family() != AF_INET6) return std::nullopt;
  sockaddr_in6 v6;
  std::memcpy(&v6, &address.storage, sizeof v6);
  ip out;
  std::memcpy(out.bytes.data(), &v6.sin6_addr, out.bytes.size());
  return out;
}

std::variant<network, std::string> parse_network(std::string const& text) {
  auto const slash = text.find('/');
  auto const address = text.substr(0, slash);
  auto const base = parse_ip(address);
  if (!base || address.find('[') != text.npos || (base->is_v4() && address.find(':') != text.npos))
    return "'" + text + "' is no address of IPv4 or IPv6";
  int const before = base->is_v4() ? 96 : 0;  // of the 128 bits that an IPv4 address is written with here
  auto const bits =
      slash == text.npos ? 128 - before : parse_bits(std::string_view(text).substr(slash + 1), 128 - before);
  if (!bits) return "'" + text + "' has no number of bits from 0 to " + std::to_string(128 - before) + " behind its /";
  network const out{*base, before + *bits};
  if (!out.contains(*base))
    return "'" + text + "' is an address and a network at once: write the network's first address";
  return out;
}

}  // namespace chat
