// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <stdlib.h>

#include "../wire/assert.hpp"
#include "../wire/bytes.hpp"

#ifdef __linux__
#include <sys/mman.h>
#include <sys/random.h>

#include <cerrno>
#endif

namespace purews::inline v0 {

#ifdef __linux__

/// Asks the kernel for random bytes. Never fails: without entropy there is no safe way to go on.
inline void kernel_entropy(bytes out) noexcept {
  while (!out.empty()) {
    ssize_t const got = ::getrandom(out.data(), out.size(), 0);
    PUREWS_ASSERT(got > 0 || errno == EINTR);
    if (got > 0) out = out.subspan(static_cast<std::size_t>(got));
  }
}

/// Random bytes of one thread, fetched from the kernel many at a time. They lie in a page that the kernel wipes in the
/// child of a fork(), so that parent and child never give out the same ones; a kernel without that gets no batches.
class entropy_pool {
 public:
  entropy_pool() noexcept {
    void* const room = ::mmap(nullptr, sizeof(page), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED) return;
    if (::madvise(room, sizeof(page), MADV_WIPEONFORK) == 0) {
      page_ = static_cast<page*>(room);
    } else {
      ::munmap(room, sizeof(page));
    }
  }
  entropy_pool(entropy_pool const&) = delete;
  entropy_pool& operator=(entropy_pool const&) = delete;
  ~entropy_pool() {
    if (page_ != nullptr) ::munmap(page_, sizeof(page));
    page_ = nullptr;
  }

  void fill(bytes out) noexcept {
    if (page_ == nullptr || out.size() > sizeof page_->pool) return kernel_entropy(out);
    if (page_->left < out.size()) {
      kernel_entropy(page_->pool);
      page_->left = sizeof page_->pool;
    }
    std::byte* const from = page_->pool + (page_->left - out.size());
    copy_bytes(out.data(), {from, out.size()});
    std::memset(from, 0, out.size());  // what was given out cannot be read again later
    page_->left -= static_cast<std::uint32_t>(out.size());
  }

 private:
  struct page {
    std::uint32_t left;  ///< of the pool, counted from its front; 0 after a fork
    std::byte pool[1020];
  };

  page* page_ = nullptr;
};

/// Fills `out` with random bytes of the operating system, for masking keys and handshakes. Any thread; safe after
/// fork(). RFC 6455 section 10.3.
inline void os_entropy(bytes out) noexcept {
  static thread_local entropy_pool pool;
  pool.fill(out);
}

#else

/// Fills `out` with random bytes of the operating system, for masking keys and handshakes. Any thread; safe after
/// fork(). RFC 6455 section 10.3.
inline void os_entropy(bytes out) noexcept {
  if (!out.empty()) ::arc4random_buf(out.data(), out.size());
}

#endif

}  // namespace purews::inline v0
