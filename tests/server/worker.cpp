// SPDX-License-Identifier: BSL-1.0
#include "harness.hpp"

using namespace purews;
using test::answer_head;
using test::answer_status;
using test::http;
using test::octets_of;
using test::peer_frame;
using test::raw_client;
using test::upgrade_request;
using test::ws_client;

namespace {

std::string get(std::string_view path, std::string_view method = "GET") {
  return std::string(method) + " " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n\r\n";
}

/// Writes "<name> made" and "<name> gone" for the objects of connections.
struct witness {
  witness() { ++made; }
  witness(witness const&) = delete;
  ~witness() { ++gone; }
  std::string note;
  static inline int made = 0, gone = 0;  // of the loop's thread; read after it was joined
};

/// An open connection without a machine of ours, for what no client of ours would send.
struct raw_session {
  explicit raw_session(socket_address const& to, std::string_view path = "/", test::client_socket how = {})
      : client(to, how) {
    client.send(upgrade_request(path));
    client.receive_until("\r\n\r\n");
    auto& got = client.received();
    opened = got.starts_with("HTTP/1.1 101 ");
    got.erase(0, got.find("\r\n\r\n") + 4);
  }

  bool send(unsigned first, std::string_view payload = {}) {
    return client.send(peer_frame(role::server, first, payload));
  }

  /// All frames until the server ends the stream.
  std::vector<test::parsed_frame> rest() { return test::parse_frames(octets_of(client.receive_all())); }

  /// The code of the last frame, which must be a Close frame; 0 without one.
  int close_code() {
    auto const frames = rest();
    if (frames.empty() || frames.back().first != 0x88) return 0;
    auto const& p = frames.back().payload;
    return p.size() < 2 ? 1005 : std::to_integer<int>(p[0]) << 8 | std::to_integer<int>(p[1]);
  }

  raw_client client;
  bool opened = false;
};

}  // namespace

TEST_CASE("4.2.2: an upgrade opens the route of its path, and gets 404 without one") {
  server server;
  journal log;
  for (std::string const path : {"/echo", "/rooms/*", "/rooms/special"}) {
    server.route(path,
                 {.on_message = [path](session& s, message_view m) { s.send(path + " " + std::string(m.text())); }});
  }
  running run(server);
  auto const& at = run.at();
  for (auto const& [asked, route] : {std::pair{"/echo", "/echo"}, std::pair{"/echo?a=/b", "/echo"},
                                     std::pair{"/rooms/", "/rooms/*"}, std::pair{"/rooms/special", "/rooms/special"}}) {
    CAPTURE(std::string(asked));
    ws_client client(at, {.path = asked});
    REQUIRE(client);
    client.send("hi");
    CHECK(client.next_text() == std::string(route) + " hi");
    CHECK(client.close().clean);
  }
  CHECK(ws_client(at, {.path = "/"}).status() == 404);
  CHECK(ws_client(at, {.path = "/echo/"}).status() == 404);
  CHECK(ws_client(at, {.path = "/rooms"}).status() == 404);
}

