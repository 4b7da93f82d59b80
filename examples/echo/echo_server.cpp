// SPDX-License-Identifier: BSL-1.0
// Sends every message back to whoever sent it.

#include <purews/deflate/permessage_deflate.hpp>
#include <purews/server.hpp>

#include <optional>

#include "../common/command_line.hpp"
#include "../common/process.hpp"

int main(int argc, char** argv) {
  std::string host = "127.0.0.1";
  std::uint64_t port = 9001;
  std::uint64_t threads = 1;
  std::uint64_t message_max = purews::limits{}.message_bytes_max;
  std::uint64_t deflate_bits = 0;
  command_line::program const program{"echo_server", "Sends every WebSocket message back to whoever sent it."};
  command_line::flag const flags[] = {
      {"--host", "HOST", &host, "address to listen on (127.0.0.1)"},
      {"--port", "PORT", command_line::number{&port, 0, 65535}, "port, 0 for any free one (9001)"},
      {"--threads", "N", command_line::number{&threads, 1, 1024}, "event loops, each on its own thread (1)"},
      {"--message-max", "BYTES", command_line::number{&message_max, 1, 1ULL << 40}, "largest message (1048576)"},
      {"--deflate", "BITS", command_line::number{&deflate_bits, 0, 15},
       "compress, with windows of 8 to 15 bits; 0: not (0)"},
  };
  switch (command_line::parse(argc, argv, program, flags)) {
    case command_line::outcome::help:
      return 0;
    case command_line::outcome::usage_error:
      return 2;
    case command_line::outcome::run:
      break;
  }
  if (deflate_bits > 0 && deflate_bits < 8) {
    std::fprintf(stderr, "echo_server: --deflate takes 0, or 8 to 15 (see --help)\n");
    return 2;
  }
  process::raise_descriptor_limit();

  purews::server_options options;
  std::optional<purews::permessage_deflate> deflate;
  if (deflate_bits != 0) {
    purews::deflate_side const side{purews::context::takeover, static_cast<std::uint8_t>(deflate_bits)};
    options.extension = &deflate.emplace(purews::deflate_options{.most = {side, side}});
  }
  options.threads = static_cast<unsigned>(threads);
  options.limits.message_bytes_max = message_max;
  purews::server server(options);
  server.route("*", {.origins = {"*"}, .on_message = [](purews::session& s, purews::message_view m) { s.send(m); }});
  auto const at = server.listen(host, static_cast<std::uint16_t>(port));
  if (!at) {
    std::fprintf(stderr, "echo_server: cannot listen on %s port %u (%s): choose others with --host and --port\n",
                 host.c_str(), static_cast<unsigned>(port), purews::describe(at.error).c_str());
    return 1;
  }
  process::stopping_signals const stopping(server);
  std::printf("listening on %s\n", purews::text(at.address).c_str());
  std::fflush(stdout);
  if (auto const failed = server.run()) {
    std::fprintf(stderr, "echo_server: %s: try fewer --threads\n", purews::describe(failed).c_str());
    return 1;
  }
}
