// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <zlib.h>

#include "fuzz.hpp"
#include "purews/wire/error.hpp"
#include "support/hex.hpp"

namespace fuzz {

/// RFC 7692 section 7.2.2 once more, on a zlib of its own: as few calls as possible, the history kept here, and the end
/// of a message judged by what follows it instead of by what zlib says about it.
class inflate_model {
 public:
  explicit inflate_model(int window_bits = 15, std::size_t step_bytes = 4096) : room_(step_bytes) {
    check(inflateInit2(&stream_, -window_bits) == Z_OK, "zlib begins");
  }
  inflate_model(inflate_model const&) = delete;
  inflate_model& operator=(inflate_model const&) = delete;
  ~inflate_model() { inflateEnd(&stream_); }

  test::octets text{};  ///< of the message so far
  purews::error fault = purews::error::none;

  void begin_message() { text.clear(); }
  /// Without context takeover nothing is remembered from message to message.
  void forget() {
    history_.clear();
    restart();
  }

  /// Takes a part of a message; stops where the text becomes longer than `most`. False after a fault, and then.
  bool feed(purews::bytes_view in, std::size_t most = SIZE_MAX) {
    std::byte nothing{};
    stream_.next_in = reinterpret_cast<Bytef*>(in.empty() ? &nothing : const_cast<std::byte*>(in.data()));
    stream_.avail_in = static_cast<uInt>(in.size());
    for (;;) {
      std::size_t const left = most - text.size() < room_.size() ? most - text.size() + 1 : room_.size();
      stream_.next_out = reinterpret_cast<Bytef*>(room_.data());
      stream_.avail_out = static_cast<uInt>(left);
      int const code = inflate(&stream_, Z_NO_FLUSH);
      std::size_t const made = left - stream_.avail_out;
      take({room_.data(), made});
      if (text.size() > most) return false;
      if (code == Z_DATA_ERROR) fault = purews::error::deflate_data;
      if (fault != purews::error::none) return false;
      check(code == Z_OK || code == Z_BUF_ERROR || code == Z_STREAM_END, "zlib knows no other end");
      after_last_block_ = code == Z_STREAM_END && stream_.avail_in == 0;
      if (code == Z_STREAM_END) restart();
      if (stream_.avail_in == 0 && made < left) return true;
    }
  }

  /// Ends a message.
  bool end(std::size_t most = SIZE_MAX) {
    static constexpr std::byte tail[] = {std::byte{0}, std::byte{0}, std::byte{0xFF}, std::byte{0xFF}};
    after_last_block_ = false;
    if (!feed(tail, most)) return false;
    // A block without compression that follows is found only from the end of a block, and from a whole octet.
    bool const whole = finds("Q", '\0') && finds("zebra", '\xF8') && !after_last_block_;
    if (!whole) fault = purews::error::deflate_end;
    return whole;
  }

  purews::bytes_view history() const { return history_; }

 private:
  static constexpr std::size_t window_bytes = 32768;

  void take(purews::bytes_view made) {
    text.insert(text.end(), made.begin(), made.end());
    history_.insert(history_.end(), made.begin(), made.end());
    if (history_.size() > window_bytes)
      history_.erase(history_.begin(), history_.end() - static_cast<std::ptrdiff_t>(window_bytes));
  }

  // RFC 7692 7.2.3.4: a last block is the last one for zlib alone.
  void restart() {
    check(inflateReset(&stream_) == Z_OK, "zlib begins again");
    if (!history_.empty())
      check(inflateSetDictionary(&stream_, reinterpret_cast<Bytef const*>(history_.data()),
                                 static_cast<uInt>(history_.size())) == Z_OK,
            "zlib takes the history back");
  }

  // The upper five bits of `first` are skipped by who reads a block; within a code they are ones as well as zeros.
  bool finds(std::string_view next, char first) {
    z_stream copy{};
    check(inflateCopy(&copy, &stream_) == Z_OK, "zlib is copied");
    auto const size = static_cast<unsigned char>(next.size());
    std::string block{first, static_cast<char>(size), '\0', static_cast<char>(~size), '\xFF'};
    block += next;
    char out[64];
    copy.next_in = reinterpret_cast<Bytef*>(block.data());
    copy.avail_in = static_cast<uInt>(block.size());
    copy.next_out = reinterpret_cast<Bytef*>(out);
    copy.avail_out = sizeof out;
    int const code = inflate(&copy, Z_SYNC_FLUSH);
    bool const found = code == Z_OK && std::string_view(out, sizeof out - copy.avail_out) == next;
    inflateEnd(&copy);
    return found;
  }

  z_stream stream_{};
  test::octets room_;
  test::octets history_{};
  bool after_last_block_ = false;
};

}  // namespace fuzz
