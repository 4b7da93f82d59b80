// SPDX-License-Identifier: BSL-1.0
// Sends every message back to whoever sent it.

#include "../common/command_line.hpp"
#include "serve.hpp"

namespace {

struct loop_kind {
  std::string_view name;
  int (*serve)(echo_settings const& how);
};

// CMakeLists.txt says which were built in.
constexpr loop_kind loops[] = {
#ifdef ECHO_EPOLL
    {"epoll", serve_on_epoll},
#endif
#ifdef ECHO_KQUEUE
    {"kqueue", serve_on_kqueue},
#endif
#ifdef ECHO_URING
    {"uring", serve_on_uring},
#endif
#ifdef ECHO_ASIO
    {"asio", serve_on_asio},
#endif
#ifdef ECHO_LIBUV
    {"libuv", serve_on_libuv},
#endif
};

}  // namespace

int main(int argc, char** argv) {
  using command_line::number;
  echo_settings how;
  how.loop = loops[0].name;
  command_line::program const program{"echo_server", "Sends every WebSocket message back to whoever sent it."};
  command_line::flag const flags[] = {
      {"--host", "HOST", &how.host, "address to listen on (127.0.0.1)"},
      {"--port", "PORT", number{&how.port, 0, 65535}, "port, 0 for any free one (9001)"},
      {"--unix", "PATH", &how.unix_path, "listen on a local socket instead"},
      {"--loop", "LOOP", command_line::word{&how.loop, "epoll|uring|asio|libuv|kqueue"},
       "epoll, uring, asio, libuv or kqueue (this system's own)"},
      {"--threads", "N", number{&how.threads, 1, 1024}, "event loops, each on its own thread (1)"},
      {"--pin", "", &how.pin, "keep each thread on one processor"},
      {"--message-max", "BYTES", number{&how.message_max, 1, 1ULL << 40}, "largest message (1048576)"},
      {"--deflate", "", &how.deflate, "compress, if the client can"},
      {"--window-bits", "BITS", number{&how.window_bits, 8, 15}, "window of --deflate, 8 to 15 (15)"},
      {"--handshake-timeout", "S", number{&how.handshake_seconds, 1, 86'400}, "seconds for the opening handshake (5)"},
      {"--idle-timeout", "S", number{&how.idle_seconds, 1, 86'400},
       "seconds of silence, a ping unanswered, until the end (35)"},
  };
  switch (command_line::parse(argc, argv, program, flags)) {
    case command_line::outcome::help: return 0;
    case command_line::outcome::usage_error: return 2;
    case command_line::outcome::run: break;
  }
  process::raise_descriptor_limit();
  for (loop_kind const& kind : loops)
    if (kind.name == how.loop) return kind.serve(how);
  std::fprintf(stderr, "echo_server: the loop '%s' was not built in: install its library and configure again\n",
               how.loop.c_str());
  return 1;
}
