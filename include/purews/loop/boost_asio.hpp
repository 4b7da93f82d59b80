// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/system_error.hpp>

#include "basic_asio_loop.hpp"

namespace purews::inline v0 {

/// Boost.Asio.
struct boost_asio {
  using io_context = boost::asio::io_context;
  using any_io_executor = boost::asio::any_io_executor;
  using stream_descriptor = boost::asio::posix::stream_descriptor;
  using steady_timer = boost::asio::steady_timer;
  using error_code = boost::system::error_code;
  using system_error = boost::system::system_error;
};

/// An event loop inside a boost::asio::io_context.
using boost_asio_loop = basic_asio_loop<boost_asio>;

}  // namespace purews::inline v0
