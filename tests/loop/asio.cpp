// SPDX-License-Identifier: BSL-1.0
// A loop inside the io_context of somebody else. What every loop does is tested with the others, in loops.cpp and
// stream.cpp; what every host does, in hosted.cpp.
#include <atomic>
#include <optional>

#include "harness.hpp"
#include "purews/loop/thread.hpp"
#ifdef PUREWS_TEST_ASIO
#include <asio/connect.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/read.hpp>
#include <asio/strand.hpp>
#include <asio/write.hpp>
#endif
#ifdef PUREWS_TEST_BOOST_ASIO
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#endif

using namespace purews;

namespace {

#ifdef PUREWS_TEST_ASIO
struct with_asio : standalone_asio {
  using loop = asio_loop;
  using strand = asio::strand<io_context::executor_type>;
  template <class E, class F>
  static void post(E const& executor, F f) {
    asio::post(executor, std::move(f));
  }
};
#endif
#ifdef PUREWS_TEST_BOOST_ASIO
struct with_boost : boost_asio {
  using loop = boost_asio_loop;
  using strand = boost::asio::strand<io_context::executor_type>;
  template <class E, class F>
  static void post(E const& executor, F f) {
    boost::asio::post(executor, std::move(f));
  }
};
#endif

#if defined(PUREWS_TEST_ASIO) && defined(PUREWS_TEST_BOOST_ASIO)
using families = std::tuple<with_asio, with_boost>;
#elif defined(PUREWS_TEST_ASIO)
using families = std::tuple<with_asio>;
#else
using families = std::tuple<with_boost>;
#endif

}  // namespace

TEMPLATE_LIST_TEST_CASE("several loops share a context", "", families) {
  typename TestType::io_context context;
  struct one {
    explicit one(typename TestType::io_context& c, socket_pair pair)
        : loop(c.get_executor()), peer{std::move(pair.peers)}, ours(loop, std::move(pair.ours)) {
      REQUIRE(!ours.held->start());
    }
    typename TestType::loop loop;
    hand peer;
    session<typename TestType::loop> ours;
  };
  std::unique_ptr<one> all[4];
  for (auto& each : all) each = std::make_unique<one>(context, connect_pair(transport::local));
  for (std::size_t i = 0; i < std::size(all); ++i) all[i]->peer.send(std::string(i + 1, 'x'));
  for (int i = 0; i < 1000 && all[3]->peer.got.size() < 4; ++i) {
    context.run_for(std::chrono::milliseconds(1));
    for (auto& each : all) each->peer.collect();
  }
  for (std::size_t i = 0; i < std::size(all); ++i) CHECK(all[i]->peer.got == std::string(i + 1, 'x'));
  all[1].reset();
  all[2]->peer.send("y");
  for (int i = 0; i < 1000 && all[2]->peer.got.size() < 4; ++i) {
    context.run_for(std::chrono::milliseconds(1));
    all[2]->peer.collect();
  }
  CHECK(all[2]->peer.got == "xxxy");
}

TEMPLATE_LIST_TEST_CASE("a loop may be destroyed while handlers of it wait in the context", "", families) {
  typename TestType::io_context context;
  std::unique_ptr<typename TestType::loop> loops[2];
  int calls = 0;
  for (std::size_t i = 0; i < 2; ++i) {
    loops[i] = std::make_unique<typename TestType::loop>(context.get_executor());
    // Both are ready at once: whichever comes first destroys the other, whose turn is in the context's queue then.
    loops[i]->post([&, other = 1 - i] {
      ++calls;
      loops[other].reset();
    });
  }
  SECTION("and the context goes on") {
    context.run_for(std::chrono::milliseconds(20));
    CHECK(calls == 1);
  }
  SECTION("or is destroyed next") {
    while (calls == 0) context.run_one();
  }
  for (auto& loop : loops) loop.reset();
}

