// SPDX-License-Identifier: BSL-1.0
// What whoever runs a server needs of it: overload, drains, counters, health, and calls from elsewhere.
#include <unistd.h>

#include "harness.hpp"

using namespace purews;
using test::http;
using test::raw_client;
using test::upgrade_request;
using test::ws_client;

namespace {

std::string get(std::string_view path) { return "GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n\r\n"; }

bool answers(std::string const& answer, int status) {
  return answer.starts_with("HTTP/1.1 " + std::to_string(status) + " ");
}

/// Waits until `done`.
template <class F>
bool eventually(F done) {
  for (int i = 0; i < test::patience_ms() && !done(); ++i) ::usleep(1000);
  return done();
}

/// A handle from a handler, for the test's thread.
class handle_box {
 public:
  void put(session_handle handle) {
    std::lock_guard const lock(mutex_);
    handle_ = std::move(handle);
    changed_.notify_all();
  }
  session_handle take() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::milliseconds(test::patience_ms()),
                      [&] { return !(handle_ == session_handle()); });
    return handle_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  session_handle handle_;
};

}  // namespace

TEST_CASE("any thread may send to a session, close it, and keep its handle after the server is gone") {
  session_handle handle;
  {
    server server({.threads = 2});
    handle_box box;
    journal log;
    server.route("/", {.on_open = [&](session& s) { box.put(s.handle()); },
                       .on_close = [&](session&, closing const& how) { log.add(std::to_string(int(how.code))); }});
    running run(server);
    ws_client client(run.at());
    REQUIRE(client);
    handle = box.take();
    CHECK(handle.send("from outside") == handover::queued);
    CHECK(client.next_text() == "from outside");
    CHECK(handle.close(status_code::going_away) == handover::queued);
    CHECK(client.next_text() == "closed 1001 ");
    CHECK(log.wait("1001"));
    CHECK(eventually([&] { return handle.stale(); }));
    CHECK(handle.send("x") == handover::stale);
  }
  CHECK(handle.stale());
  CHECK(handle.post([](session&) {}) == handover::stale);
}

TEST_CASE("4.2.2: an upgrade may be decided later, by another thread; frames that came before are not lost") {
  server server({.timeout = {.handshake = milliseconds(500)}});
  handle_box box;
  journal log;
  server.route("/", {.on_upgrade = [&](upgrade& u) { box.put(u.defer()); },
                     .on_open = [&](session&) { log.add("open"); },
                     .on_message = [](session& s, message_view m) { s.send(m); }});
  running run(server);
  SECTION("accepted") {
    raw_client client(run.at());
    client.send(upgrade_request("/"));
    client.send(test::peer_frame(role::server, 0x81, "early"));
    session_handle const handle = box.take();
    CHECK(log.count("open") == 0);
    CHECK(handle.decide([](upgrade& u) {
      header_field const cookie[] = {{"Set-Cookie", "late=1"}};
      static_cast<void>(u.accept({.headers = cookie}));
    }) == handover::queued);
    CHECK(client.receive_until("early"));
    CHECK(client.received().starts_with("HTTP/1.1 101 "));
    CHECK(client.received().find("Set-Cookie: late=1\r\n") != std::string::npos);
    CHECK(handle.decide([&](upgrade& u) {
      log.add("asked again");
      u.reject(403);
    }) == handover::queued);
    CHECK(handle.send("still open") == handover::queued);
    CHECK(client.receive_until("still open"));
    CHECK(log.count("asked again") == 0);
  }
  SECTION("rejected") {
    raw_client client(run.at());
    client.send(upgrade_request("/"));
    box.take().decide([](upgrade& u) { u.reject(401, "Who are you?"); });
    CHECK(answers(client.receive_all(), 401));
    CHECK(log.count("open") == 0);
  }
  SECTION("not at all, until the deadline of the handshake") {
    raw_client client(run.at());
    client.send(upgrade_request("/"));
    session_handle const handle = box.take();
    client.receive_all();
    CHECK(eventually([&] { return handle.stale(); }));
    CHECK(log.count("open") == 0);
  }
}

