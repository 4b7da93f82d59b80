// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <purews/loop/address.hpp>
#include <string>
#include <string_view>
#include <variant>

namespace chat {

/// An address of IPv6, or one of IPv4 as IPv6 writes it (::ffff:0:0/96).
struct ip {
  std::array<std::uint8_t, 16> bytes{};
  bool operator==(ip const&) const = default;
  bool operator<(ip const& other) const { return bytes < other.bytes; }

  [[nodiscard]] bool is_v4() const;
  /// Its first bits, and zeros.
  [[nodiscard]] ip first_bits(int count) const;
};

/// Reads an address as proxies write it: "192.0.2.1", "192.0.2.1:4711", "2001:db8::1" or "[2001:db8::1]:4711".
[[nodiscard]] std::optional<ip> parse_ip(std::string_view text);
[[nodiscard]] std::optional<ip> ip_of(purews::socket_address const& address);

/// The addresses that begin with the same bits.
struct network {
  ip base;
  int bits = 128;
  [[nodiscard]] bool contains(ip const& address) const { return address.first_bits(bits) == base; }
};

/// Reads "192.0.2.1", "10.0.0.0/8" or "2001:db8::/32". An error is one sentence.
[[nodiscard]] std::variant<network, std::string> parse_network(std::string const& text);

}  // namespace chat
