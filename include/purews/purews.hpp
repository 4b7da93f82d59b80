// SPDX-License-Identifier: BSL-1.0
#pragma once

/// The WebSocket protocol without I/O: everything in wire/ and protocol/.

#include "protocol/endpoint.hpp"
#include "version.hpp"
#include "wire/cookie.hpp"
#include "wire/query.hpp"
