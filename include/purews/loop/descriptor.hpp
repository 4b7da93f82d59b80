// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <unistd.h>

namespace purews::inline v0 {

/// Owns a file descriptor and closes it. Move-only; -1 stands for none.
class descriptor {
 public:
  descriptor() noexcept = default;
  explicit descriptor(int number) noexcept : number_(number) {}
  descriptor(descriptor&& other) noexcept : number_(other.release()) {}
  descriptor& operator=(descriptor&& other) noexcept {
    reset(other.release());
    return *this;
  }
  ~descriptor() { reset(); }

  int number() const noexcept { return number_; }
  explicit operator bool() const noexcept { return number_ >= 0; }

  /// Gives the descriptor away without closing it.
  [[nodiscard]] int release() noexcept {
    int const number = number_;
    number_ = -1;
    return number;
  }

  /// Closes what is held and takes `number`. close() is not repeated after EINTR: the number is free already, and
  /// may belong to another thread by then.
  void reset(int number = -1) noexcept {
    if (number_ >= 0) ::close(number_);
    number_ = number;
  }

 private:
  int number_ = -1;
};

}  // namespace purews::inline v0
