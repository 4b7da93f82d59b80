# SPDX-License-Identifier: BSL-1.0

# Makes what follows believe that this is an older CMake, so that the branches for it are run.
if(PRETEND_CMAKE)
  set(CMAKE_VERSION "${PRETEND_CMAKE}")
endif()
