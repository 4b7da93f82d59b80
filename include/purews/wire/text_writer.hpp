// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "assert.hpp"
#include "http_tokens.hpp"

namespace purews::inline v0 {

/// Writes text into lent room, or only counts it: the same code yields the size and the content, so that the two
/// cannot disagree.
class text_writer {
 public:
  /// Counts only.
  text_writer() noexcept = default;
  /// Writes to the front of `out`. Precondition (asserted at each write): there is room.
  explicit text_writer(bytes out) noexcept : out_(out), writes_(true) {}

  text_writer& put(std::string_view text) noexcept {
    if (writes_) {
      PUREWS_ASSERT(text.size() <= out_.size() - size_);
      copy_bytes(out_.data() + size_, as_bytes(text));
    }
    size_ += text.size();
    return *this;
  }

  text_writer& put_number(std::uint64_t number) noexcept {
    char digits[20];
    std::size_t at = sizeof digits;
    do {
      digits[--at] = static_cast<char>('0' + number % 10);
      number /= 10;
    } while (number != 0);
    return put({digits + at, sizeof digits - at});
  }

  /// A header line: name, colon, space, value, CRLF.
  text_writer& put_field(std::string_view name, std::string_view value) noexcept {
    return put(name).put(": ").put(value).put("\r\n");
  }
  text_writer& put_fields(std::span<header_field const> fields) noexcept {
    for (header_field const& field : fields) put_field(field.name, field.value);
    return *this;
  }

  /// How many bytes were written or counted.
  std::size_t size() const noexcept { return size_; }

 private:
  bytes out_{};
  std::size_t size_ = 0;
  bool writes_ = false;
};

}  // namespace purews::inline v0
