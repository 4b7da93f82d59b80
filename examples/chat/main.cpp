// SPDX-License-Identifier: BSL-1.0
// A chat for the browser: the page, the channels and their history, in one program.

#include "../common/command_line.hpp"
#include "../common/process.hpp"
#include "server.hpp"

int main(int argc, char** argv) {
  auto const fail = [](int status, std::string const& sentence) {
    std::fprintf(stderr, "chat_server: %s\n", sentence.c_str());
    return status;
  };
  std::string host = "127.0.0.1";
  std::uint64_t port = 8080;
  std::uint64_t rate = 20;
  std::uint64_t keep = 0;
  std::uint64_t keep_days = 0;
  std::string where = "sqlite:chat.db";
  bool check = false;
  command_line::program const program{"chat_server", "A chat for the browser, with its page, channels and history."};
  command_line::flag const flags[] = {
      {"--host", "HOST", &host, "address to listen on (127.0.0.1)"},
      {"--port", "PORT", command_line::number{&port, 0, 65535}, "port, 0 for any free one (8080)"},
      {"--store", "STORE", &where, "sqlite:FILE, postgres://..., or memory: which forgets all (sqlite:chat.db)"},
      {"--keep", "N", command_line::number{&keep, 0, INT64_MAX}, "messages of each channel to keep, 0 for all (0)"},
      {"--keep-days", "N", command_line::number{&keep_days, 0, 36'500}, "days to keep messages, 0 for ever (0)"},
      {"--rate", "N", command_line::number{&rate, 0, 1'000'000}, "messages a second of each user, 0 for any (20)"},
      {"--check-config", "", &check, "say whether the store can be used and the port is free, and end"},
  };
  auto const outcome = command_line::parse(argc, argv, program, flags);
  if (outcome != command_line::outcome::run) return outcome == command_line::outcome::help ? 0 : 2;
  if (auto const flaw = chat::name_flaw(where)) return fail(2, flaw->sentence);
  process::raise_descriptor_limit();

  chat::server server({.per_second = static_cast<std::int64_t>(rate), .burst = static_cast<std::int64_t>(2 * rate)});
  if (auto const error = server.open(where, {static_cast<std::int64_t>(keep), static_cast<std::int64_t>(keep_days)}))
    return fail(1, error->sentence);
  if (where == "memory:" && !check) std::fputs("chat_server: memory: keeps nothing when the program ends\n", stderr);
  auto const at = server.listen(host, static_cast<std::uint16_t>(port));
  if (!at)
    return fail(1, "cannot listen on " + host + " port " + std::to_string(port) + " (" + describe(at.error).c_str() +
                       "): choose another with --port or --host");
  if (check) {
    if (auto const error = server.check()) return fail(1, error->sentence);
    std::printf("the store works, and %s is free\n", text(at.address).c_str());
    return 0;
  }
  process::stopping_signals const stopping(server);
  std::printf("listening on http://%s\n", text(at.address).c_str());
  std::fflush(stdout);
  server.run();
}
