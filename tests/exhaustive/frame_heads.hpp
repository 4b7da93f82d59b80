// SPDX-License-Identifier: BSL-1.0
#pragma once

// All first two bytes that a frame can have, as a connection receives them, against a table that is written from the
// text of the RFCs and calls nothing of the library.
#include <map>

#include "purews/protocol/connection.hpp"

#include "support/catch.hpp"
#include "support/machine_driver.hpp"

namespace test::heads {

using namespace purews;

enum class deflation { off, on };               // whether permessage-deflate was negotiated
enum class place { between, inside };           // whether a fragmented message of text is open
enum class whose { anyone, server, client };    // who receives the frame
enum class when { always, between, inside };    // ... and when
enum class extension { either, absent, used };  // ... and whether permessage-deflate was negotiated

struct situation {
  role own;
  deflation deflate;
  place where;
};

/// One rule for the first two bytes of a frame. The rules are tried in order: the RFC does not say which of several
/// faults is to be reported, we report what comes first in the frame.
struct rule {
  unsigned first_mask, first_bits;    // applies if (first byte & mask) == bits
  unsigned second_mask, second_bits;  // and so for the second byte
  whose receiver;
  when moment;
  extension deflate;
  error fault;
};

// clang-format off
inline constexpr rule rules[] = {
    // RFC 6455 5.2: RSV1, RSV2, RSV3 "MUST be 0 unless an extension is negotiated that defines meanings".
    {0x20, 0x20, 0, 0, whose::anyone, when::always, extension::either, error::reserved_bit},
    {0x10, 0x10, 0, 0, whose::anyone, when::always, extension::either, error::reserved_bit},
    {0x40, 0x40, 0, 0, whose::anyone, when::always, extension::absent, error::reserved_bit},
    // RFC 7692 6: RSV1 is for the first frame of a message: not for control frames, continuations, reserved opcodes.
    {0x48, 0x48, 0, 0, whose::anyone, when::always, extension::used, error::reserved_bit},
    {0x4F, 0x40, 0, 0, whose::anyone, when::always, extension::used, error::reserved_bit},
    {0x44, 0x44, 0, 0, whose::anyone, when::always, extension::used, error::reserved_bit},
    {0x43, 0x43, 0, 0, whose::anyone, when::always, extension::used, error::reserved_bit},
    // RFC 6455 5.2: opcodes 3 to 7 and B to F are reserved.
    {0x0F, 0x03, 0, 0, whose::anyone, when::always, extension::either, error::unknown_opcode},
    {0x0C, 0x04, 0, 0, whose::anyone, when::always, extension::either, error::unknown_opcode},
    {0x0F, 0x0B, 0, 0, whose::anyone, when::always, extension::either, error::unknown_opcode},
    {0x0C, 0x0C, 0, 0, whose::anyone, when::always, extension::either, error::unknown_opcode},
    // RFC 6455 5.5: control frames "MUST NOT be fragmented".
    {0x88, 0x08, 0, 0, whose::anyone, when::always, extension::either, error::control_fragmented},
    // RFC 6455 5.4: a message begins with its opcode, and all its other frames have the opcode 0.
    {0x0F, 0x00, 0, 0, whose::anyone, when::between, extension::either, error::unexpected_continuation},
    {0x0F, 0x01, 0, 0, whose::anyone, when::inside, extension::either, error::expected_continuation},
    {0x0F, 0x02, 0, 0, whose::anyone, when::inside, extension::either, error::expected_continuation},
    // RFC 6455 5.1: a client MUST mask all frames, "a server MUST NOT mask any frames".
    {0, 0, 0x80, 0x00, whose::server, when::always, extension::either, error::unmasked_frame},
    {0, 0, 0x80, 0x80, whose::client, when::always, extension::either, error::masked_frame},
    // RFC 6455 5.5: control frames "MUST have a payload length of 125 bytes or less".
    {0x08, 0x08, 0x7E, 0x7E, whose::anyone, when::always, extension::either, error::control_too_long},
};
// clang-format on

inline bool applies(rule const& r, situation const& s, unsigned first, unsigned second) {
  if ((first & r.first_mask) != r.first_bits || (second & r.second_mask) != r.second_bits) return false;
  if (r.receiver != whose::anyone && (r.receiver == whose::server) != (s.own == role::server)) return false;
  if (r.moment != when::always && (r.moment == when::inside) != (s.where == place::inside)) return false;
  return r.deflate == extension::either || (r.deflate == extension::used) == (s.deflate == deflation::on);
}

inline error judge(situation const& s, unsigned first, unsigned second) {
  for (rule const& r : rules)
    if (applies(r, s, first, second)) return r.fault;
  return error::none;
}

/// What follows the first two bytes, and what then must be reported and sent.
struct ending {
  octets rest{};
  std::size_t decided_at = 2;  // bytes of the frame after which the event must come, and not before; 0: there is none
  std::string event{};
  octets out{};
  transport_action transport = transport_action::keep;
};

inline octets code_bytes(unsigned code) { return {static_cast<std::byte>(code >> 8), static_cast<std::byte>(code)}; }

inline ending failure(situation const& s, error fault, octets const& rest, std::size_t at, unsigned code = 1002) {
  return {.rest = rest,
          .decided_at = at,
          .event = "failed " + std::to_string(code) + " " + name(fault),
          .out = own_frame(s.own, 0x88, code_bytes(code)),
          .transport = transport_action::shut_write};
}

// RFC 7692 7.2.3.2: a block with a fixed code. One of n - 2 letters z (10010 010 each, which is 0x7A + 0x30) between
// a header of 3 bits and an end of 7 takes, with the header of the stored block whose end is left out, n bytes.
inline octets deflated(std::size_t size) {
  static std::map<std::size_t, octets> made;
  octets& result = made[size];
  if (!result.empty()) return result;
  result.resize(size);
  if (size < 2) return result;  // a stored block whose length is left out: an empty message
  std::vector<bool> bits{false, true, false};
  for (std::size_t i = 2; i < size; ++i)
    for (int bit = 7; bit >= 0; --bit) bits.push_back((('z' + 0x30) >> bit & 1) != 0);
  for (std::size_t i = 0; i < bits.size(); ++i)
    if (bits[i]) result[i / 8] |= std::byte{1} << (i % 8);
  return result;
}

inline std::size_t payload_size(unsigned second) {
  unsigned const short_form = second & 0x7FU;
  return short_form == 127 ? 65536 : short_form == 126 ? 126 : short_form;
}

inline octets length_bytes(unsigned second) {
  unsigned const short_form = second & 0x7FU;
  return short_form == 127 ? hex("0000000000010000") : short_form == 126 ? hex("007e") : octets{};
}

// Of a frame whose first two bytes are good: the shortest payload that they allow, and what it means.
inline ending good_frame(situation const& s, unsigned first, unsigned second) {
  unsigned const op = first & 0x0FU;
  std::size_t const size = payload_size(second);
  bool const compressed = (first & 0x40U) != 0;
  octets payload(size, std::byte{'z'});
  octets meaning = compressed ? octets(size < 2 ? 0 : size - 2, std::byte{'z'}) : payload;
  if (compressed) payload = deflated(size);
  if (op == 8 && size >= 2) {
    payload[0] = std::byte{0x03};
    payload[1] = std::byte{0xe8};
    meaning.resize(size - 2);
  }
  octets const mask(s.own == role::server ? 4 : 0);
  ending e{.rest = join(length_bytes(second), mask, payload)};
  e.decided_at = 2 + e.rest.size();
  // RFC 7692 7.2.3.6: an empty message is 00. Without a byte, it and its tail would not end where a block does.
  if (compressed && size == 0 && (first & 0x80U) != 0)
    return failure(s, error::deflate_end, e.rest, e.decided_at, 1007);
  if (op == 8 && size == 1) return failure(s, error::close_payload_short, e.rest, e.decided_at);
  if (op == 8) {
    e.event = (size == 0 ? "closed 1005 clean " : "closed 1000 clean ") + describe(meaning);
    e.out = own_frame(s.own, 0x88, size == 0 ? octets{} : code_bytes(1000));
    e.transport = s.own == role::server ? transport_action::shut_write : transport_action::keep;  // 7.1.1
  } else if (op == 9) {
    e.event = "ping " + describe(meaning);
    e.out = own_frame(s.own, 0x8a, meaning);
  } else if (op == 10) {
    e.event = "pong " + describe(meaning);
  } else if ((first & 0x80U) == 0) {
    e.decided_at = 0;  // more fragments must follow
  } else {
    if (op == 0) meaning = join(octets_of("begun"), meaning);
    e.event = std::string("message ") + (op == 2 ? "binary " : "text ") + describe(meaning);
  }
  return e;
}

// Everything that may follow the first two bytes: the payload, or a length that is not written as it must be.
inline std::vector<ending> endings(situation const& s, unsigned first, unsigned second) {
  if (error const fault = judge(s, first, second); fault != error::none) return {failure(s, fault, hex("00000000"), 2)};
  std::vector<ending> all{good_frame(s, first, second)};
  // RFC 6455 5.2: "the minimal number of bytes MUST be used to encode the length".
  if ((second & 0x7FU) == 126) all.push_back(failure(s, error::length_not_minimal, hex("007d"), 4));
  if ((second & 0x7FU) != 127) return all;
  all.push_back(failure(s, error::length_not_minimal, hex("000000000000ffff"), 10));
  // RFC 6455 5.2: "the most significant bit MUST be 0".
  all.push_back(failure(s, error::length_too_large, hex("8000000000010000"), 10));
  return all;
}

// What sets a connection up: gives it a codec, or nothing.
using beginning = void (*)(connection&, role);

enum class feeding { whole, frame_alone, by_bytes };

// What is wrong with what a connection makes of the frame; empty if nothing is.
inline std::string disagreement(situation const& s, unsigned first, unsigned second, ending const& expected,
                                feeding how, beginning begin) {
  options const with{.entropy = zero_entropy};
  connection c(s.own, with, instant{1'000'000'000});
  begin(c, s.own);
  machine_driver<connection> driver(c);
  octets const begun = s.where == place::inside ? peer_frame(s.own, 0x01, "begun") : octets{};
  octets const frame = join(octets{static_cast<std::byte>(first), static_cast<std::byte>(second)}, expected.rest);
  if (how == feeding::whole) {
    driver.receive(join(begun, frame));
  } else if (how == feeding::frame_alone) {
    driver.receive(begun);
    driver.receive(frame);
  } else {
    driver.receive(begun);
    for (std::size_t i = 0; i < frame.size(); ++i) {
      driver.receive(std::span(&frame[i], 1));
      std::size_t const due = expected.decided_at != 0 && i + 1 >= expected.decided_at ? 1 : 0;
      if (driver.events.size() != due)
        return std::to_string(driver.events.size()) + " events after byte " + std::to_string(i + 1);
    }
  }
  driver.flush();
  std::vector<std::string> events;
  if (!expected.event.empty()) events.push_back(expected.event);
  if (driver.events != events)
    return "expected " + expected.event + ", got " + (driver.events.empty() ? "nothing" : driver.events[0]);
  if (driver.output != expected.out) return "sent " + describe(driver.output);
  if (c.transport() != expected.transport) return "the transport: " + name(c.transport());
  return {};
}

struct counts {
  int cases = 0, good = 0;
};

inline counts check_all(deflation deflate, beginning begin) {
  counts n;
  for (role const own : {role::server, role::client})
    for (place const where : {place::between, place::inside})
      for (unsigned bytes = 0; bytes < 65536; ++bytes, ++n.cases) {
        situation const s{own, deflate, where};
        unsigned const first = bytes >> 8, second = bytes & 255U;
        if (judge(s, first, second) == error::none) ++n.good;
        for (ending const& e : endings(s, first, second))
          for (feeding const how : {feeding::whole, feeding::frame_alone, feeding::by_bytes})
            if (std::string const wrong = disagreement(s, first, second, e, how, begin); !wrong.empty())
              FAIL(wrong << ": " << std::hex << bytes << (where == place::inside ? ", inside" : ", between")
                         << (own == role::server ? ", server" : ", client")
                         << (how == feeding::whole      ? ", whole"
                             : how == feeding::by_bytes ? ", by bytes"
                                                        : ", alone"));
      }
  return n;
}

}  // namespace test::heads
