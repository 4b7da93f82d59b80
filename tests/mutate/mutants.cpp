// SPDX-License-Identifier: BSL-1.0

// A part of every test program of `make mutate`: reads which mutant is on, and writes down which ones were reached.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>

namespace purews_mutant {

namespace {

constexpr std::size_t reached_bytes = 1 << 16;
unsigned char nowhere[reached_bytes];

int number(char const* name) {
  char const* const text = std::getenv(name);
  return text != nullptr ? std::atoi(text) : 0;
}

}  // namespace

extern int const active;
extern unsigned char* reached;
int const active = number("PUREWS_MUTANT");
unsigned char* reached = nowhere;

namespace {

// Shared memory, so that what children reach counts: those in which preconditions are broken.
bool const traced = [] {
  char const* const file = std::getenv("PUREWS_MUTANTS_REACHED");
  if (file == nullptr) return false;
  int const fd = ::open(file, O_RDWR | O_CREAT | O_TRUNC, 0644);
  if (fd < 0 || ::ftruncate(fd, reached_bytes) != 0) std::abort();
  void* const map = ::mmap(nullptr, reached_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  if (map == MAP_FAILED) std::abort();
  reached = static_cast<unsigned char*>(map);
  return true;
}();

// A mutant that never ends is ended by SIGPROF. Counts what this process computes, so that a busy machine kills none.
bool const limited = [] {
  int const ms = number("PUREWS_MUTANT_MS");
  itimerval const limit{{0, 0}, {ms / 1000, ms % 1000 * 1000}};
  return ::setitimer(ITIMER_PROF, &limit, nullptr) == 0;
}();

}  // namespace
}  // namespace purews_mutant
