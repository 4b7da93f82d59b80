// SPDX-License-Identifier: BSL-1.0

// The lives of tests/sim/life.hpp, as many as one likes: sim [--lives N] [--seed S] [--jobs J] [--trace]

#include "sim/life.hpp"

#if defined(PUREWS_SIM_DEFLATE)
#include "sim/deflated.hpp"
#endif

#include <atomic>
#include <csignal>
#include <cstdio>
#include <string>
#include <thread>

namespace {

struct arguments {
  std::uint64_t lives = 100'000;
  std::uint64_t seed = 0;
  std::uint64_t jobs = 1;
  bool trace = false;
};

struct counts {
  std::uint64_t lives = 0;
  std::uint64_t faults = 0;
  std::uint64_t opened = 0;
  std::uint64_t clean = 0;
  std::uint64_t messages = 0;
  std::uint64_t ticks = 0;
  std::uint64_t hash = 0;  // a sum, so that the order of the lives does not matter

  void add(test::verdict const& v) {
    ++lives;
    faults += v.fault != nullptr ? 1 : 0;
    opened += v.opened ? 1 : 0;
    clean += v.clean ? 1 : 0;
    messages += v.messages;
    ticks += v.ticks;
    hash += v.hash;
  }
  void add(counts const& other) {
    lives += other.lives;
    faults += other.faults;
    opened += other.opened;
    clean += other.clean;
    messages += other.messages;
    ticks += other.ticks;
    hash += other.hash;
  }
};

#if defined(PUREWS_SIM_DEFLATE)
constexpr test::fate::extension_maker maker = test::any_deflate;
#else
constexpr test::fate::extension_maker maker = nullptr;
#endif

constexpr std::uint64_t faults_max = 20;  // then it is known that something is wrong
char const* program = "sim";
std::atomic<std::uint64_t> faults{0};
thread_local std::uint64_t living = 0;

void print_line(std::string_view line) {
  std::printf("%.*s\n", static_cast<int>(line.size()), line.data());
  std::fflush(stdout);
}

void print_fault(std::uint64_t seed, char const* sentence) {
  auto const number = static_cast<unsigned long long>(seed);
  std::fprintf(stderr, "seed %llu: %s\n  see it: %s --seed %llu --trace\n", number, sentence, program, number);
}

// A broken precondition ends the program: at least its seed is known then.
void on_crash(int signal) {
  print_fault(living, "the program crashed");
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

counts run(std::uint64_t first, std::uint64_t count, std::uint64_t step) {
  counts sum;
  for (std::uint64_t i = first; i - first < count && faults < faults_max; i += step) {
    living = i;
    test::verdict const v = test::live(i, nullptr, maker);
    if (v.fault != nullptr) {
      print_fault(i, v.fault);
      ++faults;
    }
    sum.add(v);
  }
  return sum;
}

int run_all(arguments const& with) {
  std::vector<counts> sums(static_cast<std::size_t>(with.jobs));
  std::vector<std::thread> threads;
  for (std::uint64_t j = 0; j < with.jobs; ++j)
    threads.emplace_back([&, j] {
      if (with.lives > j) sums[static_cast<std::size_t>(j)] = run(with.seed + j, with.lives - j, with.jobs);
    });
  for (std::thread& t : threads) t.join();
  counts all;
  for (counts const& sum : sums) all.add(sum);
  auto const number = [](std::uint64_t n) { return static_cast<unsigned long long>(n); };
  std::printf("%llu lives from seed %llu: %llu faults; %llu opened, %llu ended by a closing handshake; %llu messages\n",
              number(all.lives), number(with.seed), number(all.faults), number(all.opened), number(all.clean),
              number(all.messages));
  std::printf("%llu ticks, hash %016llx\n", number(all.ticks), number(all.hash));
  return all.faults == 0 && all.lives == with.lives ? 0 : 1;
}

int show(std::uint64_t seed) {
  living = seed;
  test::verdict const v = test::live(seed, print_line, maker);
  std::printf("%llu ticks, hash %016llx: %s\n", static_cast<unsigned long long>(v.ticks),
              static_cast<unsigned long long>(v.hash), v.fault != nullptr ? v.fault : "no fault");
  return v.fault == nullptr ? 0 : 1;
}

bool parse(int count, char** texts, arguments& out) {
  for (int i = 1; i < count; ++i) {
    std::string_view const name = texts[i];
    if (name == "--trace") {
      out.trace = true;
      continue;
    }
    std::uint64_t* const value = name == "--lives"  ? &out.lives
                                 : name == "--seed" ? &out.seed
                                 : name == "--jobs" ? &out.jobs
                                                    : nullptr;
    if (value == nullptr || ++i == count) return false;
    char* end = nullptr;
    *value = std::strtoull(texts[i], &end, 10);
    if (end == texts[i] || *end != '\0') return false;
  }
  return out.jobs != 0;
}

}  // namespace

int main(int count, char** texts) {
  arguments with;
  program = texts[0];
  if (!parse(count, texts, with)) {
    std::fprintf(stderr, "usage: %s [--lives N] [--seed S] [--jobs J] [--trace]\n", program);
    return 2;
  }
  for (int const signal : {SIGABRT, SIGSEGV}) std::signal(signal, on_crash);
  return with.trace ? show(with.seed) : run_all(with);
}
