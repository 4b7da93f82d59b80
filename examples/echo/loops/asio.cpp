// SPDX-License-Identifier: BSL-1.0
#include <purews/loop/asio.hpp>

#include "../serve.hpp"

int serve_on_asio(echo_settings const& how) { return serve<purews::asio_loop>(how); }
