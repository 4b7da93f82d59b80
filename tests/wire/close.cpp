// SPDX-License-Identifier: BSL-1.0
#include "purews/wire/close.hpp"

#include <string>

#include "support/catch.hpp"

namespace {

using namespace purews;

// The registry, range by range. RFC 6455 section 7.4 and the WebSocket Close Code Number Registry of IANA.
bool may_be_sent(unsigned code) {
  switch (code) {
    case 1000:  // normal closure
    case 1001:  // going away
    case 1002:  // protocol error
    case 1003:  // unsupported data
    case 1007:  // invalid frame payload data
    case 1008:  // policy violation
    case 1009:  // message too big
    case 1010:  // mandatory extension
    case 1011:  // internal error
    case 1012:  // service restart
    case 1013:  // try again later
    case 1014:  // bad gateway
      return true;
    case 1004:  // reserved
    case 1005:  // no status received: must not be sent
    case 1006:  // abnormal closure: must not be sent
    case 1015:  // TLS handshake: must not be sent
      return false;
    default:
      return code / 1000 == 3 || code / 1000 == 4;  // registered, or private
  }
}

static_assert(is_wire_status(std::uint16_t{3000}) && !is_wire_status(std::uint16_t{2999}));

}  // namespace

TEST_CASE("7.4 C-03 C-04: of all 65,536 codes exactly the registered and the private ones may be on the wire",
          "[close]") {
  int failures = 0;
  for (unsigned code = 0; code <= 0xFFFF; ++code) {
    auto const value = static_cast<std::uint16_t>(code);
    failures += is_wire_status(value) != may_be_sent(code);
    failures += is_wire_status(static_cast<status_code>(value)) != may_be_sent(code);
    std::byte payload[3]{std::byte{}, std::byte{}, std::byte{'x'}};
    store_be16(payload, value);
    for (std::size_t size = 2; size <= 3; ++size) {
      close_payload const close = parse_close(bytes_view{payload, size});
      failures += close.well_formed != may_be_sent(code) || close.code != static_cast<status_code>(value);
      failures += close.reason.size() != size - 2;
    }
  }
  CHECK(failures == 0);
}

TEST_CASE("7.1.5 C-01: an empty Close has the code 1005 and no reason", "[close]") {
  close_payload const close = parse_close({});
  CHECK(close.well_formed);
  CHECK(close.code == status_code::no_status_received);
  CHECK(close.reason.empty());
}

TEST_CASE("5.5.1 C-02: a Close with one byte is not well formed", "[close]") {
  CHECK_FALSE(parse_close(as_bytes("x")).well_formed);
  CHECK_FALSE(parse_close(as_bytes("\x03\xe8").first(1)).well_formed);  // what follows it is not of the payload
}

TEST_CASE("5.5.1: the reason of a Close is a view of its payload, unchecked", "[close]") {
  std::string const payload = "\x03\xe8 bye \xff";
  close_payload const close = parse_close(as_bytes(payload));
  CHECK(close.well_formed);
  CHECK(close.code == status_code::normal);
  CHECK(close.reason == " bye \xff");
  CHECK(close.reason.data() == payload.data() + 2);
  CHECK(parse_close(as_bytes("\x03\xe8" + std::string(close_reason_bytes_max, 'r'))).reason.size() == 123);
}

TEST_CASE("7.4.1: the codes have the values of the registry", "[close]") {
  CHECK(static_cast<int>(status_code::normal) == 1000);
  CHECK(static_cast<int>(status_code::unsupported_data) == 1003);
  CHECK(static_cast<int>(status_code::no_status_received) == 1005);
  CHECK(static_cast<int>(status_code::abnormal) == 1006);
  CHECK(static_cast<int>(status_code::invalid_payload) == 1007);
  CHECK(static_cast<int>(status_code::bad_gateway) == 1014);
  CHECK(static_cast<int>(status_code::tls_handshake) == 1015);
  CHECK_FALSE(is_wire_status(status_code::none));
  CHECK(is_wire_status(status_code{4008}));
}
