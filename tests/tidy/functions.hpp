// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <string>
#include <vector>

namespace tidy {

struct function_length {
  std::size_t first;  ///< line of the signature's first word, from 1
  std::size_t lines;
};

struct function_lengths {
  std::vector<function_length> functions;
  bool balanced;  ///< every brace found its partner
};

/// Measures the functions of a C++ file, from the first word of the signature to the closing brace. Lambdas and local
/// classes count with the function that holds them.
function_lengths measure_functions(std::vector<std::string> const& lines);

}  // namespace tidy
