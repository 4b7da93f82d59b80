# SPDX-License-Identifier: BSL-1.0
$CXX -std=c++20 $(pkg-config --cflags purews-deflate) deflate.cpp $(pkg-config --libs purews-deflate) -o app
