# SPDX-License-Identifier: BSL-1.0

# Configures, builds and runs one consumer from nothing: cmake -DCONSUMER= -DPUREWS_SOURCE= -DPUREWS_BINARY= -DWORK=
# -DGENERATOR= -DCXX= [-DPRETEND_CMAKE=3.16.0] [-DPLANT_LEAK=ON] [-DPROGRAMS="consumer_deflate ..."]
# [-DFEATURES=deflate] [-DHOSTS=asio] -P. What docs/packaging.md says
# is done here. PROGRAMS are the consumers that must be there,
# beside those of the protocol and the server.
cmake_minimum_required(VERSION 3.16...3.30)
file(REMOVE_RECURSE "${WORK}")
file(MAKE_DIRECTORY "${WORK}")
separate_arguments(PROGRAMS UNIX_COMMAND "${PROGRAMS}")
set(here "${CMAKE_CURRENT_LIST_DIR}")
set(common -G "${GENERATOR}" "-DCMAKE_CXX_COMPILER=${CXX}" "-DPRETEND_CMAKE=${PRETEND_CMAKE}")

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  message("${output}")
  if(NOT status EQUAL 0)
    string(REPLACE ";" " " command "${ARGN}")
    message(FATAL_ERROR "failed: ${command}")
  endif()
endfunction()

# need(PROGRAM name): sets PROGRAM to where it is.
function(need variable name)
  find_program(${variable} "${name}")
  if(NOT ${variable})
    message(FATAL_ERROR "${name} is missing: `make deps` installs it")
  endif()
endfunction()

# Installs, and moves what was installed: nothing in it may know where it was.
function(install_purews)
  run("${CMAKE_COMMAND}" --install "${PUREWS_BINARY}" --prefix "${WORK}/installed")
  file(RENAME "${WORK}/installed" "${WORK}/prefix")
endfunction()

# Builds a consumer in `folder` by CMake, and runs its programs.
function(use_cmake folder)
  run("${CMAKE_COMMAND}" ${common} -S "${here}/${folder}" -B "${WORK}/build"
    "-DPUREWS_SOURCE=${PUREWS_SOURCE}" "-DPLANT_LEAK=${PLANT_LEAK}" ${ARGN})
  run("${CMAKE_COMMAND}" --build "${WORK}/build")
  file(GLOB programs "${WORK}/build/consumer" "${WORK}/build/consumer_*")
  foreach(program IN LISTS programs)
    run("${program}")
  endforeach()
  foreach(program consumer consumer_server ${PROGRAMS})
    if(NOT "${WORK}/build/${program}" IN_LIST programs)
      message(FATAL_ERROR "${program} was not built, but ${programs}")
    endif()
  endforeach()
endfunction()

# Builds the sources in `folder` by the command in commands/ that docs/packaging.md shows, and runs the program.
function(use_command command folder)
  file(GLOB sources "${here}/${folder}/*pp")
  file(COPY ${sources} DESTINATION "${WORK}")
  set(ENV{CXX} "${CXX}")
  run("${CMAKE_COMMAND}" -E chdir "${WORK}" sh -e "${here}/commands/${command}.sh")
  run("${WORK}/app")
endfunction()

if(CONSUMER STREQUAL "add_subdirectory")
  use_cmake(add_subdirectory)
elseif(CONSUMER STREQUAL "fetch_content")
  use_cmake(fetch_content -DPUREWS_REPOSITORY=unused "-DFETCHCONTENT_SOURCE_DIR_PUREWS=${PUREWS_SOURCE}")
elseif(CONSUMER STREQUAL "find_package")
  if(PRETEND_CMAKE)
    set(PUREWS_BINARY "${WORK}/purews")
    run("${CMAKE_COMMAND}" ${common} -S "${PUREWS_SOURCE}" -B "${PUREWS_BINARY}"
      "-DCMAKE_PROJECT_purews_INCLUDE=${here}/consumer/pretend.cmake"
      -DPUREWS_BUILD_TESTS=OFF -DPUREWS_BUILD_EXAMPLES=OFF -DPUREWS_BUILD_BENCH=OFF)
  endif()
  install_purews()
  use_cmake(find_package "-DCMAKE_PREFIX_PATH=${WORK}/prefix" "-DHOSTS=${HOSTS}" "-DWITHOUT_ZLIB=${WITHOUT_ZLIB}"
    "-DCMAKE_DISABLE_FIND_PACKAGE_ZLIB=${WITHOUT_ZLIB}")
