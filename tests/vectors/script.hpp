// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "support/machine_driver.hpp"

#include "purews/protocol/connection.hpp"

namespace test {

/// One thing that happens to the connection: bytes arrive, or anything else.
struct step {
  octets in{};
  std::function<void(purews::connection&, machine_driver<purews::connection>&)> act{};
};

/// A vector of a .vec file; README.md describes the language.
struct vector {
  std::string name;
  std::string where;  ///< file and line
  purews::role own = purews::role::server;
  purews::delivery deliver = purews::delivery::whole;
  purews::limits limit{};
  bool withheld = false;
  std::vector<step> steps{};
  std::vector<std::string> events{};
  octets out{};
  purews::transport_action transport = purews::transport_action::keep;

  std::size_t input_bytes() const {
    std::size_t total = 0;
    for (step const& s : steps) total += s.in.size();
    return total;
  }
};

/// Reads a file of vectors. Throws, with file and line, if it does not follow the language.
std::vector<vector> read_vectors(std::string const& path);

}  // namespace test
