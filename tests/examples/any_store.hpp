// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "stores.hpp"

namespace test {

/// An empty store of one of the kinds that are there: each test case runs once for each.
class any_store {
 public:
  any_store() : where_(GENERATE(true, false) ? folder_.store() : "memory:") {}
  std::string const& where() const { return where_; }

 private:
  folder folder_;
  std::string where_;
};

}  // namespace test
