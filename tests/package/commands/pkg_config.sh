# SPDX-License-Identifier: BSL-1.0
$CXX -std=c++20 $(pkg-config --cflags purews) main.cpp other.cpp -o app
