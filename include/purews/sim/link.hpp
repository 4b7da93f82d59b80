// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <vector>

#include "../protocol/time.hpp"
#include "dice.hpp"

namespace purews::inline v0::sim {

/// What one direction of a transport does to the bytes. The default is a perfect one.
struct network {
  std::uint32_t capacity = 64U << 10;  ///< bytes under way; a sender beyond them has to wait
  std::uint32_t piece_bytes_max = 0;   ///< what was sent at once arrives in pieces of at most this; 0: whole
  duration delay_min{};                ///< of each piece; pieces never overtake each other
  duration delay_max{};
  unsigned stalls = 0;  ///< so many pieces in a thousand wait for up to `stall_max` more
  duration stall_max = milliseconds(100);
  unsigned corruptions = 0;                 ///< one bit is turned in so many pieces of a thousand
  std::uint64_t ends_after = UINT64_MAX;    ///< after so many bytes the reader sees the end; the rest is lost
  std::uint64_t resets_after = UINT64_MAX;  ///< after so many bytes both directions break

  /// A network that cuts, delays, stalls and is small, but loses and changes nothing.
  static network rough(dice& rolls) noexcept {
    static constexpr std::uint32_t capacities[] = {64U << 10, 64U << 10, 64U << 10, 4096, 4096, 700, 50};
    static constexpr std::uint32_t pieces[] = {0, 0, 0, 2000, 100, 9, 1};
    static constexpr std::int64_t delays[] = {0, 1'000, 1'000'000, 20'000'000};
    network with;
    with.capacity = rolls.any_of(capacities);
    with.piece_bytes_max = rolls.any_of(pieces);
    with.delay_max = duration{rolls.any_of(delays)};
    with.delay_min = duration{rolls.between(0, with.delay_max.ns)};
    with.stalls = rolls.happens(250) ? static_cast<unsigned>(rolls.below(20)) : 0;
    with.stall_max = milliseconds(rolls.between(1, 100));
    return with;
  }

  /// The same, and it may also stall for long, turn bits, end and break.
  static network hostile(dice& rolls) noexcept {
    network with = rough(rolls);
    if (rolls.happens(200)) with.stall_max = seconds(rolls.between(1, 20));
    if (rolls.happens(80)) with.corruptions = static_cast<unsigned>(rolls.between(1, 50));
    if (rolls.happens(50)) with.ends_after = rolls.below(3000);
    if (rolls.happens(50)) with.resets_after = rolls.below(3000);
    return with;
  }
};

/// One direction of a transport: what was sent and has not been read. It delivers late, in pieces and sometimes not at
/// all, as its network and its dice say.
class link {
 public:
  link(dice rolls, network const& how) noexcept : rolls_(rolls), how_(how) {}

  // The sender's end.

  /// How many bytes it takes now.
  std::size_t room() const noexcept { return how_.capacity > under_way() ? how_.capacity - under_way() : 0; }

  /// Takes a copy of `data`. Precondition (asserted): it has room for it.
  void send(bytes_view data, instant t);

  /// Lets the reader see the end behind what was sent. More calls change nothing.
  void shut(instant t) noexcept;

  /// Breaks: what is under way is lost, and both ends see it.
  void reset() noexcept;
  bool broken() const noexcept { return broken_; }

  // The reader's end.

  /// When the next piece or the end arrives or arrived; never, if nothing is under way.
  instant arrival() const noexcept {
    return first_piece_ < pieces_.size() ? pieces_[first_piece_].at : end_told_ ? never : end_at_;
  }

  /// How many bytes can be read at `t`.
  std::size_t readable(instant t) const noexcept;

  /// Whether all was read and the end has come.
  bool ended(instant t) const noexcept { return first_piece_ == pieces_.size() && end_at_ <= t; }

  /// Reads what is there into `to`, and returns how many bytes that were.
  std::size_t take(bytes to, instant t) noexcept;

  /// The reader has seen the end: arrival() does not tell of it any more.
  void mark_end_told() noexcept { end_told_ = true; }

