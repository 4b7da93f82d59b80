// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <cstdlib>

#include "../wire/assert.hpp"
#include "../wire/bytes.hpp"

namespace purews::inline v0 {

/// Input that arrived when it was not wanted: bytes, and perhaps the end behind them. It is copied here, so that a
/// stream that waits keeps no buffer from the others. Eight bytes while there is none.
class uring_held {
 public:
  uring_held() noexcept = default;
  uring_held(uring_held const&) = delete;
  uring_held& operator=(uring_held const&) = delete;
  ~uring_held() { clear(); }

  bool empty() const noexcept { return box_ == nullptr; }

  /// Adds what has arrived. False: memory ran out.
  [[nodiscard]] bool add(bytes more) noexcept;

  /// Notes that the input has ended; `code` is errno, or 0. Precondition: not empty.
  void end(int code) noexcept {
    PUREWS_ASSERT(box_ != nullptr);
    box_->ended = true;
    box_->code = code;
  }
  int end_code() const noexcept { return box_->code; }

  /// At most `most` bytes of it; none when only the end is left.
  bytes first(std::size_t most) const noexcept;
  void drop(std::size_t n) noexcept;
  void clear() noexcept {
    std::free(box_);
    box_ = nullptr;
  }

 private:
  struct box {
    std::size_t size;
    std::size_t used;  // of that, already given away
    bool ended;
    int code;
    std::byte* data() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
  };

  box* box_ = nullptr;
};

inline bool uring_held::add(bytes more) noexcept {
  std::size_t const size = box_ == nullptr ? 0 : box_->size;
  void* const grown = std::realloc(box_, sizeof(box) + size + more.size());
  if (grown == nullptr) return false;
  bool const fresh = box_ == nullptr;
  box_ = static_cast<box*>(grown);
  if (fresh) *box_ = {};
  copy_bytes(box_->data() + size, more);
  box_->size = size + more.size();
  return true;
}

inline bytes uring_held::first(std::size_t most) const noexcept {
  std::size_t const left = box_->size - box_->used;
  return {box_->data() + box_->used, left < most ? left : most};
}

inline void uring_held::drop(std::size_t n) noexcept {
  box_->used += n;
  if (box_->used == box_->size && !box_->ended) clear();
}

}  // namespace purews::inline v0
