# SPDX-License-Identifier: BSL-1.0

# libuv, which has a CMake package only since 1.45: the target libuv::uv.
if(NOT TARGET libuv::uv)
  find_package(libuv CONFIG QUIET)
endif()
if(TARGET libuv::uv)
  set(libuv_FOUND TRUE)
else()
  find_path(libuv_INCLUDE_DIR uv.h)
  find_library(libuv_LIBRARY uv)
  mark_as_advanced(libuv_INCLUDE_DIR libuv_LIBRARY)
  include(FindPackageHandleStandardArgs)
  find_package_handle_standard_args(libuv REQUIRED_VARS libuv_LIBRARY libuv_INCLUDE_DIR)
  if(libuv_FOUND)
    add_library(libuv::uv UNKNOWN IMPORTED)
    set_target_properties(libuv::uv PROPERTIES
      IMPORTED_LOCATION "${libuv_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES "${libuv_INCLUDE_DIR}")
  endif()
endif()
