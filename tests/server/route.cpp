// SPDX-License-Identifier: BSL-1.0
#include "purews/server/route.hpp"

#include "fake_session.hpp"

using namespace purews;

namespace {

void no_data(session_data&) {}

/// The path of the route that is found.
std::string found(router& routes, std::string_view path) {
  auto const* const entry = routes.find_websocket(path);
  return entry == nullptr ? "none" : entry->path;
}

/// The handler that is found, by what it adds to `log`.
std::string found(router& routes, std::string& log, std::string_view method, std::string_view path) {
  auto* const handler = routes.find_http(method, path);
  if (handler == nullptr) return routes.allowed_methods(path).empty() ? "404" : "405";
  test::asked_endpoint asked;
  socket_address const peer{};
  http_exchange exchange(asked.machine(), {}, peer);
  log.clear();
  (*handler)(exchange);
  return log;
}

}  // namespace

TEST_CASE("a route is found by its whole path, or by the beginning before its '*'") {
  router routes;
  for (auto const path : {"/", "/chat", "/chat/*", "/chat/room/*", "/chat/room/1", "/empty/"})
    routes.add(path, websocket_route{}, no_data);
  CHECK(found(routes, "/") == "/");
  CHECK(found(routes, "/chat") == "/chat");
  CHECK(found(routes, "/chat/") == "/chat/*");
  CHECK(found(routes, "/chat/x/y") == "/chat/*");
  CHECK(found(routes, "/chat/room/2") == "/chat/room/*");
  CHECK(found(routes, "/chat/room/1") == "/chat/room/1");
  CHECK(found(routes, "/chatter") == "none");
  CHECK(found(routes, "/Chat") == "none");
  CHECK(found(routes, "/empty") == "none");
  CHECK(found(routes, "/chat?room") == "none");
  CHECK(found(routes, "") == "none");
}

TEST_CASE("a route for exactly this path comes before one for all that begin like it") {
  router routes;
  routes.add("/chat*", websocket_route{}, no_data);
  routes.add("/chat", websocket_route{}, no_data);
  routes.add("*", websocket_route{}, no_data);
  CHECK(found(routes, "/chat") == "/chat");
  CHECK(found(routes, "/chats") == "/chat*");
  CHECK(found(routes, "/") == "*");
  CHECK(found(routes, "anything") == "*");
}

TEST_CASE("a '*' elsewhere than at the end is a character like others") {
  router routes;
  routes.add("/a*b", websocket_route{}, no_data);
  CHECK(found(routes, "/a*b") == "/a*b");
  CHECK(found(routes, "/axb") == "none");
}

TEST_CASE("of two routes for one path the first counts") {
  router routes;
  websocket_route first;
  first.subprotocols = {"one"};
  routes.add("/x", std::move(first), no_data);
  routes.add("/x", websocket_route{}, no_data);
  REQUIRE(routes.find_websocket("/x") != nullptr);
  CHECK(routes.find_websocket("/x")->subprotocols.size() == 1);
}

TEST_CASE("9.3.2 of RFC 9110: a handler is found by method and path; GET serves HEAD") {
  router routes;
  std::string log;
  auto const handler = [&log](char const* name) { return [&log, name](http_exchange&) { log += name; }; };
  routes.add("GET", "/", handler("root"));
  routes.add("GET", "/files/*", handler("files"));
  routes.add("GET", "/files/special", handler("special"));
  routes.add("POST", "/api", handler("post"));
  routes.add("GET", "/api", handler("get"));
  CHECK(found(routes, log, "GET", "/") == "root");
  CHECK(found(routes, log, "HEAD", "/") == "root");
  CHECK(found(routes, log, "POST", "/") == "405");
  CHECK(found(routes, log, "get", "/") == "405");
  CHECK(found(routes, log, "GET", "/files/a/b") == "files");
  CHECK(found(routes, log, "HEAD", "/files/special") == "special");
  CHECK(found(routes, log, "GET", "/api") == "get");
  CHECK(found(routes, log, "POST", "/api") == "post");
  CHECK(found(routes, log, "DELETE", "/api") == "405");
  CHECK(found(routes, log, "GET", "/apis") == "404");
  CHECK(routes.allowed_methods("/api") == "POST, GET, HEAD");
  CHECK(routes.allowed_methods("/files/special") == "GET, HEAD");
  CHECK(routes.allowed_methods("/apis") == "");
}

TEST_CASE("9.3.2 of RFC 9110: a handler for HEAD comes before the one for GET") {
  router routes;
  std::string log;
  routes.add("GET", "/both", [&log](http_exchange&) { log += "get"; });
  routes.add("HEAD", "/both", [&log](http_exchange&) { log += "head"; });
  routes.add("HEAD", "/alone", [&log](http_exchange&) { log += "alone"; });
  CHECK(found(routes, log, "HEAD", "/both") == "head");
  CHECK(found(routes, log, "GET", "/both") == "get");
  CHECK(found(routes, log, "HEAD", "/alone") == "alone");
  CHECK(found(routes, log, "GET", "/alone") == "405");
}

