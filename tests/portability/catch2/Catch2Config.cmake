# SPDX-License-Identifier: BSL-1.0

# Catch2 version 2 for another machine: the one header, in a folder of its own.
add_library(Catch2::Catch2 INTERFACE IMPORTED)
set_target_properties(Catch2::Catch2 PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${PUREWS_CATCH2}")
