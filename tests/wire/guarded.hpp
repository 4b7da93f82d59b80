// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>

/// 64 KiB between two pages that may be neither read nor written: one byte too far ends the program, with or
/// without a sanitizer.
class guarded {
 public:
  static constexpr std::size_t size = 65'536;

  guarded() {
    void* const at = ::mmap(nullptr, size + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED || ::mprotect(static_cast<std::byte*>(at) + page, size, PROT_READ | PROT_WRITE) != 0) {
      std::perror("guarded");
      std::abort();
    }
    begin_ = static_cast<std::byte*>(at) + page;
  }
  guarded(guarded const&) = delete;
  guarded& operator=(guarded const&) = delete;
  ~guarded() { ::munmap(begin_ - page, size + 2 * page); }

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
    void* at = nullptr;
    if (::posix_memalign(&at, 64, alignment + size + (alignment + size == 0)) != 0) std::abort();
    begin_ = static_cast<std::byte*>(at);
    for (std::size_t i = 0; i < alignment; ++i) begin_[i] = pattern;
  }
  exact(exact const&) = delete;
  exact& operator=(exact const&) = delete;
  ~exact() { std::free(begin_); }

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
