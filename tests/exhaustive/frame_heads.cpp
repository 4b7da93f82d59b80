// SPDX-License-Identifier: BSL-1.0
#include "frame_heads.hpp"

using namespace test::heads;

TEST_CASE("5.2 F-02 F-03 F-05 F-07 F-10 F-14 F-21: all first two bytes of a frame, for both roles, in every place",
          "[hazard-02][hazard-03][hazard-07][hazard-15][hazard-18]") {
  counts const n = check_all(deflation::off, [](connection&, role) {});
  CHECK(n.cases == 262'144);
  // Each role: four first bytes of data frames between messages and two inside, with 128 second bytes each; and the
  // three of control frames, in both places, with 126.
  CHECK(n.good == 2 * ((4 + 2) * 128 + 2 * 3 * 126));
}

// The state tables already know RSV1.
TEST_CASE("7692 6: all first bytes of a frame with permessage-deflate, inside of a message and between messages") {
  int good = 0;
  for (place const where : {place::between, place::inside})
    for (unsigned first = 0; first < 256; ++first) {
      situation const s{role::client, deflation::on, where};
      error const expected = judge(s, first, 0);
      auto const inside = where == place::inside ? message_state::inside : message_state::between;
      CAPTURE(first);
      REQUIRE(judge_first_byte(first, inside, reserved_bits::rsv1) == expected);
      if (expected == error::none) ++good;
    }
  CHECK(good == (4 + 4 + 3) + (2 + 3));
}
