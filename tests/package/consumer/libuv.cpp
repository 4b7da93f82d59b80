// SPDX-License-Identifier: BSL-1.0
#include <purews/loop/libuv.hpp>

int main() {
  purews::libuv_loop loop;
  loop.post([&] { loop.stop(); });
  loop.run();
  return loop.error() ? 1 : 0;
}
