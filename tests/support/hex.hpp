// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace test {

using octets = std::vector<std::byte>;

inline unsigned hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
  throw std::invalid_argument(std::string("not a hexadecimal digit: ") + c);
}

/// Reads bytes as pairs of hexadecimal digits; blanks between them are ignored.
inline octets hex(std::string_view text) {
  octets result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ' ' || text[i] == '\n') continue;
    if (i + 1 == text.size()) throw std::invalid_argument("an odd number of hexadecimal digits");
    result.push_back(static_cast<std::byte>(hex_digit(text[i]) << 4 | hex_digit(text[i + 1])));
    ++i;
  }
  return result;
}

inline std::string to_hex(std::span<std::byte const> data) {
  std::string result;
  for (std::byte b : data) {
    result += "0123456789abcdef"[std::to_integer<unsigned>(b) >> 4];
    result += "0123456789abcdef"[std::to_integer<unsigned>(b) & 15U];
  }
  return result;
}

inline octets octets_of(std::string_view text) {
  auto const* const from = reinterpret_cast<std::byte const*>(text.data());
  return {from, from + text.size()};
}

inline octets repeated(std::size_t times, octets const& what) {
  octets result;
  result.reserve(times * what.size());
  for (std::size_t i = 0; i < times; ++i) result.insert(result.end(), what.begin(), what.end());
  return result;
}

template <class... More>
octets join(octets first, More const&... more) {
  (first.insert(first.end(), more.begin(), more.end()), ...);
  return first;
}

/// A copy on the heap of exactly the right size, so that the address sanitizer sees any access outside. It is
/// overwritten before it is freed, so that whoever still looks at it is noticed without a sanitizer too.
class exact_copy {
 public:
  explicit exact_copy(std::span<std::byte const> from) : data_(new std::byte[from.size()]), size_(from.size()) {
    if (size_ != 0) std::memcpy(data_, from.data(), size_);
  }
  explicit exact_copy(std::size_t size) : data_(new std::byte[size]()), size_(size) {}
  exact_copy(exact_copy const&) = delete;
  exact_copy& operator=(exact_copy const&) = delete;
  ~exact_copy() {
    static auto* const volatile fill = &std::memset;  // a compiler may leave out what is written just before a delete
    fill(data_, 0xDD, size_);
    delete[] data_;
  }
  std::span<std::byte> view() const { return {data_, size_}; }

 private:
  std::byte* data_;
  std::size_t size_;
};

}  // namespace test
