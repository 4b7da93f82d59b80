// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "http_head.hpp"

namespace purews::inline v0 {

/// Takes the chunked coding off a body while it arrives. RFC 9112 section 7.1.
class chunk_decoder {
 public:
  /// What stands between two chunks, extensions included. Stops: looking at lines without end again and again.
  static constexpr std::size_t line_bytes_max = 256;

  /// Reads on in `body`: its bytes from the first one on (they may have moved since the call before), with more
  /// appended. They are overwritten: the content moves to their front. Done behind the last chunk; trailers are not
  /// read. Not to be called again after done or failed.
  http_progress read(bytes body) noexcept;

  /// How many bytes of content are at the front of the body.
  std::size_t size() const noexcept { return size_; }

 private:
  std::uint64_t left_ = 0;  ///< of the chunk
  std::size_t taken_ = 0;   ///< of the coded body
  std::size_t size_ = 0;
};

inline http_progress chunk_decoder::read(bytes body) noexcept {
  for (;;) {
    std::size_t const here = body.size() - taken_;
    std::size_t const n = left_ < here ? static_cast<std::size_t>(left_) : here;
    if (n != 0) std::memmove(body.data() + size_, body.data() + taken_, n);
    size_ += n;
    taken_ += n;
    left_ -= n;
    // The end of the chunk before, the size of the next one, and its extensions. Nothing, if the chunk is not whole.
    std::string_view const text = as_text(body).substr(taken_, line_bytes_max);
    std::size_t const at = taken_ == 0 ? 0 : 2;
    std::size_t const end = text.find('\n', at);
    if (end == text.npos) return text.size() < line_bytes_max ? http_progress::need_more : http_progress::failed;
    std::size_t const digits = http_span(text, at, http_char_table::hex);
    char const behind = text[at + digits];
    bool const good = (at == 0 || text.starts_with("\r\n")) && digits > 0 && digits < 16 && text[end - 1] == '\r' &&
                      (at + digits == end - 1 || behind == ';' || is_ows(behind));
    if (!good) return http_progress::failed;
    for (char const c : text.substr(at, digits)) left_ = left_ * 16 + hex_value(c);
    taken_ += end + 1;
    if (left_ == 0) return http_progress::done;
  }
}

}  // namespace purews::inline v0
