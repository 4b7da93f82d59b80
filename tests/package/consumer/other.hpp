// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <purews/purews.hpp>

purews::frame_header read_elsewhere(purews::bytes_view frame);
