// SPDX-License-Identifier: BSL-1.0
#include <purews/server.hpp>

// Linked with server_other.cpp, which includes the same: nothing may be defined twice.
bool server_elsewhere();

int main() { return server_elsewhere() ? 0 : 1; }
