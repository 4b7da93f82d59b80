// SPDX-License-Identifier: BSL-1.0
#include <benchmark/benchmark.h>

#include <vector>

#include "append_frame.hpp"
#include "purews/purews.hpp"

// The whole codec through `connection`: masked frames in, events out; messages in, frames out. Every figure includes
// one copy of the bytes, which stands for what recv() or send() costs; the copy alone is the first row.

namespace {

using namespace purews;

constexpr std::size_t read_bytes = 64U << 10;
constexpr std::size_t stream_bytes = 1U << 20;

std::vector<std::byte> frames(opcode op, std::size_t payload, std::size_t* count) {
  std::vector<std::byte> wire;
  std::size_t const frame = frame_header_size(payload, true) + payload;
  *count = stream_bytes / frame > 0 ? stream_bytes / frame : 1;
  std::vector<std::byte> body(payload, std::byte{'a'});
  for (std::size_t i = 0; i < *count; ++i) {
    auto const octet = static_cast<std::byte>(i * 7 + 1);
    append_frame(wire, op, body, {{octet, std::byte{0x5A}, std::byte{0xC3}, std::byte{0x11}}});
  }
  return wire;
}

alignas(4096) std::byte scratch[read_bytes];

void copy_only(benchmark::State& state) {
  std::size_t count = 0;
  auto const wire = frames(opcode::binary, static_cast<std::size_t>(state.range(0)), &count);
  for (auto _ : state)
    for (std::size_t at = 0; at < wire.size(); at += read_bytes) {
      std::size_t const n = wire.size() - at < read_bytes ? wire.size() - at : read_bytes;
      std::memcpy(scratch, wire.data() + at, n);
      benchmark::ClobberMemory();
    }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(count));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(wire.size()));
}

void decode(benchmark::State& state, opcode op) {
  std::size_t count = 0;
  auto const wire = frames(op, static_cast<std::size_t>(state.range(0)), &count);
  options with;
  with.limit.message_bytes_max = 16U << 20;
  connection machine(role::server, with, {});
  std::size_t messages = 0;
  for (auto _ : state) {
    for (std::size_t at = 0; at < wire.size();) {
      bytes room = machine.receive_room();
      bool const direct = !room.empty();
      if (!direct) room = scratch;
      std::size_t const n = wire.size() - at < room.size() ? wire.size() - at : room.size();
      std::memcpy(room.data(), wire.data() + at, n);
      at += n;
      machine.receive(room.first(n), {1});
      for (event e = machine.next(); e.what != kind::none; e = machine.next()) {
        benchmark::DoNotOptimize(e.payload.data());
        ++messages;
      }
    }
  }
  if (messages != count * static_cast<std::size_t>(state.iterations())) state.SkipWithError("messages were lost");
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(count));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(wire.size()));
}

void encode(benchmark::State& state) {
  std::vector<std::byte> const body(static_cast<std::size_t>(state.range(0)), std::byte{'a'});
  static std::vector<std::byte> room(2U << 20);
  options with;
  connection machine(role::server, with, {});
  machine.lend_output(room);
  bytes_view spans[8];
  for (auto _ : state) {
    if (machine.send(opcode::binary, body) != refusal::none) state.SkipWithError("a message was refused");
    std::size_t const n = machine.gather(spans);
    benchmark::DoNotOptimize(spans[0].data());
    machine.consume_output(n == 1 ? spans[0].size() : 0, {1});
  }
  machine.lend_output({});
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void sizes(benchmark::internal::Benchmark* b) {
  for (std::int64_t const n : {0, 16, 64, 125, 126, 1024, 16 << 10, 64 << 10, 1 << 20}) b->Arg(n);
}

BENCHMARK(copy_only)->Apply(sizes);
BENCHMARK_CAPTURE(decode, binary, opcode::binary)->Apply(sizes);
BENCHMARK_CAPTURE(decode, text, opcode::text)->Apply(sizes);
BENCHMARK(encode)->Apply(sizes);

}  // namespace
