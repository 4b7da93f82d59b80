// SPDX-License-Identifier: BSL-1.0
#include "purews/deflate/inflater.hpp"

#include "support.hpp"
#include "support/catch.hpp"
#include "support/dies.hpp"
#include "support/frames.hpp"

using namespace purews;

namespace {

struct result {
  std::string text;
  error fault = error::none;
  friend bool operator==(result const&, result const&) = default;
};
std::ostream& operator<<(std::ostream& out, result const& r) { return out << r.text << " / " << rule(r.fault); }

result good(std::string_view text) { return {std::string(text), error::none}; }
result bad(error fault) { return {"", fault}; }

// One message, fed in pieces of `in_bytes`, with room of `out_bytes` for each call. Room and input are exact.
result inflate_message(inflater& machine, test::octets const& packed, std::size_t in_bytes = SIZE_MAX,
                       std::size_t out_bytes = 4096) {
  result all;
  std::span<std::byte const> left = packed;
  for (;;) {
    std::size_t const size = left.size() < in_bytes ? left.size() : in_bytes;
    bool const last = size == left.size();
    test::exact_copy piece(left.first(size));
    bytes_view rest = piece.view();
    for (;;) {
      test::exact_copy room(out_bytes);
      decoded const got = machine.decode(rest, room.view(), last ? fragment::last : fragment::more);
      if (got.fault != error::none) return bad(got.fault);
      all.text += as_text(room.view().first(got.produced));
      rest = rest.subspan(got.consumed);
      if (got.finished) {
        CHECK(rest.empty());
        return all;
      }
      if (got.produced < out_bytes) break;
    }
    CHECK(rest.empty());
    left = left.subspan(size);
  }
}

using messages = std::vector<std::pair<std::string, result>>;

// Each list is one connection's: whole, by every cut of the input and every size of room, always the same.
void check_all_ways(messages const& list) {
  for (std::size_t in_bytes : {SIZE_MAX, std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{5}})
    for (std::size_t out_bytes = 1; out_bytes <= 64; ++out_bytes) {
      inflater machine;
      REQUIRE(machine.begin());
      for (auto const& [packed, expected] : list) {
        CAPTURE(packed, in_bytes, out_bytes);
        CHECK(inflate_message(machine, test::hex(packed), in_bytes, out_bytes) == expected);
      }
    }
}

std::string const hello = "f248cdc9c90700";

}  // namespace

TEST_CASE("7692 7.2.3 D-01, D-02, D-03, D-04, D-40: the RFC's examples, with every room and every cut", "[hazard-41]") {
  check_all_ways({{hello, good("Hello")}, {"f200110000", good("Hello")}, {hello, good("Hello")}});
  check_all_ways({{"000500faff48656c6c6f00", good("Hello")}, {"f200110000", good("Hello")}});
  check_all_ways({{"f248050000 00ffffcac9c90700", good("Hello")}});
  check_all_ways({{"00", good("")}, {hello, good("Hello")}, {"00", good("")}, {"f200110000", good("Hello")}});
}

TEST_CASE("7692 7.2.3.4 D-36, D-37: a block with BFINAL ends no message and loses no history", "[hazard-40]") {
  check_all_ways({{"f348cdc9c9070000", good("Hello")}, {"f200110000", good("Hello")}});
  check_all_ways({{"f348cdc9c90700f348cdc9c9070000", good("HelloHello")}, {hello, good("Hello")}});
  check_all_ways({{"0300"
                   "0300"
                   "0300"
                   "f348cdc9c9070000",
                   good("Hello")},
                  {"f200110000", good("Hello")}});
  // Only a last block, and not the empty one that must follow it.
  check_all_ways({{"f348cdc9c90700", bad(error::deflate_end)}});
}

