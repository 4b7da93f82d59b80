// SPDX-License-Identifier: BSL-1.0
#include <purews/server.hpp>

bool server_elsewhere();
bool server_elsewhere() { return sizeof(purews::server) > 0; }
