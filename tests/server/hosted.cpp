// SPDX-License-Identifier: BSL-1.0
// A server inside the loop of somebody else, who runs it.
#include "harness.hpp"
#include "loop/hosts.hpp"
#ifdef PUREWS_TEST_ASIO
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#endif

using namespace purews;
using test::ws_client;

namespace {

/// What the program has beside the server: a loop that a thread runs until nothing is on it.
#ifdef PUREWS_TEST_ASIO
struct asio_program {
  using loop = asio_loop;
  asio::io_context context;
  asio::io_context::executor_type place() { return context.get_executor(); }
  void run() { context.run(); }
  template <class F>
  void when_ended(F f) {
    asio::post(context, f);
  }
};
#endif
#ifdef PUREWS_TEST_LIBUV
struct libuv_program {
  using loop = libuv_loop;
  libuv_program() { ::uv_loop_init(&uv); }
  ~libuv_program() {
    ::uv_run(&uv, UV_RUN_DEFAULT);
    ::uv_loop_close(&uv);
  }
  uv_loop_t uv;
  uv_loop_t* place() { return &uv; }
  void run() {
    ::uv_run(&uv, UV_RUN_DEFAULT);
    if (then) then();
    ::uv_run(&uv, UV_RUN_DEFAULT);
  }
  template <class F>
  void when_ended(F f) {
    then = f;
    ::uv_stop(&uv);
  }
  callback<void()> then;
};
#endif

#if defined(PUREWS_TEST_ASIO) && defined(PUREWS_TEST_LIBUV)
using programs = std::tuple<asio_program, libuv_program>;
#elif defined(PUREWS_TEST_ASIO)
using programs = std::tuple<asio_program>;
#elif defined(PUREWS_TEST_LIBUV)
using programs = std::tuple<libuv_program>;
#endif

}  // namespace

#if defined(PUREWS_TEST_ASIO) || defined(PUREWS_TEST_LIBUV)
TEMPLATE_LIST_TEST_CASE(
    "a server inside the program's own loop serves, is stopped from elsewhere, and says when it has "
    "ended",
    "", programs) {
  TestType program;
  journal log;
  auto server = std::make_unique<basic_server<typename TestType::loop>>(server_options{.workers = 1}, program.place());
  server->route("/", echo_route(log));
  bool ended = false;  // of the program's thread
  server->on_ended([&] {
    ended = true;
    program.when_ended([&] { server.reset(); });  // and so the program's loop has nothing left
  });
  listening const at = server->listen("127.0.0.1", 0);
  REQUIRE(at);
  auto* const stopped = server.get();
  thread runs;
  REQUIRE(!runs.start([&] { program.run(); }));
  {
    ws_client one(at.address);
    ws_client two(at.address);
    REQUIRE(one);
    REQUIRE(two);
    std::string const large(900'000, 'l');
    CHECK(one.send("small") == refusal::none);
    CHECK(two.send(large) == refusal::none);
    CHECK(one.next_text() == "small");
    CHECK((two.next_text() == large));
    CHECK(one.close().clean);
    CHECK(log.wait("close 1000 clean"));
    stopped->stop();
    CHECK(two.next_text() == "closed 1001 ");
  }
  runs.join();
  CHECK(ended);
  CHECK(server == nullptr);
  CHECK(log.count("close 1001 clean") == 1);
}
#endif

#ifdef PUREWS_TEST_ASIO
TEST_CASE("a connection that Asio has accepted is served by a server in the same context") {
  asio::io_context context;
  journal log;
  auto server = std::make_unique<basic_server<asio_loop>>(server_options{}, context.get_executor());
  server->route("/", echo_route(log));
  server->on_ended([&] { asio::post(context, [&] { server.reset(); }); });
  asio::ip::tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  auto* const stopped = server.get();
  acceptor.async_accept([&](asio::error_code failed, asio::ip::tcp::socket socket) {
    if (!failed) stopped->adopt(descriptor(socket.release()));
  });
  address_list const where = resolve("127.0.0.1", acceptor.local_endpoint().port());
  thread runs;
  REQUIRE(!runs.start([&] { context.run(); }));
  {
    ws_client client(*where.begin());
    REQUIRE(client);
    CHECK(client.send("hi") == refusal::none);
    CHECK(client.next_text() == "hi");
    CHECK(client.close().clean);
  }
  stopped->stop();
  runs.join();
  CHECK(log.count("close 1000 clean") == 1);
}
#endif
