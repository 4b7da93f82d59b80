// SPDX-License-Identifier: BSL-1.0
#include "fuzz.hpp"

// What libFuzzer calls.
extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  fuzz::one_input({reinterpret_cast<std::byte const*>(data), size});
  return 0;
}
