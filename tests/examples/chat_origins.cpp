// SPDX-License-Identifier: BSL-1.0
#include "chat/origins.hpp"

#include "support/catch.hpp"

namespace {

std::string flaw(std::vector<std::string> const& allowed) { return chat::origins_flaw(allowed).value_or("none"); }

}  // namespace

TEST_CASE("chat: a list of origins names scheme, host and port of each [hazard-70]", "[hazard-70]") {
  CHECK(flaw({}) == "none");
  CHECK(flaw({"*"}) == "none");
  CHECK(flaw({"https://chat.example"}) == "none");
  CHECK(flaw({"https://chat.example", "https://chat.example:8443", "http://chat.example", "http://[::1]:8080"}) ==
        "none");
  CHECK(flaw({"capacitor://localhost"}) == "none");
}

TEST_CASE("chat: a list of origins that allows less or more than it seems to is refused [hazard-70]", "[hazard-70]") {
  std::string const none = " is no origin: write it as https://chat.example, without anything behind it";
  for (auto const* const text : {"",
                                 "null",
                                 "chat.example",
                                 "chat.example:443",
                                 "//chat.example",
                                 "https:",
                                 "https://",
                                 "https:/chat.example",
                                 "https://chat.example/",
                                 "https://chat.example/chat",
                                 "https://chat.example?x",
                                 "https://chat.example#x",
                                 "https://ada@chat.example",

                                 "https://chat.example:0x1",
                                 "https://chat.example:65536",
                                 "https://chat example",
                                 " https://chat.example",
                                 "https://chat.example ",
                                 "https://ch\xC3\xA4t.example",
                                 "https://chat.example;https://b.example",
                                 "https://[::1",
                                 "://chat.example"}) {
    INFO(text);
    CHECK(flaw({text}) == "--origin '" + std::string(text) + "'" + none);
  }
  for (auto const* const text : {"https://*.example", "*://chat.example", "https://chat.example:*", "**"})
    CHECK(flaw({text}) ==
          "--origin '" + std::string(text) + "' has a *: name each origin, or allow all with '*' alone");
  CHECK(flaw({"wss://chat.example"}) ==
        "--origin 'wss://chat.example' is of no page: their origins begin with http or https");
  CHECK(flaw({"https://a.example", "*"}) == "--origin '*' allows all pages: do not name others beside it");
  CHECK(flaw({"*", "*"}) == "--origin '*' allows all pages: do not name others beside it");
  CHECK(flaw({"https://a.example", "http://b.example", "HTTPS://A.example:443"}) ==
        "--origin 'https://a.example' and 'HTTPS://A.example:443' are the same");
}
