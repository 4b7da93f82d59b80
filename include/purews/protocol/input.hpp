// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "buffer.hpp"

namespace purews::inline v0 {

/// What was received and is not yet parsed: bytes on loan, or, after park(), a copy of them.
class input {
 public:
  bool empty() const noexcept { return at_ == end_; }
  bool parked() const noexcept { return parked_.size() != 0; }
  std::size_t parked_bytes() const noexcept { return parked_.size(); }

  /// The bytes that are left, writable: unmasking happens in place.
  bytes unread() const noexcept { return {at_, static_cast<std::size_t>(end_ - at_)}; }

  /// Borrows `more` until it is dropped or park() is called. Precondition: empty() or parked(); what is parked comes
  /// first, and then `more` is copied behind it. Returns false if memory ran out: the input is lost.
  [[nodiscard]] bool lend(bytes more) noexcept;

  /// Marks the first `n` bytes as parsed.
  void drop(std::size_t n) noexcept {
    PUREWS_ASSERT(n <= static_cast<std::size_t>(end_ - at_));
    at_ += n;
  }

  /// Copies what is left, so that the lent bytes are free again. Views of it move. Returns false if memory ran out.
  [[nodiscard]] bool park() noexcept;

  /// Gives back the memory of parked bytes, once all of them are parsed.
  void release() noexcept {
    if (parked() && empty()) discard();
  }

  /// Drops everything.
  void discard() noexcept {
    parked_.clear();
    at_ = end_ = nullptr;
  }

 private:
  void view_parked() noexcept {
    at_ = parked_.view().data();
    end_ = parked_.end();
  }

  std::byte* at_ = nullptr;
  std::byte* end_ = nullptr;
  buffer parked_;
};

inline bool input::lend(bytes more) noexcept {
  release();
  PUREWS_ASSERT(empty() || parked());
  if (!parked()) {
    at_ = more.data();
    end_ = more.data() + more.size();
    return true;
  }
  parked_.erase_front(parked_.size() - unread().size());
  bool const kept = parked_.append(more);
  view_parked();
  return kept;
}

inline bool input::park() noexcept {
  if (empty()) {
    discard();
    return true;
  }
  if (parked()) return true;
  bool const kept = parked_.append(unread());
  view_parked();
  return kept;
}

}  // namespace purews::inline v0
