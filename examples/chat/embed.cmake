# SPDX-License-Identifier: BSL-1.0
# Turns the page's files into C++: cmake -DOUT=page.cpp -DFOLDER=page -DFILES=index.html,style.css -P embed.cmake
string(REPLACE "," ";" files "${FILES}")
set(arrays "")
set(entries "")
foreach(file IN LISTS files)
  string(MAKE_C_IDENTIFIER "${file}" name)
  get_filename_component(extension "${file}" LAST_EXT)
  set(type_.html "text/html; charset=utf-8")
  set(type_.css "text/css; charset=utf-8")
  set(type_.js "text/javascript; charset=utf-8")
  set(type_.svg "image/svg+xml")
  set(path "/${file}")
  if(file STREQUAL "index.html")
    set(path "/")
  endif()
  file(READ "${FOLDER}/${file}" hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND arrays "constexpr unsigned char ${name}[] = {${bytes}};\n")
  string(APPEND entries "    {\"${path}\", \"${type_${extension}}\", ${name}},\n")
endforeach()
file(WRITE "${OUT}" "// Made by embed.cmake.
#include \"page.hpp\"

namespace chat {
namespace {
${arrays}
constexpr page_file files[] = {
${entries}};
}  // namespace

std::span<page_file const> page_files() { return files; }

}  // namespace chat
")
