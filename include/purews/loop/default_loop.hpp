// SPDX-License-Identifier: BSL-1.0
#pragma once

#ifdef __linux__
#include "epoll.hpp"
#else
#include "kqueue.hpp"
#endif

namespace purews::inline v0 {

/// The event loop of this system.
#ifdef __linux__
using default_loop = epoll_loop;
#else
using default_loop = kqueue_loop;
#endif

}  // namespace purews::inline v0
