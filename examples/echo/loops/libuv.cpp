// SPDX-License-Identifier: BSL-1.0
#include <purews/loop/libuv.hpp>

#include "../serve.hpp"

int serve_on_libuv(echo_settings const& how) { return serve<purews::libuv_loop>(how); }
