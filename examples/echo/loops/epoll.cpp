// SPDX-License-Identifier: BSL-1.0
#include <purews/loop/epoll.hpp>

#include "../serve.hpp"

int serve_on_epoll(echo_settings const& how) { return serve<purews::epoll_loop>(how); }
