// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <tuple>
#include <utility>

#ifdef PUREWS_TEST_ASIO
#include "purews/loop/asio.hpp"
using standalone_loops = std::tuple<purews::asio_loop>;
#else
using standalone_loops = std::tuple<>;
#endif
#ifdef PUREWS_TEST_BOOST_ASIO
#include "purews/loop/boost_asio.hpp"
using boost_loops = std::tuple<purews::boost_asio_loop>;
#else
using boost_loops = std::tuple<>;
#endif
#ifdef PUREWS_TEST_LIBUV
#include "purews/loop/libuv.hpp"
using libuv_loops = std::tuple<purews::libuv_loop>;
#else
using libuv_loops = std::tuple<>;
#endif

template <class... T>
struct join;
template <class... A, class... B, class... C>
struct join<std::tuple<A...>, std::tuple<B...>, std::tuple<C...>> {
  using type = std::tuple<A..., B..., C...>;
};

/// The loops that live inside another, as far as these are on this machine.
using hosted_loops = join<standalone_loops, boost_loops, libuv_loops>::type;
