// SPDX-License-Identifier: BSL-1.0
#include <sys/resource.h>

#include <atomic>
#include <csignal>
#include <memory>

#include "harness.hpp"
#include "support/page.hpp"

using namespace purews;
using test::ws_client;

namespace {

/// A route whose sessions subscribe to "all" and write down their ends.
websocket_route subscribing(journal& log) {
  return {.origins = {"*"},
          .on_open =
              [&log](session& s) {
                s.subscribe("all");
                log.add("open");
              },
          .on_message = [](session& s, message_view m) { s.send(m); },
          .on_close =
              [&log](session&, closing const& how) {
                log.add("close " + std::to_string(static_cast<int>(how.code)) + (how.clean ? " clean" : ""));
              }};
}

struct many_clients {
  many_clients(socket_address const& at, int count) {
    for (int i = 0; i < count; ++i) all.push_back(std::make_unique<ws_client>(at));
  }
  std::vector<std::unique_ptr<ws_client>> all;
};

}  // namespace

TEST_CASE("listen says which port it got, and why it got none") {
  server one;
  listening const first = one.listen("127.0.0.1", 0);
  REQUIRE(first);
  CHECK(first.address.port() != 0);
  CHECK(std::string(text(first.address).view()) == "127.0.0.1:" + std::to_string(first.address.port()));

  server other;
  listening const taken = other.listen("127.0.0.1", first.address.port());
  CHECK_FALSE(taken);
  CHECK(taken.error.code == EADDRINUSE);
  CHECK(std::string(describe(taken.error).view()).find("in use") != std::string::npos);
  CHECK_FALSE(one.listen("127.0.0.1", first.address.port()));

  listening const nowhere = other.listen("192.0.2.1", 0);  // of a network for documentation
  CHECK(nowhere.error.code == EADDRNOTAVAIL);
  CHECK(other.listen("not a host", 0).error.kind == os_error_kind::resolver);
  CHECK(other.listen(std::string(300, 'h'), 0).error.kind == os_error_kind::resolver);
}

TEST_CASE("a port is refused to a second server, however many threads the two have") {
  for (auto const& [first_threads, second_threads] : {std::pair{1U, 3U}, std::pair{3U, 1U}, std::pair{3U, 3U}}) {
    CAPTURE(first_threads, second_threads);
    server first({.threads = first_threads});
    listening const at = first.listen("127.0.0.1", 0);
    REQUIRE(at);
    server second({.threads = second_threads});
    CHECK(second.listen("127.0.0.1", at.address.port()).error.code == EADDRINUSE);
  }
}

TEST_CASE("a server listens on IPv6, and on several addresses at once") {
  server server;
  journal log;
  server.route("/", subscribing(log));
  listening const second = server.listen("127.0.0.1", 0);
  REQUIRE(second);
  listening const six = server.listen("[::1]", 0);
  running run(server);
  std::vector<socket_address> all{run.at(), second.address};
  if (six) all.push_back(six.address);  // a machine may have no IPv6
  for (auto const& at : all) {
    ws_client client(at);
    REQUIRE(client);
    client.send("hello");
    CHECK(client.next_text() == "hello");
  }
  if (six) CHECK(text(six.address).view().starts_with("[::1]:"));
}

TEST_CASE("a server may end without having run, or without having listened") {
  { server const nothing; }
  {
    server listens({.threads = 3});
    CHECK(listens.listen("127.0.0.1", 0));
    listens.publish("nobody", "nothing");
    listens.stop();
  }
  server zero({.threads = 0});
  CHECK(zero.threads() == 1);
}

