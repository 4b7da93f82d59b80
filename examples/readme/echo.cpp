// SPDX-License-Identifier: BSL-1.0
#include <purews/server.hpp>

#include <cstdio>

int main() {
  purews::server server;
  server.route("/echo", {.on_message = [](purews::session& s, purews::message_view m) { s.send(m); }});
  if (auto const at = server.listen("127.0.0.1", 9001))
    std::printf("listening on %s\n", purews::text(at.address).c_str());
  else
    return std::puts(purews::describe(at.error).c_str()), 1;
  std::fflush(stdout);
  server.run();
}