TEST_CASE("4.2.2: on_upgrade sees the request and the peer, rejects with a status and a text, or lets it pass") {
  server server;
  journal log;
  server.route<witness>("/*",
                        {.on_upgrade =
                             [&](upgrade& u) {
                               log.add(std::string(u.request().path()) + " " + std::string(u.request().query()));
                               log.add(std::string(u.request().header("x-token")));
                               log.add(std::string(host_text(u.peer()).view()));
                               if (u.request().header("X-Token") == "wrong") return u.reject(403, "No.");
                               if (u.request().header("X-Token") == "bad") return u.reject(7);
                               u.data<witness>().note = u.request().header("X-Token");
                             },
                         .on_open = [&](session& s) { log.add("open " + s.data<witness>().note); },
                         .on_message = {},
                         .on_close = [&](session& s, closing const&) { log.add("gone " + s.data<witness>().note); }});
  running run(server);
  auto const& at = run.at();
  witness::made = witness::gone = 0;
  std::vector<header_field> const right = {{"X-Token", "right"}}, wrong = {{"X-Token", "wrong"}};
  {
    ws_client client(at, {.path = "/a?b=c", .headers = right});
    REQUIRE(client);
    CHECK(log.wait("open right"));
  }
  CHECK(log.wait("gone right"));
  CHECK(log.lines() == lines{"/a b=c", "right", "127.0.0.1", "open right", "gone right"});

  CHECK(ws_client(at, {.headers = wrong}).status() == 403);
  std::string const answer = http(at, upgrade_request("/", "X-Token: wrong\r\n"));
  CHECK(answer.find("Connection: close\r\n") != answer.npos);
  CHECK(answer.ends_with("\r\n\r\nNo."));
  // What cannot be said is refused all the same.
  CHECK(answer_status(at, upgrade_request("/", "X-Token: bad\r\n")) == 500);
  server.stop();
  run.join();
  CHECK(log.count("open right") == 1);
  CHECK(log.count("gone right") == 1);
  CHECK(witness::made == 4);
  CHECK(witness::gone == 4);
}

TEST_CASE("4.2.2, H-33: the client's first subprotocol that the route has is selected, or the handler's own") {
  server server;
  server.route("/list", {.subprotocols = {"v1", "v2"}});
  server.route("/own", {.subprotocols = {"v1"}, .on_upgrade = [](upgrade& u) {
                          header_field const cookie[] = {{"Set-Cookie", "seen=1"}};
                          static_cast<void>(u.accept({.subprotocol = "special", .headers = cookie}));
                        }});
  running run(server);
  auto const& at = run.at();
  CHECK(ws_client(at, {.path = "/list", .subprotocols = {"v9", "v2", "v1"}}).subprotocol() == "v2");
  ws_client none(at, {.path = "/list", .subprotocols = {"v9"}});
  CHECK(none);
  CHECK(none.subprotocol() == "");
  CHECK(answer_head(at, upgrade_request("/list")).find("Sec-WebSocket-Protocol") == std::string::npos);
  ws_client own(at, {.path = "/own", .subprotocols = {"v1", "special"}});
  CHECK(own.subprotocol() == "special");
  CHECK(own.set_cookie() == "seen=1");
  // Accepting with what was not offered is refused, and the route's own choice counts.
  CHECK(ws_client(at, {.path = "/own", .subprotocols = {"v1"}}).subprotocol() == "v1");
}

TEST_CASE("10.2, H-34: without a list only pages of the same host and port connect [hazard-69]", "[hazard-69]") {
  server server;
  server.route("/", {});
  running run(server);
  auto const& at = run.at();
  auto const status = [&at](std::string const& headers) { return answer_status(at, upgrade_request("/", headers)); };
  CHECK(status("") == 101);
  CHECK(status("Origin: http://server.example:8080\r\n") == 101);
  CHECK(status("Origin: https://SERVER.example:8080\r\n") == 101);
  CHECK(status("Origin: http://server.example:8080\r\nCookie: session=1\r\n") == 101);
  for (std::string const origin : {"http://server.example", "http://server.example:8081", "http://other.example:8080",
                                   "null", "", "http://server.example:8080/", "http://a@server.example:8080",
                                   "http://server.example:8080.evil", "http://server.example.evil:8080",
                                   "ws://server.example:8080", "file://", "http://server.example:8080, http://b"}) {
    CAPTURE(origin);
    CHECK(status("Origin: " + origin + "\r\n") == 403);
    CHECK(status("Origin: " + origin + "\r\nCookie: session=1\r\n") == 403);
  }
  CHECK(status("Origin: http://server.example:8080\r\nOrigin: http://server.example:8080\r\n") == 403);
  // Whoever sends a cookie may be a browser.
  CHECK(status("Cookie: session=1\r\n") == 403);
}

