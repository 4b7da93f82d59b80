// SPDX-License-Identifier: BSL-1.0
#include "purews/loop/socket.hpp"

#include <poll.h>

#include <csignal>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/dies.hpp"

using namespace purews;

namespace {

short wait_for(int fd, short what) {
  pollfd asked{fd, what, 0};
  ::poll(&asked, 1, 5000);
  return asked.revents;
}

int option_of(int fd, int level, int option) {
  int value = 0;
  socklen_t size = sizeof value;
  ::getsockopt(fd, level, option, &value, &size);
  return value;
}

socket_address first_of(std::string_view host, std::uint16_t port) {
  address_list const list = resolve(host, port);
  REQUIRE(!list.empty());
  return *list.begin();
}

bool has_ipv6() { return static_cast<bool>(listen_tcp("::1", 0)); }

struct connected_pair {
  descriptor accepted, connecting;
  socket_address peer;
};

connected_pair connect_pair(listen_options with = {}) {
  listen_result const listening = listen_tcp("127.0.0.1", 0, with);
  REQUIRE(listening);
  connect_result connecting = connect_tcp(listening.bound);
  REQUIRE(connecting);
  REQUIRE((wait_for(listening.socket.number(), POLLIN) & POLLIN) != 0);
  accept_result accepted = accept_one(listening.socket.number());
  REQUIRE(accepted.socket);
  REQUIRE((wait_for(connecting.socket.number(), POLLOUT) & POLLOUT) != 0);
  REQUIRE(connect_outcome(connecting.socket.number()) == 0);
  return {std::move(accepted.socket), std::move(connecting.socket), accepted.peer};
}

}  // namespace

TEST_CASE("a compact address expands to what it was made from, and a local one loses its path only") {
  CHECK(sizeof(compact_address) == 24);
  for (char const* const host : {"127.0.0.1", "192.0.2.7", "::1", "2001:db8::1", "fe80::1%lo"}) {
    address_list const found = resolve(host, 8080);
    if (found.empty()) continue;  // a machine without IPv6 has no scopes
    socket_address const before = *found.begin();
    socket_address const after = compact_address(before).expand();
    CHECK(after.size == before.size);
    CHECK(std::memcmp(&after.storage, &before.storage, before.size) == 0);
  }
  CHECK(text(compact_address(local_path("/run/chat.sock")).expand()).view() == "unix:");
  CHECK(text(local_path("/run/chat.sock")).view() == "unix:/run/chat.sock");
  CHECK(compact_address().expand().family() == AF_UNSPEC);
}