TEST_CASE("10.2: an origin that could never match is refused when the route is made [hazard-70]", "[hazard-70]") {
  for (std::string const bad :
       {"chat.example", "https://chat.example/", "https://*.example", "null", "", "https://user@chat.example",
        "https://chat.example:99999", "https://ch\xC3\xA4t.example", "https://chat.example https://other.example",
        "//chat.example", "https://"}) {
    CAPTURE(bad);
    CHECK(dies([&] {
      router routes;
      routes.add("/", websocket_route{.origins = {bad}}, no_data);
    }));
  }
  router routes;
  routes.add("/", {.origins = {"https://chat.example", "http://localhost:8080", "*", "http://[::1]:3000"}}, no_data);
  CHECK(routes.find_websocket("/")->origins.size() == 4);
}

TEST_CASE("4.2.2: an upgrade shows its request, its peer and its object, and is accepted or rejected once") {
  session_home home(16);
  test::asking_session asked(home, 1, {}, "Sec-WebSocket-Protocol: a, b\r\nCookie: k=v\r\n");
  asked.object().emplace<std::string>();
  socket_address const peer{};
  std::string_view const ours[] = {"b", "a"};
  upgrade u(asked, asked.machine(), peer, ours);
  CHECK(u.chosen() == "a");
  CHECK(u.request().path() == "/chat");
  CHECK(u.request().query() == "room=1");
  CHECK(u.request().header("cookie") == "k=v");
  CHECK(&u.peer() == &peer);
  u.data<std::string>() = "kept";
  CHECK(asked.object().as<std::string>() == "kept");
  CHECK(u.said() == upgrade::decision::accepted);

  SECTION("accepted") {
    header_field const cookie[] = {{"Set-Cookie", "a=b"}};
    CHECK(u.accept({.subprotocol = "not offered"}) == refusal::invalid_header);
    header_field const smuggled[] = {{"X", "a\r\nY: b"}};
    CHECK(u.accept({.headers = smuggled}) == refusal::invalid_header);
    {
      std::string const own = "b";
      CHECK(u.accept({.subprotocol = own, .headers = cookie}) == refusal::none);
    }
    CHECK(u.accept({}) == refusal::not_connecting);
    CHECK(asked.machine().current() == state::open);
    std::string const head = asked.take_text();
    CHECK(head.starts_with("HTTP/1.1 101 "));
    CHECK(head.find("Sec-WebSocket-Protocol: b\r\n") != head.npos);
    CHECK(head.find("Set-Cookie: a=b\r\n") != head.npos);
    CHECK(u.chosen().data() == ours[0].data());
    CHECK(u.request().query() == "room=1");  // for a log, after the decision
  }
  SECTION("accepted with headers, and the subprotocol that the route chose") {
    header_field const cookie[] = {{"Set-Cookie", "a=b"}};
    CHECK(u.accept({.headers = cookie}) == refusal::none);
    CHECK(asked.take_text().find("Sec-WebSocket-Protocol: a\r\n") != std::string::npos);
    CHECK(u.chosen() == "a");
  }
  SECTION("left open for later, with a handle") {
    session_handle const later = u.defer();
    CHECK(!later.stale());
    CHECK(u.said() == upgrade::decision::deferred);
    CHECK(asked.machine().current() == state::connecting);
    CHECK(asked.take_text().empty());
  }
  SECTION("rejected with headers") {
    header_field const login[] = {{"WWW-Authenticate", "Basic"}};
    u.reject({.status = 401, .headers = login});
    CHECK(u.said() == upgrade::decision::rejected);
    std::string const answer = asked.take_text();
    CHECK(answer.starts_with("HTTP/1.1 401 "));
    CHECK(answer.find("WWW-Authenticate: Basic\r\n") != answer.npos);
  }
  SECTION("rejected") {
    u.reject(429, "Later.");
    CHECK(u.said() == upgrade::decision::rejected);
    CHECK(u.request().header("Cookie") == "k=v");
    CHECK(u.accept({}) == refusal::not_connecting);
    CHECK(asked.machine().current() == state::closed);
    std::string const answer = asked.take_text();
    CHECK(answer.starts_with("HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\n"));
    CHECK(answer.ends_with("\r\n\r\nLater."));
  }
  SECTION("rejected with a status that is none") {
    constexpr std::uint16_t none[] = {0, 100, 101, 199, 600};
    for (std::uint16_t const status : none) {
      test::asking_session other(home);
      upgrade(other, other.machine(), peer, {}).reject(status);
      CHECK(other.take_text().starts_with("HTTP/1.1 500 "));
      CHECK(other.machine().current() == state::closed);
    }
  }
}

TEST_CASE("an exchange shows the request and its body, and is answered once") {
  test::asked_endpoint asked;
  std::byte body[] = {std::byte{'b'}};
  socket_address const peer{};
  http_exchange exchange(asked.machine(), body, peer);
  CHECK(&exchange.peer() == &peer);
  CHECK(exchange.request().path() == "/chat");
  CHECK(as_text(exchange.body()) == "b");
  header_field const bad[] = {{"Connection", "keep-alive"}};
  CHECK(exchange.answer({.headers = bad}) == refusal::invalid_header);
  CHECK(exchange.answer({.status = 101}) == refusal::invalid_code);
  CHECK(exchange.answer({.body = as_bytes("first")}) == refusal::none);
  CHECK(exchange.answer({.body = as_bytes("second")}) == refusal::not_connecting);
  CHECK(exchange.request().path() == "/chat");
  CHECK(as_text(exchange.body()) == "b");
  std::string const text = asked.take_text();
  CHECK(text.ends_with("\r\n\r\nfirst"));
}
