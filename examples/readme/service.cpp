// SPDX-License-Identifier: BSL-1.0
// The code of docs/server.md.
#include <purews/server.hpp>

#include <csignal>
#include <cstdio>

namespace {

struct user {
  std::string name;
};

std::string slow_lookup(std::string const& question) { return "an answer to " + question; }

purews::server* stopped_by_signal = nullptr;

}  // namespace

int main() {
  purews::server server({
      .threads = purews::hardware_threads(),
      .pin = purews::pinning::cores,
      .workers = 4,
      .drain = {.code = purews::status_code::service_restart, .deadline = purews::seconds(30)},
      .memory_bytes_max = 512U << 20,
  });

  server.route<user>(
      "/chat", {.subprotocols = {"chat.v2", "chat.v1"},
                .origins = {"https://chat.example"},
                .on_upgrade =
                    [](purews::upgrade& u) {
                      char room[32];
                      auto const name = purews::query_parameter(u.request().query(), "name", room);
                      if (name.text.empty()) return u.reject(400, "Who are you?");
                      u.data<user>().name = name.text;
                    },
                .on_open = [](purews::session& s) { s.subscribe("news"); },
                .on_message =
                    [](purews::session& s, purews::message_view m) {
                      auto const refused = s.work([question = std::string(m.text())] { return slow_lookup(question); },
                                                  [](purews::session& who, std::string const& answer) {
                                                    who.send(who.data<user>().name + ": " + answer);
                                                  });
                      if (refused != purews::refusal::none) s.send("Too much to do: ask again later.");
                    },
                .on_drain = [](purews::session& s) { s.send("You have caught up."); },
                .on_close =
                    [](purews::session& s, purews::closing const& how) {
                      std::printf("%s left with %d\n", s.data<user>().name.c_str(), static_cast<int>(how.code));
                    }});

  server.health();  // /healthz and /readyz
  server.get("/sessions", [&](purews::http_exchange& e) {
    e.answer(200, std::to_string(server.counters().sessions) + " sessions\n");
  });

  auto const at = server.listen("127.0.0.1", 9001);
  if (!at) return std::puts(purews::describe(at.error).c_str()), 1;
  auto const clock = server.loop().after(purews::seconds(1), [&] { server.publish("news", "a second has passed"); });

  stopped_by_signal = &server;
  std::signal(SIGTERM, [](int) { stopped_by_signal->stop(); });
  return server.run() ? 1 : 0;
}