TEST_CASE("10.2, H-34: with a list exactly these origins connect, scheme and port compared [hazard-70]",
          "[hazard-70]") {
  server server;
  server.route("/list", {.origins = {"https://good.example", "http://localhost:3000"}});
  server.route("/all", {.origins = {"*"}});
  running run(server);
  auto const& at = run.at();
  auto const status = [&at](std::string const& origin, std::string_view path = "/list") {
    return answer_status(at, upgrade_request(path, "Origin: " + origin + "\r\n"));
  };
  for (std::string const good : {"https://good.example", "https://GOOD.example:443", "http://localhost:3000"}) {
    CAPTURE(good);
    CHECK(status(good) == 101);
  }
  for (std::string const bad :
       {"http://good.example", "https://good.example:8443", "https://good.example.evil", "https://evil.example",
        "https://good.example@evil.example", "null", "https://good.example/", "http://server.example:8080",
        "https://xgood.example", "https://sub.good.example", "http://localhost", "https://localhost:3000",
        "HTTPS://good.example:444", "*"}) {
    CAPTURE(bad);
    CHECK(status(bad) == 403);
    CHECK(status(bad, "/all") == 101);
  }
  CHECK(answer_status(at, upgrade_request("/list")) == 101);
}

TEST_CASE("10.2: the origin is checked before any handler runs [hazard-71]", "[hazard-71]") {
  server server;
  journal log;
  server.route<witness>("/", {.on_upgrade = [&](upgrade&) { log.add("upgrade"); }});
  running run(server);
  auto const& at = run.at();
  witness::made = 0;
  CHECK(answer_status(at, upgrade_request("/", "Origin: http://evil.example\r\n")) == 403);
  server.stop();
  run.join();
  CHECK(log.lines().empty());
  CHECK(witness::made == 0);
}

