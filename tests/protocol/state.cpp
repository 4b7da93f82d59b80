// SPDX-License-Identifier: BSL-1.0
#include "purews/protocol/state.hpp"

#include <fstream>
#include <sstream>
#include <string>

#include "support/catch.hpp"
#include "support/names.hpp"

using namespace purews;

TEST_CASE("4, 7: the states of a connection follow each other as in the RFC") {
  using enum state;
  static_assert(next_state(connecting, trigger::upgraded) == open);
  static_assert(next_state(open, trigger::close_sent) == closing);
  static_assert(next_state(open, trigger::close_received) == closed);
  static_assert(next_state(closing, trigger::close_received) == closed);
  for (int s = 0; s < state_count; ++s) {
    CHECK(next_state(static_cast<state>(s), trigger::failed) == closed);
    CHECK(next_state(static_cast<state>(s), trigger::ended) == closed);
  }
}

TEST_CASE("7: a connection never goes back to an earlier state") {
  for (int s = 0; s < state_count; ++s)
    for (int t = 0; t < trigger_count; ++t)
      CHECK(static_cast<int>(next_state(static_cast<state>(s), static_cast<trigger>(t))) >= s);
}

TEST_CASE("every state and trigger has a name") {
  for (std::string_view name : state_names) CHECK_FALSE(name.empty());
  for (std::string_view name : trigger_names) CHECK_FALSE(name.empty());
}

// Run in the project's folder, as ctest does.
TEST_CASE("the diagram of states in docs/architecture.md is that of the table") {
  std::string diagram = "<!-- generated: states -->\n```\n";
  for (int s = 0; s < state_count; ++s)
    for (int t = 0; t < trigger_count; ++t) {
      auto const to = static_cast<int>(transitions[s][t]);
      if (to == s) continue;
      diagram += std::string(state_names[s]) + " --" + std::string(trigger_names[t]) + "--> " +
                 std::string(state_names[to]) + "\n";
    }
  diagram += "```\n";
  std::ostringstream page;
  page << std::ifstream("docs/architecture.md").rdbuf();
  INFO("it should contain:\n" << diagram);
  CHECK(page.str().find(diagram) != std::string::npos);
}

namespace {

// Whether RFC 6455 forbids a frame with this first byte, from its text: 5.2 (RSV, opcodes), 5.4 (order), 5.5 (FIN).
bool forbidden(unsigned first, bool inside, bool rsv1_allowed) {
  unsigned const op = first % 16;
  bool const fin = first >= 128;
  bool const rsv1 = (first / 64) % 2 == 1;
  bool const rsv2_or_3 = (first / 16) % 4 != 0;
  bool const control = op == 8 || op == 9 || op == 10;
  bool const data = op == 1 || op == 2;
  if (op != 0 && !data && !control) return true;
  if (rsv2_or_3) return true;
  if (rsv1 && !(rsv1_allowed && data)) return true;
  if (control) return !fin;
  return data ? inside : !inside;
}

}  // namespace

TEST_CASE("5.2: every first byte of a frame is judged as the RFC demands", "[hazard-15][hazard-18]") {
  int good = 0;
  for (message_state const where : {message_state::between, message_state::inside})
    for (reserved_bits const bits : {reserved_bits::none, reserved_bits::rsv1})
      for (unsigned first = 0; first < 256; ++first) {
        error const judged = judge_first_byte(first, where, bits);
        CAPTURE(first, judged);
        REQUIRE((judged != error::none) ==
                forbidden(first, where == message_state::inside, bits == reserved_bits::rsv1));
        REQUIRE(judged == first_byte_errors.of[static_cast<int>(where)][static_cast<int>(bits)][first]);
        if (judged == error::none) ++good;
      }
  // Between messages 4 data frames and 3 control frames, inside 2 continuations and 3 control frames; and RSV1 on the
  // 4 data frames where it is allowed.
  CHECK(good == 7 + 5 + 7 + 5 + 4);
}
