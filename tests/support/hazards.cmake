# SPDX-License-Identifier: BSL-1.0

# Runs those tests of PROGRAM that bear a tag [hazard-NN]: Catch2 cannot select tags by pattern.
execute_process(COMMAND "${PROGRAM}" --list-tags OUTPUT_VARIABLE tags)
string(REGEX MATCHALL "hazard-[0-9]+" hazards "${tags}")
if(NOT hazards)
  message("no test of a known hazard here")
  return()
endif()
list(SORT hazards)
string(REPLACE ";" "],[" hazards "${hazards}")
message("[${hazards}]")
execute_process(COMMAND "${PROGRAM}" "[${hazards}]" RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "a known hazard is back")
endif()
