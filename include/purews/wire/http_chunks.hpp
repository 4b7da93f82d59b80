// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "http_head.hpp"

namespace purews::inline v0 {

/// Takes the chunked coding off a body while it arrives. RFC 9112 section 7.1.
class chunk_decoder {
 public:
  /// Reads on in `body`: its bytes from the first one on (they may have moved since the call before), with more
  /// appended. They are overwritten: the content moves to their front. Done behind the last chunk; trailers are not
  /// read.
  http_progress read(bytes body) noexcept;

  /// How many bytes of content are at the front of the body.
  std::size_t size() const noexcept { return size_; }

 private:
  enum class stage : std::uint8_t { first_digit, digits, extension, size_end, content, content_cr, content_lf };

  http_progress step(char c) noexcept;

  std::uint64_t left_ = 0;  ///< of the chunk
  std::size_t taken_ = 0;   ///< of the coded body
  std::size_t size_ = 0;
  stage stage_ = stage::first_digit;
  http_progress progress_ = http_progress::need_more;
};

inline http_progress chunk_decoder::read(bytes body) noexcept {
  while (progress_ == http_progress::need_more && taken_ < body.size()) {
    if (stage_ != stage::content) {
      progress_ = step(static_cast<char>(body[taken_++]));
      continue;
    }
    std::size_t const here = body.size() - taken_;
    std::size_t const n = left_ < here ? static_cast<std::size_t>(left_) : here;
    std::memmove(body.data() + size_, body.data() + taken_, n);
    size_ += n;
    taken_ += n;
    left_ -= n;
    if (left_ == 0) stage_ = stage::content_cr;
  }
  return progress_;
}

inline http_progress chunk_decoder::step(char c) noexcept {
  bool const has_digit = stage_ == stage::digits;
  stage next = stage_;
  if (stage_ <= stage::digits && is_http_char(c, http_char_table::hex) && left_ >> 59 == 0) {
    left_ = left_ * 16 + hex_value(c);
    next = stage::digits;
  } else if ((has_digit || stage_ == stage::extension) && c == '\r') {
    next = stage::size_end;
  } else if ((has_digit && (c == ';' || is_ows(c))) || (stage_ == stage::extension && c != '\n')) {
    next = stage::extension;
  } else if (stage_ == stage::size_end && c == '\n') {
    if (left_ == 0) return http_progress::done;
    next = stage::content;
  } else if (stage_ == stage::content_cr && c == '\r') {
    next = stage::content_lf;
  } else if (stage_ == stage::content_lf && c == '\n') {
    next = stage::first_digit;
  } else {
    return http_progress::failed;
  }
  stage_ = next;
  return http_progress::need_more;
}

}  // namespace purews::inline v0
