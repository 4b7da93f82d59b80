# SPDX-License-Identifier: BSL-1.0
$CXX -std=c++20 $(pkg-config --cflags purews-libuv) libuv.cpp $(pkg-config --libs purews-libuv) -o app