TEST_CASE("accepted connections inherit keep-alive, buffers and the absence of Nagle's delay") {
  connected_pair const pair = connect_pair({.tcp = {.keep_alive = {.idle = seconds(77)}, .send_buffer_bytes = 50'000}});
  int const accepted = pair.accepted.number();
  CHECK(option_of(accepted, SOL_SOCKET, SO_KEEPALIVE) != 0);
  CHECK(option_of(accepted, IPPROTO_TCP, TCP_KEEPIDLE) == 77);
  CHECK(option_of(accepted, IPPROTO_TCP, TCP_KEEPINTVL) == 10);
  CHECK(option_of(accepted, IPPROTO_TCP, TCP_KEEPCNT) == 3);
  CHECK(option_of(accepted, IPPROTO_TCP, TCP_NODELAY) != 0);
  CHECK(option_of(accepted, SOL_SOCKET, SO_SNDBUF) == 100'000);  // Linux doubles it, for its own books
}

TEST_CASE("a local socket is listened on and connected to; a stale one is replaced, anything else is not") {
  std::string const path = "/tmp/purews-socket-" + std::to_string(::getpid());
  {
    listen_result const first = listen_local(path);
    REQUIRE(first);
    CHECK(first.bound.path() == path);
    CHECK(listen_local(path).error.code == EADDRINUSE);
    CHECK(connect_tcp(first.bound));
  }
  CHECK(connect_tcp(local_path(path)).error.code == ECONNREFUSED);
  CHECK(listen_local(path));
  ::unlink(path.c_str());
  { descriptor const file(::open(path.c_str(), O_CREAT | O_WRONLY, 0600)); }
  CHECK(listen_local(path).error.code == EADDRINUSE);
  ::unlink(path.c_str());
  CHECK(listen_local("/nowhere/at/all").error.code == ENOENT);
  CHECK(listen_local("").error.code == ENAMETOOLONG);
  CHECK(listen_local(std::string(200, 'x')).error.code == ENAMETOOLONG);
  CHECK(listen_local(std::string_view("a\0b", 3)).error.code == ENAMETOOLONG);
}

TEST_CASE("addresses are written as in URLs") {
  CHECK(text(first_of("127.0.0.1", 8080)).view() == "127.0.0.1:8080");
  CHECK(text(first_of("::1", 80)).view() == "[::1]:80");
  CHECK(text(first_of("[::1]", 65535)).view() == "[::1]:65535");
  CHECK(text(first_of("::ffff:10.0.0.7", 1)).view() == "10.0.0.7:1");
  CHECK(host_text(first_of("[2001:db8::5]", 80)).view() == "2001:db8::5");
  CHECK(first_of("127.0.0.1", 8080).port() == 8080);
  CHECK(first_of("::1", 0).port() == 0);
  CHECK(socket_address{}.port() == 0);
}

TEST_CASE("what cannot be looked up is refused with a reason") {
  CHECK(resolve("no such host!", 1).error().kind == os_error_kind::resolver);
  CHECK(resolve(std::string(300, 'a'), 1).error());
  CHECK(resolve(std::string_view("127.0.0.1\0.example", 18), 1).error());
  listen_result const refused = listen_tcp("256.1.1.1.1", 0);
  CHECK(!refused);
  CHECK(refused.error);
}

TEST_CASE("listening names the port that was bound, for IPv4 and IPv6") {
  listen_result const v4 = listen_tcp("127.0.0.1", 0);
  REQUIRE(v4);
  CHECK(v4.bound.port() != 0);
  CHECK(text(v4.bound).view() == "127.0.0.1:" + std::to_string(v4.bound.port()));
  if (has_ipv6()) {
    listen_result const v6 = listen_tcp("[::1]", 0);
    REQUIRE(v6);
    CHECK(text(v6.bound).view() == "[::1]:" + std::to_string(v6.bound.port()));
  }
}

TEST_CASE("a port in use is refused, unless it is shared") {
  listen_result const first = listen_tcp("127.0.0.1", 0);
  REQUIRE(first);
  listen_result const second = listen_tcp("127.0.0.1", first.bound.port());
  CHECK(!second);
  CHECK(second.error.code == EADDRINUSE);
  CHECK(describe(second.error).view().starts_with("bind: "));

  listen_result const one = listen_tcp("127.0.0.1", 0, {.sharing = port_sharing::shared});
  REQUIRE(one);
  CHECK(listen_tcp("127.0.0.1", one.bound.port(), {.sharing = port_sharing::shared}));
}

TEST_CASE("accepted and connecting sockets are non-blocking, without delay, and closed on exec") {
  connected_pair const pair = connect_pair();
  CHECK(host_text(pair.peer).view() == "127.0.0.1");
  CHECK(pair.peer.port() != 0);
  for (int const fd : {pair.accepted.number(), pair.connecting.number()}) {
    CHECK((::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    CHECK(option_of(fd, IPPROTO_TCP, TCP_NODELAY) != 0);
  }
  socket_address remote;
  CHECK(!remote_address(pair.connecting.number(), remote));
  CHECK(host_text(remote).view() == "127.0.0.1");
}

TEST_CASE("accepting without a connection would block") {
  listen_result const listening = listen_tcp("127.0.0.1", 0);
  accept_result const none = accept_one(listening.socket.number());
  CHECK(!none.socket);
  CHECK((none.error == EAGAIN || none.error == EWOULDBLOCK));
}

TEST_CASE("connecting to a closed port fails with its reason") {
  std::uint16_t const port = listen_tcp("127.0.0.1", 0).bound.port();
  connect_result const refused = connect_tcp(first_of("127.0.0.1", port));
  if (refused) {
    wait_for(refused.socket.number(), POLLOUT);
    CHECK(connect_outcome(refused.socket.number()) == ECONNREFUSED);
  } else {
    CHECK(refused.error.code == ECONNREFUSED);
  }
}

TEST_CASE("spans are sent in order by one call, and the end of the stream is a count of 0") {
  connected_pair pair = connect_pair();
  bytes_view const spans[] = {as_bytes("one "), as_bytes(""), as_bytes("two "), as_bytes("three")};
  io_result const sent = send_spans(pair.accepted.number(), spans);
  CHECK(sent.count == 13);
  CHECK(send_spans(pair.accepted.number(), std::span(spans, 1)).count == 4);
  std::byte buffer[100];
  std::size_t got = 0;
  while (got < 17) {
    wait_for(pair.connecting.number(), POLLIN);
    io_result const part = receive(pair.connecting.number(), bytes(buffer).subspan(got));
    REQUIRE(part.error == 0);
    got += part.count;
  }
  CHECK(as_text(bytes_view(buffer, got)) == "one two threeone ");
  CHECK(receive(pair.connecting.number(), buffer).would_block());
  pair.accepted.reset();
  wait_for(pair.connecting.number(), POLLIN);
  io_result const end = receive(pair.connecting.number(), buffer);
  CHECK(end.count == 0);
  CHECK(end.error == 0);
}

TEST_CASE("a full socket takes a part, then would block") {
  connected_pair const pair = connect_pair();
  std::vector<std::byte> const much(1U << 20);
  bytes_view const spans[] = {much, much};
  io_result sent;
  for (int i = 0; i < 100 && sent.error == 0; ++i) sent = send_spans(pair.accepted.number(), spans);
  CHECK(sent.would_block());
}

TEST_CASE("sending to a peer that has gone is an error and never SIGPIPE") {
  static volatile std::sig_atomic_t raised = 0;
  raised = 0;
  auto const before = std::signal(SIGPIPE, [](int) { raised = 1; });
  connected_pair pair = connect_pair();
  pair.connecting.reset();
  bytes_view const spans[] = {as_bytes("a"), as_bytes("b")};
  io_result sent;
  for (int i = 0; i < 100 && sent.error == 0; ++i) {
    sent = send_spans(pair.accepted.number(), std::span(spans).first(i % 2 == 0 ? 1 : 2));
    ::usleep(1000);
  }
  CHECK((sent.error == EPIPE || sent.error == ECONNRESET));
  CHECK(send_spans(pair.accepted.number(), spans).error == EPIPE);
  std::signal(SIGPIPE, before);
  CHECK(raised == 0);
}

TEST_CASE("receiving into nothing and sending too many spans are bugs") {
  connected_pair const pair = connect_pair();
  CHECK(dies([&] { receive(pair.accepted.number(), {}); }));
  std::vector<bytes_view> const spans(send_spans_max + 1, as_bytes("x"));
  CHECK(dies([&] { send_spans(pair.accepted.number(), spans); }));
}
