// SPDX-License-Identifier: BSL-1.0
#include "purews/wire/utf8.hpp"

#include <benchmark/benchmark.h>

#include <string>

// Validation of three texts, beside memcpy and a byte-by-byte reader written as one would at first.

namespace {

using namespace purews;

enum class text_kind { ascii, mostly_ascii, mixed };

// A text of exactly `size` bytes: code points of every length in no regular order, an accent every 20 bytes, or none.
std::string make_text(text_kind kind, std::size_t size) {
  std::string const units[] = {"a", "\u00e9", "\u20ac", "\U0001f600"};
  std::string text;
  std::uint32_t random = 1;
  while (text.size() < size) {
    random = random * 1'664'525U + 1'013'904'223U;
    std::size_t which = 0;
    if (kind == text_kind::mixed) which = random >> 30;
    if (kind == text_kind::mostly_ascii) which = text.size() % 20 == 19 ? 1 : 0;
    if (text.size() + units[which].size() > size) which = 0;
    text += units[which];
  }
  return text;
}

// One branch for each length of code point.
bool naive_is_valid(bytes_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    unsigned const lead = std::to_integer<unsigned>(text[at]);
    unsigned const more = lead < 0x80 ? 0 : lead < 0xC2 ? 9 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : lead < 0xF5 ? 3 : 9;
    if (more > 3 || text.size() - at <= more) return false;
    std::uint32_t code = more == 0 ? lead : lead & (0x3FU >> more);
    for (unsigned i = 1; i <= more; ++i) {
      unsigned const next = std::to_integer<unsigned>(text[at + i]);
      if ((next & 0xC0U) != 0x80U) return false;
      code = (code << 6) | (next & 0x3FU);
    }
    constexpr std::uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    if (code < least[more] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return false;
    at += more + 1;
  }
  return true;
}

template <class F>
void run(benchmark::State& state, text_kind kind, F f) {
  std::string const text = make_text(kind, static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    bytes_view data = as_bytes(text);
    benchmark::DoNotOptimize(data);
    bool result = f(data);
    benchmark::DoNotOptimize(result);
    if (!result) return state.SkipWithError("a valid text was refused");
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void memcpy_elsewhere(benchmark::State& state) {
  std::string to(static_cast<std::size_t>(state.range(0)), '\0');
  run(state, text_kind::ascii, [&](bytes_view text) {
    copy_bytes(reinterpret_cast<std::byte*>(to.data()), text);
    benchmark::ClobberMemory();
    return true;
  });
}

template <text_kind Kind>
void naive(benchmark::State& state) {
  run(state, Kind, naive_is_valid);
}

template <text_kind Kind, simd_level Level>
void at_level(benchmark::State& state) {
  if (Level > best_simd_level()) return state.SkipWithError("not on this machine");
  run(state, Kind, [](bytes_view text) {
    utf8_validator validator;
    return validator.feed_at(Level, text) && validator.finished();
  });
}

template <text_kind Kind>
void whole(benchmark::State& state) {
  run(state, Kind, [](bytes_view text) { return is_valid_utf8(text); });
}

void sizes(benchmark::internal::Benchmark* b) {
  for (int const size : {0, 16, 64, 125, 1024, 16384, 1048576}) b->Arg(size);
}

BENCHMARK(memcpy_elsewhere)->Apply(sizes);
BENCHMARK_TEMPLATE(naive, text_kind::ascii)->Apply(sizes);
BENCHMARK_TEMPLATE(naive, text_kind::mixed)->Apply(sizes);
BENCHMARK_TEMPLATE(at_level, text_kind::mixed, simd_level::portable)->Apply(sizes);
BENCHMARK_TEMPLATE(at_level, text_kind::mixed, simd_level::baseline)->Apply(sizes);
BENCHMARK_TEMPLATE(at_level, text_kind::mixed, simd_level::avx2)->Apply(sizes);
BENCHMARK_TEMPLATE(at_level, text_kind::ascii, simd_level::baseline)->Apply(sizes);
BENCHMARK_TEMPLATE(whole, text_kind::ascii)->Apply(sizes);
BENCHMARK_TEMPLATE(whole, text_kind::mostly_ascii)->Apply(sizes);
BENCHMARK_TEMPLATE(whole, text_kind::mixed)->Apply(sizes);

}  // namespace
