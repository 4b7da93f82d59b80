// SPDX-License-Identifier: BSL-1.0

#include "purews/wire/http_message.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/dies.hpp"

using namespace purews;

namespace {

/// A parsed request with its text.
struct parsed {
  std::string text;
  http_head head{head_kind::request};

  explicit parsed(std::string const& lines) : text("GET / HTTP/1.1\r\n" + lines + "\r\n") {
    REQUIRE(head.parse(as_bytes(text), {}) == http_progress::done);
  }
  http_request view() const { return {head, as_bytes(text)}; }
};

std::vector<std::string> listed(http_message const& message, std::string_view name) {
  std::vector<std::string> found;
  header_list list(message, name);
  for (auto item = list.next(); !item.empty(); item = list.next()) found.emplace_back(item);
  return found;
}

}  // namespace

TEST_CASE("RFC 9110 5.1: headers are found without regard to case, the first one first [H-01]") {
  parsed const p("Cookie: a=1\r\ncOOKIE:\tb=2 \r\nEmpty:\r\nX: last\r\n");
  http_request const request = p.view();
  CHECK(request.header("COOKIE") == "a=1");
  CHECK(request.header_count("cookie") == 2);
  CHECK(request.find("cookie", 1) == 1);
  CHECK(request.match("cookie").count == 2);
  CHECK(request.match("cookie").value == "a=1");
  CHECK(request.match("Absent").count == 0);
  CHECK(request.line(1).name == "cOOKIE");
  CHECK(request.line(1).value == "b=2");
  CHECK(request.header_count("Empty") == 1);
  CHECK(request.header("Empty").empty());
  CHECK(request.header("X") == "last");
  CHECK(request.header_count("Absent") == 0);
  CHECK(request.header("Absent").empty());
  CHECK(request.find("Absent") == request.line_count());
  CHECK(request.line_count() == 4);
  CHECK(request.head_size() == p.text.size());
}

TEST_CASE("names of programming languages are headers like others", "[hazard-52]") {
  parsed const p("constructor: a\r\n__proto__: b\r\n");
  CHECK(p.view().header("constructor") == "a");
  CHECK(p.view().header("__proto__") == "b");
  CHECK(p.view().header_count("toString") == 0);
}

TEST_CASE("RFC 9110 5.3: several header lines are one list [H-01, H-33]") {
  using strings = std::vector<std::string>;
  parsed const p("L: a, b\r\nOther: x\r\nl:\r\nL: ,\r\nL:c ,\t d\r\n");
  CHECK(listed(p.view(), "L") == strings{"a", "b", "c", "d"});
  CHECK(listed(p.view(), "Absent").empty());
  CHECK(header_lists(p.view(), "l", "D"));
  CHECK_FALSE(header_lists(p.view(), "L", "x"));
}

TEST_CASE("a header line that does not exist is a bug of the caller") {
  parsed const p("A: b\r\n");
  CHECK(dies([&] { p.view().line(1); }));
  CHECK(dies([&] { http_request(p.head, as_bytes("GET")); }));
}
