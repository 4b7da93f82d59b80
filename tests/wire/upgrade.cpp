// SPDX-License-Identifier: BSL-1.0

#include "purews/wire/upgrade.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace purews;

namespace {

template <class F>
bool with(std::string const& lines, F f) {
  std::string const text = "GET / HTTP/1.1\r\n" + lines + "\r\n";
  http_head head(head_kind::request);
  REQUIRE(head.parse(as_bytes(text), {}) == http_progress::done);
  return f(http_message(head, as_bytes(text)));
}

bool valid_subprotocols(std::string const& lines) { return with(lines, has_valid_subprotocols); }
bool valid_extensions(std::string const& lines) { return with(lines, has_valid_extensions); }

}  // namespace

static_assert(is_reserved_header("sec-websocket-anything") && is_reserved_header("UPGRADE"));
static_assert(!is_reserved_header("Set-Cookie") && !is_reserved_header("Sec-Fetch-Mode"));

TEST_CASE("H-63: headers of the application with control characters or reserved names are not writable",
          "[hazard-58]") {
  auto const writable = [](std::string_view name, std::string_view value) {
    header_field const fields[] = {{"X-Good", "fine"}, {name, value}};
    return are_writable(fields);
  };
  CHECK(are_writable({}));
  CHECK(writable("Set-Cookie", "a=\"b\"; Path=/; \xC3\xA4\t"));
  CHECK(writable("X-Empty", ""));
  for (std::string const& value : {std::string("a\r\nX: y"), std::string("a\r"), std::string("\n"),
                                   std::string("a\0", 2), std::string("\x7F"), std::string("\x1B[0m")})
    CHECK_FALSE(writable("X", value));
  for (std::string const& name : {std::string(""), std::string("a b"), std::string("a:"), std::string("a\r\nb"),
                                  std::string("a\0", 2), std::string("\xC3\xA4"), std::string("a\x7F")})
    CHECK_FALSE(writable(name, "v"));
  for (char const* const name :
       {"Connection", "upgrade", "HOST", "Content-Length", "Transfer-Encoding", "Keep-Alive", "Proxy-Connection", "TE",
        "Trailer", "Expect", "Sec-WebSocket-Accept", "Sec-WebSocket-Protocol", "sec-websocket-x"})
    CHECK_FALSE(writable(name, "v"));
}

TEST_CASE("H-33: subprotocols are distinct tokens in any number of lines") {
  std::string const name = "Sec-WebSocket-Protocol: ";
  CHECK(valid_subprotocols(""));
  CHECK(valid_subprotocols(name + "chat\r\n"));
  CHECK(valid_subprotocols(name + "chat, superchat\r\n" + name + "v2.chat, CHAT\r\n"));
  CHECK(valid_subprotocols(name + ",chat,,\r\n" + name + "\r\n"));
  CHECK_FALSE(valid_subprotocols(name + "\r\n"));
  CHECK_FALSE(valid_subprotocols(name + ", ,\r\n"));
  CHECK_FALSE(valid_subprotocols(name + "chat, chat\r\n"));
  CHECK_FALSE(valid_subprotocols(name + "chat, x\r\n" + name + "chat\r\n"));
  CHECK_FALSE(valid_subprotocols(name + "a b\r\n"));
  CHECK_FALSE(valid_subprotocols(name + "a, \"b\"\r\n"));
  CHECK_FALSE(valid_subprotocols(name + "a/b\r\n"));
  CHECK_FALSE(valid_subprotocols(name + "\xC3\xA4\r\n"));
}

TEST_CASE("H-33: the number of subprotocols is bounded", "[hazard-52]") {
  std::string list;
  std::vector<std::string> tokens;
  for (std::size_t i = 0; i < subprotocols_max; ++i) tokens.push_back("p" + std::to_string(i));
  for (std::string const& token : tokens) list += token + ",";
  CHECK(valid_subprotocols("Sec-WebSocket-Protocol: " + list + "\r\n"));
  CHECK_FALSE(valid_subprotocols("Sec-WebSocket-Protocol: " + list + "one-more\r\n"));
  CHECK_FALSE(valid_subprotocols("Sec-WebSocket-Protocol: b" + std::string(8000, ' ') + "x\r\n"));
  std::vector<std::string_view> names(tokens.begin(), tokens.end());
  CHECK(are_subprotocols(names));
  names.push_back("one-more");
  CHECK_FALSE(are_subprotocols(names));
}

TEST_CASE("K-01: a client offers no more subprotocols than a server takes", "[hazard-52]") {
  std::vector<std::string> names;
  for (std::size_t i = 0; i <= subprotocols_max; ++i) names.push_back("p" + std::to_string(i));
  std::vector<std::string_view> const offers(names.begin(), names.end());
  CHECK(are_subprotocols(std::span(offers).first(subprotocols_max)));
  CHECK_FALSE(are_subprotocols(offers));
}

TEST_CASE("H-40: extensions in several lines are one list, and malformed ones are recognised") {
  std::string const name = "Sec-WebSocket-Extensions: ";
  CHECK(valid_extensions(""));
  CHECK(valid_extensions(name + "permessage-deflate; client_max_window_bits\r\n"));
  CHECK(valid_extensions(name + "a; b\r\nX: y\r\n" + name + "c; d=\"1\\0\"\r\n" + name + "\r\n"));
  CHECK_FALSE(valid_extensions(name + "\r\n"));
  CHECK_FALSE(valid_extensions(name + "a b\r\n"));
  CHECK_FALSE(valid_extensions(name + "a\r\n" + name + "b;\r\n"));
  CHECK_FALSE(valid_extensions(name + "a; b=\"c\r\n" + name + "d\"\r\n"));
}
