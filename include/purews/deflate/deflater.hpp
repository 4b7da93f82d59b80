// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <zlib.h>

#include "../protocol/buffer.hpp"
#include "../protocol/extension.hpp"

namespace purews::inline v0 {

/// How hard a compressor tries, and with how much memory. Both are zlib's. RFC 7692 leaves them to the sender.
struct deflate_effort {
  int level = 3;         ///< 1 to 9. 3 takes about half the time of 6 for messages a few percent longer
  int memory_level = 8;  ///< 1 to 9: a compressor has 2^(memory_level + 9) bytes beside its window

  friend constexpr bool operator==(deflate_effort const&, deflate_effort const&) = default;
};

/// Compresses messages one after the other: raw DEFLATE of zlib. Its z_stream must stay where it is, so that it cannot
/// be moved. RFC 7692 section 7.2.1.
class deflater {
 public:
  deflater() noexcept = default;
  deflater(deflater const&) = delete;
  deflater& operator=(deflater const&) = delete;
  ~deflater() {
    if (ready_) deflateEnd(&stream_);
  }

  /// Begins without history, with a window of 2 to the power of `window_bits` (8 to 15) bytes. zlib has none of 8 bits,
  /// but none of its distances at 9 bits is longer than an 8-bit window: see window_of_8_works(). False if memory ran
  /// out.
  [[nodiscard]] bool begin(std::uint8_t window_bits, deflate_effort effort) noexcept;

  /// Compresses a message or a fragment of it; the last one without the tail 00 00 ff ff. The result is valid until the
  /// next call. If memory ran out, the history is lost and the state is that after begin().
  message_codec::encoded encode(bytes_view payload, fragment position) noexcept;

  /// Takes `text` as if it had been compressed by this compressor, because the peer will have inflated it.
  void note(bytes_view text) noexcept;

  void forget_history() noexcept { deflateReset(&stream_); }

  /// Gives back the room of the last result, if it was a long one.
  void free_result() noexcept {
    if (result_.size() > kept_bytes_max) result_.clear();
  }

  /// Whether what zlib makes with a window of 9 bits can be inflated with one of 8, for any text: tried out.
  static bool window_of_8_works(deflate_effort effort) noexcept;

  /// Whether it was begun with the same settings before, so that begin() is cheap.
  bool fits(std::uint8_t window_bits, deflate_effort effort) const noexcept {
    return ready_ && zlib_bits(window_bits) == bits_ && effort == effort_;
  }

  deflater* next = nullptr;  ///< for a pool

 private:
  static constexpr std::size_t kept_bytes_max = 16U << 10;
  static constexpr std::size_t tail_bytes = 4;
  static int zlib_bits(std::uint8_t window_bits) noexcept { return window_bits < 9 ? 9 : window_bits; }
  bool flush(bytes_view payload) noexcept;

  z_stream stream_{};
  buffer result_;
  deflate_effort effort_{};
  int bits_ = 0;
  bool ready_ = false;
};

inline bool deflater::begin(std::uint8_t window_bits, deflate_effort effort) noexcept {
  PUREWS_ASSERT(window_bits >= 8 && window_bits <= 15);
  if (fits(window_bits, effort)) return deflateReset(&stream_) == Z_OK;
  if (ready_) deflateEnd(&stream_);
  effort_ = effort;
  bits_ = zlib_bits(window_bits);
  ready_ = deflateInit2(&stream_, effort.level, Z_DEFLATED, -bits_, effort.memory_level, Z_DEFAULT_STRATEGY) == Z_OK;
  return ready_;
}

inline message_codec::encoded deflater::encode(bytes_view payload, fragment position) noexcept {
  PUREWS_ASSERT(ready_);
  static constexpr std::byte empty_block[1] = {std::byte{0}};
  if (payload.empty()) {
    // RFC 7692 7.2.3.6: the empty message is 00; zlib writes nothing for nothing.
    bool const last = position == fragment::last;
    return {.payload = last ? bytes_view(empty_block) : bytes_view{}, .done = true};
  }
  result_.truncate(0);
  if (!flush(payload)) {
    forget_history();
    return {};
  }
  bytes_view const all = result_.view();
  PUREWS_ASSERT(all.size() > tail_bytes);
  // RFC 7692 7.2.1: "Remove 4 octets (that are 0x00 0x00 0xff 0xff) from the tail end."
  return {.payload = position == fragment::last ? all.first(all.size() - tail_bytes) : all, .done = true};
}

inline bool deflater::flush(bytes_view payload) noexcept {
  constexpr std::size_t step_bytes_max = 1U << 30;
  constexpr std::size_t spare_bytes = 64;  // beyond zlib's bound: the flush, and room left over to tell that it is done
  while (!payload.empty()) {
    bytes_view const part = payload.size() < step_bytes_max ? payload : payload.first(step_bytes_max);
    payload = payload.subspan(part.size());
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(part.data()));
    stream_.avail_in = static_cast<uInt>(part.size());
    do {
      bytes const room = result_.prepare(deflateBound(&stream_, stream_.avail_in) + spare_bytes);
      if (room.empty()) return false;
      std::size_t const size = room.size() < step_bytes_max ? room.size() : step_bytes_max;
      stream_.next_out = reinterpret_cast<Bytef*>(room.data());
      stream_.avail_out = static_cast<uInt>(size);
      if (deflate(&stream_, payload.empty() ? Z_SYNC_FLUSH : Z_NO_FLUSH) == Z_STREAM_ERROR) return false;
      result_.commit(size - stream_.avail_out);
    } while (stream_.avail_out == 0);
  }
  return true;
}

inline void deflater::note(bytes_view text) noexcept {
  std::size_t const window = std::size_t{1} << bits_;
  bytes_view const seen = text.size() > window ? text.last(window) : text;
  if (seen.empty()) return;
  int const code =
      deflateSetDictionary(&stream_, reinterpret_cast<Bytef const*>(seen.data()), static_cast<uInt>(seen.size()));
  if (code != Z_OK) forget_history();  // what it does not know it cannot refer to
}

inline bool deflater::window_of_8_works(deflate_effort effort) noexcept {
  constexpr std::size_t text_bytes = 4096;
  std::byte text[text_bytes];
  std::byte back[text_bytes];
  std::uint32_t random = 1;
  for (std::size_t i = 0; i < text_bytes; ++i) {
    random = random * 1664525U + 1013904223U;
    // Repetitions at every distance up to twice the window, between new text.
    std::size_t const distance = 1 + (i / 8) % 512;
    text[i] = i > 512 && (i & 8U) != 0 ? text[i - distance] : static_cast<std::byte>(random >> 28);
  }
  deflater packer;
  z_stream unpacker{};
  if (!packer.begin(8, effort) || inflateInit2(&unpacker, -8) != Z_OK) return false;
  message_codec::encoded const packed = packer.encode(text, fragment::more);
  unpacker.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(packed.payload.data()));
  unpacker.avail_in = static_cast<uInt>(packed.payload.size());
  unpacker.next_out = reinterpret_cast<Bytef*>(back);
  unpacker.avail_out = text_bytes;
  int const code = inflate(&unpacker, Z_SYNC_FLUSH);
  bool const same = packed.done && code == Z_OK && unpacker.avail_out == 0 && std::memcmp(text, back, text_bytes) == 0;
  inflateEnd(&unpacker);
  return same;
}

}  // namespace purews::inline v0
