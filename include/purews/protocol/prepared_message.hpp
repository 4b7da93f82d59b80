// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../wire/frame.hpp"
#include "memory.hpp"

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#endif

namespace purews::inline v0 {

/// A message that is encoded once and sent to any number of connections by reference: copies share it, on any thread.
/// Empty if memory ran out when it was made.
class prepared_message {
 public:
  prepared_message() noexcept = default;

  /// Copies `payload` into a frame of its own. A text must be valid UTF-8 (it is not checked here).
  /// Precondition: `op` is text or binary. RFC 6455 section 5.6.
  prepared_message(opcode op, bytes_view payload) noexcept;

  prepared_message(prepared_message const& other) noexcept : block_(other.block_) { retain(); }
  prepared_message(prepared_message&& other) noexcept : block_(other.block_) { other.block_ = nullptr; }
  prepared_message& operator=(prepared_message other) noexcept {
    block* const mine = block_;
    block_ = other.block_;
    other.block_ = mine;
    return *this;
  }
  ~prepared_message() { release(); }

  explicit operator bool() const noexcept { return block_ != nullptr; }
  opcode op() const noexcept { return block_ ? block_->op : opcode::continuation; }

  /// The payload, and the whole frame as a server sends it (a client must mask a copy).
  bytes_view payload() const noexcept { return block_ ? frame().subspan(block_->header_size) : bytes_view{}; }
  bytes_view frame() const noexcept {
    return block_ ? bytes_view{reinterpret_cast<std::byte const*>(block_ + 1), block_->frame_size} : bytes_view{};
  }

 private:
  struct block {
    long references;
    std::size_t frame_size;
    std::uint8_t header_size;
    opcode op;
  };

  static void add(long& counter, long n) noexcept;
  static bool drop(long& counter) noexcept;  // true: it was the last one
  void retain() noexcept {
    if (block_) add(block_->references, 1);
  }
  void release() noexcept {
    if (block_ && drop(block_->references)) free_bytes(block_);
    block_ = nullptr;
  }

  block* block_ = nullptr;
};

inline prepared_message::prepared_message(opcode op, bytes_view payload) noexcept {
  PUREWS_ASSERT(op == opcode::text || op == opcode::binary);
  std::size_t const header_size = frame_header_size(payload.size(), false);
  void* const memory = allocate_bytes(sizeof(block) + header_size + payload.size());
  if (memory == nullptr) return;
  block_ = new (memory) block{1, header_size + payload.size(), static_cast<std::uint8_t>(header_size), op};
  auto* const out = reinterpret_cast<std::byte*>(block_ + 1);
  write_frame_header({out, header_size}, {.op = op, .length = payload.size()});
  copy_bytes(out + header_size, payload);
}

// <atomic> would cost as much to include as all of the machines, hence the compilers' own words.
inline void prepared_message::add(long& counter, long n) noexcept {
#if defined(_MSC_VER) && !defined(__clang__)
  _InterlockedExchangeAdd(&counter, n);
#else
  __atomic_fetch_add(&counter, n, __ATOMIC_RELAXED);
#endif
}

inline bool prepared_message::drop(long& counter) noexcept {
#if defined(_MSC_VER) && !defined(__clang__)
  return _InterlockedDecrement(&counter) == 0;
#else
  return __atomic_sub_fetch(&counter, 1, __ATOMIC_ACQ_REL) == 0;
#endif
}

}  // namespace purews::inline v0