TEMPLATE_LIST_TEST_CASE("on a strand, two threads run the context and one of them at a time the loop", "", families) {
  constexpr int posts = 2000;
  typename TestType::io_context context(2);
  typename TestType::strand const strand(context.get_executor());
  using loop_type = typename TestType::loop;
  auto loop = std::make_unique<loop_type>(strand);
  CHECK(loop->executor() == typename TestType::any_io_executor(strand));
  socket_pair pair = connect_pair(transport::local);
  hand peer{std::move(pair.peers)};
  auto ours = std::make_unique<session<loop_type>>(*loop, std::move(pair.ours));
  REQUIRE(!ours->held->start());
  int ran = 0;  // of no atomic type: the strand guards it
  int ticks = 0;
  typename loop_type::timer_handle timer = loop->after(duration{}, [&] {
    ++ticks;
    timer.restart(milliseconds(1));
  });
  thread threads[2];
  for (thread& each : threads) REQUIRE(!each.start([&] { context.run(); }));
  for (int i = 0; i < posts; ++i) loop->post([&] { ++ran; });
  peer.send("hello");
  for (int i = 0; i < 5000 && peer.got != "hello"; ++i) {
    ::usleep(1000);
    peer.collect();
  }
  CHECK(peer.got == "hello");
  std::atomic<bool> ended = false;
  std::atomic<bool> enough = false;
  while (!enough) {
    std::atomic<bool> looked = false;
    TestType::post(strand, [&] {
      enough = ran == posts && ticks > 2;
      looked = true;
    });
    while (!looked) ::usleep(1000);
  }
  TestType::post(strand, [&] {
    timer = {};
    ours.reset();
    loop.reset();
    ended = true;
  });
  for (thread& each : threads) each.join();
  CHECK(ended);
  CHECK(ran == posts);
}

TEMPLATE_LIST_TEST_CASE("on a context of its own, run also runs what else is there, and may be called again", "",
                        families) {
  using loop_type = typename TestType::loop;
  auto const shared = std::make_shared<int>(0);
  auto loop = std::make_unique<loop_type>();
  for (int i = 1; i <= 3; ++i) {
    typename TestType::steady_timer of_user(loop->executor(), std::chrono::milliseconds(1));
    of_user.async_wait([&](auto) {
      ++*shared;
      loop->post([&] { loop->stop(); });
    });
    loop->run();
    CHECK(*shared == i);
  }
  // What is left on each side may be on the other.
  TestType::post(loop->executor(), [shared, timer = std::make_shared<typename loop_type::timer_handle>(
                                                loop->after(seconds(1), [] {}))] { ++*shared; });
  loop->post([shared, timer = std::make_unique<typename TestType::steady_timer>(loop->executor())] { ++*shared; });
  loop.reset();
  CHECK(*shared == 3);
  CHECK(shared.use_count() == 1);
}

TEMPLATE_LIST_TEST_CASE("misuse of a loop inside another is found", "", families) {
  CHECK(dies([] {
    typename TestType::io_context context;
    typename TestType::loop loop(context.get_executor());
    loop.run();
  }));
}

#ifdef PUREWS_TEST_ASIO
namespace {

/// A client of Asio's own, which says hello and waits for the echo.
struct asio_client {
  explicit asio_client(asio::io_context& context) : socket(context) {}
  void begin(asio::ip::tcp::endpoint const& to, std::function<void()> when_done) {
    done = std::move(when_done);
    socket.async_connect(to, [this](asio::error_code failed) {
      if (failed) return;
      asio::async_write(socket, asio::buffer("hello", 5), [](asio::error_code, std::size_t) {});
      asio::async_read(socket, asio::buffer(room), [this](asio::error_code, std::size_t count) {
        got.assign(room, count);
        socket.close();
        done();
      });
    });
  }
  asio::ip::tcp::socket socket;
  char room[5] = {};
  std::string got;
  std::function<void()> done;
};

}  // namespace

TEST_CASE("a socket that Asio has accepted becomes a stream, beside Asio's own sockets and timers") {
  asio::io_context context;
  asio::ip::tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  asio_loop loop(context.get_executor());
  std::optional<session<asio_loop>> ours;
  acceptor.async_accept([&](asio::error_code failed, asio::ip::tcp::socket socket) {
    REQUIRE(!failed);
    descriptor adopted(socket.release());
    REQUIRE(!prepare_socket(adopted.number()));
    ours.emplace(loop, std::move(adopted));
    REQUIRE(!ours->held->start());
  });
  int ticks = 0;
  asio::steady_timer timer(context);
  std::function<void(asio::error_code)> const tick = [&](asio::error_code failed) {
    if (failed) return;
    ++ticks;
    timer.expires_after(std::chrono::milliseconds(1));
    timer.async_wait(tick);
  };
  tick({});
  asio_client client(context);
  int echoes = 0;
  client.begin(acceptor.local_endpoint(), [&] { ++echoes; });
  while (!ours || ours->ends == 0) context.run_one();
  CHECK(echoes == 1);
  CHECK(client.got == "hello");
  CHECK(ours->received == "hello");
  CHECK(ticks > 0);
}
#endif
