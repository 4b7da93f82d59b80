// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "life.hpp"

namespace test {

/// What is wrong with a machine.
enum class mistake : std::uint8_t {
  none,
  says_twice,        ///< reports each third message twice
  loses_one,         ///< loses each third message
  turns_a_bit,       ///< of long messages
  overwrites,        ///< uses the room of a payload again when the application sends
  invents_pongs,     ///< says pongs of which nobody has said the ping
  opens_late,        ///< does not report that it is open
  ends_twice,        ///< reports its end twice
  ends_in_silence,   ///< does not report its end
  changes_the_code,  ///< reports another code than the one that came
  closes_twice,      ///< sends a second Close frame
  changes_gathered,  ///< changes what was gathered when something is received
  gathers_nothing,   ///< gathers empty spans
  never_ends,        ///< waits for ever after close()
  never_sleeps,      ///< always wants to be woken at once
  changes_its_mind,  ///< shuts its side and then wants to go on
  refuses_and_acts,  ///< sends a ping when it refuses a message
  refuses_at_will,   ///< says that memory ran out when it did not
  keeps_memory,      ///< never gives it back
  takes_memory,      ///< far more than its limits say
};

inline mistake planted = mistake::none;

/// An endpoint with the planted mistake: what the checks of a life must find.
struct mistaken : endpoint {
  using endpoint::endpoint;
  static bool is(mistake m) { return planted == m; }

  event next() noexcept {
    if (is(mistake::says_twice) && last.what == kind::message && ++messages % 3 == 0) return last;
    event e = endpoint::next();
    if (is(mistake::loses_one) && e.what == kind::message && ++messages % 3 == 0) e = endpoint::next();
    if (is(mistake::turns_a_bit) && e.payload.size() > 200) e.payload[150] ^= std::byte{1};
    if (is(mistake::invents_pongs) && e.what == kind::pong && !e.payload.empty()) e.payload[0] ^= std::byte{1};
    if (is(mistake::opens_late) && e.what == kind::open) e = endpoint::next();
    if (is(mistake::ends_in_silence) && e.what == kind::closed) e = {};
    if (is(mistake::changes_the_code) && e.code == status_code::normal) e.code = status_code::going_away;
    if (is(mistake::ends_twice) && e.what == kind::none && last.what == kind::closed) e = last;
    return last = e;
  }

  refusal send(opcode op, bytes_view payload, send_options const& how = {}) noexcept {
    if (is(mistake::overwrites) && last.what == kind::message && !last.payload.empty()) last.payload[0] ^= std::byte{1};
    refusal const result = endpoint::send(op, payload, how);
    if (is(mistake::refuses_and_acts) && result != refusal::none) static_cast<void>(endpoint::ping());
    return result;
  }
  refusal send(std::string_view text) noexcept { return endpoint::send(text); }
  refusal send(prepared_message const& shared, send_options const& how = {}) noexcept {
    return endpoint::send(shared, how);
  }
  refusal ping(bytes_view payload) noexcept {
    if (is(mistake::refuses_at_will) && payload.size() % 2 == 0) return refusal::out_of_memory;
    return endpoint::ping(payload);
  }
  refusal close(status_code code, std::string_view reason) noexcept {
    refusal const result = endpoint::close(code, reason);
    said_farewell = said_farewell || result == refusal::none;
    return result;
  }
  void abort() noexcept {
    said_farewell = false;
    endpoint::abort();
  }

  void receive(bytes in, instant t) noexcept {
    if (gathered != 0) copy[gathered - 1] ^= std::byte{1};
    endpoint::receive(in, t);
  }
  void park() noexcept {
    if (is(mistake::keeps_memory)) static_cast<void>(allocate_bytes(100));
    if (is(mistake::takes_memory)) free_bytes(allocate_bytes(64U << 20));
    endpoint::park();
  }

  std::size_t gather(std::span<bytes_view> spans) noexcept {
    std::size_t const n = endpoint::gather(spans);
    if (is(mistake::closes_twice) && n == 0 && !spans.empty()) return gather_close(spans);
    if (is(mistake::gathers_nothing) && n != 0 && n < spans.size()) return spans[n] = {}, n + 1;
    if (!is(mistake::changes_gathered) || n == 0) return n;
    gathered = spans[0].size() < sizeof copy ? spans[0].size() : sizeof copy;
    copy_bytes(copy, spans[0].first(gathered));
    spans[0] = {copy, gathered};
    return 1;
  }
  void consume_output(std::size_t n, instant t) noexcept {
    if (mine) close_left -= n;
    endpoint::consume_output(mine ? 0 : n, t);
    mine = false;
    gathered = 0;
  }

  transport_action transport() const noexcept {
    transport_action const wish = endpoint::transport();
    if (is(mistake::never_ends) && said_farewell) return transport_action::keep;
    if (is(mistake::changes_its_mind) && wish == transport_action::shut_write && asked++ % 3 == 2)
      return transport_action::keep;
    return wish;
  }
  instant deadline() const noexcept {
    if (is(mistake::never_ends) && said_farewell) return never;
    return is(mistake::never_sleeps) && current() == state::open ? instant{} : endpoint::deadline();
  }

 private:
  // What is still missing of a Close frame with the key zero.
  std::size_t gather_close(std::span<bytes_view> spans) noexcept {
    if (current() != state::closed || transport() == transport_action::close || close_left == 0) return 0;
    static constexpr std::byte masked[] = {std::byte{0x88}, std::byte{0x80}, {}, {}, {}, {}};
    static constexpr std::byte plain[] = {std::byte{0x88}, {}};
    spans[0] = (own_role() == role::client ? bytes_view(masked) : bytes_view(plain)).last(close_left);
    mine = true;
    return 1;
  }

  event last{};
  int messages = 0;
  mutable int asked = 0;
  bool said_farewell = false;
  bool mine = false;
  std::size_t close_left = own_role() == role::client ? 6 : 2;
  std::size_t gathered = 0;
  std::byte copy[4096]{};
};

}  // namespace test
