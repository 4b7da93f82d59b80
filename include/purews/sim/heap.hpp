// SPDX-License-Identifier: BSL-1.0
#pragma once

// Opt-in: a heap for the machines that is counted and can run out. It works in programs of their own, in which every
// file includes this header before any other of the library; the rest of the program keeps its own heap.

#if defined(PUREWS_ASSERT)
#error "include purews/sim/heap.hpp before every other header of purews"
#endif

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace purews::inline v0::sim {

/// The heap of the machines of this thread. With MSVC it counts nothing and never runs out.
class heap {
 public:
#if defined(_MSC_VER) && !defined(__clang__)
  static constexpr bool counts = false;
#else
  static constexpr bool counts = true;
#endif

  /// Bytes and blocks in use, and the most bytes since start().
  static std::size_t used() noexcept { return used_; }
  static std::size_t blocks() noexcept { return blocks_; }
  static std::size_t most_used() noexcept { return most_used_; }
  /// How often memory was asked for since start(), and how often in vain.
  static std::uint64_t calls() noexcept { return calls_; }
  static std::uint64_t refused() noexcept { return refused_; }

  /// Counts anew. Of the calls from now on, those from number `from` (the first is 0) fail, `times` of them.
  static void start(std::uint64_t from = UINT64_MAX, std::uint64_t times = 0) noexcept {
    calls_ = refused_ = 0;
    fails_from_ = from;
    fails_for_ = times;
    most_used_ = used_;
  }

  // What the machines call. A block's size lies before it.

  static void* reallocate(void* block, std::size_t size) noexcept {
    std::uint64_t const number = calls_++;
    if (number >= fails_from_ && number - fails_from_ < fails_for_) {
      ++refused_;
      return nullptr;
    }
    auto* const made = static_cast<std::byte*>(std::malloc(head_bytes + size));
    if (made == nullptr) std::abort();
    std::memcpy(made, &size, sizeof size);
    used_ += size;
    ++blocks_;
    if (used_ > most_used_) most_used_ = used_;
    if (block != nullptr) {
      std::size_t const old = size_of(block);
      std::memcpy(made + head_bytes, block, old < size ? old : size);
      release(block);
    }
    return made + head_bytes;
  }

  static void release(void* block) noexcept {
    if (block == nullptr) return;
    std::size_t const size = size_of(block);
    if (size > used_) std::abort();  // it is not one of ours, or was freed before
    used_ -= size;
    --blocks_;
    auto* const made = static_cast<std::byte*>(block) - head_bytes;
    std::memset(made, 0xDD, head_bytes + (size < 64 ? size : 64));
    std::free(made);
  }

 private:
  static constexpr std::size_t head_bytes = 16;
  static std::size_t size_of(void const* block) noexcept {
    std::size_t size = 0;
    std::memcpy(&size, static_cast<std::byte const*>(block) - head_bytes, sizeof size);
    return size;
  }

  static inline thread_local std::size_t used_ = 0;
  static inline thread_local std::size_t blocks_ = 0;
  static inline thread_local std::size_t most_used_ = 0;
  static inline thread_local std::uint64_t calls_ = 0;
  static inline thread_local std::uint64_t refused_ = 0;
  static inline thread_local std::uint64_t fails_from_ = UINT64_MAX;
  static inline thread_local std::uint64_t fails_for_ = 0;
};

}  // namespace purews::inline v0::sim

// Nothing but this takes a price off the machines: in other programs they call the compiler's own names.
#define __builtin_malloc(n) ::purews::sim::heap::reallocate(nullptr, n)
#define __builtin_realloc(block, n) ::purews::sim::heap::reallocate(block, n)
#define __builtin_free(block) ::purews::sim::heap::release(block)
#include "../protocol/memory.hpp"
#undef __builtin_malloc
#undef __builtin_realloc
#undef __builtin_free
