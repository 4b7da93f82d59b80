// SPDX-License-Identifier: BSL-1.0
// Opens connections and nothing else, for counting instructions from the request to the bytes of the 101. A program of
// its own, because what else is in a program changes what the compiler inlines:
//   valgrind --tool=callgrind --toggle-collect='open_connection*' build/bin/bench_opening minimal|browser 1000
// Valgrind hides the processor's instructions for SHA-1 from the programs that it runs.

#include <cstdio>
#include <cstdlib>

#include "purews/purews.hpp"

using namespace purews;

namespace {

alignas(4096) std::byte scratch[4096];

constexpr std::string_view minimal_request =
    "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
constexpr std::string_view browser_request =
    "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nConnection: Upgrade\r\nPragma: no-cache\r\n"
    "Cache-Control: no-cache\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/126.0.0.0 Safari/537.36\r\nUpgrade: websocket\r\nOrigin: https://server.example.com\r\n"
    "Sec-WebSocket-Version: 13\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-US,en;q=0.9\r\n"
    "Cookie: session=0123456789abcdef0123456789abcdef\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\nSec-WebSocket-Protocol: chat\r\n\r\n";

}  // namespace

/// From the request to the bytes of the 101; their number, or 0.
[[gnu::noinline]] static std::size_t open_connection(endpoint& machine, bytes request) {
  machine.receive(request, {1});
  if (machine.next().what != kind::request || machine.accept() != refusal::none) return 0;
  if (machine.next().what != kind::open || machine.next().what != kind::none) return 0;
  bytes_view spans[4];
  std::size_t size = 0;
  for (std::size_t n = machine.gather(spans); n != 0; --n) size += spans[n - 1].size();
  return size;
}

static int repeat(std::string_view request, long count) {
  options const with;
  std::size_t answered = 0;
  for (long i = 0; i < count; ++i) {
    std::memcpy(scratch, request.data(), request.size());
    endpoint machine(role::server, with, {});
    std::size_t const size = open_connection(machine, {scratch, request.size()});
    machine.consume_output(size, {2});
    answered += size;
  }
  std::printf("%ld handshakes, %zu bytes of answers\n", count, answered);
  return 0;
}

int main(int argc, char** argv) {
  std::string_view const mode = argc > 1 ? argv[1] : "minimal";
  return repeat(mode == "browser" ? browser_request : minimal_request, argc > 2 ? std::atol(argv[2]) : 1000);
}
