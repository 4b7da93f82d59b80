// SPDX-License-Identifier: BSL-1.0
#include <purews/sim/pair.hpp>

int main() {
  purews::sim::pair net(1, purews::sim::conditions::rough(1));
  return net.open() ? 0 : 1;
}
