// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../wire/http_chunks.hpp"
#include "../wire/http_message.hpp"

namespace purews::inline v0 {

/// Reads the front of the body of an answer that did not switch: what a 401 or 503 has to say. Its length is that of
/// Content-Length, of the chunks, or up to the end of the stream; a length that is malformed or given twice means no
/// body. RFC 9112 section 6.3.
class answer_body {
 public:
  answer_body() noexcept = default;
  /// Begins behind the head of `answer`. Nothing behind the first `bytes_max` bytes is looked at.
  answer_body(http_response const& answer, std::uint32_t bytes_max) noexcept;

  /// Reads on in `in`: all bytes behind the head, with more appended since the call before. The chunked coding is taken
  /// off in place. True: nothing more is wanted.
  bool read(bytes in) noexcept;

  /// How many bytes of content are at the front of the body.
  std::size_t size() const noexcept { return size_; }

 private:
  std::size_t wanted_ = 0;
  std::size_t size_ = 0;
  bool chunked_ = false;
  chunk_decoder chunks_{};
};

inline answer_body::answer_body(http_response const& answer, std::uint32_t bytes_max) noexcept {
  if (answer.status() == 204 || answer.status() == 304) return;
  wanted_ = bytes_max;
  auto const [codings, coding] = answer.match(known_header::transfer_encoding);
  auto const [lengths, text] = answer.match(known_header::content_length);
  chunked_ = codings == 1 && iequals(coding, "chunked");
  if (codings > 0 || lengths == 0) return;
  decimal const length = parse_decimal(text, UINT64_MAX);
  if (lengths > 1 || !length.valid) wanted_ = 0;
  if (length.value < wanted_) wanted_ = static_cast<std::size_t>(length.value);
}

inline bool answer_body::read(bytes in) noexcept {
  bytes const body = in.first(in.size() < wanted_ ? in.size() : wanted_);
  size_ = body.size();
  if (!chunked_) return size_ == wanted_;
  bool const more = chunks_.read(body) == http_progress::need_more;
  size_ = chunks_.size();
  return !more || body.size() == wanted_;
}

}  // namespace purews::inline v0
