// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>

#include "event.hpp"
#include "time.hpp"

namespace purews::inline v0 {

/// What a loop does with the socket of a machine.
enum class transport_action : std::uint8_t {
  keep,        ///< go on
  shut_write,  ///< shut the sending side down (once; TLS: close_notify first); go on reading
  close,       ///< close the socket; the machine is finished
};

/// What every layer speaks: bytes in as a span, events out as values; bytes out as spans; time in and out as a number.
///
/// > After receive, receive_eof, advance, accept, reject or answer, call next() until none, or park(). A payload is
/// > valid until the following next(), park() or receive(). Read before advance. Gathered bytes stay put and
/// > unchanged until consumed or the transport ends, and nothing overtakes them; one gather is outstanding at a time.
/// > While wants_input() is false the ping and pong timers stand still. After `failed`, receive discards and advance
/// > runs the linger.
// clang-format off
template <class M>
concept byte_machine = requires(M& m, M const& c, bytes in, std::size_t n, instant t, std::span<bytes_view> spans) {
  { c.wants_input() } noexcept -> std::same_as<bool>;     // false: do not read
  { m.receive_room() } noexcept -> std::same_as<bytes>;   // a cut message's buffer, or empty: use the loop's scratch
  { m.receive(in, t) } noexcept;                          // lend bytes; unmasked in place
  { m.receive_eof(t) } noexcept;                          // the peer shut its sending side, or the transport broke
  { m.next() } noexcept -> std::same_as<event>;           // drain to none before the next receive ...
  { m.park() } noexcept;                                  // ... or keep what is left: the scratch is free again
  { m.lend_output(in) } noexcept;                         // room for frames; empty ends the loan and copies the rest
  { m.gather(spans) } noexcept -> std::same_as<std::size_t>;  // what to transmit, as that many spans
  { m.consume_output(n, t) } noexcept;                    // n bytes of it were sent, also n = 0; ends the gather
  { c.transport() } noexcept -> std::same_as<transport_action>;// what to do with the socket
  { c.deadline() } noexcept -> std::same_as<instant>;     // or never
  { m.advance(t) } noexcept;                              // spurious calls are no-ops
};
// clang-format on

}  // namespace purews::inline v0