TEST_CASE("slow work runs beside the loop, and its answers come in the order of the messages") {
  server server({.threads = 2, .workers = 3});
  server.route("/", {.on_message = [](session& s, message_view m) {
                 static_cast<void>(s.work(
                     [text = std::string(m.text())] {
                       ::usleep(text.ends_with("slow") ? 20'000 : 0);
                       return text + " done";
                     },
                     [](session& who, std::string const& answer) { who.send(answer); }));
               }});
  running run(server);
  ws_client client(run.at());
  REQUIRE(client);
  for (char const* const text : {"1 slow", "2", "3 slow", "4"}) client.send(opcode::text, text);
  for (char const* const text : {"1 slow done", "2 done", "3 slow done", "4 done"}) CHECK(client.next_text() == text);
}

TEST_CASE("a session that is paused gets no message until it is resumed, and loses none") {
  server server({.timeout = {.ping = milliseconds(50), .pong = milliseconds(50)}});
  handle_box box;
  journal log;
  server.route("/", {.on_message = [&](session& s, message_view m) {
                 log.add(std::string(m.text()));
                 if (m.text() != "pause") return;
                 s.pause();
                 box.put(s.handle());
               }});
  running run(server);
  ws_client client(run.at());
  REQUIRE(client);
  client.send("before");
  client.send("pause");
  for (int i = 0; i < 100; ++i) client.send("after");
  session_handle const handle = box.take();
  ::usleep(150'000);  // longer than its pings would wait for an answer
  CHECK(log.lines() == lines{"before", "pause"});
  CHECK(handle.post([](session& s) { s.resume(); }) == handover::queued);
  CHECK(log.wait("after", 100));
  client.send("again");
  CHECK(log.wait("again"));
}

TEST_CASE("an upgrade that is paused before its decision is opened when it is resumed") {
  server server;
  handle_box box;
  journal log;
  server.route("/", {.on_upgrade = [&](upgrade& u) { box.put(u.defer()); },
                     .on_open = [&](session&) { log.add("open"); },
                     .on_message = [&](session&, message_view m) { log.add(std::string(m.text())); }});
  running run(server);
  raw_client client(run.at());
  client.send(upgrade_request() + std::string(as_text(test::peer_frame(role::server, 0x81, "early"))));
  session_handle const handle = box.take();
  CHECK(handle.post([](session& s) { s.pause(); }) == handover::queued);
  CHECK(handle.decide([](upgrade&) {}) == handover::queued);
  CHECK(client.receive_until("\r\n\r\n"));
  CHECK(handle.post([&](session&) { log.add("still paused"); }) == handover::queued);
  CHECK(log.wait("still paused"));
  CHECK(log.lines() == lines{"still paused"});
  CHECK(handle.post([](session& s) { s.resume(); }) == handover::queued);
  CHECK(log.wait("early"));
  CHECK(log.lines() == lines{"still paused", "open", "early"});
}

TEST_CASE("7.1.1: closing a paused session reads the client's Close frame") {
  server server;
  handle_box box;
  journal log;
  server.route("/", {.on_open =
                         [&](session& s) {
                           s.pause();
                           box.put(s.handle());
                         },
                     .on_close = [&](session&, closing const& how) { log.add(how.clean ? "clean" : "not"); }});
  running run(server);
  ws_client client(run.at());
  REQUIRE(client);
  client.send("never read");
  CHECK(box.take().close() == handover::queued);
  CHECK(client.next_text() == "closed 1000 ");
  CHECK(log.wait("clean"));
}

TEST_CASE("on_drain is called once the output that waits has become little again [hazard-28]", "[hazard-28]") {
  server server({.limits = {.queue_bytes_max = 1U << 20, .queue_bytes_high = 100'000}});
  journal log;
  server.route("/", {.on_message =
                         [&](session& s, message_view) {
                           std::string const part(50'000, 'p');
                           while (s.send(part) == refusal::none) continue;
                           log.add("full");
                         },
                     .on_drain =
                         [&](session& s) {
                           log.add(s.queued_bytes() <= 25'000 ? "drained" : "too early");
                           s.send("the end");
                         }});
  running run(server);
  ws_client client(run.at(), {.socket = {.receive_buffer = 4096}});
  REQUIRE(client);
  client.send("go");
  REQUIRE(log.wait("full"));
  CHECK(log.count("drained") == 0);
  while (client.next_text() != "the end") continue;
  CHECK(log.lines() == lines{"full", "drained"});
  CHECK(server.counters().drains == 1);
}

TEST_CASE("while it drains a server answers its watchers, and sends new sessions away until all have left") {
  server server({.drain = {.code = status_code::service_restart}});
  server.health();
  journal log;
  server.route("/", echo_route(log));
  running run(server);
  auto const& at = run.at();
  CHECK(answers(http(at, get("/healthz")), 200));
  CHECK(answers(http(at, get("/readyz")), 200));
  CHECK(server.ready());
  raw_client slow(at);  // never answers the Close frame
  slow.send(upgrade_request("/"));
  REQUIRE(log.wait("open"));
  server.stop();
  CHECK(slow.receive_until("\x88\x02\x03\xF4"));
  CHECK(!server.ready());
  CHECK(answers(http(at, get("/healthz")), 200));
  CHECK(answers(http(at, get("/readyz")), 503));
  std::string const refused = http(at, upgrade_request("/"));
  CHECK(answers(refused, 503));
  CHECK(refused.find("\r\nRetry-After: ") != refused.npos);
  slow.drop();
  run.join();
  CHECK(server.counters().upgrades_busy == 1);
  CHECK_THROWS(ws_client(at));
}

TEST_CASE("7.4.1: Close frames of a drain are spread in batches of at least a hundred") {
  server server({.drain = {.spread = seconds(3600), .deadline = milliseconds(300)}});
  journal log;
  server.route("/", echo_route(log));
  running run(server);
  std::vector<std::unique_ptr<raw_client>> clients;
  for (int i = 0; i < 130; ++i) {
    clients.push_back(std::make_unique<raw_client>(run.at()));
    clients.back()->send(upgrade_request("/"));
  }
  REQUIRE(log.wait("open", 130));
  server.stop();
  run.join();  // at the deadline
  int told = 0;
  for (auto const& client : clients) told += client->receive_all().ends_with("\x88\x02\x03\xE9") ? 1 : 0;
  CHECK(told == 100);
  CHECK(log.count("close 1006") == 130);
}

TEST_CASE("above its bound a server refuses upgrades, and cuts off those who keep the most [hazard-28]",
          "[hazard-28]") {
  server server({.limits = {.queue_bytes_max = 64U << 20},
                 .threads = 2,
                 .memory_bytes_max = 10'000'000,
                 .tcp = {.send_buffer_bytes = 50'000}});
  server.health();
  journal log;
  server.route("/", {.on_message =
                         [&](session& s, message_view m) {
                           std::string const part(1'000'000, 'p');
                           for (int i = std::stoi(std::string(m.text())); i > 0; --i) s.send(part);
                           log.add("queued " + std::string(m.text()));
                         },
                     .on_close = [&](session&, closing const& how) { log.add(std::to_string(int(how.code))); }});
  running run(server);
  auto const& at = run.at();
  test::ws_request const slow{.socket = {.receive_buffer = 4096}};
  ws_client modest(at, slow);
  ws_client greedy(at, slow);
  ws_client greedier(at, slow);
  modest.send("2");
  REQUIRE(log.wait("queued 2"));
  CHECK(server.ready());
  greedy.send("7");
  REQUIRE(log.wait("queued 7"));
  CHECK(eventually([&] { return !server.ready(); }));
  CHECK(answers(http(at, get("/readyz")), 503));
  CHECK(answers(http(at, upgrade_request("/")), 503));
  CHECK(server.counters().shed == 0);
  greedier.send("15");
  CHECK(log.wait("1006"));
  CHECK(eventually([&] { return server.counters().buffered_bytes <= 9'000'000; }));
  CHECK(server.counters().shed == 1);
  CHECK(log.count("1006") == 1);
  CHECK(modest.next().text.size() == 1'000'000);
  CHECK(modest.next().text.size() == 1'000'000);
  CHECK(server.counters().upgrades_busy == 1);
}

TEST_CASE("the counters tell what happened") {
  server server({.threads = 2});
  journal log;
  server.route("/", echo_route(log));
  server.route("/private", {.origins = {"https://other.example"}});
  server.get("/page", [](http_exchange& e) { e.answer(200, "page"); });
  running run(server);
  auto const& at = run.at();
  {
    ws_client client(at);
    REQUIRE(client);
    client.send("12345");
    CHECK(client.next_text() == "12345");
    server_counters const now = server.counters();
    CHECK(now.sessions == 1);
    CHECK(now.connections() == 1);
    CHECK(now.messages_received == 1);
    CHECK(now.bytes_received == 5);
    CHECK(now.messages_sent == 1);
    CHECK(now.bytes_sent == 5);
    client.close();
  }
  { ws_client const gone(at); }
  raw_client broken(at);
  broken.send(upgrade_request("/"));
  broken.receive_until("\r\n\r\n");
  broken.send(test::peer_frame(role::server, 0x81, "\xFF"));
  broken.receive_all();
  broken.drop();
  http(at, get("/page"));
  http(at, get("/nothing"));
  http(at, upgrade_request("/private", "Origin: https://a.example\r\n"));
  http(at, upgrade_request("/nowhere/"));
  REQUIRE(eventually([&] { return server.counters().connections() == 0; }));
  server_counters const all = server.counters();
  CHECK(all.connections_accepted == 7);
  CHECK(all.requests == 2);
  CHECK(all.upgrades_accepted == 3);
  CHECK(all.upgrades_refused == 2);
  CHECK(all.upgrades_busy == 0);
  CHECK(all.sessions == 0);
  CHECK(all.closed_cleanly == 1);
  CHECK(all.closed_abnormally == 2);
  CHECK(all.faults[static_cast<int>(error::invalid_utf8)] == 1);
}

TEST_CASE("a local socket serves like a port, is dealt to all threads, and its file goes with the server") {
  std::string const path = "/tmp/purews-test-" + std::to_string(::getpid()) + ".sock";
  {
    server server({.threads = 2});
    journal log;
    server.route("/", {.origins = {"*"}, .on_message = [](session& s, message_view m) {
                         s.send(std::string(text(s.peer()).view()) + " " + std::string(m.text()));
                       }});
    listening const at = server.listen_unix(path);
    REQUIRE(at);
    CHECK(text(at.address).view() == "unix:" + path);
    purews::server other;
    CHECK(other.listen_unix(path).error.code == EADDRINUSE);
    CHECK(other.listen_unix("/nowhere/at/all").error.code == ENOENT);
    running run(server);
    for (int i = 0; i < 4; ++i) {
      ws_client client(at.address);
      REQUIRE(client);
      client.send("hi");
      CHECK(client.next_text() == "unix: hi");
    }
  }
  CHECK(::access(path.c_str(), F_OK) != 0);
}

TEST_CASE("a connection that somebody else has accepted is served like others") {
  server server({.threads = 2});
  journal log;
  server.route("/", echo_route(log));
  running run(server);
  listen_result const mine = listen_tcp("127.0.0.1", 0);
  raw_client client(mine.bound);
  client.send(upgrade_request("/"));
  accept_result accepted = accept_one(mine.socket.number());
  for (int i = 0; i < 1000 && !accepted.socket; ++i) accepted = accept_one(mine.socket.number());
  REQUIRE(accepted.socket);
  server.adopt(std::move(accepted.socket));
  CHECK(client.receive_until("\r\n\r\n"));
  CHECK(client.received().starts_with("HTTP/1.1 101 "));
  CHECK(log.wait("open"));
}

TEST_CASE("pinned threads stay on their processors, and serve") {
  cpu_set_t before;
  REQUIRE(::sched_getaffinity(0, sizeof before, &before) == 0);
  server server({.threads = 2, .pin = pinning::cores});
  journal log;
  server.route("/", echo_route(log));
  running run(server);
  for (unsigned i = 0; i < 2; ++i) {
    int const processors = run.on_loop(
        [] {
          cpu_set_t now;
          return ::sched_getaffinity(0, sizeof now, &now) == 0 ? CPU_COUNT(&now) : -1;
        },
        i);
    CHECK(processors == 1);
  }
  ws_client client(run.at());
  client.send("hi");
  CHECK(client.next_text() == "hi");
  cpu_set_t after;
  REQUIRE(::sched_getaffinity(0, sizeof after, &after) == 0);
  CHECK(CPU_EQUAL(&before, &after));
}