  /// The reader is gone. With bytes unread, or when more are sent, the transport breaks. RFC 1122 section 4.2.2.13.
  void leave() noexcept;

  std::size_t under_way() const noexcept { return data_.size() - first_; }
  bool corrupted() const noexcept { return corrupted_; }  ///< a bit was turned

 private:
  struct piece {
    instant at;
    std::size_t size;
  };

  instant when(instant t) noexcept;
  void send_piece(bytes_view data, instant t);

  dice rolls_;
  network how_;
  std::vector<std::byte> data_{};
  std::size_t first_ = 0;  // unread, in data_
  std::vector<piece> pieces_{};
  std::size_t first_piece_ = 0;
  std::uint64_t sent_ = 0;
  instant last_at_{INT64_MIN};
  instant end_at_ = never;
  bool end_told_ = false;
  bool broken_ = false;
  bool left_ = false;
  bool corrupted_ = false;
};

inline void link::send(bytes_view data, instant t) {
  PUREWS_ASSERT(data.size() <= room());
  if (left_) reset();
  while (!data.empty() && !broken_ && end_at_ == never) {
    std::uint64_t size = data.size();
    if (how_.piece_bytes_max != 0) {
      std::uint64_t const cut = 1 + rolls_.below(how_.piece_bytes_max);
      if (cut < size) size = cut;
    }
    std::uint64_t const to_end = how_.ends_after - sent_;
    if (to_end < size) size = to_end;
    send_piece(data.first(static_cast<std::size_t>(size)), t);
    data = data.subspan(static_cast<std::size_t>(size));
    if (sent_ >= how_.ends_after) shut(t);
    if (sent_ >= how_.resets_after) reset();
  }
}

inline void link::send_piece(bytes_view data, instant t) {
  if (data.empty()) return;
  if (first_ == data_.size()) {
    data_.clear();
    pieces_.clear();
    first_ = first_piece_ = 0;
  }
  data_.insert(data_.end(), data.begin(), data.end());
  sent_ += data.size();
  if (rolls_.happens(how_.corruptions)) {
    std::size_t const at = data_.size() - 1 - static_cast<std::size_t>(rolls_.below(data.size()));
    data_[at] ^= static_cast<std::byte>(1U << rolls_.below(8));
    corrupted_ = true;
  }
  pieces_.push_back({when(t), data.size()});
}

inline instant link::when(instant t) noexcept {
  instant at = t + duration{rolls_.between(how_.delay_min.ns, how_.delay_max.ns)};
  if (rolls_.happens(how_.stalls)) at = at + duration{rolls_.between(0, how_.stall_max.ns)};
  if (at > last_at_) last_at_ = at;
  return last_at_;
}

inline void link::shut(instant t) noexcept {
  if (end_at_ == never) end_at_ = when(t);
}

inline void link::reset() noexcept {
  broken_ = true;
  first_ = data_.size();
  first_piece_ = pieces_.size();
  end_at_ = instant{INT64_MIN};
}

inline void link::leave() noexcept {
  left_ = true;
  if (under_way() != 0) reset();
}

inline std::size_t link::readable(instant t) const noexcept {
  std::size_t size = 0;
  for (std::size_t i = first_piece_; i < pieces_.size() && pieces_[i].at <= t; ++i) size += pieces_[i].size;
  return size;
}

inline std::size_t link::take(bytes to, instant t) noexcept {
  std::size_t const there = readable(t);
  std::size_t const size = to.size() < there ? to.size() : there;
  copy_bytes(to.data(), bytes_view(data_).subspan(first_, size));
  first_ += size;
  for (std::size_t left = size; left != 0;) {
    piece& next = pieces_[first_piece_];
    std::size_t const of_it = next.size < left ? next.size : left;
    next.size -= of_it;
    left -= of_it;
    if (next.size == 0) ++first_piece_;
  }
  return size;
}

}  // namespace purews::inline v0::sim