TEST_CASE("without descriptors for its loops a server says so when it listens, and does not run") {
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit const none{0, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  server starved({.threads = 2});
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(starved.listen("127.0.0.1", 0).error.code == EMFILE);
  starved.run();
}

TEST_CASE("stop before run lets run return at once") {
  for (unsigned const threads : {1U, 3U}) {
    server early({.threads = threads});
    CHECK(early.listen("127.0.0.1", 0));
    early.stop();
    early.run();
  }
}

TEST_CASE("what is published reaches every subscriber once, on one thread and on three") {
  for (unsigned const threads : {1U, 3U}) {
    CAPTURE(threads);
    server server({.threads = threads});
    journal log;
    server.route("/", subscribing(log));
    running run(server);
    many_clients clients(run.at(), 12);
    REQUIRE(log.wait("open", clients.all.size()));
    server.publish("all", "from outside");
    server.publish("all", opcode::binary, as_bytes("binary"));
    server.publish("nobody", "lost");
    run.on_loop([&] { return server.publish("all", "from a loop"), 0; }, threads - 1);
    for (auto const& client : clients.all) {
      REQUIRE(*client);
      CHECK(client->next_text() == "from outside");
      CHECK(client->next().op == opcode::binary);
      CHECK(client->next_text() == "from a loop");
      CHECK(client->close().clean);
    }
    CHECK(log.wait("close 1000 clean", clients.all.size()));
  }
}

TEST_CASE("5.6: what is published as text must be UTF-8, or no subscriber would keep its connection") {
  server server;
  journal log;
  server.route("/", subscribing(log));
  running run(server);
  ws_client client(run.at());
  REQUIRE(log.wait("open"));
  CHECK(server.publish("all", "\xC0\x80") == refusal::invalid_utf8);
  CHECK(server.publish("all", opcode::binary, as_bytes("\xC0\x80")) == refusal::none);
  CHECK(server.publish("all", "fine") == refusal::none);
  CHECK(client.next().text == "\xC0\x80");
  CHECK(client.next_text() == "fine");
}

TEST_CASE("threads publish, clients come and go, and all of it ends [hazard-65]", "[hazard-65]") {
  server server({.threads = 3});
  journal log;
  server.route("/", subscribing(log));
  running run(server);
  auto const& at = run.at();
  std::atomic<bool> done{false};
  std::atomic<int> opened{0};
  purews::thread publishers[2];
  for (auto& t : publishers) {
    REQUIRE(!t.start([&] {
      while (!done) {
        server.publish("all", "tick");
        ::poll(nullptr, 0, 1);
      }
    }));
  }
  purews::thread visitors[3];
  for (auto& t : visitors) {
    REQUIRE(!t.start([&] {
      for (int i = 0; i < 30; ++i) {
        ws_client client(at);
        opened += client ? 1 : 0;
        client.send("mine");
        for (std::string got; got != "mine"; got = client.next_text()) {
          if (got.starts_with("closed") || got.starts_with("event")) break;
        }
        if (i % 3 == 0) client.close();
        if (i % 3 == 1) client.raw().reset();
      }
    }));
  }
  for (auto& t : visitors) t.join();
  done = true;
  for (auto& t : publishers) t.join();
  CHECK(opened == 90);
  server.stop();
  run.join();
  std::size_t closes = 0;
  for (auto const& line : log.lines()) closes += line.starts_with("close ") ? 1 : 0;
  CHECK(log.count("open") == 90);
  CHECK(closes == 90);
}

TEST_CASE("7.4.1: stop sends what is queued, then Close 1001 to all, and run returns") {
  for (unsigned const threads : {1U, 3U}) {
    CAPTURE(threads);
    server server({.threads = threads});
    journal log;
    server.route("/", subscribing(log));
    std::string const large(900'000, 'L');
    server.route("/large", {.on_open = [&](session& s) { s.send(large), log.add("large"); },
                            .on_close = [&](session&, closing const& how) { log.add(how.clean ? "clean" : "not"); }});
    running run(server);
    {
      many_clients clients(run.at(), 6);
      ws_client busy(run.at(), {.path = "/large", .socket = {.receive_buffer = 4096}});
      test::raw_client silent(run.at());
      REQUIRE(log.wait("open", clients.all.size()));
      REQUIRE(log.wait("large"));
      server.publish("all", "the last word");
      server.stop();
      for (auto const& client : clients.all) {
        CHECK(client->next_text() == "the last word");
        CHECK(client->next_text() == "closed 1001 ");
      }
      CHECK((busy.next_text() == large));
      CHECK(busy.next_text() == "closed 1001 ");
      CHECK(silent.receive_all().empty());
    }
    run.join();
    CHECK(log.count("close 1001 clean") == 6);
    CHECK(log.count("clean") == 1);
    CHECK_THROWS(ws_client(run.at()));
  }
}

TEST_CASE("stop lets an HTTP answer that is on its way arrive") {
  server server;
  journal log;
  std::string const large(8'000'000, 'L');
  server.get("/", [&](http_exchange& x) {
    x.answer({.body = as_bytes(large)});
    log.add("answered");
  });
  running run(server);
  test::raw_client client(run.at(), {.receive_buffer = 65536});
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  REQUIRE(log.wait("answered"));
  server.stop();
  CHECK(client.receive_all().size() > large.size());
  client.drop();
  run.join();
}

TEST_CASE("stop waits for slow clients no longer than drain_options::deadline, and reports their end") {
  server server({.drain = {.deadline = milliseconds(50)}});
  journal log;
  server.route("/", subscribing(log));
  running run(server);
  test::raw_client rude(run.at());
  rude.send(test::upgrade_request());
  REQUIRE(log.wait("open"));
  server.stop();
  run.join();
  CHECK(log.lines() == lines{"open", "close 1006"});
}

TEST_CASE("a second stop ends at once") {
  server server({.timeout = {.close = forever}, .threads = 2, .drain = {.deadline = forever}});
  journal log;
  server.route("/", subscribing(log));
  running run(server);
  auto const& at = run.at();
  std::vector<std::unique_ptr<test::raw_client>> rude;
  for (int i = 0; i < 4; ++i) {
    rude.push_back(std::make_unique<test::raw_client>(at));
    rude.back()->send(test::upgrade_request());
  }
  REQUIRE(log.wait("open", 4));
  server.stop();
  for (auto const& each : rude) CHECK(each->receive_until("\x88\x02\x03\xE9"));
  CHECK(log.count("close 1006") == 0);
  server.stop();
  run.join();
  CHECK(log.count("close 1006") == 4);
}

TEST_CASE("a handler may stop the server, and a signal handler too") {
  static purews::server* stopped = nullptr;
  server server({.threads = 2});
  stopped = &server;
  journal log;
  server.route("/", {.on_open = [&](session&) { log.add("open"); },
                     .on_message = [&](session& s, message_view) { server.stop(), s.send("stopping"); }});
  running run(server);
  SECTION("a handler") {
    ws_client client(run.at());
    client.send("stop");
    CHECK(client.next_text() == "stopping");
    CHECK(client.next_text() == "closed 1001 ");
  }
  SECTION("a signal handler") {
    auto const before = std::signal(SIGUSR1, [](int) { stopped->stop(); });
    ws_client client(run.at());
    REQUIRE(log.wait("open"));
    ::raise(SIGUSR1);
    CHECK(client.next_text() == "closed 1001 ");
    std::signal(SIGUSR1, before);
  }
  run.join();
}

TEST_CASE("a client that does not read what is published is closed with 1013 [hazard-28]", "[hazard-28]") {
  server server;
  journal log;
  std::atomic<std::size_t> most{0};
  server.route("/", subscribing(log));
  std::vector<session*> slow_ones;  // of the loop's thread
  server.route("/slow", {.on_open =
                             [&](session& s) {
                               slow_ones.push_back(&s);
                               s.subscribe("all");
                               log.add("slow");
                             },
                         .on_close =
                             [&](session& s, closing const&) {
                               std::erase(slow_ones, &s);
                               log.add("slow gone");
                             }});
  running run(server);
  auto const& at = run.at();
  ws_client good(at);
  ws_client slow(at, {.path = "/slow", .socket = {.receive_buffer = 4096}});
  ws_client mute(at, {.path = "/slow", .socket = {.receive_buffer = 4096}});
  REQUIRE(log.wait("slow", 2));
  std::string const message(65'000, 'm');
  bool closing = false;
  int published = 0;
  while (!closing && published < 10'000) {
    server.publish("all", message);
    ++published;
    CHECK((good.next_text() == message));
    closing = run.on_loop([&] {
      bool all = true;
      for (session* const s : slow_ones) {
        if (s->queued_bytes() > most) most = s->queued_bytes();
        all = all && s->current() == state::closing;
      }
      return all;
    });
  }
  CHECK(closing);
  CHECK(published < 10'000);
  CHECK(most < 1'048'576 + 65'000 + 1000);
  // It reads at last: everything before the hole that it would have had, and then why.
  int got = 0;
  auto e = slow.next();
  for (; e.what == kind::message && e.text == message; e = slow.next()) ++got;
  CHECK(e.what == kind::closed);
  CHECK(e.code == status_code::try_again_later);
  CHECK(e.text == "too slow");
  CHECK(got > 16);
  CHECK(got < published);
  CHECK(good.close().clean);
  mute.raw().reset();
  CHECK(log.wait("slow gone", 2));
}

TEST_CASE("a flood of publications in one turn does not close those who read [hazard-28]", "[hazard-28]") {
  server server;
  journal log;
  server.route("/", subscribing(log));
  running run(server);
  ws_client reader(run.at());
  REQUIRE(log.wait("open"));
  // As one burst of small messages from one member of a chat does: more than the queue may hold.
  constexpr int count = 3000;
  run.on_loop([&] {
    for (int i = 0; i < count; ++i) server.publish("all", std::string(700, 'f'));
    return 0;
  });
  int got = 0;
  while (got < count && reader.next().what == kind::message) ++got;
  CHECK(got == count);
}

TEST_CASE("a loop of the server takes timers and posts of the program") {
  server server({.threads = 2});
  journal log;
  server.route("/", subscribing(log));
  purews::default_loop::timer_handle timer = server.loop(1).after(milliseconds(1), [&] {
    server.publish("all", "by a timer");
    log.add("timer");
  });
  server.loop(0).post([&] { log.add("posted before"); });
  running run(server);
  ws_client client(run.at());
  CHECK(log.wait("timer"));
  CHECK(log.wait("posted before"));
  CHECK(log.wait("open"));
  run.on_loop([&] { return timer.restart(milliseconds(1)), 0; }, 1);
  CHECK(client.next_text() == "by a timer");
  run.on_loop([&] { return timer = {}, 0; }, 1);
}

TEST_CASE("docs/limits.md has the defaults of server_options") {
  purews::server_options const with;
  std::string const page = test::page("docs/limits.md");
  auto const whole = [](duration d) { return std::to_string(d.ns / 1'000'000'000) + " s"; };
  CHECK(test::has_row(page, "drain.deadline", whole(with.drain.deadline)));
  CHECK(test::has_row(page, "drain.spread", whole(with.drain.spread)));
  CHECK(test::has_row(page, "backlog", test::count(static_cast<unsigned>(with.backlog))));
  CHECK(test::has_row(page, "inbox_max", test::count(with.inbox_max)));
  CHECK(test::has_row(page, "work_max", test::count(static_cast<unsigned>(with.work_max))));
  CHECK(with.memory_bytes_max == 0);
  CHECK(test::has_row(page, "memory_bytes_max", "0"));
  CHECK(test::has_row(page, "tcp.keep_alive.idle", whole(with.tcp.keep_alive.idle)));
}
