// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <string_view>

namespace purews::inline v0 {

/// A short text by value: at most `N` characters, and a zero behind them. What does not fit is cut off.
template <std::size_t N>
class fixed_text {
 public:
  std::string_view view() const noexcept { return {text_, size_}; }
  char const* c_str() const noexcept { return text_; }

  /// Appends `more`.
  fixed_text& operator+=(std::string_view more) noexcept {
    for (char const c : more) {
      if (size_ == N) break;
      text_[size_++] = c;
    }
    text_[size_] = '\0';
    return *this;
  }

  /// Appends `number` in decimal.
  fixed_text& operator+=(unsigned number) noexcept {
    if (number >= 10) *this += number / 10;
    char const digit = static_cast<char>('0' + number % 10);
    return *this += std::string_view(&digit, 1);
  }

 private:
  std::size_t size_ = 0;
  char text_[N + 1] = {};
};

}  // namespace purews::inline v0
