// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <string>

#include "purews/protocol/extension.hpp"

namespace test {

/// A codec that changes nothing on the way out, and makes `growth` bytes of each on the way in. It counts its calls,
/// and belongs to the test: destroy() does not free it.
struct plain_codec final : purews::message_codec {
  std::size_t growth = 1;
  std::size_t taken_max = SIZE_MAX;  // of the input, at a time
  bool fails = false;                // to encode
  bool idle = false;                 // takes and makes nothing, which is a bug
  mutable std::size_t asked = 0;     // the size of the last message of which wants() was to judge
  int decodes = 0;
  int encodes = 0;
  int forgets = 0;
  int trims = 0;
  std::string made{};  // of the input, and not yet taken

  purews::decoded decode(purews::bytes_view in, purews::bytes out, purews::fragment position) noexcept override {
    ++decodes;
    if (idle) return {};
    std::size_t const taken = in.size() < taken_max ? in.size() : taken_max;
    for (std::byte const b : in.first(taken)) made.append(growth, static_cast<char>(b));
    std::size_t const size = made.size() < out.size() ? made.size() : out.size();
    purews::copy_bytes(out.data(), purews::as_bytes(made).first(size));
    made.erase(0, size);
    bool const done = position == purews::fragment::last && taken == in.size() && made.empty();
    return {.consumed = taken, .produced = size, .finished = done};
  }
  bool wants(std::size_t size, purews::compression how) const noexcept override {
    asked = size;
    return how != purews::compression::off;
  }
  encoded encode(purews::bytes_view payload, purews::fragment) noexcept override {
    ++encodes;
    return {.payload = payload, .done = !fails};
  }
  void settle(purews::fragment) noexcept override {}
  purews::prepared_message share(purews::prepared_message const&) noexcept override { return {}; }
  void forget_history() noexcept override { ++forgets; }
  void trim() noexcept override { ++trims; }
  void destroy() noexcept override {}
};

}  // namespace test
