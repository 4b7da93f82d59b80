// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>
#include <asio/system_error.hpp>

#include "basic_asio_loop.hpp"

namespace purews::inline v0 {

/// Asio without Boost.
struct standalone_asio {
  using io_context = asio::io_context;
  using any_io_executor = asio::any_io_executor;
  using stream_descriptor = asio::posix::stream_descriptor;
  using steady_timer = asio::steady_timer;
  using error_code = asio::error_code;
  using system_error = asio::system_error;
};

/// An event loop inside an asio::io_context.
using asio_loop = basic_asio_loop<standalone_asio>;

}  // namespace purews::inline v0
