// SPDX-License-Identifier: BSL-1.0
#pragma once

/// What most servers include: `purews::server`, on this system's best event loop.

#include "loop/default_loop.hpp"
#include "purews.hpp"
#include "server/server.hpp"

namespace purews::inline v0 {

using server = basic_server<default_loop>;

}  // namespace purews::inline v0
