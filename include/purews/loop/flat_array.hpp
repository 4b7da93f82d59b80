// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <cstdlib>
#include <type_traits>

#include "../wire/assert.hpp"

namespace purews::inline v0 {

/// A growing array of trivial values that says when memory runs out, instead of throwing. Room is reserved first, so
/// that what must not fail (arming a timer, marking a stream) cannot.
template <class T>
  requires std::is_trivially_copyable_v<T>
class flat_array {
 public:
  flat_array() noexcept = default;
  flat_array(flat_array const&) = delete;
  flat_array& operator=(flat_array const&) = delete;
  ~flat_array() { std::free(data_); }

  /// Makes room for `count` values in all, at least doubling. False: memory ran out, nothing has changed.
  [[nodiscard]] bool reserve(std::uint32_t count) noexcept {
    if (count <= capacity_) return true;
    std::uint32_t const doubled = capacity_ > UINT32_MAX / 2 ? UINT32_MAX : capacity_ * 2;
    std::uint32_t const wanted = doubled > count ? doubled : count;
    void* const room = std::realloc(static_cast<void*>(data_), static_cast<std::size_t>(wanted) * sizeof(T));
    if (room == nullptr) return false;
    data_ = static_cast<T*>(room);
    capacity_ = wanted;
    return true;
  }

  /// Appends `value`. Precondition: there is room.
  void push(T value) noexcept {
    PUREWS_ASSERT(size_ < capacity_);
    data_[size_++] = value;
  }

  /// Drops what is behind the first `size` values. Precondition: there are that many.
  void shrink(std::uint32_t size) noexcept {
    PUREWS_ASSERT(size <= size_);
    size_ = size;
  }

  T& operator[](std::uint32_t at) noexcept { return data_[at]; }
  T const& operator[](std::uint32_t at) const noexcept { return data_[at]; }
  std::uint32_t size() const noexcept { return size_; }

 private:
  T* data_ = nullptr;
  std::uint32_t size_ = 0;
  std::uint32_t capacity_ = 0;
};

}  // namespace purews::inline v0
