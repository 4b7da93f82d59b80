// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "purews/wire/bytes.hpp"

/// What every fuzz target shares. libFuzzer or replay.cpp calls one_input() with bytes in a heap block of their size.
namespace fuzz {

/// Defined by each target: tries one input, and ends the program where a promise is broken.
void one_input(purews::bytes_view in);

/// Ends the program if a promise is broken.
inline void check(bool kept, std::string_view promise, std::string_view more = {}) {
  if (kept) return;
  for (std::string_view const text : {std::string_view("broken: "), promise, std::string_view("\n"), more}) {
    std::fwrite(text.data(), 1, text.size(), stderr);
  }
  std::fputc('\n', stderr);
  std::abort();
}

/// Whether `part` is empty or lies within `whole`.
inline bool within(std::string_view part, std::string_view whole) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

/// Takes the choices of a target from the front of its input; the rest is the subject. Where it ends it gives zeros.
class script {
 public:
  explicit script(purews::bytes_view in) : left_(in) {}

  bool empty() const { return left_.empty(); }
  purews::bytes_view rest() const { return left_; }

  unsigned octet() {
    if (left_.empty()) return 0;
    unsigned const value = std::to_integer<unsigned>(left_[0]);
    left_ = left_.subspan(1);
    return value;
  }
  unsigned below(unsigned n) { return octet() % n; }
  unsigned word() {
    unsigned const high = octet();
    return high << 8 | octet();
  }
  /// At most `n` bytes.
  purews::bytes_view take(std::size_t n) {
    purews::bytes_view const front = left_.first(n < left_.size() ? n : left_.size());
    left_ = left_.subspan(front.size());
    return front;
  }
  /// What comes before the next `end`, which is dropped; all if there is none.
  std::string_view take_until(char end) {
    std::string_view const all = purews::as_text(left_);
    std::size_t const size = all.find(end);
    std::string_view const front = all.substr(0, size);
    left_ = left_.subspan(size == all.npos ? all.size() : size + 1);
    return front;
  }

 private:
  purews::bytes_view left_;
};

}  // namespace fuzz
