// SPDX-License-Identifier: BSL-1.0
#include <purews/loop/asio.hpp>

int main() {
  asio::io_context context;
  purews::asio_loop loop(context.get_executor());
  loop.post([&] { context.stop(); });
  context.run();
  return loop.error() ? 1 : 0;
}
