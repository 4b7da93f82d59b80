// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <sys/mman.h>

#include "../wire/bytes.hpp"

namespace purews::inline v0 {

/// Memory that begins at a page's first byte. Copies by the kernel and by memcpy can be ten times slower when source
/// and destination lie 1 to 31 bytes apart modulo a page, which is where malloc puts large blocks.
class page_buffer {
 public:
  explicit page_buffer(std::size_t size) noexcept {
    void* const room = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room != MAP_FAILED) data_ = {static_cast<std::byte*>(room), size};
  }
  page_buffer(page_buffer const&) = delete;
  page_buffer& operator=(page_buffer const&) = delete;
  ~page_buffer() {
    if (!data_.empty()) ::munmap(data_.data(), data_.size());
  }

  /// All of it; empty when there was no memory.
  bytes data() const noexcept { return data_; }

 private:
  bytes data_{};
};

}  // namespace purews::inline v0
