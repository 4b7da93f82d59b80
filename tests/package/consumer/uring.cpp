// SPDX-License-Identifier: BSL-1.0
#include <purews/loop/io_uring.hpp>

int main() {
  purews::uring_loop loop;
  loop.post([&] { loop.stop(); });
  loop.run();
  return loop.error() ? 1 : 0;
}
