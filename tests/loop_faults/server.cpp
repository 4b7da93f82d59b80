// SPDX-License-Identifier: BSL-1.0
// A whole life of a server, again and again, and each time another of its calls to the system or the heap fails.
#include <future>

#include "purews/server/server.hpp"
#include "steps.hpp"
#include "support/frames.hpp"
#include "support/ws_client.hpp"

using namespace purews;
using test::raw_client;
using test::upgrade_request;
using test::ws_client;

namespace {

std::atomic<bool> runs{false};  // the server, or it will

// What was lost with the memory for it does not come, and from a server that has ended nothing does.
int patience_of_visitors() { return !runs ? 0 : faults::struck ? 150 : 10'000; }
int patience_of_fresh_clients() { return runs ? 10'000 : 0; }

/// What became of a server.
struct outcome {
  os_error refused{};          ///< by its loops, or while it began to listen, or by run()
  bool out_of_memory = false;  ///< said so before it ran
  bool fresh_served = false;   ///< a client that came after all others
  bool listened = false;
  std::atomic<int> opens{0}, closes{0};
};

struct places {
  bool good = false;
  socket_address tcp{}, local{};
};

server_options options() {
  return {.timeout = {.handshake = milliseconds(500), .close = milliseconds(100), .linger = milliseconds(50)},
          .threads = 2,
          .pin = pinning::cores,
          .workers = 1,
          .drain = {.deadline = milliseconds(100)}};
}

template <class Server>
websocket_route conversation(Server& server, outcome& l) {
  return {.origins = {"*"},
          .on_open =
              [&l](session& s) {
                ++l.opens;
                s.subscribe("a topic whose name does not fit in place");
              },
          .on_message =
              [&server](session& s, message_view m) {
                if (m.text() == "publish") {
                  server.publish("a topic whose name does not fit in place", "published");
                } else if (m.text() == "handle") {
                  s.handle().send("by handle");
                } else if (m.text() == "post") {
                  s.handle().post([](session& later) { later.send("posted"); });
                } else if (m.text() == "work") {
                  if (s.work([] { return 7; }, [](session& w, int) { w.send("worked"); }) != refusal::none) s.abort();
                } else {
                  s.send(m);
                }
              },
          .on_close = [&l](session&, closing const&) { ++l.closes; }};
}

/// The server's thread: from its construction to its end.
template <class Loop>
void serve(outcome& l, std::promise<places>& ready, std::promise<basic_server<Loop>*>& running, std::string const& path,
           std::future<void> visited) {
  places found;
  bool told = false;
  auto const tell = [&](basic_server<Loop>* server) {
    bool const before = std::exchange(faults::spared, true);
    if (!std::exchange(told, true)) {
      running.set_value(server);
      ready.set_value(found);
    }
    faults::spared = before;
  };
  try {
    basic_server<Loop> server(options());
    server.route("/", conversation(server, l));
    server.get("/page", [](http_exchange& x) { x.answer(200, "A page that is longer than what fits in place."); });
    l.refused = server.loop_error();
    listening const tcp = server.listen("127.0.0.1", 0);
    listening const local = tcp ? server.listen_unix(path) : listening{tcp.error, {}};
    if (!l.refused) l.refused = tcp.error;
    if (!l.refused) l.refused = local.error;
    auto const timer = server.loop(0).after(milliseconds(1), [&server] {
      try {
        server.publish("nobody", "tick");
      } catch (std::bad_alloc const&) {  // a callback of the program must not throw
      }
    });
    found = {!l.refused, tcp.address, local.address};
    l.listened = found.good;
    tell(found.good ? &server : nullptr);
    if (!found.good) return;
    try {
      if (os_error const failed = server.run()) l.refused = failed;
    } catch (std::bad_alloc const&) {
      l.out_of_memory = true;
    }
    runs = false;
    visited.wait();  // the clients' thread uses the server until then
  } catch (std::bad_alloc const&) {
    l.out_of_memory = true;
    tell(nullptr);
  }
}

/// Whether a server at `at` echoes.
bool echoes(socket_address const& at, std::string const& text) {
  try {
    ws_client client(at);
    if (!client) return false;
    client.send(text);
    std::string got = client.next_text();
    while (got == "published") got = client.next_text();
    if (got != text) return false;
    return client.close().clean;
  } catch (std::runtime_error const&) {
    return false;
  }
}

/// What clients do. Any of them may fail, when something fails under the server.
void visit(places const& at) {
  auto const guarded = [](auto visitor) {
    try {
      visitor();
    } catch (std::runtime_error const&) {
      return;  // it could not connect
    }
  };
  guarded([&] {
    ws_client stays(at.local);
    ws_client talks(at.tcp);
    for (std::string const word : {"small", "publish", "handle", "post", "work"}) {
      talks.send(word);
      talks.next_text();
    }
    std::string const large(1U << 20, 'L');
    talks.send(large);
    talks.next_text();
    talks.close();
  });
  guarded([&] { test::http(at.tcp, "GET /page HTTP/1.1\r\nHost: a\r\n\r\n"); });
  guarded([&] { test::http(at.tcp, "GET /a-page-that-is-not-there HTTP/1.1\r\nHost: a\r\n\r\n"); });
  guarded([&] { test::http(at.tcp, "PUT /page HTTP/1.1\r\nHost: a\r\n\r\n"); });
  guarded([&] {
    raw_client half(at.tcp);
    half.send(upgrade_request());
    half.receive_until("\r\n\r\n");
    half.shut();
    half.receive_all();
  });
  guarded([&] {
    raw_client cut(at.tcp);
    cut.send(upgrade_request());
    cut.receive_until("\r\n\r\n");
    cut.send(test::peer_frame(role::server, 0x01, "never finished"));
    cut.reset();
  });
}

/// Somebody else's connection is given to the server.
template <class Loop>
void give(basic_server<Loop>& server) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return;
  descriptor const ours(ends[0]);
  faults::spared = false;
  try {
    server.adopt(descriptor(ends[1]));
  } catch (std::bad_alloc const&) {  // the caller's
  }
  faults::spared = true;
}

template <class Loop>
void run_life(outcome& l) {
  std::string const path = "/tmp/purews-faults-" + std::to_string(::getpid()) + ".sock";
  std::promise<places> ready;
  std::promise<basic_server<Loop>*> running;
  std::promise<void> visited;
  runs = true;
  thread server_thread;
  REQUIRE(!server_thread.start([&] { serve<Loop>(l, ready, running, path, visited.get_future()); }));
  basic_server<Loop>* const server = running.get_future().get();
  places const at = ready.get_future().get();
  std::unique_ptr<ws_client> last;
  if (at.good) {
    give(*server);
    auto const patience = std::exchange(test::patience_ms, patience_of_visitors);
    visit(at);
    test::patience_ms = patience_of_fresh_clients;
    // The failure may strike one of these; then the next is served.
    for (int i = 0; i < 2 && !l.fresh_served; ++i)
      l.fresh_served = echoes(at.tcp, "fresh") && echoes(at.local, "fresh");
    try {
      last = std::make_unique<ws_client>(at.tcp);
    } catch (std::runtime_error const&) {
    }
    server->stop();
    test::patience_ms = patience_of_visitors;
    if (last) last->last();
    test::patience_ms = patience;
    last.reset();
  }
  visited.set_value();
  server_thread.join();
  ::unlink(path.c_str());
}

template <class Loop>
void live(faults::plan what) {
  outcome l;
  run_life<Loop>(l);
  if (what.at < 0) CHECK(l.opens >= 6);
  if (l.opens != l.closes) CHECK(l.opens == l.closes);
  bool const told = l.refused || l.out_of_memory;
  bool const unpinned = what.which == faults::call::sched_getaffinity || what.which == faults::call::sched_setaffinity;
  if (unpinned && faults::struck) CHECK(l.refused);
  if (!told && !l.fresh_served) CHECK(l.fresh_served);
  // What it refuses, it refuses for this reason.
  if (l.refused && (!faults::struck || l.refused.code != what.code)) CHECK(l.refused.code == what.code);
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("each call of a server to the system may fail once with each error", "", faults::loops) {
  fail_each(faults::kinds_of<TestType>.server, faults::part::system, live<TestType>);
}

TEMPLATE_LIST_TEST_CASE("memory may run out once at every place of a server", "", faults::loops) {
  fail_each(faults::kinds_of<TestType>.server, faults::part::heap, live<TestType>);
}

TEMPLATE_LIST_TEST_CASE("a server that cannot listen on each of its loops listens on none", "", faults::loops) {
  basic_server<TestType> server({.threads = 3});
  for (auto const which : {faults::call::socket, faults::call::listen}) {
    for (long at = 0; at < 4; ++at) {  // first it looks whether nobody else listens
      std::uint16_t const port = listen_tcp("127.0.0.1", 0).bound.port();
      faults::begin({which, at, ENOBUFS});
      faults::spared = false;
      listening const got = server.listen("127.0.0.1", port);
      faults::spared = true;
      CHECK(faults::struck);
      CHECK(got.error.code == ENOBUFS);
      CHECK(listen_tcp("127.0.0.1", port));
    }
  }
  CHECK(server.listen("127.0.0.1", 0));
}

TEMPLATE_LIST_TEST_CASE("a server on any port takes another one if somebody was faster", "", faults::loops) {
  basic_server<TestType> server({.threads = 2});
  for (long at = 1; at < 3; ++at) {  // first it looks which port is free
    faults::begin({faults::call::bind, at, EADDRINUSE});
    faults::spared = false;
    listening const got = server.listen("127.0.0.1", 0);
    faults::spared = true;
    CHECK(faults::struck);
    REQUIRE(got);
    CHECK(listen_tcp("127.0.0.1", got.address.port()).error.code == EADDRINUSE);
  }
}

#ifndef PUREWS_TEST_HOSTED
TEST_CASE("an echoed message costs one recv, one send, its share of a wait, and no memory") {
  using faults::call;
  constexpr long messages = 1000;
  outcome l;
  std::promise<places> ready;
  std::promise<basic_server<epoll_loop>*> running;
  std::promise<void> visited;
  faults::begin();
  thread server_thread;
  std::string const path = "/tmp/purews-counted-" + std::to_string(::getpid()) + ".sock";
  REQUIRE(!server_thread.start([&] { serve<epoll_loop>(l, ready, running, path, visited.get_future()); }));
  basic_server<epoll_loop>* const server = running.get_future().get();
  places const at = ready.get_future().get();
  REQUIRE(at.good);
  {
    ws_client client(at.tcp);
    REQUIRE(client);
    auto const echo = [&](long times) {
      for (long i = 0; i < times; ++i) {
        client.send("a message of usual length");
        if (client.next_text() != "a message of usual length") return false;
      }
      return true;
    };
    CHECK(echo(500));  // and the timer of the server has fired
    std::vector<long> before;
    for (int i = 0; i < faults::calls; ++i) before.push_back(faults::seen[i]);
    CHECK(echo(messages));
    auto const cost = [&](call which) { return faults::count_of(which) - before[static_cast<std::size_t>(which)]; };
    CHECK(cost(call::recv) == messages);
    CHECK(cost(call::send) == messages);
    CHECK(cost(call::sendmsg) == 0);
    CHECK(cost(call::epoll_wait) <= messages + 10);  // a timer may fire meanwhile
    CHECK(cost(call::epoll_ctl) == 0);
    CHECK(cost(call::malloc) == 0);
    CHECK(cost(call::realloc) == 0);
    CHECK(cost(call::operator_new) == 0);
  }
  server->stop();
  visited.set_value();
  server_thread.join();
}
#endif
