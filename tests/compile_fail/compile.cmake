# SPDX-License-Identifier: BSL-1.0

# Compiles SOURCE with mistake number MISUSE, or with none: 0. Succeeds if the right source compiles, and if a mistake
# is refused in its own line and nowhere else in SOURCE, with the message behind `#if MISUSE == N  // `.
execute_process(COMMAND "${CXX}" -std=c++20 -Werror=unused-result -fsyntax-only -DMISUSE=${MISUSE} -I "${INCLUDE}"
  "${SOURCE}" RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(MISUSE EQUAL 0)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "what is right does not compile\n${output}")
  endif()
  return()
endif()

file(READ "${SOURCE}" text)
string(REGEX MATCH "#if MISUSE == ${MISUSE}  // ([^\n]+)\n" mark "${text}")
set(expected "${CMAKE_MATCH_1}")
if(expected STREQUAL "")
  message(FATAL_ERROR "mistake ${MISUSE} does not say what the compiler answers")
endif()
string(FIND "${text}" "${mark}" at)
string(SUBSTRING "${text}" 0 ${at} before)
string(REGEX MATCHALL "\n" lines "${before}")
list(LENGTH lines line)
math(EXPR line "${line} + 2") # counted from 1, and the mistake is in the line behind its mark

if(status EQUAL 0)
  message(FATAL_ERROR "line ${line} compiles, and should not")
endif()
string(REGEX MATCHALL "misuse.cpp:[0-9]+:[0-9]+: error: [^\n]*" errors "${output}")
if(NOT errors)
  message(FATAL_ERROR "the compiler failed without an error in misuse.cpp\n${output}")
endif()
foreach(error IN LISTS errors)
  if(NOT error MATCHES "^misuse.cpp:${line}:" OR NOT error MATCHES "${expected}")
    message(FATAL_ERROR "expected in line ${line}, with /${expected}/, and nothing else:\n${output}")
  endif()
endforeach()
