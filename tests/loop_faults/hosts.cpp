// SPDX-License-Identifier: BSL-1.0
// What libuv is asked for, and may refuse.
#include <uv.h>

#include "faults.hpp"

extern "C" {
int __real_uv_loop_init(uv_loop_t*);
int __real_uv_poll_init(uv_loop_t*, uv_poll_t*, int);

int __wrap_uv_loop_init(uv_loop_t* loop) {
  return faults::fails(faults::call::uv_loop_init) ? -faults::now.code : __real_uv_loop_init(loop);
}
int __wrap_uv_poll_init(uv_loop_t* loop, uv_poll_t* poll, int fd) {
  return faults::fails(faults::call::uv_poll_init) ? -faults::now.code : __real_uv_poll_init(loop, poll, fd);
}
}