elseif(CONSUMER STREQUAL "pkg_config")
  install_purews()
  need(PKG_CONFIG pkg-config)
  set(ENV{PKG_CONFIG_PATH} "${WORK}/prefix/share/pkgconfig")
  use_command(pkg_config consumer)
  execute_process(COMMAND "${PKG_CONFIG}" --modversion purews OUTPUT_VARIABLE version OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT version STREQUAL PUREWS_VERSION)
    message(FATAL_ERROR "pkg-config says version ${version}, not ${PUREWS_VERSION}")
  endif()
  if(consumer_deflate IN_LIST PROGRAMS)
    file(REMOVE_RECURSE "${WORK}/main.cpp" "${WORK}/app")
    file(COPY "${here}/consumer/deflate.cpp" DESTINATION "${WORK}")
    run("${CMAKE_COMMAND}" -E chdir "${WORK}" sh -e "${here}/commands/pkg_config_deflate.sh")
    run("${WORK}/app")
  elseif(EXISTS "${WORK}/prefix/share/pkgconfig/purews-deflate.pc")
    message(FATAL_ERROR "there is a file for pkg-config of a component that is none")
  endif()
  if(EXISTS "${WORK}/prefix/share/pkgconfig/purews-libuv.pc")
    file(COPY "${here}/consumer/libuv.cpp" DESTINATION "${WORK}")
    run("${CMAKE_COMMAND}" -E chdir "${WORK}" sh -e "${here}/commands/pkg_config_libuv.sh")
    run("${WORK}/app")
  endif()
elseif(CONSUMER STREQUAL "copy")
  file(COPY "${PUREWS_SOURCE}/include/purews" DESTINATION "${WORK}/third_party")
  use_command(copy consumer)
elseif(CONSUMER STREQUAL "amalgamation")
  set(one_file "${PUREWS_BINARY}/amalgamation/purews.hpp")
  file(COPY "${one_file}" "${PUREWS_BINARY}/amalgamation/purews_server.hpp" DESTINATION "${WORK}/third_party")
  use_command(amalgamation amalgamation)
  set(flags -std=c++20 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -I "${WORK}/third_party")
  run("${CXX}" ${flags} -fno-exceptions -fno-rtti -fsyntax-only "${here}/amalgamation/main.cpp")
  run("${CXX}" ${flags} -pthread -o "${WORK}/server" "${here}/amalgamation/server.cpp" "${here}/amalgamation/frame.cpp")
  run("${WORK}/server")
  # The branch for the other kernels is in the file too.
  if(CMAKE_HOST_SYSTEM_NAME STREQUAL "Linux")
    run("${CXX}" ${flags} -U__linux__ -I "${PUREWS_SOURCE}/tests/loop/stub" -fsyntax-only
      "${here}/amalgamation/server.cpp")
  endif()
  # It holds every header of the protocol.
  file(READ "${one_file}" text)
  file(GLOB headers RELATIVE "${PUREWS_SOURCE}/include" "${PUREWS_SOURCE}/include/purews/wire/*.hpp"
    "${PUREWS_SOURCE}/include/purews/protocol/*.hpp")
  foreach(header IN LISTS headers)
    string(FIND "${text}" "\n// ${header}\n" at)
    if(at EQUAL -1)
      message(FATAL_ERROR "the one file lacks ${header}")
    endif()
  endforeach()
elseif(CONSUMER STREQUAL "vcpkg")
  run("${CMAKE_COMMAND}" "-DPORT_FOLDER=${here}/vcpkg/ports/purews" "-DWORK=${WORK}" "-DGENERATOR=${GENERATOR}"
    "-DCXX=${CXX}" "-DPUREWS_VERSION=${PUREWS_VERSION}" "-DFEATURES=${FEATURES}" -P "${here}/vcpkg/pretend_vcpkg.cmake")
  use_cmake(find_package "-DCMAKE_PREFIX_PATH=${WORK}/packages")
elseif(CONSUMER STREQUAL "conan")
  need(PYTHON python3)
  run("${CMAKE_COMMAND}" -E env "PYTHONDONTWRITEBYTECODE=1" "PYTHONPATH=${here}/conan/pretend"
    "${PYTHON}" "${here}/conan/pretend/create.py" "${here}/conan/conanfile.py" "${WORK}" "${PUREWS_VERSION}"
    ${FEATURES})
  run("${CMAKE_COMMAND}" ${common} -S "${here}/conan/test_package" -B "${WORK}/build"
    "-DCMAKE_PREFIX_PATH=${WORK}/generators")
  run("${CMAKE_COMMAND}" --build "${WORK}/build")
  foreach(program consumer consumer_server ${PROGRAMS})
    run("${WORK}/build/${program}")
  endforeach()
else()
  message(FATAL_ERROR "there is no consumer ${CONSUMER}")
endif()