TEST_CASE("7692 7.2.2 D-31: what is not DEFLATE fails") {
  check_all_ways({{"06 00", bad(error::deflate_data)}});
  check_all_ways({{"000500fbff48656c6c6f00", bad(error::deflate_data)}});
  check_all_ways({{"f200110000", bad(error::deflate_data)}});  // a distance back to before the first byte
  check_all_ways({{"fc00000000", bad(error::deflate_data)}});
}

TEST_CASE(
    "7692 7.2.2 D-32, D-33, D-34, D-35: a message that does not end where a block does fails, and poisons nothing") {
  check_all_ways({{"f248", bad(error::deflate_end)}});
  check_all_ways({{"", bad(error::deflate_end)}});
  check_all_ways({{hello + "0000ffff", bad(error::deflate_end)}});
  check_all_ways({{"f248cdc9c9070000 00ffff", bad(error::deflate_end)}});
  check_all_ways({{hello + "ff", bad(error::deflate_end)}});
  check_all_ways({{hello + "0000ffff07", bad(error::deflate_data)}});
}

TEST_CASE("7692 7.2.2: a block that ends with the tail, and fills the room with it, ends the message") {
  check_all_ways({{"000500faff48", good({"H\0\0\xFF\xFF", 5})}, {hello, good("Hello")}});
}

TEST_CASE("7692 7.1.1 D-02: without context takeover nothing refers to an earlier message") {
  inflater machine;
  REQUIRE(machine.begin());
  CHECK(inflate_message(machine, test::hex(hello)) == good("Hello"));
  REQUIRE(machine.begin());
  CHECK(inflate_message(machine, test::hex("f200110000")) == bad(error::deflate_data));
}

TEST_CASE("7692 7.2.2: the tail that the sender cut off is not written behind the payload, but fed apart from it",
          "[hazard-37]") {
  test::octets const packed = test::hex(hello);
  test::octets const behind(4, std::byte{'b'});
  for (bool const exact : {true, false}) {
    // Heap blocks of the exact size: a sanitizer sees what is written, or read, behind them. Without one, the bytes
    // that stand behind the payload tell.
    test::exact_copy block(exact ? packed : test::join(packed, behind));
    test::exact_copy room(5);  // no more than the text, so that the tail comes in a call of its own
    inflater machine;
    REQUIRE(machine.begin());
    bytes_view const payload = block.view().first(packed.size());
    decoded const text = machine.decode(payload, room.view(), fragment::last);
    CHECK(as_text(room.view()) == "Hello");
    CHECK_FALSE(text.finished);
    test::exact_copy more(1);
    decoded const end = machine.decode(payload.subspan(text.consumed), more.view(), fragment::last);
    CHECK(end.finished);
    CHECK(end.produced == 0);
    CHECK(test::octets(payload.begin(), payload.end()) == packed);
    bytes_view const rest = block.view().subspan(packed.size());
    if (!exact) CHECK(test::octets(rest.begin(), rest.end()) == behind);
  }
}

TEST_CASE("the history can be saved, and restored in another inflater") {
  inflater first, second;
  REQUIRE(first.begin());
  CHECK(inflate_message(first, test::hex(hello)) == good("Hello"));
  buffer history;
  REQUIRE(first.save_history(history));
  CHECK(as_text(history.view()) == "Hello");
  REQUIRE(second.begin());
  REQUIRE(second.restore_history(history.view()));
  CHECK(inflate_message(second, test::hex("f200110000")) == good("Hello"));
  buffer end_of_it;
  REQUIRE(first.save_history(end_of_it, 3));
  CHECK(as_text(end_of_it.view()) == "llo");
  inflater fresh;
  buffer none;
  REQUIRE(fresh.begin());
  CHECK(fresh.save_history(none));
  CHECK(none.size() == 0);
}

TEST_CASE("an inflater that was not begun, or is given no room, is misused") {
  std::byte room[8];
  CHECK(dies([&] { inflater().decode({}, room, fragment::last); }));
  CHECK(dies([&] {
    inflater machine;
    static_cast<void>(machine.begin());
    machine.decode({}, {}, fragment::last);
  }));
}
