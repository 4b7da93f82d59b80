// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "purews.hpp"

/// Writes a masked text frame to `out`, as a client would.
purews::bytes write_hello(purews::bytes out);
