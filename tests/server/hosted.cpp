// SPDX-License-Identifier: BSL-1.0
// A server inside the loop of somebody else, who runs it.
#include "harness.hpp"
#include "loop/programs.hpp"
#ifdef PUREWS_TEST_ASIO
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#endif

using namespace purews;
using test::ws_client;

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
    program.post([&] { server.reset(); });  // and so the program's loop has nothing left
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