TEST_CASE("9110: plain requests are answered on the same port, with the status that fits") {
  server server;
  server.get("/", [](http_exchange& x) { x.answer({.body = as_bytes("root")}); });
  server.http("POST", "/post", [](http_exchange& x) {
    x.answer({.status = 201, .content_type = "application/octet-stream", .body = x.body()});
  });
  server.get("/post", [](http_exchange& x) { x.answer({.status = 204}); });
  server.get("/silent", [](http_exchange&) {});
  server.get("/broken", [](http_exchange& x) {
    header_field const headers[] = {{"X", "a\r\nb"}};
    x.answer({.headers = headers});
  });
  server.get("/twice", [](http_exchange& x) {
    x.answer({.body = as_bytes("one")});
    x.answer({.body = as_bytes("two")});
  });
  server.get("/large", [](http_exchange& x) { x.answer({.body = as_bytes(std::string(5'000'000, 'L'))}); });
  server.route("/ws", {});
  running run(server);
  auto const& at = run.at();

  std::string const root = http(at, get("/"));
  CHECK(root ==
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n\r\nroot");
  CHECK(http(at, get("/", "HEAD")) == root.substr(0, root.size() - 4));
  std::string const posted =
      http(at, "POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n" + std::string("he\0lo and more", 14));
  CHECK(posted.starts_with("HTTP/1.1 201 Created\r\n"));
  CHECK(posted.ends_with(std::string_view("\r\n\r\nhe\0lo", 9)));
  CHECK(http(at, get("/post")).starts_with("HTTP/1.1 204 No Content\r\n"));
  CHECK(http(at, get("/nothing")).starts_with("HTTP/1.1 404 "));
  std::string const refused = http(at, get("/post", "DELETE"));
  CHECK(refused.starts_with("HTTP/1.1 405 "));
  CHECK(refused.find("\r\nAllow: POST, GET, HEAD\r\n") != refused.npos);
  std::string const wants_upgrade = http(at, get("/ws"));
  CHECK(wants_upgrade.starts_with("HTTP/1.1 426 "));
  CHECK(wants_upgrade.find("\r\nUpgrade: websocket\r\n") != wants_upgrade.npos);
  CHECK(http(at, get("/silent")).starts_with("HTTP/1.1 500 "));
  CHECK(http(at, get("/broken")).starts_with("HTTP/1.1 500 "));
  CHECK(http(at, get("/twice")).ends_with("\r\n\r\none"));
  CHECK(http(at, get("/large")).size() > 5'000'000);
  CHECK(http(at, get("/large", "HEAD")).find("Content-Length: 5000000\r\n") != std::string::npos);
  CHECK(http(at, "nonsense\r\n\r\n").starts_with("HTTP/1.1 400 "));
  CHECK(http(at, "GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 400 "));
  CHECK(http(at, "POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\n").starts_with("HTTP/1.1 413 "));
}

TEST_CASE("9112, H-56: a second request behind the first gets no answer [hazard-60]", "[hazard-60]") {
  server server;
  journal log;
  server.get("/*", [&](http_exchange& x) {
    log.add(std::string(x.request().path()));
    x.answer({.body = as_bytes("one")});
  });
  server.route("/ws", {});
  running run(server);
  auto const& at = run.at();
  CHECK(http(at, get("/a") + get("/b")).ends_with("\r\n\r\none"));
  CHECK(http(at, upgrade_request("/nowhere") + get("/c")).find("HTTP/1.1 404 ") == 0);
  CHECK(http(at, upgrade_request("/ws", "Origin: http://evil\r\n") + get("/d")).find("HTTP/1.1", 1) ==
        std::string::npos);
  CHECK(log.lines() == lines{"/a"});
}

TEST_CASE("4.2.2, H-52: frames behind the request are received after the 101") {
  server server;
  journal log;
  server.route("/", echo_route(log));
  running run(server);
  auto const& at = run.at();
  raw_client client(at);
  client.send(upgrade_request() + std::string(as_text(peer_frame(role::server, 0x81, "early"))));
  CHECK(client.receive_until(std::string("\r\n\r\n\x81\x05") + "early"));
  client.send(peer_frame(role::server, 0x88, ""));
  CHECK(client.receive_all().ends_with(std::string_view("\x88\0", 2)));
  CHECK(log.wait("close 1005 clean"));
}

TEST_CASE("5.6: messages of all sizes up to the default limit of 1 MiB come back whole") {
  server server;
  journal log;
  server.route("/", echo_route(log));
  running run(server);
  ws_client client(run.at());
  REQUIRE(client);
  for (std::size_t const size : {0U, 1U, 125U, 126U, 127U, 65535U, 65536U, 262'144U, 262'145U, 1'048'576U}) {
    CAPTURE(size);
    std::string text(size, 'x');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i % 23);
    CHECK(client.send(text) == refusal::none);
    CHECK((client.next_text() == text));
    CHECK(client.send(opcode::binary, text) == refusal::none);
    auto const e = client.next();
    CHECK(e.op == opcode::binary);
    CHECK((e.text == text));
  }
  CHECK(client.close(status_code{4321}, "done").code == status_code{4321});
  CHECK(log.wait("close 4321 clean"));
}

TEST_CASE("10.4: a message over the default limit is answered with 1009 [hazard-12]", "[hazard-12]") {
  // What the client still sends is thrown away; were it cut off, the reset could overtake the Close frame.
  server server({.limits = {.linger_bytes_max = 4U << 20}});
  journal log;
  server.route("/", echo_route(log));
  running run(server);
  auto const& at = run.at();
  SECTION("in one frame") {
    ws_client client(at);
    static_cast<void>(client.send(std::string(1'048'577, 'x')));
    CHECK(client.last().code == status_code::message_too_big);
  }
  SECTION("in fragments") {
    ws_client client(at);
    static_cast<void>(client.send_fragment(std::string(1'048'576, 'x'), fragment::more));
    static_cast<void>(client.send_fragment("y", fragment::last));
    CHECK(client.last().code == status_code::message_too_big);
  }
  SECTION("only promised") {
    raw_session client(at);
    client.client.send(test::hex("81 FF 0000 0001 0000 0000 0000 0000"));
    CHECK(client.close_code() == 1009);
  }
  CHECK(log.wait("close 1009"));
}

