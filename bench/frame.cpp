// SPDX-License-Identifier: BSL-1.0
#include "purews/wire/frame.hpp"

#include <benchmark/benchmark.h>

// Frame headers alone; the argument is the length of the payload, which decides the form of the header.

namespace {

using namespace purews;

constexpr masking_key key{{std::byte{0x37}, std::byte{0xfa}, std::byte{0x21}, std::byte{0x3d}}};

void copy_header(benchmark::State& state) {
  std::byte from[frame_header_bytes_max]{}, to[frame_header_bytes_max];
  std::size_t const size = frame_header_size(static_cast<std::uint64_t>(state.range(0)), true);
  for (auto _ : state) {
    bytes_view data{from, size};
    benchmark::DoNotOptimize(data);
    copy_bytes(to, data);
    benchmark::ClobberMemory();
  }
}

void read_header(benchmark::State& state) {
  std::byte wire[frame_header_bytes_max];
  std::size_t const size = write_frame_header(
      wire, {.op = opcode::text, .masked = true, .length = static_cast<std::uint64_t>(state.range(0)), .key = key});
  for (auto _ : state) {
    bytes_view data{wire, size};
    benchmark::DoNotOptimize(data);
    frame_header_result result = read_frame_header(data);
    benchmark::DoNotOptimize(result);
  }
}

void write_server_header(benchmark::State& state) {
  std::byte wire[frame_header_bytes_max];
  frame_header header{.op = opcode::text, .length = static_cast<std::uint64_t>(state.range(0))};
  for (auto _ : state) {
    benchmark::DoNotOptimize(header);
    std::size_t size = write_frame_header(wire, header);
    benchmark::DoNotOptimize(size);
    benchmark::ClobberMemory();
  }
}

void write_client_header(benchmark::State& state) {
  std::byte wire[frame_header_bytes_max];
  frame_header header{
      .op = opcode::text, .masked = true, .length = static_cast<std::uint64_t>(state.range(0)), .key = key};
  for (auto _ : state) {
    benchmark::DoNotOptimize(header);
    std::size_t size = write_frame_header(wire, header);
    benchmark::DoNotOptimize(size);
    benchmark::ClobberMemory();
  }
}

void lengths(benchmark::internal::Benchmark* b) {
  for (int const length : {0, 125, 126, 65535, 65536, 1048576}) b->Arg(length);
}

BENCHMARK(copy_header)->Apply(lengths);
BENCHMARK(read_header)->Apply(lengths);
BENCHMARK(write_server_header)->Apply(lengths);
BENCHMARK(write_client_header)->Apply(lengths);

}  // namespace
