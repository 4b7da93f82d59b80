# SPDX-License-Identifier: BSL-1.0

# Builds the core's tests with CXX, for another SYSTEM and PROCESSOR if they are named, and runs them, by EMULATOR if
# that is named: cmake -DCXX= [-DFLAGS=] [-DSYSTEM= -DPROCESSOR=] [-DEMULATOR=] -DPUREWS_SOURCE= -DWORK= -DGENERATOR=
# -P.
set(help "`make test-portability` installs it")
find_program(compiler "${CXX}")
if(NOT compiler)
  message(FATAL_ERROR "${CXX} is missing: ${help}")
endif()
find_path(catch2 catch2/catch.hpp PATHS /usr/local/include /usr/include)
if(NOT catch2)
  message(FATAL_ERROR "Catch2 version 2 is missing, whose one header serves every machine: ${help} on Debian 12")
endif()
set(settings -DCMAKE_BUILD_TYPE=Release -DPUREWS_WERROR=ON -DPUREWS_BUILD_EXAMPLES=OFF -DPUREWS_BUILD_BENCH=OFF
  "-DCMAKE_CXX_COMPILER=${compiler}" "-DCMAKE_CXX_FLAGS=${FLAGS}" -DCMAKE_DISABLE_FIND_PACKAGE_OpenSSL=ON)
if(SYSTEM)
  # Linked statically, so that no library of that machine has to be found at run time. Catch2's folder must not be
  # searched as it is: it is this machine's /usr/include.
  file(COPY "${catch2}/catch2" DESTINATION "${WORK}/include")
  list(APPEND settings "-DCMAKE_SYSTEM_NAME=${SYSTEM}" "-DCMAKE_SYSTEM_PROCESSOR=${PROCESSOR}"
    -DCMAKE_EXE_LINKER_FLAGS=-static
    -DCMAKE_DISABLE_FIND_PACKAGE_ZLIB=ON "-DCatch2_DIR=${CMAKE_CURRENT_LIST_DIR}/catch2"
    "-DPUREWS_CATCH2=${WORK}/include")
endif()
if(EMULATOR)
  find_program(emulator "${EMULATOR}" PATHS /usr/lib/wine)
  if(NOT emulator)
    message(FATAL_ERROR "${EMULATOR} is missing: ${help}")
  endif()
  list(APPEND settings "-DCMAKE_CROSSCOMPILING_EMULATOR=${emulator}")
  set(ENV{WINEPREFIX} "${WORK}/wine")
  set(ENV{WINEDEBUG} -all)
endif()

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    string(REPLACE ";" " " command "${ARGN}")
    message(FATAL_ERROR "failed: ${command}")
  endif()
endfunction()

run("${CMAKE_COMMAND}" -G "${GENERATOR}" -S "${PUREWS_SOURCE}" -B "${WORK}/build" ${settings})
run("${CMAKE_COMMAND}" --build "${WORK}/build" --parallel 1 --target core_tests)
execute_process(COMMAND "${CMAKE_CTEST_COMMAND}" -N -L core WORKING_DIRECTORY "${WORK}/build" OUTPUT_VARIABLE list)
if(NOT list MATCHES "Total Tests: [1-9]")
  message(FATAL_ERROR "there is nothing to run: ${list}")
endif()
execute_process(COMMAND "${CMAKE_CTEST_COMMAND}" -L core --verbose WORKING_DIRECTORY "${WORK}/build"
  RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "the core's tests fail")
endif()