TEST_CASE("5.4: with delivery::pieces a message arrives in pieces, of which the last is marked") {
  server server({.deliver = delivery::pieces});
  journal log;
  server.route("/", {.on_message = [&](session& s, message_view m) {
                 log.add(std::string(m.text()) + (m.fin ? "." : ""));
                 s.send_fragment(m.op, m.payload, m.fin ? fragment::last : fragment::more);
               }});
  running run(server);
  raw_session client(run.at());
  REQUIRE(client.opened);
  client.send(0x01, "one ");
  CHECK(log.wait("one "));
  client.send(0x00, "two ");
  CHECK(log.wait("two "));
  client.send(0x80, "three");
  CHECK(log.wait("three."));
  client.send(0x82, "whole");
  CHECK(log.wait("whole."));
  client.send(0x88, "\x03\xE8");
  auto const frames = client.rest();
  REQUIRE(frames.size() == 5);
  CHECK(frames[0].first == 0x01);
  CHECK(frames[2].first == 0x80);
  CHECK(frames[3].first == 0x82);
}

TEST_CASE("7.1.7: a violation closes the offender with its code, once, and does not disturb the others") {
  server server;
  journal log;
  server.route(
      "/",
      {.origins = {"*"},
       .on_open = [](session& s) { s.subscribe("all"); },
       .on_message = [&](session& s, message_view m) { log.add("got " + std::string(m.text())), s.send(m); },
       .on_close =
           [&](session&, closing const& how) {
             log.add("close " + std::to_string(static_cast<int>(how.code)) + " " + std::string(message(how.fault)));
           }});
  running run(server);
  auto const& at = run.at();
  auto other = std::make_unique<ws_client>(at);
  REQUIRE(*other);
  struct offence {
    char const* bytes;
    int code;
  };
  constexpr offence offences[] = {
      {"81 05 48656c6c6f", 1002},               // unmasked
      {"C1 80 00000000", 1002},                 // reserved bit
      {"83 80 00000000", 1002},                 // unknown opcode
      {"80 80 00000000", 1002},                 // continuation of nothing
      {"01 80 00000000 81 80 00000000", 1002},  // a message inside a message
      {"09 80 00000000", 1002},                 // fragmented ping
      {"89 FE 007E 00000000", 1002},            // ping of 126 bytes
      {"81 FE 0001 00000000 61", 1002},         // length not minimal
      {"82 FF 8000000000000000 00000000", 1002},
      {"81 81 00000000 FF", 1007},      // not UTF-8
      {"81 83 00000000 EDA080", 1007},  // a surrogate
      {"88 81 00000000 03", 1002},      // half a code
      {"88 82 00000000 03ED", 1002},    // 1005 on the wire
      {"88 83 00000000 03E8FF", 1007},  // a reason that is not UTF-8
  };
  std::size_t ends = 0;
  for (offence const& each : offences) {
    CAPTURE(each.bytes);
    raw_session offender(at);
    REQUIRE(offender.opened);
    offender.send(0x81, "before");
    offender.client.send(test::hex(each.bytes));
    offender.send(0x81, "after");
    CHECK(offender.close_code() == each.code);
    server.publish("all", each.bytes);
    CHECK(other->next_text() == each.bytes);
    ++ends;
  }
  CHECK(other->close().clean);
  other.reset();
  CHECK(log.wait("got before", ends));
  CHECK(log.count("got after") == 0);
  server.stop();
  run.join();
  std::size_t closes = 0;
  for (auto const& line : log.lines()) closes += line.starts_with("close ") ? 1 : 0;
  CHECK(closes == ends + 1);
  CHECK(log.count("close 1002 " + std::string(message(error::unmasked_frame))) == 1);
}

