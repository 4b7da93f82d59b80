// SPDX-License-Identifier: BSL-1.0
#include "purews/wire/masking.hpp"

#include <benchmark/benchmark.h>

#include <cstring>
#include <vector>

// Masking at every level of this machine, between what it cannot beat (memcpy) and what it must (the naive loop).

namespace {

using namespace purews;

constexpr masking_key key{{std::byte{0x37}, std::byte{0xfa}, std::byte{0x21}, std::byte{0x3d}}};

// A payload that begins where one does in a read buffer: 14 bytes behind a page.
struct buffers {
  explicit buffers(std::size_t payload) : size{payload}, from(payload + 8192, std::byte{0x55}), to(payload + 8192) {}
  static std::byte* behind_page(std::vector<std::byte>& buffer) {
    auto const at = reinterpret_cast<std::uintptr_t>(buffer.data());
    return buffer.data() + (4096 - at % 4096) + 14;
  }
  bytes source() { return {behind_page(from), size}; }
  std::byte* target() { return behind_page(to) + 64; }
  std::size_t size;
  std::vector<std::byte> from, to;
};

template <class F>
void run(benchmark::State& state, F f) {
  buffers b{static_cast<std::size_t>(state.range(0))};
  for (auto _ : state) {
    bytes data = b.source();
    std::byte* to = b.target();
    benchmark::DoNotOptimize(data);
    benchmark::DoNotOptimize(to);
    f(to, data);
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void memcpy_elsewhere(benchmark::State& state) {
  run(state, [](std::byte* to, bytes data) { copy_bytes(to, data); });
}

void naive(benchmark::State& state) {
  run(state, [](std::byte*, bytes data) { mask_kernel::naive(data.data(), data.data(), data.size(), key, 0); });
}

template <simd_level Level>
void at_level(benchmark::State& state) {
  if (Level > best_simd_level()) return state.SkipWithError("not on this machine");
  run(state, [](std::byte*, bytes data) {
    mask_kernel::run_at(Level, data.data(), data.data(), data.size(), mask_kernel::key_word(key, 0));
  });
}

void in_place(benchmark::State& state) {
  run(state, [](std::byte*, bytes data) { mask(data, key); });
}

void in_place_and_is_ascii(benchmark::State& state) {
  run(state, [](std::byte*, bytes data) { benchmark::DoNotOptimize(mask_is_ascii(data, key)); });
}

void while_copying(benchmark::State& state) {
  run(state, [](std::byte* to, bytes data) { mask_copy(to, data, key); });
}

void sizes(benchmark::internal::Benchmark* b) {
  for (int const size : {0, 4, 16, 64, 125, 126, 1024, 16384, 65536, 262144, 1048576}) b->Arg(size);
}

BENCHMARK(memcpy_elsewhere)->Apply(sizes);
BENCHMARK(naive)->Apply(sizes);
BENCHMARK_TEMPLATE(at_level, simd_level::portable)->Apply(sizes);
BENCHMARK_TEMPLATE(at_level, simd_level::baseline)->Apply(sizes);
BENCHMARK_TEMPLATE(at_level, simd_level::avx2)->Apply(sizes);
BENCHMARK(in_place)->Apply(sizes);
BENCHMARK(in_place_and_is_ascii)->Apply(sizes);
BENCHMARK(while_copying)->Apply(sizes);

}  // namespace
