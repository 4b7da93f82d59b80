// SPDX-License-Identifier: BSL-1.0
#include "purews/wire/bytes.hpp"

#include <string>

#include "support/catch.hpp"

namespace {

using namespace purews;

constexpr bool round_trips(std::uint64_t value) {
  std::byte octets[11]{};
  store_be64(octets + 1, value);
  store_be16(octets + 9, static_cast<std::uint16_t>(value));
  return octets[0] == std::byte{} && octets[1] == static_cast<std::byte>(value >> 56) &&
         octets[8] == static_cast<std::byte>(value) && load_be64(octets + 1) == value &&
         octets[9] == static_cast<std::byte>(value >> 8) && octets[10] == static_cast<std::byte>(value) &&
         load_be16(octets + 9) == static_cast<std::uint16_t>(value);
}
static_assert(round_trips(0));
static_assert(round_trips(0x0102'0304'0506'0708));
static_assert(round_trips(0xFFFE'FDFC'FBFA'F9F8));
static_assert(round_trips(UINT64_MAX));

}  // namespace

TEST_CASE("5.2: lengths are in network byte order", "[bytes]") {
  std::byte const octets[]{std::byte{0x00}, std::byte{0x00}, std::byte{0x00}, std::byte{0x00},
                           std::byte{0x00}, std::byte{0x01}, std::byte{0x00}, std::byte{0x02}};
  CHECK(load_be64(octets) == 65'538);
  CHECK(load_be16(octets + 5) == 256);
  for (unsigned value = 0; value <= 0xFFFF; ++value) {
    std::byte two[2];
    store_be16(two, static_cast<std::uint16_t>(value));
    if (std::to_integer<unsigned>(two[0]) * 256 + std::to_integer<unsigned>(two[1]) != value) FAIL(value);
  }
}

TEST_CASE("text is viewed as bytes and back without a copy", "[bytes]") {
  std::string const text{"a\0\xff", 3};
  bytes_view const data = as_bytes(text);
  CHECK(static_cast<void const*>(data.data()) == text.data());
  CHECK(data.size() == 3);
  CHECK(data[2] == std::byte{0xff});
  CHECK(as_text(data) == text);
  CHECK(as_text(data).data() == text.data());
  CHECK(as_bytes("").empty());
  CHECK(as_text(bytes_view{}).empty());
}

TEST_CASE("bytes are copied, and an empty span may be null", "[bytes]") {
  std::byte to[4]{};
  copy_bytes(to, as_bytes("abc"));
  CHECK(as_text(to) == std::string_view{"abc\0", 4});
  copy_bytes(to, bytes_view{});
  copy_bytes(nullptr, bytes_view{});
  CHECK(as_text(to) == std::string_view{"abc\0", 4});
}
