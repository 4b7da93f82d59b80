// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <zlib.h>

#include "../protocol/buffer.hpp"
#include "../protocol/extension.hpp"

namespace purews::inline v0 {

/// Inflates compressed messages one after the other: raw DEFLATE of zlib, with what RFC 7692 asks beyond it. Its
/// z_stream must stay where it is, so that it cannot be moved.
///
/// A message is whole if and only if it and the tail that its sender cut off (00 00 ff ff) end together, byte-aligned,
/// where a block that is not the last one ends. Truncated messages, tails that were not cut off and empty payloads all
/// fail that test; zlib alone would accept them and misread the message that follows. RFC 7692 section 7.2.2.
class inflater {
 public:
  inflater() noexcept = default;
  inflater(inflater const&) = delete;
  inflater& operator=(inflater const&) = delete;
  ~inflater() {
    if (ready_) inflateEnd(&stream_);
  }

  /// Begins without history. The window is always the largest: within one call zlib accepts distances beyond a smaller
  /// one, so that whether a peer that breaks the agreement is noticed would depend on how its input was cut. False if
  /// memory ran out.
  [[nodiscard]] bool begin() noexcept;

  /// See message_codec::decode. The next call after `finished` begins the next message.
  decoded decode(bytes_view in, bytes out, fragment position) noexcept;

  /// Copies the last `bytes_max` bytes of the history to `to`; and takes it back, after begin(). False if memory ran
  /// out, or if zlib refuses it. Precondition: `to` is empty.
  [[nodiscard]] bool save_history(buffer& to, std::size_t bytes_max = window_bytes) noexcept;
  [[nodiscard]] bool restore_history(bytes_view from) noexcept;

  static constexpr std::size_t window_bytes = 32768;

  inflater* next = nullptr;  ///< for a pool

 private:
  static constexpr std::byte tail[4] = {std::byte{0}, std::byte{0}, std::byte{0xFF}, std::byte{0xFF}};
  static constexpr int at_block_boundary = 128;  // of z_stream::data_type, with no unused bits

  int step(bytes_view& in, bytes& out) noexcept;
  bool go_on_after_last_block() noexcept;

  z_stream stream_{};
  std::uint8_t tail_fed_ = 0;
  bool ready_ = false;
};

inline bool inflater::begin() noexcept {
  if ((ready_ ? inflateReset(&stream_) : inflateInit2(&stream_, -15)) != Z_OK) return false;
  ready_ = true;
  tail_fed_ = 0;
  return true;
}

inline decoded inflater::decode(bytes_view in, bytes out, fragment position) noexcept {
  PUREWS_ASSERT(ready_ && !out.empty());
  decoded result;
  bytes_view left = in;
  bytes room = out;
  for (;;) {
    bool const in_tail = position == fragment::last && left.empty();
    bytes_view const cut_off = bytes_view(tail).subspan(tail_fed_);
    bytes_view now = in_tail ? cut_off : left;
    // zlib tells only once that a block is at its end: a call that brings nothing more would hide it.
    bool const told = in_tail && now.empty() && stream_.data_type == at_block_boundary;
    int const code = told ? Z_OK : step(now, room);
    if (in_tail)
      tail_fed_ = static_cast<std::uint8_t>(sizeof tail - now.size());
    else
      left = now;
    result.consumed = in.size() - left.size();
    result.produced = out.size() - room.size();
    bool const ended = code == Z_STREAM_END;
    if (code == Z_MEM_ERROR || (ended && !go_on_after_last_block()))
      result.fault = error::out_of_memory;
    else if (!ended && code != Z_OK && code != Z_BUF_ERROR)
      result.fault = error::deflate_data;
    if (result.fault != error::none || room.empty()) return result;
    if (ended || !now.empty() || (!in_tail && position == fragment::last)) continue;
    if (position == fragment::more) return result;
    if (stream_.data_type != at_block_boundary) {
      result.fault = error::deflate_end;
      return result;
    }
    result.finished = true;
    tail_fed_ = 0;
    return result;
  }
}

// One call of zlib, which counts in unsigned int.
inline int inflater::step(bytes_view& in, bytes& out) noexcept {
  constexpr std::size_t step_bytes_max = 1U << 30;
  std::byte nothing{};
  std::size_t const given = in.size() < step_bytes_max ? in.size() : step_bytes_max;
  std::size_t const room = out.size() < step_bytes_max ? out.size() : step_bytes_max;
  stream_.next_in = reinterpret_cast<Bytef*>(in.empty() ? &nothing : const_cast<std::byte*>(in.data()));
  stream_.avail_in = static_cast<uInt>(given);
  stream_.next_out = reinterpret_cast<Bytef*>(out.data());
  stream_.avail_out = static_cast<uInt>(room);
  int const code = inflate(&stream_, Z_SYNC_FLUSH);
  in = in.subspan(given - stream_.avail_in);
  out = out.subspan(room - stream_.avail_out);
  return code;
}

// RFC 7692 7.2.3.4: a block with BFINAL ends no message, and what follows may refer to what came before it. For zlib it
// is the end of the stream, and its reset would lose the window.
inline bool inflater::go_on_after_last_block() noexcept {
  buffer history;
  if (!save_history(history)) return false;
  inflateReset(&stream_);
  return restore_history(history.view());
}

inline bool inflater::save_history(buffer& to, std::size_t bytes_max) noexcept {
  uInt size = 0;
  inflateGetDictionary(&stream_, nullptr, &size);
  if (size == 0) return true;
  bytes const room = to.prepare(size);
  if (room.empty()) return false;
  inflateGetDictionary(&stream_, reinterpret_cast<Bytef*>(room.data()), &size);
  to.commit(size);
  if (size > bytes_max) to.erase_front(size - bytes_max);
  return true;
}

inline bool inflater::restore_history(bytes_view from) noexcept {
  return from.empty() || inflateSetDictionary(&stream_, reinterpret_cast<Bytef const*>(from.data()),
                                              static_cast<uInt>(from.size())) == Z_OK;
}

}  // namespace purews::inline v0
