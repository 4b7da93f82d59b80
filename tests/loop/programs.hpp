// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>
#include <tuple>
#include <utility>

#include "hosts.hpp"
#include "purews/loop/callback.hpp"
#include "support/catch.hpp"
#ifdef PUREWS_TEST_ASIO
#include <asio/post.hpp>
#endif
#ifdef PUREWS_TEST_BOOST_ASIO
#include <boost/asio/post.hpp>
#endif

// Programs with a loop of their own, in which ours live:
//   run()      until nothing is left on it, or stop()
//   after()    calls once, so many milliseconds later; one at a time
//   post()     calls once, on the thread that runs, and not under the feet of a turn; one at a time
//   place()    what our loops are made from

#if defined(PUREWS_TEST_ASIO) || defined(PUREWS_TEST_BOOST_ASIO)
/// Asio's or Boost's post, whichever the executor belongs to.
template <class E, class F>
void post_to(E const& executor, F f) {
  post(executor, std::move(f));
}

template <class Loop, class Asio>
struct program_of_asio {
  using loop = Loop;
  void run() { context.run(); }
  void stop() { context.stop(); }
  void after(int milliseconds, purews::callback<void()> done) {
    timer.expires_after(std::chrono::milliseconds(milliseconds));
    timer.async_wait([f = std::move(done)](auto) mutable { f(); });
  }
  void post(purews::callback<void()> done) {
    post_to(context.get_executor(), [f = std::move(done)]() mutable { f(); });
  }
  auto place() { return context.get_executor(); }

  typename Asio::io_context context;
  typename Asio::steady_timer timer{context};
};
#endif

#ifdef PUREWS_TEST_ASIO
using asio_program = program_of_asio<purews::asio_loop, purews::standalone_asio>;
using asio_programs = std::tuple<asio_program>;
#else
using asio_programs = std::tuple<>;
#endif
#ifdef PUREWS_TEST_BOOST_ASIO
using boost_programs = std::tuple<program_of_asio<purews::boost_asio_loop, purews::boost_asio>>;
#else
using boost_programs = std::tuple<>;
#endif

#ifdef PUREWS_TEST_LIBUV
struct libuv_program {
  using loop = purews::libuv_loop;
  libuv_program() {
    REQUIRE(::uv_loop_init(&uv) == 0);
    REQUIRE(::uv_timer_init(&uv, &timer) == 0);
    REQUIRE(::uv_async_init(&uv, &async, [](uv_async_t* a) { call(static_cast<libuv_program*>(a->data)->posted); }) ==
            0);
    ::uv_unref(reinterpret_cast<uv_handle_t*>(&async));
    timer.data = async.data = this;
  }
  ~libuv_program() {
    ::uv_close(reinterpret_cast<uv_handle_t*>(&timer), nullptr);
    ::uv_close(reinterpret_cast<uv_handle_t*>(&async), nullptr);
    ::uv_run(&uv, UV_RUN_DEFAULT);
    CHECK(::uv_loop_close(&uv) == 0);  // nothing of a loop that was inside is left
  }
  void run() { ::uv_run(&uv, UV_RUN_DEFAULT); }
  void stop() { ::uv_stop(&uv); }
  void after(int milliseconds, purews::callback<void()> done) {
    timed = std::move(done);
    auto const fire = [](uv_timer_t* t) { call(static_cast<libuv_program*>(t->data)->timed); };
    ::uv_timer_start(&timer, fire, static_cast<std::uint64_t>(milliseconds), 0);
  }
  void post(purews::callback<void()> done) {
    posted = std::move(done);
    ::uv_async_send(&async);
  }
  uv_loop_t* place() { return &uv; }

  static void call(purews::callback<void()>& once) {
    purews::callback<void()> moved = std::move(once);
    if (moved) moved();
  }

  uv_loop_t uv;
  uv_timer_t timer;
  uv_async_t async;
  purews::callback<void()> timed, posted;
};
using libuv_programs = std::tuple<libuv_program>;
#else
using libuv_programs = std::tuple<>;
#endif

using programs = join<asio_programs, boost_programs, libuv_programs>::type;
