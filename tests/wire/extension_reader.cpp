// SPDX-License-Identifier: BSL-1.0

#include "purews/wire/extension_reader.hpp"

#include <string>

#include "support/catch.hpp"

using namespace purews;

namespace {

/// Writes what was read as `name(parameter,parameter=<value>) name() ...`, with `!` at the end if it is malformed.
std::string read_all(std::string_view line) {
  std::string text;
  extension_reader reader(line);
  for (auto name = reader.next(); !name.empty(); name = reader.next()) {
    text.append(name).append("(");
    for (extension_parameter p; reader.next_parameter(p);) {
      char room[64];
      text.append(p.name);
      if (p.has_value) text.append("=<").append(p.unescaped(room)).append(">");
      text.append(",");
    }
    text.append(")");
  }
  return text + (reader.malformed() ? "!" : "");
}

bool is_malformed_when_skipped(std::string_view line) {
  extension_reader reader(line);
  while (!reader.next().empty()) {
  }
  return reader.malformed();
}

}  // namespace

static_assert(extension_reader("permessage-deflate; x=1").next() == "permessage-deflate");

TEST_CASE("RFC 6455 9.1: extensions are read in order with their parameters [H-40, N-02, N-10, N-14]") {
  struct row {
    char const* line;
    char const* expected;
  };
  for (row const& r : {
           row{"", ""},
           row{" , ,\t", ""},
           row{"permessage-deflate", "permessage-deflate()"},
           row{"a; server_max_window_bits=8, a", "a(server_max_window_bits=<8>,)a()"},
           row{"a;b;c=d;c=d", "a(b,c=<d>,c=<d>,)"},
           row{"\ta ;\tb = c , d ; e ", "a(b=<c>,)d(e,)"},
           row{",,a,,b,", "a()b()"},
           row{"a; b=\"10\"", "a(b=<10>,)"},
           row{"a; b=\"1\\0\", c", "a(b=<10>,)c()"},  // N-11
           row{"a; b=\"\"", "a(b=<>,)"},
           row{"a; b=; c", "a(b=<>,c,)"},
           row{"a; b=+9; c=9.0; d=-1", "a(b=<+9>,c=<9.0>,d=<-1>,)"},
       }) {
    CAPTURE(r.line);
    CHECK(read_all(r.line) == r.expected);
    CHECK_FALSE(is_malformed_when_skipped(r.line));
  }
}

TEST_CASE("RFC 6455 9.1: a malformed line of extensions is recognised, read or skipped [H-40]") {
  for (char const* const line :
       {"a b", "a;", "a;;b", ";a", "a; =b", "a=b", "a; b=c d", "a; b=\"c", "a; b=\"c\\", "a; b=\"c d\"", "a; b=\"c,d\"",
        "a; b=\"c\"d", "a; b=\"\\\"\"", "a/b", "\"a\"", "a, b c", "a; b c", "a; b==c", "\xC3\xA4", "a; b=\"\xC3\xA4\"",
        "a;b=c\x01"}) {
    CAPTURE(line);
    CHECK(read_all(line).back() == '!');
    CHECK(is_malformed_when_skipped(line));
  }
  CHECK(read_all("a; b=\"c") == "a()!");  // nor is anything of it taken
}

TEST_CASE("nothing is read after a malformed place") {
  extension_reader reader("a; ;b, c");
  CHECK(reader.next() == "a");
  extension_parameter p;
  CHECK_FALSE(reader.next_parameter(p));
  CHECK(reader.malformed());
  CHECK(reader.next().empty());
  CHECK_FALSE(reader.next_parameter(p));
}

TEST_CASE("a value that does not fit into the room is recognised") {
  extension_reader reader("a; b=\"1\\2\\3\"; c=123");
  reader.next();
  extension_parameter p;
  REQUIRE(reader.next_parameter(p));
  char room[3];
  CHECK(p.unescaped(room) == "123");
  CHECK(p.unescaped({room, 2}).data() == nullptr);
  REQUIRE(reader.next_parameter(p));
  CHECK(p.unescaped({}) == "123");
}

TEST_CASE("a megabyte of escapes, parameters or white space is read in one pass", "[hazard-52]") {
  std::string escapes = "a;b=\"";
  for (int i = 0; i < (1 << 19); ++i) escapes += "\\c";
  CHECK(is_malformed_when_skipped(escapes));
  CHECK_FALSE(is_malformed_when_skipped(escapes + "\""));
  CHECK(is_malformed_when_skipped("b" + std::string(1 << 20, ' ') + "x"));
  std::string parameters = "a";
  for (int i = 0; i < (1 << 18); ++i) parameters += ";b=c";
  CHECK_FALSE(is_malformed_when_skipped(parameters));
}
