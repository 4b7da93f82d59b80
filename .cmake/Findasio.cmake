# SPDX-License-Identifier: BSL-1.0

# Asio without Boost, which has no CMake package of its own: the target asio::asio.
if(NOT TARGET asio::asio)
  find_package(asio CONFIG QUIET)
endif()
if(TARGET asio::asio)
  set(asio_FOUND TRUE)
else()
  find_path(asio_INCLUDE_DIR asio/io_context.hpp)
  mark_as_advanced(asio_INCLUDE_DIR)
  include(FindPackageHandleStandardArgs)
  find_package_handle_standard_args(asio REQUIRED_VARS asio_INCLUDE_DIR)
  if(asio_FOUND)
    add_library(asio::asio INTERFACE IMPORTED)
    set_target_properties(asio::asio PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${asio_INCLUDE_DIR}")
  endif()
endif()