TEST_CASE("7.1.5: an end without a Close frame is reported as 1006, once") {
  server server;
  journal log;
  server.route("/", echo_route(log));
  running run(server);
  auto const& at = run.at();
  SECTION("the stream ends between frames") {
    raw_session client(at);
    client.client.shut();
    CHECK(client.rest().empty());
  }
  SECTION("the stream ends inside a frame") {
    raw_session client(at);
    client.client.send(test::hex("81 8A 00000000 6162"));
    client.client.shut();
    CHECK(client.rest().empty());
  }
  SECTION("the stream ends inside a message") {
    raw_session client(at);
    client.send(0x01, "never finished");
    client.client.shut();
    CHECK(client.rest().empty());
  }
  SECTION("the connection is reset") {
    raw_session client(at);
    client.send(0x01, "never finished");
    client.client.reset();
  }
  SECTION("the client vanishes while much waits for it") {
    raw_session client(at, "/", {.receive_buffer = 4096});
    std::string const much(1'000'000, 'm');
    for (int i = 0; i < 8; ++i) client.client.send_some(as_text(peer_frame(role::server, 0x82, much)));
    client.client.drop();
  }
  CHECK(log.wait("close 1006"));
  server.stop();
  run.join();
  CHECK(log.lines() == lines{"open", "close 1006"});
}

TEST_CASE("7.1.5: a handler learns how a connection ended, and each on_open has exactly one on_close") {
  server server;
  journal log;
  auto const ended = [](closing const& how) {
    return std::to_string(static_cast<int>(how.code)) + (how.clean ? " clean " : " ") + std::string(how.reason);
  };
  server.route("/", {.on_open = [&](session&) { log.add("open"); },
                     .on_close = [&](session&, closing const& how) { log.add("close " + ended(how)); }});
  server.route("/leaves", {.on_open = [&](session& s) { log.add("open"), s.close(status_code{4000}, "at once"); },
                           .on_close = [&](session&, closing const& how) { log.add("left " + ended(how)); }});
  running run(server);
  auto const& at = run.at();
  CHECK(ws_client(at).close(status_code{3000}, "client's").code == status_code{3000});
  CHECK(log.wait("close 3000 clean client's"));
  CHECK(ws_client(at).close(status_code::no_status_received).code == status_code::no_status_received);
  CHECK(log.wait("close 1005 clean "));
  {
    ws_client left(at, {.path = "/leaves"});
    CHECK(left.next_text() == "closed 4000 at once");
    CHECK(log.wait("left 4000 clean "));
    // A client that does not answer the Close frame but ends the stream.
    raw_session rude(at, "/leaves");
    rude.client.shut();
    CHECK(rude.close_code() == 4000);
    CHECK(log.wait("left 1006 "));
    // The Close frame of both sides cross.
    raw_session cross(at, "/leaves");
    cross.send(0x88, "\x03\xE8");
    CHECK(cross.close_code() == 4000);
    CHECK(log.wait("left 1000 clean "));
  }
  server.stop();
  run.join();
  CHECK(log.count("open") == 5);
  CHECK(log.lines().size() == 10);
}

