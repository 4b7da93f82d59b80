// SPDX-License-Identifier: BSL-1.0
#include <purews/loop/kqueue.hpp>

#include "../serve.hpp"

int serve_on_kqueue(echo_settings const& how) { return serve<purews::kqueue_loop>(how); }
