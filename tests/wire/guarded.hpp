// SPDX-License-Identifier: BSL-1.0
#pragma once

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <malloc.h>
#include <windows.h>
#else
#include <sys/mman.h>
#endif

#include <cstddef>
#include <cstdio>
#include <cstdlib>

namespace test {

#if defined(_WIN32)
inline void* map_forbidden(std::size_t size) {
  return ::VirtualAlloc(nullptr, size, MEM_RESERVE | MEM_COMMIT, PAGE_NOACCESS);
}
inline bool permit(void* at, std::size_t size) {
  DWORD before = 0;
  return ::VirtualProtect(at, size, PAGE_READWRITE, &before) != 0;
}
inline void unmap(void* at, std::size_t) { ::VirtualFree(at, 0, MEM_RELEASE); }
inline void* allocate_aligned(std::size_t alignment, std::size_t size) { return ::_aligned_malloc(size, alignment); }
inline void free_aligned(void* at) { ::_aligned_free(at); }
#else
inline void* map_forbidden(std::size_t size) {
  void* const at = ::mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return at == MAP_FAILED ? nullptr : at;
}
inline bool permit(void* at, std::size_t size) { return ::mprotect(at, size, PROT_READ | PROT_WRITE) == 0; }
inline void unmap(void* at, std::size_t size) { ::munmap(at, size); }
inline void* allocate_aligned(std::size_t alignment, std::size_t size) {
  void* at = nullptr;
  return ::posix_memalign(&at, alignment, size) == 0 ? at : nullptr;
}
inline void free_aligned(void* at) { std::free(at); }
#endif

}  // namespace test

/// 64 KiB between two pages that may be neither read nor written: one byte too far ends the program, with or
/// without a sanitizer.
class guarded {
 public:
  static constexpr std::size_t size = 65'536;

  guarded() {
    void* const at = test::map_forbidden(size + 2 * page);
    if (at == nullptr || !test::permit(static_cast<std::byte*>(at) + page, size)) {
      std::perror("guarded");
      std::abort();
    }
    begin_ = static_cast<std::byte*>(at) + page;
  }
  guarded(guarded const&) = delete;
  guarded& operator=(guarded const&) = delete;
  ~guarded() { test::unmap(begin_ - page, size + 2 * page); }

  std::byte* first(std::size_t) const { return begin_; }                ///< n bytes right behind the one page
  std::byte* last(std::size_t n) const { return begin_ + (size - n); }  ///< n bytes right before the other

 private:
  static constexpr std::size_t page = 65'536;  // at least one page everywhere
  std::byte* begin_;
};

/// `size` bytes at the end of an allocation of exactly `alignment + size`, which is aligned to 64 bytes. A sanitizer
/// sees the first byte too far; what is in front keeps a pattern.
class exact {
 public:
  exact(std::size_t alignment, std::size_t size) : alignment_{alignment} {
    void* const at = test::allocate_aligned(64, alignment + size + (alignment + size == 0));
    if (at == nullptr) std::abort();
    begin_ = static_cast<std::byte*>(at);
    for (std::size_t i = 0; i < alignment; ++i) begin_[i] = pattern;
  }
  exact(exact const&) = delete;
  exact& operator=(exact const&) = delete;
  ~exact() { test::free_aligned(begin_); }

  std::byte* data() const { return begin_ + alignment_; }
  bool front_is_untouched() const {
    for (std::size_t i = 0; i < alignment_; ++i)
      if (begin_[i] != pattern) return false;
    return true;
  }

 private:
  static constexpr std::byte pattern{0x5a};
  std::byte* begin_;
  std::size_t alignment_;
};
