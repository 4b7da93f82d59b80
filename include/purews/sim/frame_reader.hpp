// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../wire/frame.hpp"

namespace purews::inline v0::sim {

/// Watches what one endpoint puts on the wire, head and frames, and says what must not be there. It shares no code
/// with the encoder and the decoder, so that it finds mistakes that both of them make.
class frame_reader {
 public:
  explicit frame_reader(role sender) noexcept : sender_(sender) {}

  /// Reads on.
  void read(bytes_view sent) noexcept {
    for (std::size_t at = 0; at < sent.size(); ++at) {
      if (where_ == place::payload) {  // the only place where bytes need not be looked at
        std::uint64_t const skipped = left_ < sent.size() - at ? left_ : sent.size() - at;
        left_ -= skipped;
        at += static_cast<std::size_t>(skipped) - 1;
        if (left_ == 0) where_ = place::first;
      } else {
        read(std::to_integer<unsigned>(sent[at]));
      }
    }
  }

  /// RSV1 on the first frame of a message is in order from now on: permessage-deflate was agreed on. RFC 7692
  /// section 6.
  void allow_compression() noexcept { compression_ = true; }

  /// The first rule that was broken, as a sentence; null if none was.
  char const* fault() const noexcept { return fault_; }

  /// Frames so far, by opcode: 8 is Close.
  unsigned frames(opcode op) const noexcept { return frames_[static_cast<unsigned>(op) & 15U]; }

  /// Whether nothing lies between two frames or before the end of a head.
  bool between_frames() const noexcept { return where_ == place::first; }

 private:
  enum class place : std::uint8_t { head, body, first, second, length, key, payload };

  void read(unsigned byte) noexcept {
    switch (where_) {
      case place::head:
        return read_head(byte);
      case place::first:
        return begin_frame(byte);
      case place::second:
        return begin_length(byte);
      case place::length:
        left_ = left_ << 8 | byte;
        if (--missing_ == 0) end_length();
        return;
      case place::key:
        if (--missing_ == 0) where_ = left_ == 0 ? place::first : place::payload;
        return;
      case place::body:
      case place::payload:
        return;
    }
  }

  // Finds the empty line, and the status of an answer: of its digits the first three that follow a blank.
  void read_head(unsigned byte) noexcept {
    if (head_bytes_ >= 9 && head_bytes_ < 12) status_ = status_ * 10 + (byte - '0');
    ++head_bytes_;
    unsigned const expected = line_ends_ % 2 == 0 ? 13U : 10U;
    line_ends_ = byte == expected ? line_ends_ + 1 : byte == 13U ? 1 : 0;
    if (line_ends_ != 4) return;
    bool const interim = sender_ == role::server && status_ < 200 && status_ != 101;
    bool const upgraded = sender_ == role::client || status_ == 101;
    where_ = interim ? place::head : upgraded ? place::first : place::body;
    head_bytes_ = line_ends_ = status_ = 0;
  }

  void begin_frame(unsigned byte) noexcept {
    op_ = byte & 15U;
    bool const fin = (byte & 0x80U) != 0;
    bool const control = op_ >= 8;
    check(frames_[8] == 0, "there is a frame behind the Close frame");
    bool const compressed = compression_ && (op_ == 1 || op_ == 2);
    check((byte & (compressed ? 0x30U : 0x70U)) == 0, "a reserved bit is set");
    check(op_ <= 2 || (op_ >= 8 && op_ <= 10), "an opcode is reserved");
    check(fin || !control, "a control frame is fragmented");
    if (!control) {
      check((op_ == 0) == inside_, inside_ ? "a message begins inside another" : "a continuation continues nothing");
      inside_ = !fin;
    }
    ++frames_[op_];
    where_ = place::second;
  }

  void begin_length(unsigned byte) noexcept {
    masked_ = (byte & 0x80U) != 0;
    check(masked_ == (sender_ == role::client), masked_ ? "a server masks" : "a client does not mask");
    unsigned const size = byte & 0x7FU;
    check(op_ < 8 || size <= 125, "a control frame is longer than 125 bytes");
    missing_ = size == 126 ? 2 : size == 127 ? 8 : 0;
    smallest_ = size == 126 ? 126 : size == 127 ? 0x1'0000 : 0;
    left_ = missing_ == 0 ? size : 0;
    where_ = place::length;
    if (missing_ == 0) end_length();
  }

  void end_length() noexcept {
    check(left_ >= smallest_ && left_ >> 63 == 0, "a length is not in its shortest form");
    missing_ = 4;
    where_ = masked_ ? place::key : left_ == 0 ? place::first : place::payload;
  }

  void check(bool kept, char const* sentence) noexcept {
    if (!kept && fault_ == nullptr) fault_ = sentence;
  }

  role sender_;
  place where_ = place::head;
  bool compression_ = false;
  bool masked_ = false;
  bool inside_ = false;
  unsigned op_ = 0;
  unsigned missing_ = 0;  // bytes of the length or the key
  unsigned line_ends_ = 0;
  unsigned status_ = 0;
  std::uint64_t head_bytes_ = 0;
  std::uint64_t left_ = 0;
  std::uint64_t smallest_ = 0;
  unsigned frames_[16]{};
  char const* fault_ = nullptr;
};

}  // namespace purews::inline v0::sim
