// SPDX-License-Identifier: BSL-1.0

#include "purews/wire/text_writer.hpp"

#include <string>

#include "support/catch.hpp"
#include "support/dies.hpp"

using namespace purews;

TEST_CASE("a text writer counts exactly what it writes") {
  header_field const fields[] = {{"A", "1"}, {"B", ""}};
  auto const write = [&](text_writer out) {
    return out.put("x ").put_number(0).put(",").put_number(UINT64_MAX).put_field("N", "v").put_fields(fields).size();
  };
  std::string const expected = "x 0,18446744073709551615N: v\r\nA: 1\r\nB: \r\n";
  CHECK(write(text_writer()) == expected.size());
  std::string out(expected.size(), '?');
  CHECK(write(text_writer(std::as_writable_bytes(std::span(out)))) == expected.size());
  CHECK(out == expected);
}

TEST_CASE("a text writer without room is a bug of the caller") {
  CHECK(dies([] {
    std::byte room[3]{};
    text_writer(room).put("ab").put("cd");
  }));
  CHECK(dies([] { text_writer(bytes{}).put("a"); }));
}
