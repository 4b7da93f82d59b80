// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../wire/frame.hpp"

// Rule 1: everything that decides on a state or on the order of frames is a table in this file.
// Rule 2: this file does not know which role we play.

namespace purews::inline v0 {

/// RFC 6455's states of a connection.
enum class state : std::uint8_t { connecting, open, closing, closed };

/// What moves a connection from state to state.
enum class trigger : std::uint8_t {
  upgraded,        ///< the opening handshake succeeded
  close_sent,      ///< a Close frame of ours was queued
  close_received,  ///< the peer's Close frame came
  ended,           ///< the peer's stream ended, or a plain HTTP answer was given
  failed,          ///< a rule was broken or a deadline missed
};

inline constexpr int state_count = 4;
inline constexpr int trigger_count = 5;

inline constexpr std::string_view state_names[state_count] = {"connecting", "open", "closing", "closed"};
inline constexpr std::string_view trigger_names[trigger_count] = {"upgraded", "close_sent", "close_received", "ended",
                                                                 "failed"};

/// transitions[state][trigger]. The diagram in docs/architecture.md is generated from it.
inline constexpr state transitions[state_count][trigger_count] = {
    // upgraded     close_sent       close_received  ended          failed
    {state::open, state::connecting, state::connecting, state::closed, state::closed},  // connecting
    {state::open, state::closing, state::closed, state::closed, state::closed},         // open
    {state::closing, state::closing, state::closed, state::closed, state::closed},      // closing
    {state::closed, state::closed, state::closed, state::closed, state::closed},        // closed
};

constexpr state next_state(state from, trigger why) noexcept {
  return transitions[static_cast<int>(from)][static_cast<int>(why)];
}

/// Whether a fragmented message is being received when a frame begins.
enum class message_state : std::uint8_t { between, inside };

/// Which reserved bits an extension has given a meaning to. RFC 6455 section 9.1; RFC 7692 section 6.
enum class reserved_bits : std::uint8_t { none, rsv1 };

/// What is wrong with the first byte of a frame, if anything.
constexpr error judge_first_byte(unsigned first, message_state where, reserved_bits allowed) noexcept {
  unsigned const rsv = (first >> 4) & 7U;
  auto const op = static_cast<opcode>(first & 0xFU);
  bool const starts_message = op == opcode::text || op == opcode::binary;
  // RFC 6455 5.2: "MUST be 0 unless an extension is negotiated". RFC 7692 6: RSV1 on the first frame of a message only.
  unsigned const allowed_bits = allowed == reserved_bits::rsv1 && starts_message ? 4U : 0U;
  if ((rsv & ~allowed_bits) != 0) return error::reserved_bit;
  if (!is_known(op)) return error::unknown_opcode;
  if (is_control(op)) return (first & 0x80U) != 0 ? error::none : error::control_fragmented;
  // RFC 6455 5.4: the fragments of one message must not be interleaved with those of another.
  if (starts_message && where == message_state::inside) return error::expected_continuation;
  if (!starts_message && where == message_state::between) return error::unexpected_continuation;
  return error::none;
}

/// All answers of judge_first_byte: one load in the way of a frame.
struct first_byte_table {
  error of[2][2][256];

  consteval first_byte_table() noexcept : of() {
    for (unsigned where = 0; where < 2; ++where)
      for (unsigned bits = 0; bits < 2; ++bits)
        for (unsigned first = 0; first < 256; ++first)
          of[where][bits][first] =
              judge_first_byte(first, static_cast<message_state>(where), static_cast<reserved_bits>(bits));
  }
};

inline constexpr first_byte_table first_byte_errors{};

}  // namespace purews::inline v0
