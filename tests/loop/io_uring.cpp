// SPDX-License-Identifier: BSL-1.0
#include "purews/loop/io_uring.hpp"
#include "harness.hpp"
