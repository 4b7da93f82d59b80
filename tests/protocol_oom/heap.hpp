// SPDX-License-Identifier: BSL-1.0
#pragma once

// A program of its own: here the machines' heap can be counted, and says no when it is told to. Every file of the
// program includes this before anything of the library.

#include <climits>
#include <cstdlib>
#include <cstring>
#include <map>
#include <new>

namespace heap {

inline std::map<void*, std::size_t> blocks;  // that are in use
inline long calls = 0;
inline long news = 0;             // calls of operator new, which is nobody's business in the core
inline long fails_at = LONG_MAX;  // the number of the call that fails
inline long fails_for = 1;        // and so many calls from it on
inline std::size_t used = 0;
inline std::size_t most_used = 0;
inline std::size_t taken = 0;  // bytes, by all calls together

inline void start() {
  calls = 0;
  fails_at = LONG_MAX;
  fails_for = 1;
  most_used = used;
  taken = 0;
}

inline bool failed() { return calls > fails_at; }

inline void release(void* block) {
  if (block == nullptr) return;
  auto const found = blocks.find(block);
  if (found == blocks.end()) std::abort();  // freed twice
  used -= found->second;
  blocks.erase(found);
  std::free(block);
}

inline void* reallocate(void* old, std::size_t n) {
  long const number = calls++;
  if (number >= fails_at && number - fails_at < fails_for) return nullptr;
  void* const block = std::malloc(n);
  if (block == nullptr) std::abort();
  if (old != nullptr) {
    std::size_t const size = blocks.at(old);
    std::memcpy(block, old, size < n ? size : n);
    release(old);
  }
  blocks[block] = n;
  used += n;
  taken += n;
  most_used = used > most_used ? used : most_used;
  return block;
}

}  // namespace heap

#define __builtin_malloc(n) heap::reallocate(nullptr, n)
#define __builtin_realloc(block, n) heap::reallocate(block, n)
#define __builtin_free(block) heap::release(block)
#include "purews/protocol/memory.hpp"
#undef __builtin_malloc
#undef __builtin_realloc
#undef __builtin_free
