// SPDX-License-Identifier: BSL-1.0
#include <purews/loop/io_uring.hpp>

#include "../serve.hpp"

int serve_on_uring(echo_settings const& how) { return serve<purews::uring_loop>(how); }
