// SPDX-License-Identifier: BSL-1.0
#pragma once

/// The WebSocket protocol without I/O: everything in wire/ and protocol/, but for wire/cookie.hpp and wire/query.hpp,
/// which only some applications need.

#include "protocol/endpoint.hpp"
#include "version.hpp"
