# SPDX-License-Identifier: BSL-1.0
$CXX -std=c++20 -I third_party main.cpp other.cpp -o app
