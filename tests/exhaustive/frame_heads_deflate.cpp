// SPDX-License-Identifier: BSL-1.0

// The same bytes, where permessage-deflate was negotiated. It needs zlib.
#include "frame_heads.hpp"

#include "purews/deflate/permessage_deflate.hpp"

using namespace test::heads;

TEST_CASE(
    "7692 6 F-06 D-30 D-34: all first two bytes of a frame with permessage-deflate, for both roles, in every place",
    "[hazard-02][hazard-03][hazard-07][hazard-15][hazard-18]") {
  counts const n = check_all(deflation::on, [](connection& c, role own) {
    static permessage_deflate const deflate;
    message_codec* const codec = deflate.make_codec(own, {});
    REQUIRE(codec != nullptr);
    REQUIRE(c.use(*codec) == refusal::none);
  });
  CHECK(n.cases == 262'144);
  // Each role: eight first bytes of data frames between messages, four of them with RSV1, and two inside, with 128
  // second bytes each; and the three of control frames, in both places, with 126.
  CHECK(n.good == 2 * ((8 + 2) * 128 + 2 * 3 * 126));
}
