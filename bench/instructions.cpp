// SPDX-License-Identifier: BSL-1.0
// Receives masked frames, or opening handshakes, and nothing else, for counting instructions where clocks cannot be
// trusted:
//   valgrind --tool=callgrind build/bin/bench_instructions PAYLOAD FRAMES [text]
// with two numbers of frames; the difference of the counts by the difference of the frames is the cost of one frame.
//   valgrind --tool=callgrind --toggle-collect='open_connection*' build/bin/bench_instructions minimal|browser 1000
// counts a thousand opening handshakes, from the request to the bytes of the 101. Valgrind hides the processor's
// instructions for SHA-1 from the programs that it runs.

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "append_frame.hpp"
#include "purews/purews.hpp"

using namespace purews;

namespace {

constexpr std::size_t read_bytes = 64U << 10;
constexpr std::size_t copied_at_once = 1024;  // longer copies use an instruction that callgrind counts once a byte
alignas(4096) std::byte scratch[read_bytes];

std::vector<std::byte> one_read(opcode op, std::size_t payload) {
  masking_key const key{{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}}};
  std::vector<std::byte> wire;
  std::vector<std::byte> const body(payload, std::byte{'a'});
  while (wire.size() + frame_header_size(payload, true) + payload <= read_bytes) append_frame(wire, op, body, key);
  return wire;
}

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

static int open_connections(std::string_view request, long count) {
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
  std::string_view const mode = argc > 1 ? argv[1] : "";
  if (mode == "minimal" || mode == "browser")
    return open_connections(mode == "minimal" ? minimal_request : browser_request,
                            argc > 2 ? std::atol(argv[2]) : 1000);
  std::size_t const payload = argc > 1 ? static_cast<std::size_t>(std::atol(argv[1])) : 16;
  long const frames = argc > 2 ? std::atol(argv[2]) : 100'000;
  auto const wire = one_read(argc > 3 ? opcode::text : opcode::binary, payload);
  if (wire.empty()) return std::fputs("bench_instructions: the payload must fit a read of 64 KiB\n", stderr), 2;
  options const with;
  connection machine(role::server, with, {});
  long received = 0;
  while (received < frames) {
    for (std::size_t at = 0; at < wire.size(); at += copied_at_once) {
      std::size_t const left = wire.size() - at;
      std::memcpy(scratch + at, wire.data() + at, left < copied_at_once ? left : copied_at_once);
    }
    machine.receive({scratch, wire.size()}, {1});
    for (event e = machine.next(); e.what != kind::none; e = machine.next()) {
      asm volatile("" ::"r"(e.payload.data()), "r"(e.payload.size()));
      ++received;
    }
  }
  std::printf("%ld frames of %zu bytes\n", received, payload);
}
