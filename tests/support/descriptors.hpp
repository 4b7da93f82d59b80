// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <dirent.h>

#include <stdexcept>

namespace test {

/// How many descriptors this process has, and a constant.
inline int open_descriptors() {
#ifdef __linux__
  DIR* const folder = ::opendir("/proc/self/fd");
#else
  DIR* const folder = ::opendir("/dev/fd");
#endif
  if (folder == nullptr) throw std::runtime_error("the descriptors cannot be counted");
  int count = 0;
  while (::readdir(folder) != nullptr) ++count;
  ::closedir(folder);
  return count;
}

}  // namespace test
