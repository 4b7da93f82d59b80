// SPDX-License-Identifier: BSL-1.0
#include <algorithm>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "fuzz.hpp"
#include "support/hex.hpp"

// replay CORPUS [MUTATIONS]    tries each file of a folder, and as many random changes of each. No fuzzer is needed.
// replay FILE                  tries one file

namespace {

namespace fs = std::filesystem;
using test::octets;

char const* const failed_input = "fuzz_failed_input";
octets current;

// Keeps the input that ended the program, for `replay FILE` and for a debugger.
void keep_input(int signal) {
  if (std::FILE* const file = std::fopen(failed_input, "wb")) {
    std::fwrite(current.data(), 1, current.size(), file);
    std::fclose(file);
  }
  std::fprintf(stderr, "the input is in the file %s\n", failed_input);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void try_one(octets const& input) {
  current = input;
  test::exact_copy const lent(current);
  fuzz::one_input(lent.view());
}

octets read(fs::path const& path) {
  std::ifstream in(path, std::ios::binary);
  return test::octets_of(std::string(std::istreambuf_iterator<char>(in), {}));
}

/// The same changes with every compiler and library.
class mutator {
 public:
  std::size_t below(std::size_t n) {
    state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t x = state_;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
    return static_cast<std::size_t>((x ^ (x >> 31)) % n);
  }

  octets change(octets input, std::vector<octets> const& corpus) {
    for (std::size_t changes = 1 + below(4); changes > 0; --changes) change_once(input, corpus[below(corpus.size())]);
    return input;
  }

 private:
  std::byte any_octet() {
    static constexpr unsigned telling[] = {0x00, 0x7F, 0x80, 0xFF, 0x7E, 0x88, 0x89, 0x0D, 0x0A, 0x20, 0x22, 0x2C};
    return static_cast<std::byte>(below(2) == 0 ? telling[below(std::size(telling))] : below(256));
  }

  /// Any part of `of`, from one offset to another.
  std::span<std::byte const> part(octets const& of) {
    std::size_t const a = below(of.size() + 1), b = below(of.size() + 1);
    return std::span(of).subspan(a < b ? a : b, a < b ? b - a : a - b);
  }

  void change_once(octets& input, octets const& other) {
    auto const at = static_cast<std::ptrdiff_t>(below(input.size() + 1));
    auto const place = input.begin() + at;
    switch (below(6)) {
      case 0:
        if (place != input.end()) *place ^= static_cast<std::byte>(1U << below(8));
        break;
      case 1:
        if (place != input.end()) *place = any_octet();
        break;
      case 2:
        input.insert(place, 1 + below(4), any_octet());
        break;
      case 3:
        input.erase(place,
                    place + static_cast<std::ptrdiff_t>(below(static_cast<std::size_t>(input.end() - place) + 1)));
        break;
      default: {
        auto const piece = part(below(2) == 0 ? input : other);
        octets const again(piece.begin(), piece.end());
        input.insert(place, again.begin(), again.end());
        break;
      }
    }
  }

  std::uint64_t state_ = 6455;
};

}  // namespace

// AddressSanitizer asks for it: its reports then pass keep_input() too.
extern "C" char const* __asan_default_options();
extern "C" char const* __asan_default_options() { return "abort_on_error=1:handle_abort=0"; }

int main(int argc, char** argv) {
  for (int const signal : {SIGABRT, SIGSEGV, SIGFPE, SIGILL}) std::signal(signal, keep_input);
  if (argc < 2) return std::fprintf(stderr, "usage: %s CORPUS [MUTATIONS] | FILE\n", argv[0]), 2;
  if (!fs::is_directory(argv[1])) {
    try_one(read(argv[1]));
    return 0;
  }
  std::size_t const mutations = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 200;
  std::vector<fs::path> paths;
  for (fs::path const& path : fs::directory_iterator(argv[1])) paths.push_back(path);
  std::sort(paths.begin(), paths.end());
  std::vector<octets> corpus;
  for (fs::path const& path : paths) corpus.push_back(read(path));
  if (corpus.empty()) return std::fprintf(stderr, "%s is empty\n", argv[1]), 1;

  try_one({});
  for (octets const& input : corpus) try_one(input);
  mutator random;
  constexpr std::size_t bytes_max = 8192;
  for (octets const& input : corpus)
    for (std::size_t i = 0; i < mutations; ++i) {
      octets changed = random.change(input, corpus);
      if (changed.size() > bytes_max) changed.resize(bytes_max);
      try_one(changed);
    }
  std::printf("%zu files, %zu changes of each\n", corpus.size(), mutations);
}
