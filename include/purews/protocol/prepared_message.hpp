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

  /// The same message in the encoding `which`, made by add_variant(); empty if there is none yet. Any thread may ask.
  prepared_message variant(std::uint32_t which) const noexcept;

  /// Keeps `payload` with this message as its encoding `which`, for all who share it, as one frame with reserved bits
  /// `rsv`. Returns it, or what another thread added before; empty if memory ran out. Precondition: not empty.
  prepared_message add_variant(std::uint32_t which, std::uint8_t rsv, bytes_view payload) const noexcept;

  /// The reserved bits of the frame: 0 but for a variant.
  std::uint8_t rsv() const noexcept {
    return block_ ? static_cast<std::uint8_t>((std::to_integer<unsigned>(frame()[0]) >> 4) & 7U) : std::uint8_t{0};
  }

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
    std::uint32_t which = 0;    // a variant: its encoding
    block* next = nullptr;      // a variant: the one that was added before it
    block* variants = nullptr;  // the newest; each holds one reference
  };

  explicit prepared_message(block* shared) noexcept : block_(shared) { retain(); }
  static block* make_block(opcode op, std::uint8_t rsv, bytes_view payload) noexcept;
  static void free_block(block* unused) noexcept;
  static void add(long& counter, long n) noexcept;
  static bool drop(long& counter) noexcept;  // true: it was the last one
  static block* load(block* const& from) noexcept;
  static bool replace(block*& at, block*& expected, block* by) noexcept;  // false: `expected` is what is there
  void retain() noexcept {
    if (block_) add(block_->references, 1);
  }
  void release() noexcept {
    if (block_ && drop(block_->references)) free_block(block_);
    block_ = nullptr;
  }

  block* block_ = nullptr;
};

inline prepared_message::prepared_message(opcode op, bytes_view payload) noexcept
    : block_(make_block(op, 0, payload)) {}

inline prepared_message::block* prepared_message::make_block(opcode op, std::uint8_t rsv, bytes_view payload) noexcept {
  PUREWS_ASSERT(op == opcode::text || op == opcode::binary);
  std::size_t const header_size = frame_header_size(payload.size(), false);
  void* const memory = allocate_bytes(sizeof(block) + header_size + payload.size());
  if (memory == nullptr) return nullptr;
  auto* const made = new (memory) block{1, header_size + payload.size(), static_cast<std::uint8_t>(header_size), op};
  auto* const out = reinterpret_cast<std::byte*>(made + 1);
  write_frame_header({out, header_size}, {.rsv = rsv, .op = op, .length = payload.size()});
  copy_bytes(out + header_size, payload);
  return made;
}

inline void prepared_message::free_block(block* unused) noexcept {
  for (block* variant = unused->variants; variant != nullptr;) {
    block* const next = variant->next;
    if (drop(variant->references)) free_bytes(variant);
    variant = next;
  }
  free_bytes(unused);
}

inline prepared_message prepared_message::variant(std::uint32_t which) const noexcept {
  for (block* found = block_ ? load(block_->variants) : nullptr; found != nullptr; found = found->next)
    if (found->which == which) return prepared_message(found);
  return {};
}

inline prepared_message prepared_message::add_variant(std::uint32_t which, std::uint8_t rsv,
                                                      bytes_view payload) const noexcept {
  PUREWS_ASSERT(block_ != nullptr);
  block* const made = make_block(block_->op, rsv, payload);
  if (made == nullptr) return {};
  made->which = which;
  for (block* newest = load(block_->variants);;) {
    if (prepared_message const earlier = variant(which); earlier) {
      free_bytes(made);
      return earlier;
    }
    made->next = newest;
    if (replace(block_->variants, newest, made)) return prepared_message(made);
  }
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

inline prepared_message::block* prepared_message::load(block* const& from) noexcept {
#if defined(_MSC_VER) && !defined(__clang__)
  return *static_cast<block* const volatile*>(&from);
#else
  return __atomic_load_n(&from, __ATOMIC_ACQUIRE);
#endif
}

inline bool prepared_message::replace(block*& at, block*& expected, block* by) noexcept {
#if defined(_MSC_VER) && !defined(__clang__)
  void* const there = _InterlockedCompareExchangePointer(reinterpret_cast<void* volatile*>(&at), by, expected);
  bool const done = there == expected;
  expected = static_cast<block*>(there);
  return done;
#else
  return __atomic_compare_exchange_n(&at, &expected, by, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
#endif
}

}  // namespace purews::inline v0
