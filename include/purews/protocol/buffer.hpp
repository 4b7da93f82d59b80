// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../wire/assert.hpp"
#include "../wire/bytes.hpp"
#include "memory.hpp"

namespace purews::inline v0 {

/// A growing run of bytes on the heap: one pointer when it is empty. It is the only place from which the machines
/// allocate what a peer fills, it grows with what was received and never with what was announced, and when memory
/// runs out it says so by value.
class buffer {
 public:
  buffer() noexcept = default;
  buffer(buffer&& other) noexcept : block_(other.block_) { other.block_ = nullptr; }
  buffer& operator=(buffer&& other) noexcept;
  ~buffer() { clear(); }

  bytes view() noexcept { return block_ ? bytes{block_->data(), block_->size} : bytes{}; }
  bytes_view view() const noexcept { return block_ ? bytes_view{block_->data(), block_->size} : bytes_view{}; }
  std::size_t size() const noexcept { return block_ ? block_->size : 0; }
  std::byte* end() noexcept { return block_ ? block_->data() + block_->size : nullptr; }

  /// Copies `more` to the end. Returns false, changing nothing, if memory ran out. `size_max` as in prepare().
  [[nodiscard]] bool append(bytes_view more, std::size_t size_max = SIZE_MAX) noexcept;

  /// Makes room for at least `more` bytes behind the end and returns it, uninitialised, or nothing if memory ran out.
  /// It becomes content by `commit`. Views of this buffer become invalid. It grows to twice its size, but not beyond
  /// `size_max`, which the content is not expected to pass.
  [[nodiscard]] bytes prepare(std::size_t more, std::size_t size_max = SIZE_MAX) noexcept;

  /// Whether `piece` is the front of the prepared room. Bytes that only happen to begin where this memory ends are not.
  bool is_prepared(bytes_view piece) const noexcept {
    return block_ != nullptr && piece.data() == block_->data() + block_->size &&
           piece.size() <= block_->capacity - block_->size;
  }

  /// Takes the first `n` bytes of the prepared room as content.
  void commit(std::size_t n) noexcept {
    PUREWS_ASSERT(block_ != nullptr && n <= block_->capacity - block_->size);
    block_->size += n;
  }

  /// Cuts the content to its first `n` bytes. Keeps the memory.
  void truncate(std::size_t n) noexcept {
    PUREWS_ASSERT(n <= size());
    if (block_) block_->size = n;
  }

  /// Removes the first `n` bytes, moving the rest to the front.
  void erase_front(std::size_t n) noexcept;

  /// Gives the memory back.
  void clear() noexcept {
    free_bytes(block_);
    block_ = nullptr;
  }

 private:
  // Two words before the data keep it 32 bytes behind a page boundary in large blocks (the allocator itself takes
  // 16): recv() into the first 31 bytes of a page is several times slower on common processors.
  struct block {
    std::size_t size;
    std::size_t capacity;
    std::byte* data() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
  };
  block* block_ = nullptr;
};

inline buffer& buffer::operator=(buffer&& other) noexcept {
  if (this != &other) {
    clear();
    block_ = other.block_;
    other.block_ = nullptr;
  }
  return *this;
}

inline bool buffer::append(bytes_view more, std::size_t size_max) noexcept {
  if (more.empty()) return true;
  bytes const room = prepare(more.size(), size_max);
  if (room.empty()) return false;
  copy_bytes(room.data(), more);
  commit(more.size());
  return true;
}

inline bytes buffer::prepare(std::size_t more, std::size_t size_max) noexcept {
  std::size_t const used = size();
  std::size_t const capacity = block_ ? block_->capacity : 0;
  if (capacity - used < more || block_ == nullptr) {
    if (more > SIZE_MAX / 4) return {};  // no sum below wraps: a block is less than half of the address space
    std::size_t const needed = used + more;
    std::size_t const doubled = capacity * 2 > 240 ? capacity * 2 : 240;
    std::size_t const grown_to = doubled < size_max ? doubled : size_max;
    std::size_t const wanted = needed > grown_to ? needed : grown_to;
    auto* const grown = static_cast<block*>(reallocate_bytes(block_, sizeof(block) + wanted));
    if (grown == nullptr) return {};
    grown->size = used;
    grown->capacity = wanted;
    block_ = grown;
  }
  return {block_->data() + used, block_->capacity - used};
}

inline void buffer::erase_front(std::size_t n) noexcept {
  PUREWS_ASSERT(n <= size());
  if (n == 0) return;
  block_->size -= n;
  std::memmove(block_->data(), block_->data() + n, block_->size);
}

}  // namespace purews::inline v0
