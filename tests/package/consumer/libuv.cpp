// SPDX-License-Identifier: BSL-1.0
#include <purews/loop/libuv.hpp>

int main() {
  uv_loop_t uv;
  if (uv_loop_init(&uv) != 0) return 1;
  {
    purews::libuv_loop loop(&uv);
    loop.post([&] { uv_stop(&uv); });
    uv_run(&uv, UV_RUN_DEFAULT);
  }
  uv_run(&uv, UV_RUN_DEFAULT);  // libuv closes what the loop had there
  return uv_loop_close(&uv) == 0 ? 0 : 1;
}
