// SPDX-License-Identifier: BSL-1.0
#include <purews/sim/pair.hpp>

#include <string>

// docs/testing.md's program, without a framework of tests: the server answers each word with its length.

int main() {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    purews::sim::pair net(seed, purews::sim::conditions::rough(seed));
    if (!net.open()) return 1;
    for (std::string_view const word : {"one", "three", "eleven"})
      if (net.client.send(word) != purews::refusal::none) return 2;
    std::string answers;
    while (purews::sim::happening const h = net.step()) {
      if (h.what.what != purews::kind::message) continue;
      if (h.at == purews::role::client)
        answers += h.what.text();
      else if (net.server.send(std::to_string(h.what.payload.size())) != purews::refusal::none)
        return 3;
    }
    if (answers != "356") return 4;
  }
  return 0;
}
