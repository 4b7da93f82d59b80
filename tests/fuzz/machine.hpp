// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "fuzz.hpp"
#include "support/machine_driver.hpp"

namespace fuzz {

/// How bytes are brought to a machine: in which pieces, and by which kind of loop. Nothing of it may be seen outside.
struct approach {
  test::manner how{};
  unsigned pieces = 0;  ///< 0: whole, 1: byte by byte, 2: two pieces, else any
  unsigned seed = 0;

  /// Where the pieces of `size` bytes end.
  std::vector<std::size_t> cuts(std::size_t size) const {
    std::vector<std::size_t> result;
    unsigned state = seed;
    std::size_t at = pieces == 2 && size != 0 ? seed % size : 0;
    if (at != 0) result.push_back(at);
    while (pieces != 0 && pieces != 2 && at < size) {
      state = state * 1664525U + 1013904223U;
      std::size_t const step = pieces == 1 ? 1 : 1 + (state >> 16) % (1U << (pieces % 8));
      at = step < size - at ? at + step : size;
      result.push_back(at);
    }
    if (result.empty() || result.back() != size) result.push_back(size);
    return result;
  }
};

/// Reads one from six octets.
inline approach read_approach(script& choices) {
  approach result;
  test::manner& how = result.how;
  unsigned const flags = choices.octet();
  how.withhold = (flags & 1U) != 0;
  how.direct = (flags & 2U) != 0;
  how.overlap = (flags & 4U) != 0;
  how.park_after = static_cast<int>(flags >> 4 & 3U) - 1;
  unsigned const sizes = choices.octet();
  how.spans_max = 1 + (sizes & 3U);
  how.writes_max = (sizes & 4U) != 0 ? sizes >> 3 & 1U : SIZE_MAX;
  how.write_max = (sizes & 16U) != 0 ? 1 + (sizes >> 5) : SIZE_MAX;
  std::size_t const room = choices.octet();
  how.room = how.overlap ? 0 : room * 8;  // a loan ends when no gather is outstanding
  result.pieces = choices.octet();
  result.seed = choices.word();
  return result;
}

/// What a machine did with an input, as others can see it.
struct outcome {
  std::vector<std::string> events{};
  test::octets output{};
  purews::transport_action transport = purews::transport_action::keep;

  std::string describe() const {
    std::string text;
    for (std::string const& e : events) text += "event " + e + "\n";
    return text + "transport " + test::name(transport) + "\noutput " + test::to_hex(output) + "\n";
  }
};

/// Whether the peer's stream ends behind the input.
enum class ending : std::uint8_t { open, end_of_stream };

/// Brings `in` to a machine and takes all that it says.
template <class Machine>
outcome feed(Machine& machine, purews::bytes_view in, approach const& way, ending end = ending::open) {
  test::machine_driver<Machine> driver(machine, way.how);
  driver.flush();
  std::size_t at = 0;
  for (std::size_t const cut : way.cuts(in.size())) {
    driver.receive(in.subspan(at, cut - at));
    at = cut;
  }
  if (end == ending::end_of_stream) driver.receive_eof();
  driver.drain();
  driver.flush();
  check(machine.next().what == purews::kind::none, "a drained machine has nothing to say");
  return {driver.events, driver.output, machine.transport()};
}

/// Ends the program if a promise is broken, and says what was got and what was expected.
inline void check(bool kept, std::string_view promise, outcome const& got, outcome const& expected) {
  if (!kept) check(kept, promise, "got:\n" + got.describe() + "expected:\n" + expected.describe());
}

}  // namespace fuzz
