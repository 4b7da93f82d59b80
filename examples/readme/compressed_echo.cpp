// SPDX-License-Identifier: BSL-1.0
#include <purews/deflate/permessage_deflate.hpp>
#include <purews/server.hpp>

int main() {
  purews::permessage_deflate const deflate;  // for any number of connections; it must outlive them
  purews::server server({.extension = &deflate});
  server.route("/echo", {.on_message = [](purews::session& s, purews::message_view m) { s.send(m); }});
  if (!server.listen("127.0.0.1", 9001)) return 1;
  server.run();
}
