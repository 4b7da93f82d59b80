// SPDX-License-Identifier: BSL-1.0

#include "purews/wire/known_header.hpp"

#include <string>

#include "support/catch.hpp"
#include "support/dies.hpp"

using namespace purews;

static_assert(std::size(known_header_names) == static_cast<std::size_t>(known_header::other_websocket));
static_assert(classify_header("sec-websocket-KEY") == known_header::key);
static_assert(classify_header("Sec-WebSocket-Key1") == known_header::other_websocket);

TEST_CASE("RFC 9110 5.1: every known header is recognised in either case, and nothing like it [H-01]") {
  for (std::size_t i = 0; i < std::size(known_header_names); ++i) {
    auto const expected = static_cast<known_header>(i);
    std::string const name(known_header_names[i]);
    CAPTURE(name);
    if (i > 0) CHECK(known_header_names[i - 1].size() <= name.size());
    std::string lower = name;
    std::string upper = name;
    for (char& c : lower) c = to_lower(c);
    for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    for (std::string const& written : {name, lower, upper}) CHECK(classify_header(written) == expected);
    bool const websocket = i >= static_cast<std::size_t>(known_header::key);
    for (std::size_t at = 0; at < name.size(); ++at) {  // one character changed, left out or added
      std::string changed = name;
      changed[at] = '!';
      CHECK(classify_header(changed) != expected);
      CHECK(classify_header(std::string(name).erase(at, 1)) != expected);
      CHECK(classify_header(std::string(name).insert(at, 1, 'x')) != expected);
    }
    CHECK(classify_header(name + "x") == (websocket ? known_header::other_websocket : known_header::other));
  }
  CHECK(dies([] { static_cast<void>(name_of(known_header::other)); }));
  for (std::string_view const name : {"", "X", "Hos", "Sec-WebSocket", "User-Agent", "Accept-Encoding", "Pragma"})
    CHECK(classify_header(name) == known_header::other);
  CHECK(classify_header("sec-websocket-") == known_header::other_websocket);
  CHECK(classify_header("Sec-WebSocket-" + std::string(1000, 'x')) == known_header::other_websocket);
}
