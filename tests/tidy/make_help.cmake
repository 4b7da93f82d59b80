# SPDX-License-Identifier: BSL-1.0

# Every target that a user may type has a line in `make help`, and `make` alone shows the same.
execute_process(COMMAND "${MAKE}" --no-print-directory help OUTPUT_VARIABLE help RESULT_VARIABLE status)
execute_process(COMMAND "${MAKE}" --no-print-directory OUTPUT_VARIABLE default)
if(NOT status EQUAL 0 OR NOT default STREQUAL help)
  message(FATAL_ERROR "Makefile:1: help is not the default target, or it fails")
endif()
foreach(target help deps build check test test-asan test-tsan test-valgrind test-portability sim fuzz coverage mutate
    chat echo bench format clean)
  if(NOT help MATCHES "  make ${target}  *[^ \n]")
    message(SEND_ERROR "Makefile:1: make help has no line for ${target}")
  endif()
endforeach()
