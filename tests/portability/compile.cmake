# SPDX-License-Identifier: BSL-1.0

# Compiles SOURCE with CXX and every warning as an error, in as many ways as matter: cmake -DCXX= -DSTANDARD=20|23
# [-DFLAGS=] -DSOURCE= -DINCLUDE= -P.
find_program(compiler "${CXX}")
if(NOT compiler)
  message(FATAL_ERROR "${CXX} is missing: `make deps` or `make test-portability` installs it")
endif()
string(REPLACE "23" "2b" standard "${STANDARD}") # the name that all of them know
separate_arguments(flags UNIX_COMMAND "${FLAGS}")
set(common -std=c++${standard} ${flags} -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -I "${INCLUDE}")

set(ways "-fsyntax-only" "-fsyntax-only -fno-exceptions -fno-rtti")
if(CXX MATCHES "g\\+\\+" AND NOT CXX MATCHES "clang" AND STANDARD EQUAL 20)
  # Some warnings come from the optimiser, which sees only functions that are emitted.
  list(APPEND ways "-O2 -fkeep-inline-functions -S -o /dev/null")
endif()
foreach(way IN LISTS ways)
  separate_arguments(options UNIX_COMMAND "${way}")
  execute_process(COMMAND "${compiler}" ${common} ${options} "${SOURCE}"
    RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  message("${CXX} -std=c++${standard} ${FLAGS} ${way}: ${status}\n${output}")
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "it does not compile")
  endif()
endforeach()
