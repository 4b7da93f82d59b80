// SPDX-License-Identifier: BSL-1.0
#include "planted.hpp"

#include <string>

#include "support/catch.hpp"

using namespace purews;

namespace {

// Runs lives of machines with a mistake until the sentence is found; or the last one that was found, or nothing.
std::string found(test::mistake m, std::string const& sentence) {
  test::planted = m;
  std::string last = "nothing";
  for (std::uint64_t seed = 0; seed < 100 && last != sentence; ++seed)
    if (char const* const fault = test::live<test::mistaken>(seed).fault) last = fault;
  return last;
}

}  // namespace

TEST_CASE("simulator: endpoints live without a fault, and whatever can happen does") {
  int opened = 0;
  int clean = 0;
  std::uint64_t messages = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    test::verdict const v = test::live(seed);
    CAPTURE(seed, v.ticks);
    CHECK(std::string(v.fault != nullptr ? v.fault : "") == "");
    opened += v.opened ? 1 : 0;
    clean += v.clean ? 1 : 0;
    messages += v.messages;
  }
  CHECK(opened > 150);
  CHECK(opened < 300);
  CHECK(clean > 100);
  CHECK(clean < opened);
  CHECK(messages > 1000);
}

TEST_CASE("simulator: the same seed gives the same life, with every compiler") {
  sim::trace all;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    std::uint64_t const hash = test::live(seed).hash;
    CHECK(hash == test::live(seed).hash);
    all.add(hash);
  }
  // Changes with everything that machines and lives do. What it becomes must be the same with g++ and clang.
  CHECK(all.hash() == 0xFB24572F62989B55U);
}

TEST_CASE("simulator: each planted mistake is found") {
  using enum test::mistake;
  struct row {
    test::mistake planted;
    char const* sentence;
  };
  static constexpr row table[] = {
      {says_twice, "a message came that was not the next one that was sent"},
      {loses_one, "a message came that was not the next one that was sent"},
      {turns_a_bit, "a message came that was not the next one that was sent"},
      {overwrites, "a payload changed before the following next()"},
      {invents_pongs, "a pong came that answers no ping, or an older one than before"},
      {opens_late, "a message came before the connection was open"},
      {ends_twice, "there is an event after the terminal one"},
      {ends_in_silence, "the connection did not end with exactly one terminal event"},
      {changes_the_code, "the code is not the one that the other side closed with"},
      {closes_twice, "there is a frame behind the Close frame"},
      {changes_gathered, "gathered bytes changed before they were consumed"},
      {gathers_nothing, "an empty span was gathered"},
      {never_ends, "the life does not end, though all deadlines are set"},
      {never_sleeps, "the deadline stays in the past, however often advance() is called"},
      {changes_its_mind, "the transport was to be shut or closed, and then it was not"},
      {refuses_and_acts, "a refused call has changed what is queued"},
      {refuses_at_will, "a call was refused for want of memory, but there was enough"},
      {keeps_memory, "the machines kept memory"},
      {takes_memory, "the machines used more memory than their limits allow"},
  };
  CHECK(found(test::mistake::none, "any") == "nothing");
  for (row const& r : table) {
    CAPTURE(static_cast<int>(r.planted));
    CHECK(found(r.planted, r.sentence) == r.sentence);
  }
}
