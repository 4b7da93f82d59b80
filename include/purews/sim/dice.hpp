// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../wire/assert.hpp"
#include "../wire/bytes.hpp"

namespace purews::inline v0::sim {

/// Numbers that follow from a seed: the same ones with every compiler, standard library and word size, which the
/// distributions of <random> do not promise (the generator is splitmix64). Not for cryptography.
///
/// Two rolls never belong into one expression or argument list: compilers evaluate those in different orders.
class dice {
 public:
  explicit constexpr dice(std::uint64_t seed) noexcept : state_(seed) {}

  constexpr std::uint64_t roll() noexcept {
    state_ += 0x9E37'79B9'7F4A'7C15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58'476D'1CE4'E5B9U;
    z = (z ^ (z >> 27)) * 0x94D0'49BB'1331'11EBU;
    return z ^ (z >> 31);
  }

  /// A number from 0 to n - 1. Precondition (asserted): n is not 0.
  constexpr std::uint64_t below(std::uint64_t n) noexcept {
    PUREWS_ASSERT(n != 0);
    return roll() % n;
  }

  /// A number from `low` to `high`, both possible. Precondition (asserted): low <= high.
  constexpr std::int64_t between(std::int64_t low, std::int64_t high) noexcept {
    PUREWS_ASSERT(low <= high);
    return low + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(high - low) + 1));
  }

  /// True so many times in a thousand. 0 and 1000 are certain, and roll nothing.
  constexpr bool happens(unsigned per_mille) noexcept {
    if (per_mille == 0 || per_mille >= 1000) return per_mille != 0;
    return below(1000) < per_mille;
  }

  /// One of the choices. Precondition (asserted): there is one.
  template <class T, std::size_t n>
  constexpr T const& any_of(T const (&choices)[n]) noexcept {
    return choices[below(n)];
  }

  /// Fills `out` with any bytes.
  constexpr void fill(bytes out) noexcept {
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (i % 8 == 0) word = roll();
      out[i] = static_cast<std::byte>(word >> (8 * (i % 8)));
    }
  }

  /// Other dice, whose numbers do not depend on how often these are rolled afterwards.
  constexpr dice fork() noexcept { return dice(roll()); }

 private:
  std::uint64_t state_;
};

inline thread_local dice entropy_dice{0};

/// An `entropy_source` for options::entropy: keys and masks that follow from seed_entropy(). Only for tests.
inline void entropy(bytes out) noexcept { entropy_dice.fill(out); }

/// Starts entropy() anew, for all machines of this thread.
inline void seed_entropy(std::uint64_t seed) noexcept { entropy_dice = dice(seed); }

}  // namespace purews::inline v0::sim
