// SPDX-License-Identifier: BSL-1.0
// Receives masked frames and nothing else, for counting instructions where clocks cannot be trusted:
//   valgrind --tool=callgrind build/bin/bench_instructions PAYLOAD FRAMES [text]
// with two numbers of frames; the difference of the counts by the difference of the frames is the cost of one frame.

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

}  // namespace

int main(int argc, char** argv) {
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