TEST_CASE("4.2, H-61: a head that dribbles in is ended at an absolute deadline [hazard-75]", "[hazard-75]") {
  server server({.timeout = {.handshake = milliseconds(300)}});
  journal log;
  server.route("/", echo_route(log));
  running run(server);
  auto const& at = run.at();
  SECTION("byte by byte") {
    raw_client slow(at);
    std::string const request = upgrade_request();
    std::size_t sent = 0;
    // One byte keeps coming well before the deadline; without it the loop would run for seconds.
    while (slow.received().empty() && sent < request.size() - 10) {
      slow.send(request.substr(sent++, 1));
      pollfd asked{slow.number(), POLLIN, 0};
      if (::poll(&asked, 1, 10) == 1 && !slow.receive()) break;
    }
    CHECK(sent < request.size() - 10);
    CHECK(slow.receive_all().starts_with("HTTP/1.1 408 "));
  }
  SECTION("nothing at all") { CHECK(raw_client(at).receive_all().empty()); }
  SECTION("a body that does not come") {
    CHECK(http(at, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf").starts_with("HTTP/1.1 408 "));
  }
  SECTION("an open connection has no such deadline") {
    ws_client client(at);
    REQUIRE(client);
    ::poll(nullptr, 0, 450);
    client.send("still here");
    CHECK(client.next_text() == "still here");
  }
}

TEST_CASE("an answer that takes longer than the deadline of the request is not cut off by it") {
  server server({.timeout = {.handshake = milliseconds(300)}});
  std::string const large(8'000'000, 'L');
  server.get("/", [&](http_exchange& x) { x.answer({.body = as_bytes(large)}); });
  running run(server);
  raw_client slow(run.at(), {.receive_buffer = 65536});
  slow.send(get("/"));
  ::poll(nullptr, 0, 450);
  std::string const got = slow.receive_all();
  CHECK(got.size() > large.size());
  CHECK(got.ends_with("LLL"));
}

TEST_CASE("handlers may close, subscribe, unsubscribe and publish inside every event [hazard-64]", "[hazard-64]") {
  server server;
  journal log;
  auto const mingle = [&server](session& s, std::string const& where) {
    s.subscribe("a");
    s.subscribe("b");
    s.unsubscribe("a");
    server.publish("b", where);
    server.publish("nobody", where);
    s.subscribe("a");
  };
  auto const everything = [&](session& s, std::string const& where) {
    mingle(s, where);
    s.send(where);
    s.close(status_code{4001}, where);
    s.close(status_code{4002}, where);
    mingle(s, where);
    s.send(where);
    s.unsubscribe("b");
  };
  auto const note = [&](session&, closing const& how) { log.add("end " + std::to_string(static_cast<int>(how.code))); };
  server.route("/open", {.on_open = [&](session& s) { everything(s, "open"); }, .on_close = note});
  server.route("/message",
               {.on_message = [&](session& s, message_view) { everything(s, "message"); }, .on_close = note});
  server.route("/close", {.on_message = [&](session& s, message_view) { mingle(s, "x"); },
                          .on_close = [&](session& s, closing const&) { everything(s, "close"), log.add("end"); }});
  server.route("/bystander", {.on_open = [&](session& s) { s.subscribe("b"), log.add("bystander"); }});
  running run(server);
  auto const& at = run.at();
  ws_client bystander(at, {.path = "/bystander"});
  REQUIRE(log.wait("bystander"));

  ws_client open(at, {.path = "/open"});
  CHECK(open.next_text() == "open");
  CHECK(open.next_text() == "closed 4001 open");
  CHECK(log.wait("end 4001"));
  CHECK(bystander.next_text() == "open");
  CHECK(bystander.next_text() == "open");

  ws_client message(at, {.path = "/message"});
  message.send("go");
  CHECK(message.next_text() == "message");
  CHECK(message.next_text() == "closed 4001 message");
  CHECK(bystander.next_text() == "message");
  CHECK(bystander.next_text() == "message");

  {
    ws_client dropped(at, {.path = "/close"});
    dropped.send("subscribe");
    CHECK(bystander.next_text() == "x");
    CHECK(dropped.next_text() == "x");
  }
  CHECK(log.wait("end"));
  CHECK(bystander.next_text() == "close");
  CHECK(bystander.next_text() == "close");
  CHECK(ws_client(at, {.path = "/close"}).close().clean);
  CHECK(bystander.next_text() == "close");
  CHECK(log.wait("end", 2));
  CHECK(run.on_loop([&] { return server.threads(); }) == 1);
}

TEST_CASE("a handler may close every other session") {
  server server;
  journal log;
  std::vector<session*> all;  // of the loop's thread
  server.route("/", {.on_open = [&](session& s) { all.push_back(&s), log.add("open"); },
                     .on_message =
                         [&](session&, message_view) {
                           for (session* const s : all) s->close(status_code{4000}, "all");
                         },
                     .on_close =
                         [&](session& s, closing const&) {
                           std::erase(all, &s);
                           for (session* const other : all) other->send("one left");
                           log.add("close");
                         }});
  running run(server);
  auto const& at = run.at();
  std::vector<std::unique_ptr<ws_client>> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(std::make_unique<ws_client>(at));
  REQUIRE(log.wait("open", clients.size()));
  clients[7]->send("go");
  for (auto const& client : clients) CHECK(client->last().code == status_code{4000});
  CHECK(log.wait("close", clients.size()));
}

TEST_CASE("5.5.3: a client that pings and does not read costs no memory [hazard-29]", "[hazard-29]") {
  server server;
  journal log;
  session* pinged = nullptr;  // of the loop's thread
  server.route("/", {.on_open = [&](session& s) { pinged = &s; },
                     .on_close =
                         [&](session&, closing const&) {
                           pinged = nullptr;
                           log.add("close");
                         }});
  running run(server);
  raw_session client(run.at(), "/", {.receive_buffer = 4096});
  REQUIRE(client.opened);
  // Until the kernel has no room for more, and the pongs must wait behind this.
  std::size_t waits = 0;
  while (waits == 0) {
    run.on_loop([&] { return pinged->send(opcode::binary, as_bytes(std::string(100'000, 'f'))); });
    waits = run.on_loop([&] { return pinged->queued_bytes(); });
  }
  test::octets batch;
  for (int i = 0; i < 1000; ++i)
    batch = test::join(std::move(batch), peer_frame(role::server, 0x89, std::string(125, 'p')));
  std::size_t most = 0;
  for (int i = 0; i < 100; ++i) {
    REQUIRE(client.client.send(batch));
    most = std::max(most, run.on_loop([&] { return pinged == nullptr ? 0 : pinged->queued_bytes(); }));
  }
  CHECK(most > waits);
  CHECK(most <= waits + 16 * 127);
  client.send(0x89, "the newest");
  CHECK(client.client.receive_until("the newest"));
  client.send(0x88, "\x03\xE8");
  CHECK(client.client.receive_all().ends_with("the newest\x88\x02\x03\xE8"));
  CHECK(log.wait("close"));
}

TEST_CASE("5.5.1: nothing follows the Close frame, not even a pong that waits") {
  server server;
  session* pinged = nullptr;  // of the loop's thread
  server.route("/", {.on_open = [&](session& s) { pinged = &s; }});
  running run(server);
  raw_session client(run.at(), "/", {.receive_buffer = 4096});
  REQUIRE(client.opened);
  while (run.on_loop([&] { return pinged->queued_bytes(); }) == 0)
    run.on_loop([&] { return pinged->send(opcode::binary, as_bytes(std::string(100'000, 'f'))); });
  for (int i = 0; i < 100; ++i) client.send(0x89, "p");
  client.send(0x88, "\x03\xE8");
  CHECK(client.client.receive_all().ends_with("\x88\x02\x03\xE8"));
}

TEST_CASE("a client whose answers nobody takes is not read any more, and nothing is lost when it reads again") {
  server server;
  journal log;
  session* busy = nullptr;  // of the loop's thread
  server.route("/", {.on_open = [&](session& s) { busy = &s; },
                     .on_message = [&](session& s, message_view m) { s.send(m); },
                     .on_close = [&](session&, closing const&) { busy = nullptr; }});
  running run(server);
  raw_session client(run.at(), "/", {.receive_buffer = 4096});
  std::string const frame(as_text(peer_frame(role::server, 0x82, std::string(10'000, 'm'))));
  std::size_t sent = 0, most = 0;
  // Until the server takes nothing more: what the kernels keep is some megabytes.
  for (int idle = 0; idle < 20;) {
    std::size_t const offset = sent % frame.size();
    std::size_t const took = client.client.send_some(std::string_view(frame).substr(offset));
    sent += took;
    idle = took == 0 ? idle + 1 : 0;
    if (took == 0) most = std::max(most, run.on_loop([&] { return busy == nullptr ? 0 : busy->queued_bytes(); }));
  }
  CHECK(sent > 1'000'000);
  CHECK(most > 0);
  CHECK(most < 1'048'576);
  client.client.received().clear();
  std::string_view const rest = std::string_view(frame).substr(sent % frame.size());
  std::size_t const whole = (sent + rest.size()) / frame.size();
  std::string_view left = rest;
  std::size_t const expected = whole * (frame.size() - 4);
  while (client.client.received().size() < expected) {
    left.remove_prefix(client.client.send_some(left));
    if (!client.client.receive()) break;
  }
  CHECK(client.client.received().size() == expected);
}
