# SPDX-License-Identifier: BSL-1.0

# Configures, builds and runs one consumer from nothing: cmake -DCONSUMER=add_subdirectory|find_package|fetch_content
# -DPUREWS_SOURCE= -DWORK= -DGENERATOR= -DCXX= [-DPUREWS_BINARY= to install from] [-DPRETEND_CMAKE=3.16.0] -P.
file(REMOVE_RECURSE "${WORK}")
set(common -G "${GENERATOR}" "-DCMAKE_CXX_COMPILER=${CXX}" "-DPRETEND_CMAKE=${PRETEND_CMAKE}")

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  message("${output}")
  if(NOT status EQUAL 0)
    string(REPLACE ";" " " command "${ARGN}")
    message(FATAL_ERROR "failed: ${command}")
  endif()
endfunction()

if(CONSUMER STREQUAL "find_package")
  if(PRETEND_CMAKE)
    set(PUREWS_BINARY "${WORK}/purews")
    run("${CMAKE_COMMAND}" ${common} -S "${PUREWS_SOURCE}" -B "${PUREWS_BINARY}"
      "-DCMAKE_PROJECT_purews_INCLUDE=${CMAKE_CURRENT_LIST_DIR}/consumer/pretend.cmake"
      -DPUREWS_BUILD_TESTS=OFF -DPUREWS_BUILD_EXAMPLES=OFF -DPUREWS_BUILD_BENCH=OFF)
  endif()
  run("${CMAKE_COMMAND}" --install "${PUREWS_BINARY}" --prefix "${WORK}/prefix")
endif()

run("${CMAKE_COMMAND}" ${common} -S "${CMAKE_CURRENT_LIST_DIR}/${CONSUMER}" -B "${WORK}/build"
  "-DCMAKE_PREFIX_PATH=${WORK}/prefix" "-DPUREWS_SOURCE=${PUREWS_SOURCE}" "-DPLANT_LEAK=${PLANT_LEAK}"
  "-DPUREWS_REPOSITORY=unused" "-DFETCHCONTENT_SOURCE_DIR_PUREWS=${PUREWS_SOURCE}")
run("${CMAKE_COMMAND}" --build "${WORK}/build")
run("${WORK}/build/consumer")
run("${WORK}/build/consumer_server")

if(CONSUMER STREQUAL "find_package")
  # pkg-config says the same as the CMake package.
  find_program(PKG_CONFIG pkg-config)
  if(PKG_CONFIG)
    set(ENV{PKG_CONFIG_PATH} "${WORK}/prefix/share/pkgconfig")
    execute_process(COMMAND "${PKG_CONFIG}" --cflags purews OUTPUT_VARIABLE flags OUTPUT_STRIP_TRAILING_WHITESPACE)
    string(REGEX REPLACE "^-I" "" folder "${flags}")
    if(NOT EXISTS "${folder}/purews/purews.hpp" OR NOT folder MATCHES "${WORK}")
      message(FATAL_ERROR "pkg-config --cflags purews: ${flags}")
    endif()
  endif()
endif()
