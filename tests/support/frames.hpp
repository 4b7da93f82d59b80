// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "hex.hpp"

#include "purews/protocol/event.hpp"

/// Frames written and read without the library's codec: what its output is compared with.
namespace test {

/// A frame with the given first byte and the shortest length form; masked with the key zero, or not.
inline octets raw_frame(unsigned first, octets const& payload, bool masked) {
  octets frame{static_cast<std::byte>(first)};
  std::size_t const size = payload.size();
  unsigned const mask_bit = masked ? 0x80U : 0U;
  int const extended = size > 0xFFFF ? 8 : size > 125 ? 2 : 0;
  unsigned const short_form = extended == 8 ? 127U : extended == 2 ? 126U : static_cast<unsigned>(size);
  frame.push_back(static_cast<std::byte>(mask_bit | short_form));
  for (int i = extended - 1; i >= 0; --i) frame.push_back(static_cast<std::byte>(std::uint64_t{size} >> (8 * i)));
  if (masked) frame.insert(frame.end(), 4, std::byte{0});
  frame.insert(frame.end(), payload.begin(), payload.end());
  return frame;
}

/// What a peer of `own` sends.
inline octets peer_frame(purews::role own, unsigned first, octets const& payload) {
  return raw_frame(first, payload, own == purews::role::server);
}
inline octets peer_frame(purews::role own, unsigned first, std::string_view payload = {}) {
  return peer_frame(own, first, octets_of(payload));
}

/// What `own` sends, if its masks are zero.
inline octets own_frame(purews::role own, unsigned first, octets const& payload) {
  return raw_frame(first, payload, own == purews::role::client);
}
inline octets own_frame(purews::role own, unsigned first, std::string_view payload = {}) {
  return own_frame(own, first, octets_of(payload));
}

struct parsed_frame {
  unsigned first = 0;
  bool masked = false;
  octets key{};
  octets payload{};    ///< unmasked
  std::size_t at = 0;  ///< where it begins in the stream

  std::string text() const { return {reinterpret_cast<char const*>(payload.data()), payload.size()}; }
};

/// Takes a stream of frames apart. Throws if it does not end at the end of a frame.
inline std::vector<parsed_frame> parse_frames(octets const& stream) {
  std::vector<parsed_frame> frames;
  std::size_t at = 0;
  auto const take = [&] {
    if (at == stream.size()) throw std::runtime_error("the stream ends inside a frame");
    return std::to_integer<unsigned>(stream[at++]);
  };
  while (at < stream.size()) {
    parsed_frame frame;
    frame.at = at;
    frame.first = take();
    unsigned const second = take();
    frame.masked = (second & 0x80U) != 0;
    std::uint64_t size = second & 0x7FU;
    int const extended = size == 126 ? 2 : size == 127 ? 8 : 0;
    if (extended != 0) size = 0;
    for (int i = 0; i < extended; ++i) size = size << 8 | take();
    if (frame.masked)
      for (int i = 0; i < 4; ++i) frame.key.push_back(static_cast<std::byte>(take()));
    for (std::uint64_t i = 0; i < size; ++i) {
      auto const b = static_cast<std::byte>(take());
      frame.payload.push_back(frame.masked ? b ^ frame.key[i % 4] : b);
    }
    frames.push_back(frame);
  }
  return frames;
}

inline void zero_entropy(purews::bytes out) noexcept {
  for (std::byte& b : out) b = std::byte{0};
}

}  // namespace test
