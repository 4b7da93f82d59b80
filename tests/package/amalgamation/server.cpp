// SPDX-License-Identifier: BSL-1.0
#include "purews_server.hpp"

#include "frame.hpp"

// The two files together, in a program that has the first one elsewhere too.

int main() {
  purews::server server;
  server.route("/", {.on_message = [](purews::session& s, purews::message_view m) { s.send(m); }});
  std::byte frame[64];
  return server.listen("127.0.0.1", 0) && write_hello(frame).size() == 11 ? 0 : 1;
}
