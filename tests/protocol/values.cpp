// SPDX-License-Identifier: BSL-1.0

// The headers that hold values alone: time, limits, options, event, refusal, byte_machine.
#include "purews/protocol/byte_machine.hpp"
#include "purews/protocol/limits.hpp"
#include "purews/protocol/options.hpp"
#include "purews/protocol/refusal.hpp"

#include <chrono>
#include <set>
#include <type_traits>

#include "purews/protocol/connection.hpp"

#include "support/catch.hpp"
#include "support/hex.hpp"
#include "support/names.hpp"

using namespace purews;

TEST_CASE("a duration takes every unit of std::chrono") {
  static_assert(duration(std::chrono::nanoseconds(7)).ns == 7);
  static_assert(duration(std::chrono::microseconds(7)).ns == 7'000);
  static_assert(duration(std::chrono::milliseconds(7)) == milliseconds(7));
  static_assert(duration(std::chrono::seconds(7)) == seconds(7));
  static_assert(duration(std::chrono::minutes(7)) == seconds(420));
  static_assert(duration(std::chrono::hours(-1)) == seconds(-3600));
  static_assert(duration(std::chrono::duration<int>(3)) == seconds(3));
  static_assert(duration(std::chrono::duration<double>(0.25)) == milliseconds(250));
  static_assert(duration(std::chrono::duration<float, std::milli>(2.5F)).ns == 2'500'000);
  static_assert(duration(std::chrono::duration<long long, std::pico>(5'000)).ns == 5);
  timeouts const t{.ping = std::chrono::seconds(3)};
  CHECK(t.ping == seconds(3));
}

// Keeps the compiler from computing with it.
template <class T>
T at_run_time(T value) {
  T volatile copy = value;
  return copy;
}

TEST_CASE("a duration is at run time what it is at compile time") {
  using std::chrono::duration;
  auto const of = [](auto count, auto unit) {
    using rep = decltype(count);
    return purews::duration(duration<rep, decltype(unit)>(at_run_time(count))).ns;
  };
  constexpr std::int64_t most = INT64_MAX / 1'000'000'000;
  CHECK(of(most, std::ratio<1>()) == most * 1'000'000'000);
  CHECK(of(most + 1, std::ratio<1>()) == INT64_MAX);
  CHECK(of(-most, std::ratio<1>()) == -most * 1'000'000'000);
  CHECK(of(-most - 1, std::ratio<1>()) == INT64_MIN);
  CHECK(of(std::int64_t{5'999}, std::pico()) == 5);
  CHECK(of(2.5, std::milli()) == 2'500'000);
  CHECK(of(-2.5, std::milli()) == -2'500'000);
  CHECK(of(1e200, std::ratio<1>()) == INT64_MAX);
  CHECK(of(-1e200, std::ratio<1>()) == INT64_MIN);
  CHECK(of(9.2e9, std::ratio<1>()) == INT64_MAX);
  CHECK(of(-9.2e9, std::ratio<1>()) == INT64_MIN);
}

TEST_CASE("a duration that is too long is forever") {
  static_assert(duration(std::chrono::seconds::max()) == forever);
  static_assert(duration(std::chrono::hours::max()) == forever);
  static_assert(duration(std::chrono::nanoseconds::max()) == forever);
  static_assert(duration(std::chrono::seconds::min()) < seconds(0));
  static_assert(duration(std::chrono::duration<double>(1e200)) == forever);
  SUCCEED();
}

TEST_CASE("instants compare and add, and never overflow") {
  constexpr instant t{1'000};
  static_assert(t + duration{5} == instant{1'005});
  static_assert((t + duration{5}) - t == duration{5});
  static_assert(t + forever == never);
  static_assert(instant{0} + forever == never);
  static_assert(never + duration{1} == never);
  static_assert(never + forever == never);
  static_assert(instant{-5} + duration{5} == instant{0});
  static_assert(instant{-5} + duration{-5} == instant{-10});
  static_assert(t < never);
  auto const plus = [](std::int64_t a, std::int64_t b) {
    return (instant{at_run_time(a)} + duration{at_run_time(b)}).ns;
  };
  CHECK(plus(1'000, 5) == 1'005);
  CHECK(plus(1'000, INT64_MAX - 1'000) == INT64_MAX);
  CHECK(plus(1'000, INT64_MAX - 999) == INT64_MAX);
  CHECK(plus(0, INT64_MAX) == INT64_MAX);
  CHECK(plus(1, INT64_MAX) == INT64_MAX);
  CHECK(plus(-5, INT64_MAX) == INT64_MAX - 5);
  CHECK(plus(-5, -5) == -10);
}

TEST_CASE("the default limits and deadlines are the documented ones", "[hazard-12]") {
  constexpr limits l;
  static_assert(l.message_bytes_max == 1U << 20);
  static_assert(l.frame_bytes_max >= l.message_bytes_max);
  static_assert(l.fragments_max == 131'072);
  static_assert(l.queue_bytes_max == 1U << 20);
  static_assert(l.queue_bytes_high == 256U << 10);
  static_assert(l.head_bytes_max == 16U << 10 && l.head_line_bytes_max == 8U << 10 && l.head_lines_max == 100);
  static_assert(l.linger_bytes_max == 64U << 10);
  constexpr timeouts t;
  static_assert(t.handshake == seconds(5) && t.ping == seconds(25) && t.pong == seconds(10));
  static_assert(t.close == seconds(5) && t.write == seconds(10) && t.linger == seconds(1));
  SUCCEED();
}

TEST_CASE("the default options deliver whole messages and check what is sent") {
  constexpr options with;
  static_assert(with.deliver == delivery::whole);
  static_assert(with.text == outgoing_text::checked);
  static_assert(with.entropy == nullptr);
  SUCCEED();
}

TEST_CASE("an event is a small value") {
  static_assert(std::is_trivially_copyable_v<event>);
  static_assert(sizeof(event) <= 32);
  event e;
  CHECK(e.what == kind::none);
  CHECK(e.text().empty());
  test::exact_copy const payload(test::octets_of("text"));
  e.payload = payload.view();
  CHECK(e.text() == "text");
}

TEST_CASE("every refusal has a sentence of its own") {
  std::set<std::string_view> sentences;
  for (int i = 0; i <= static_cast<int>(refusal::out_of_memory); ++i) {
    std::string_view const sentence = message(static_cast<refusal>(i));
    CHECK(sentence.size() > 10);
    CHECK(sentences.insert(sentence).second);
  }
  static_assert(message(refusal::none) == "it was carried out");
}

TEST_CASE("a connection speaks the language of every layer") {
  static_assert(byte_machine<connection>);
  static_assert(!std::is_copy_constructible_v<connection>);
  static_assert(!byte_machine<decoder> && !byte_machine<output_queue>);
  SUCCEED();
}

TEST_CASE("nothing in the machines throws", "[hazard-50]") {
  static_assert(noexcept(std::declval<connection&>().next()));
  static_assert(noexcept(std::declval<connection&>().send(std::string_view{})));
  static_assert(noexcept(std::declval<connection&>().send_fragment({}, {}, {})));
  static_assert(noexcept(std::declval<connection&>().ping())&& noexcept(std::declval<connection&>().close()));
  static_assert(noexcept(std::declval<connection&>().abort()));
  static_assert(noexcept(prepared_message(opcode::text, {})));
  static_assert(std::is_nothrow_destructible_v<connection>);
  SUCCEED();
}
