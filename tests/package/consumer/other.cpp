// SPDX-License-Identifier: BSL-1.0
#include "other.hpp"

purews::frame_header read_elsewhere(purews::bytes_view frame) { return purews::read_frame_header(frame).header; }
