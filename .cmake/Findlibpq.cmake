# SPDX-License-Identifier: BSL-1.0

# PostgreSQL's client library, version 14 or later, which can work in pipelines: the target libpq::pq.
find_path(libpq_INCLUDE_DIR libpq-fe.h PATH_SUFFIXES postgresql libpq
  HINTS /opt/homebrew/opt/libpq/include /usr/local/opt/libpq/include)
find_library(libpq_LIBRARY pq HINTS /opt/homebrew/opt/libpq/lib /usr/local/opt/libpq/lib)
mark_as_advanced(libpq_INCLUDE_DIR libpq_LIBRARY)
set(libpq_pipelines "")
if(libpq_INCLUDE_DIR)
  file(STRINGS "${libpq_INCLUDE_DIR}/libpq-fe.h" libpq_pipelines REGEX "define LIBPQ_HAS_PIPELINING 1")
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(libpq REQUIRED_VARS libpq_LIBRARY libpq_INCLUDE_DIR libpq_pipelines)
if(libpq_FOUND AND NOT TARGET libpq::pq)
  add_library(libpq::pq UNKNOWN IMPORTED)
  set_target_properties(libpq::pq PROPERTIES
    IMPORTED_LOCATION "${libpq_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES "${libpq_INCLUDE_DIR}")
endif()
