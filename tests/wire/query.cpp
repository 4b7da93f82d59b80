// SPDX-License-Identifier: BSL-1.0

#include "purews/wire/query.hpp"

#include <string>

#include "support/catch.hpp"

using namespace purews;

namespace {

/// The parameter `name` of `query`, or why there is none.
std::string value(std::string_view query, std::string_view name, std::size_t room_size = 100) {
  char room[100];
  query_value const found = query_parameter(query, name, {room, room_size});
  if (found.fault == query_fault::absent) return "<absent>";
  if (found.fault == query_fault::malformed) return "<malformed>";
  if (found.fault == query_fault::too_long) return "<too long>";
  CHECK(found.text.data() == room);
  return std::string(found.text);
}

}  // namespace

static_assert([] {
  char room[4]{};
  return query_parameter("a=1&token=%41+b", "token", room).text == "A b";
}());

TEST_CASE("RFC 3986 3.4: a parameter of a query is found by its name and decoded") {
  CHECK(value("token=abc", "token") == "abc");
  CHECK(value("x=1&token=abc&y=2", "token") == "abc");
  CHECK(value("token=a%20b%2Bc%2bd+e", "token") == "a b+c+d e");
  CHECK(value("token=%C3%A4%00%ff", "token") == std::string("\xC3\xA4\0\xFF", 4));
  CHECK(value("token=a=b==", "token") == "a=b==");
  CHECK(value("token=", "token").empty());
  CHECK(value("token", "token").empty());
  CHECK(value("token=1&token=2", "token") == "1");
  CHECK(value("&&x&token=1&", "token") == "1");
  CHECK(value("=1", "x") == "<absent>");
  CHECK(value("=1", "") == "1");
  CHECK(value("a+b=1&c%3Dd=2&%74oken=3", "a b") == "1");
  CHECK(value("a+b=1&c%3Dd=2&%74oken=3", "c=d") == "2");
  CHECK(value("a+b=1&c%3Dd=2&%74oken=3", "token") == "3");
  CHECK(value("%C3%A4=1", "\xC3\xA4") == "1");
  for (char const* const query : {"", "Token=1", "toke=1", "tokens=1", "xtoken=1", "x=token", "x=token=1", "token%=1",
                                  "toke%6=1", "%74%6Fken%3D=1"})
    CHECK(value(query, "token") == "<absent>");
}

TEST_CASE("RFC 3986 2.1: malformed percent encodings of a value are refused, those of others do not matter") {
  for (char const* const query : {"t=%", "t=a%", "t=%2", "t=%2g", "t=%g2", "t=%%20", "t=% 20", "t=%+1", "t=%0x"})
    CHECK(value(query, "t") == "<malformed>");
  CHECK(value("t=%2&x=%20", "x") == " ");
  CHECK(value("%=1&%zz=2&t=3", "t") == "3");
  CHECK(value("t=%2&t=1", "t") == "<malformed>");
}

TEST_CASE("a value that does not fit into the room is refused") {
  CHECK(value("t=1234", "t", 4) == "1234");
  CHECK(value("t=12345", "t", 4) == "<too long>");
  CHECK(value("t=%31%32%33%34", "t", 4) == "1234");
  CHECK(value("t=%31%32%33%34%35", "t", 4) == "<too long>");
  CHECK(value("t=", "t", 0).empty());
  CHECK(value("t=1", "t", 0) == "<too long>");
}

TEST_CASE("every byte comes through a query encoded") {
  constexpr char digits[] = "0123456789aBcDeF";
  for (unsigned c = 0; c < 256; ++c) {
    std::string const query = std::string("t=%") + digits[c >> 4] + digits[c & 15U];
    CHECK(value(query, "t") == std::string(1, static_cast<char>(c)));
  }
}
