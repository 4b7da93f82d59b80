// SPDX-License-Identifier: BSL-1.0
// The server on the loop of io_uring.
#include "purews/loop/io_uring.hpp"

#include <memory>

#include "harness.hpp"

using namespace purews;
using test::ws_client;

TEST_CASE("a server on io_uring echoes small and large messages on two threads, and closes politely") {
  journal log;
  basic_server<uring_loop> server(
      {.limits = {.message_bytes_max = 8U << 20, .queue_bytes_max = 16U << 20}, .threads = 2});
  server.route("/", echo_route(log));
  listening const at = server.listen("127.0.0.1", 0);
  REQUIRE(at);
  thread runs;
  REQUIRE(!runs.start([&] { server.run(); }));

  std::vector<std::unique_ptr<ws_client>> clients;
  for (int i = 0; i < 16; ++i) clients.push_back(std::make_unique<ws_client>(at.address));
  for (auto const& client : clients) REQUIRE(*client);
  std::string const large(4U << 20, 'l');
  for (auto const& client : clients) CHECK(client->send("small") == refusal::none);
  for (auto const& client : clients) CHECK(client->next_text() == "small");
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(clients[i]->send(large) == refusal::none);
    CHECK(clients[i]->send("behind") == refusal::none);
  }
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK((clients[i]->next_text() == large));
    CHECK(clients[i]->next_text() == "behind");
  }
  CHECK(clients[0]->close().clean);
  CHECK(log.wait("close 1000 clean"));

  server.stop();
  for (std::size_t i = 1; i < clients.size(); ++i) CHECK(clients[i]->last().code == status_code::going_away);
  runs.join();
  CHECK(log.count("open") == 16);
  CHECK(log.count("close 1001 clean") == 15);
}
