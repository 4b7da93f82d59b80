# SPDX-License-Identifier: BSL-1.0

# JSON Web Tokens over OpenSSL, version 1.x (Debian's libjwt-dev): the target libjwt::jwt.
find_path(libjwt_INCLUDE_DIR jwt.h)
find_library(libjwt_LIBRARY jwt)
mark_as_advanced(libjwt_INCLUDE_DIR libjwt_LIBRARY)
set(libjwt_interface "") # which version 3 does not have any more
if(libjwt_INCLUDE_DIR)
  file(STRINGS "${libjwt_INCLUDE_DIR}/jwt.h" libjwt_interface REGEX "jwt_get_grants_json")
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(libjwt REQUIRED_VARS libjwt_LIBRARY libjwt_INCLUDE_DIR libjwt_interface)
if(libjwt_FOUND AND NOT TARGET libjwt::jwt)
  add_library(libjwt::jwt UNKNOWN IMPORTED)
  set_target_properties(libjwt::jwt PROPERTIES
    IMPORTED_LOCATION "${libjwt_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES "${libjwt_INCLUDE_DIR}")
endif()
