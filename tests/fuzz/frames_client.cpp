// SPDX-License-Identifier: BSL-1.0
#include "frames.hpp"

void fuzz::one_input(purews::bytes_view in) { try_frames(purews::role::client, in); }
