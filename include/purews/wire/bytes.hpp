// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace purews::inline v0 {

using bytes = std::span<std::byte>;             ///< borrowed, writable
using bytes_view = std::span<std::byte const>;  ///< borrowed, read only

/// Views text as bytes and bytes as text. Nothing is copied: the result lives as long as the argument.
inline bytes_view as_bytes(std::string_view text) noexcept {
  return {reinterpret_cast<std::byte const*>(text.data()), text.size()};
}
inline std::string_view as_text(bytes_view data) noexcept {
  return {reinterpret_cast<char const*>(data.data()), data.size()};
}

/// Copies `from` to `to`. Precondition: `to` has room for all of it, and they do not overlap.
/// An empty span may have a null pointer, which memcpy must not be given.
inline void copy_bytes(std::byte* to, bytes_view from) noexcept {
  if (!from.empty()) std::memcpy(to, from.data(), from.size());
}

/// Rotates by `count` bits, 1 to 31, as std::rotl and std::rotr do without the price of <bit>.
constexpr std::uint32_t rotate_left(std::uint32_t value, int count) noexcept {
  return (value << count) | (value >> (32 - count));
}

/// Reads a big-endian (network order) unsigned integer of 2 or 8 bytes. Constexpr, any alignment.
constexpr std::uint16_t load_be16(std::byte const* from) noexcept {
  return static_cast<std::uint16_t>((std::to_integer<unsigned>(from[0]) << 8) | std::to_integer<unsigned>(from[1]));
}
constexpr std::uint64_t load_be64(std::byte const* from) noexcept {
  std::uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value = (value << 8) | std::to_integer<std::uint64_t>(from[i]);
  return value;
}

/// Writes a big-endian unsigned integer of 2 or 8 bytes. Constexpr, any alignment.
constexpr void store_be16(std::byte* to, std::uint16_t value) noexcept {
  to[0] = static_cast<std::byte>(value >> 8);
  to[1] = static_cast<std::byte>(value);
}
constexpr void store_be64(std::byte* to, std::uint64_t value) noexcept {
  for (int i = 0; i < 8; ++i) to[i] = static_cast<std::byte>(value >> (56 - 8 * i));
}

}  // namespace purews::inline v0
