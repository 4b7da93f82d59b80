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
  octets keyed{};  ///< the same, where the frames of a client are not masked with the key zero
  std::function<void(purews::connection&, machine_driver<purews::connection>&)> act{};
};

/// When the output of a vector may be taken.
enum class taking { any, withheld, taken };

/// What a client of the vectors masks its frames with, in the order in which they are queued: each must have a key of
/// its own, or, where the order of the frames on the wire is another one, zero.
enum class keys { counting, zero };

/// A vector of a .vec file; README.md describes the language.
struct vector {
  std::string name;
  std::string where;  ///< file and line
  purews::role own = purews::role::server;
  purews::options with{};
  taking output = taking::any;
  std::string script{};  ///< the lines that say what happens, with the role: two vectors with the same are one
  keys masks = keys::counting;
  unsigned replies = 0;  ///< frames of ours that are expected
  std::vector<step> steps{};
  std::function<void(purews::connection&)> begin{};    ///< sets up an extension
  std::function<octets(octets const&)> read_output{};  ///< makes of the output what is compared: frames inflated
  std::vector<std::string> events{};
  octets out{};
  purews::transport_action transport = purews::transport_action::keep;

  std::size_t input_bytes() const {
    std::size_t total = 0;
    for (step const& s : steps) total += s.in.size();
    return total;
  }
};

/// Reads the words of a `deflate` line. Empty where zlib is absent: then no vector has one.
inline std::function<void(vector&, std::vector<std::string> const&)> read_deflate;

/// Runs the vectors of a file in all ways.
void check_file(std::string const& file);

/// Begins the keys anew. The options of each vector draw from them.
void restart_keys(keys how);

/// Reads a file of vectors. Throws, with file and line, if it does not follow the language.
std::vector<vector> read_vectors(std::string const& path);

}  // namespace test
