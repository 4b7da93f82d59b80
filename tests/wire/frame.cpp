// SPDX-License-Identifier: BSL-1.0
#include "purews/wire/frame.hpp"

#include <algorithm>
#include <initializer_list>
#include <utility>
#include <vector>

#include "guarded.hpp"
#include "support/catch.hpp"
#include "support/dies.hpp"

namespace {

using namespace purews;

constexpr masking_key rfc_key{{std::byte{0x37}, std::byte{0xfa}, std::byte{0x21}, std::byte{0x3d}}};

// F-01: the headers of section 5.7's examples, read and written.
template <std::size_t N>
constexpr bool is(unsigned char const (&wire)[N], frame_header const& expected) {
  std::byte octets[N]{}, written[frame_header_bytes_max]{};
  for (std::size_t i = 0; i < N; ++i) octets[i] = static_cast<std::byte>(wire[i]);
  frame_header_result const read = read_frame_header(octets);
  if (read.fault != error::none || read.size != N || !(read.header == expected)) return false;
  if (frame_header_size(expected.length, expected.masked) != N || write_frame_header(written, expected) != N)
    return false;
  for (std::size_t i = 0; i < N; ++i)
    if (octets[i] != written[i]) return false;
  return true;
}
static_assert(is({0x81, 0x05}, {.op = opcode::text, .length = 5}));
static_assert(is({0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d},
                 {.op = opcode::text, .masked = true, .length = 5, .key = rfc_key}));
static_assert(is({0x01, 0x03}, {.fin = false, .op = opcode::text, .length = 3}));
static_assert(is({0x80, 0x02}, {.op = opcode::continuation, .length = 2}));
static_assert(is({0x89, 0x05}, {.op = opcode::ping, .length = 5}));
static_assert(is({0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d},
                 {.op = opcode::pong, .masked = true, .length = 5, .key = rfc_key}));
static_assert(is({0x82, 0x7E, 0x01, 0x00}, {.op = opcode::binary, .length = 256}));
static_assert(is({0x82, 0x7F, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00},
                 {.op = opcode::binary, .length = 65'536}));

static_assert(is_control(opcode::close) && is_control(opcode::ping) && is_control(opcode::pong));
static_assert(!is_control(opcode::continuation) && !is_control(opcode::text) && !is_control(opcode::binary));
static_assert(is_control(static_cast<opcode>(0xB)) && !is_control(static_cast<opcode>(0x7)));

using octets = std::vector<std::byte>;

octets wire(std::initializer_list<unsigned> values) {
  octets result;
  for (unsigned const value : values) result.push_back(static_cast<std::byte>(value));
  return result;
}

// The one length at which reading `in` byte by byte first shows a fault, and which.
struct first_fault {
  std::size_t size;
  error fault;
};
first_fault find_fault(octets const& in) {
  for (std::size_t size = 0; size <= in.size(); ++size) {
    frame_header_result const result = read_frame_header(bytes_view{in}.first(size));
    if (result.fault != error::none) return {size, result.fault};
    CHECK((result.size == 0) == (result.needed != 0));
    if (result.size == 0) CHECK(result.needed > size);
  }
  return {0, error::none};
}

std::uint64_t const boundary_lengths[] = {
    0,
    1,
    2,
    124,
    125,
    126,
    127,
    128,
    255,
    256,
    65'534,
    65'535,
    65'536,
    65'537,
    (1ULL << 31) - 1,
    1ULL << 31,
    (1ULL << 32) - 1,
    1ULL << 32,
    (1ULL << 32) + 1,
    1ULL << 60,
    (1ULL << 63) - 1,
};

}  // namespace

TEST_CASE("5.2: every length boundary is written in its shortest form and read back, masked and not", "[frame]") {
  guarded const pages;
  for (std::uint64_t const length : boundary_lengths)
    for (bool const masked : {false, true}) {
      CAPTURE(length, masked);
      frame_header const header{
          .op = opcode::binary, .masked = masked, .length = length, .key = masked ? rfc_key : masking_key{}};
      std::size_t const size = (length < 126 ? 2U : length < 65'536 ? 4U : 10U) + (masked ? 4U : 0U);
      REQUIRE(frame_header_size(length, masked) == size);
      bytes const out{pages.last(size), size};
      CHECK(write_frame_header(out, header) == size);
      frame_header_result const read = read_frame_header(out);
      CHECK(read.fault == error::none);
      CHECK(read.size == size);
      CHECK(read.header == header);
      // Any shorter piece asks for more, never for more than the header has.
      for (std::size_t cut = 0; cut < size; ++cut) {
        std::copy_n(out.begin(), cut, pages.last(cut));
        frame_header_result const part = read_frame_header(bytes_view{pages.last(cut), cut});
        CHECK(part.fault == error::none);
        CHECK(part.size == 0);
        CHECK(part.needed > cut);
        CHECK(part.needed == (cut < 2 ? 2 : size));
        write_frame_header(out, header);
      }
    }
}

TEST_CASE("5.2: what follows a header is not looked at", "[frame]") {
  octets const in = wire({0x82, 0x03, 0xff, 0xff, 0xff, 0xff});
  CHECK(read_frame_header(in).size == 2);
  CHECK(read_frame_header(in).header.length == 3);
}

TEST_CASE("5.2: all 65,536 first two bytes agree with an oracle", "[frame]") {
  int failures = 0;
  for (unsigned first = 0; first < 256; ++first)
    for (unsigned second = 0; second < 256; ++second) {
      // Behind them stands a length that is right for either form, and a key.
      octets in = wire({first, second});
      unsigned const length = second % 128;
      if (length == 126) in.insert(in.end(), {std::byte{0x12}, std::byte{0x34}});
      if (length == 127) {
        in.resize(10);
        in[6] = std::byte{0x56};
      }
      std::size_t const key_at = in.size();
      in.insert(in.end(), {std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}});

      unsigned const op = first % 16;
      bool const known = op <= 2 || (op >= 8 && op <= 10);
      error expected = error::none;
      if (!known)
        expected = error::unknown_opcode;
      else if (op >= 8 && first < 128)
        expected = error::control_fragmented;
      else if (op >= 8 && length > 125)
        expected = error::control_too_long;

      frame_header_result const result = read_frame_header(in);
      failures += result.fault != expected;
      failures += result.header.fin != (first >= 128) || result.header.rsv != first / 16 % 8 ||
                  result.header.op != static_cast<opcode>(op) || result.header.masked != (second >= 128);
      if (expected != error::none) {
        failures += read_frame_header(bytes_view{in}.first(2)).fault != expected || result.size != 0;
        continue;
      }
      failures += result.size != key_at + (second >= 128 ? 4U : 0U);
      failures += result.header.length != (length == 126 ? 0x1234U : length == 127 ? 0x5600'0000U : length);
      failures +=
          result.header.key !=
          (second >= 128 ? masking_key{{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}}} : masking_key{});
      std::byte out[frame_header_bytes_max];
      failures +=
          write_frame_header(out, result.header) != result.size || !std::equal(out, out + result.size, in.begin());
    }
  CHECK(failures == 0);
}

TEST_CASE("5.2 F-07: a reserved opcode is a fault at the second byte", "[frame]") {
  for (unsigned const op : {3U, 4U, 5U, 6U, 7U, 0xBU, 0xCU, 0xDU, 0xEU, 0xFU})
    for (unsigned const fin : {0U, 0x80U})
      for (unsigned const length : {0U, 5U, 0x80U, 0x85U, 0x7EU, 0xFFU}) {
        first_fault const found = find_fault(wire({fin | op, length}));
        CHECK(found.size == 2);
        CHECK(found.fault == error::unknown_opcode);
      }
}

TEST_CASE("5.5 F-20 F-14: a control frame longer than 125 bytes is a fault at the second byte", "[frame]") {
  for (unsigned const op : {8U, 9U, 10U})
    for (unsigned const mask_bit : {0U, 0x80U}) {
      CHECK(find_fault(wire({0x80 | op, mask_bit | 125, 1, 2, 3, 4})).fault == error::none);
      for (unsigned const length : {126U, 127U}) {
        first_fault const found = find_fault(wire({0x80 | op, mask_bit | length}));
        CHECK(found.size == 2);
        CHECK(found.fault == error::control_too_long);
      }
    }
}

TEST_CASE("5.5 F-21: a fragmented control frame is a fault at the second byte", "[frame]") {
  for (unsigned const op : {8U, 9U, 10U}) {
    first_fault const found = find_fault(wire({op, 0x00}));
    CHECK(found.size == 2);
    CHECK(found.fault == error::control_fragmented);
  }
}

TEST_CASE("5.2 F-10: a 16-bit length below 126 is a fault as soon as it is whole", "[frame]") {
  for (unsigned const mask_bit : {0U, 0x80U}) {
    for (unsigned const length : {0U, 5U, 125U}) {
      first_fault const found = find_fault(wire({0x82, mask_bit | 126, 0, length, 1, 2, 3, 4}));
      CHECK(found.size == 4);
      CHECK(found.fault == error::length_not_minimal);
    }
    CHECK(find_fault(wire({0x82, mask_bit | 126, 0, 126, 1, 2, 3, 4})).fault == error::none);
    CHECK(find_fault(wire({0x82, mask_bit | 126, 1, 0, 1, 2, 3, 4})).fault == error::none);
  }
}

TEST_CASE("5.2 F-11: a 64-bit length below 65,536 is a fault as soon as it is whole", "[frame]") {
  for (unsigned const mask_bit : {0U, 0x80U}) {
    for (auto const& [high, low] : {std::pair{0U, 0U}, {0U, 5U}, {0U, 126U}, {255U, 255U}}) {
      first_fault const found = find_fault(wire({0x82, mask_bit | 127, 0, 0, 0, 0, 0, 0, high, low, 1, 2, 3, 4}));
      CHECK(found.size == 10);
      CHECK(found.fault == error::length_not_minimal);
    }
    CHECK(find_fault(wire({0x82, mask_bit | 127, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4})).fault == error::none);
  }
}

TEST_CASE("5.2 F-12: a 64-bit length with its top bit set is a fault as soon as it is whole", "[frame]") {
  for (unsigned const mask_bit : {0U, 0x80U}) {
    for (unsigned const rest : {0U, 5U, 255U}) {
      first_fault const found =
          find_fault(wire({0x82, mask_bit | 127, 0x80, rest, rest, rest, rest, rest, rest, rest, 1, 2, 3, 4}));
      CHECK(found.size == 10);
      CHECK(found.fault == error::length_too_large);
    }
    CHECK(find_fault(wire({0x82, mask_bit | 127, 0x7f, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4})).fault ==
          error::none);
  }
}

TEST_CASE("5.2: reserved bits and every known opcode survive writing and reading", "[frame]") {
  for (opcode const op :
       {opcode::continuation, opcode::text, opcode::binary, opcode::close, opcode::ping, opcode::pong})
    for (std::uint8_t rsv = 0; rsv < 8; ++rsv)
      for (bool const fin : {true, false}) {
        if (is_control(op) && !fin) continue;
        frame_header const header{.fin = fin, .rsv = rsv, .op = op, .length = 7};
        std::byte room[frame_header_bytes_max];
        bytes const out = bytes(room).first(2);
        CHECK(write_frame_header(out, header) == 2);
        CHECK(read_frame_header(out).header == header);
      }
}

TEST_CASE("5.2: a header that must not be written is a bug of the caller", "[frame]") {
  std::byte out[frame_header_bytes_max];
  auto const dies_writing = [&](std::size_t room, frame_header const& header) {
    return dies([&] { write_frame_header(bytes{out, room}, header); });
  };
  CHECK_FALSE(dies_writing(14, {.masked = true, .length = 65'536}));
  CHECK(dies_writing(13, {.masked = true, .length = 65'536}));
  CHECK(dies_writing(9, {.length = 65'536}));
  CHECK(dies_writing(7, {.masked = true, .length = 126}));
  CHECK(dies_writing(3, {.length = 126}));
  CHECK(dies_writing(5, {.masked = true}));
  CHECK(dies_writing(1, {}));
  CHECK(dies_writing(14, {.length = 1ULL << 63}));
  CHECK(dies_writing(14, {.op = opcode::ping, .length = 126}));
  CHECK(dies_writing(14, {.fin = false, .op = opcode::close}));
  CHECK_FALSE(dies_writing(14, {.op = opcode::ping, .length = 125}));
}
