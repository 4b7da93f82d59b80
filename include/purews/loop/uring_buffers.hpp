// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "page_buffer.hpp"
#include "uring_ring.hpp"

namespace purews::inline v0 {

/// Buffers that the kernel chooses from when something arrives, so that none belongs to a stream that waits. At first
/// only a few are given to it, since it goes through all of them in turn and few stay in the cache; when they were not
/// enough, twice as many.
class uring_buffers {
 public:
  static constexpr std::size_t buffer_bytes = 256U << 10;
  static constexpr unsigned buffers_max = 64;
  static constexpr unsigned buffers_first = 4;
  static constexpr unsigned short group = 0;

  os_error open(uring_ring& ring) noexcept;

  /// What a completion has put into its buffer. Preconditions: it has one; `size` bytes are in it.
  bytes filled(unsigned flags, int size) const noexcept {
    return memory_.data().subspan(std::size_t{number(flags)} * buffer_bytes, static_cast<std::size_t>(size));
  }

  /// Gives a completion's buffer to the kernel again.
  void give_back(unsigned flags) noexcept {
    add(number(flags));
    io_uring_buf_ring_advance(shared(), 1);
  }

  /// The kernel has found none: gives it more, if there are more.
  void grow() noexcept;

 private:
  static unsigned short number(unsigned flags) noexcept {
    return static_cast<unsigned short>(flags >> IORING_CQE_BUFFER_SHIFT);
  }
  io_uring_buf_ring* shared() noexcept { return reinterpret_cast<io_uring_buf_ring*>(ring_.data().data()); }
  void add(unsigned short which, int offset = 0) noexcept {
    io_uring_buf_ring_add(shared(), memory_.data().data() + std::size_t{which} * buffer_bytes, buffer_bytes, which,
                          io_uring_buf_ring_mask(buffers_max), offset);
  }
  void publish(unsigned until) noexcept;

  page_buffer memory_{buffers_max * buffer_bytes};
  page_buffer ring_{buffers_max * sizeof(io_uring_buf)};
  unsigned published_ = 0;
};

/// Rooms that machines write their output into, each lent from the time at which input is handled until the output is
/// sent. The last one that came back is lent first: it is in the cache. They are as large as what is received at
/// once, so that its echo fits.
class uring_rooms {
 public:
  static constexpr std::size_t room_bytes = uring_buffers::buffer_bytes;
  static constexpr unsigned rooms_max = 64;

  os_error error() const noexcept {
    return memory_.data().empty() ? os_error{ENOMEM, "mmap", os_error_kind::system} : os_error{};
  }

  /// A room, or nothing when all are lent.
  bytes take() noexcept {
    if (back_ > 0) return at(free_[--back_]);
    return fresh_ < rooms_max ? at(fresh_++) : bytes{};
  }
  void give_back(bytes room) noexcept {
    auto const which = static_cast<std::size_t>(room.data() - memory_.data().data()) / room_bytes;
    free_[back_++] = static_cast<unsigned short>(which);
  }

 private:
  bytes at(unsigned which) const noexcept { return memory_.data().subspan(which * room_bytes, room_bytes); }

  page_buffer memory_{rooms_max * room_bytes};
  unsigned short free_[rooms_max] = {};
  unsigned back_ = 0;
  unsigned fresh_ = 0;
};

inline os_error uring_buffers::open(uring_ring& ring) noexcept {
  if (memory_.data().empty() || ring_.data().empty()) return {ENOMEM, "mmap", os_error_kind::system};
  io_uring_buf_reg where{};
  where.ring_addr = reinterpret_cast<std::uintptr_t>(ring_.data().data());
  where.ring_entries = buffers_max;
  where.bgid = group;
  if (int const result = io_uring_register_buf_ring(&ring.native(), &where, 0); result < 0)
    return {-result, "io_uring_register", os_error_kind::system};
  io_uring_buf_ring_init(shared());
  publish(buffers_first);
  return {};
}

inline void uring_buffers::grow() noexcept { publish(published_ < buffers_max / 2 ? published_ * 2 : buffers_max); }

inline void uring_buffers::publish(unsigned until) noexcept {
  int added = 0;
  for (; published_ < until; ++published_) add(static_cast<unsigned short>(published_), added++);
  io_uring_buf_ring_advance(shared(), added);
}

}  // namespace purews::inline v0
