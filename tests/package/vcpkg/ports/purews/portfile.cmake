# SPDX-License-Identifier: BSL-1.0

# An overlay port: it installs the checkout that it lies in. A port of a registry would begin with vcpkg_from_git().
get_filename_component(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../../../../.." ABSOLUTE)

set(VCPKG_BUILD_TYPE release) # headers only
set(without_deflate OFF)
if(NOT "deflate" IN_LIST FEATURES) # even if the system has a zlib
  set(without_deflate ON)
endif()
vcpkg_cmake_configure(SOURCE_PATH "${SOURCE_PATH}"
  OPTIONS -DCMAKE_DISABLE_FIND_PACKAGE_ZLIB=${without_deflate}
    -DCMAKE_DISABLE_FIND_PACKAGE_asio=ON -DCMAKE_DISABLE_FIND_PACKAGE_Boost=ON -DCMAKE_DISABLE_FIND_PACKAGE_libuv=ON
    -DPUREWS_BUILD_TESTS=OFF -DPUREWS_BUILD_EXAMPLES=OFF -DPUREWS_BUILD_BENCH=OFF)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH share/cmake/purews)
vcpkg_fixup_pkgconfig()
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/share/licenses")
file(INSTALL "${CMAKE_CURRENT_LIST_DIR}/usage" DESTINATION "${CURRENT_PACKAGES_DIR}/share/${PORT}")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
