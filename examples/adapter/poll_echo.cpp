// SPDX-License-Identifier: BSL-1.0
// An echo server on poll() and the protocol core alone: what a loop of your own has to do, and all of it.

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <list>
#include <purews/purews.hpp>
#include <vector>

using namespace purews;

instant now() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return {t.tv_sec * 1'000'000'000LL + t.tv_nsec};
}

struct client {
  explicit client(int socket, options const& with) : fd(socket), machine(role::server, with, now()) {}
  int fd;
  endpoint machine;
};

void handle(endpoint& m) {  // the application: whatever there is to say to each event
  for (event e = m.next(); e.what != kind::none; e = m.next()) {
    if (e.what == kind::request) (void)(m.wants_upgrade() ? m.accept() : m.answer({.status = 404}));
    if (e.what == kind::message) (void)m.send(e.op, e.payload);
  }
}

bool serve(client& c, short ready) {  // false: the connection has ended
  static std::byte scratch[65536];
  endpoint& m = c.machine;
  if (m.wants_input() && (ready & (POLLIN | POLLHUP | POLLERR)) != 0) {
    ssize_t const n = recv(c.fd, scratch, sizeof scratch, MSG_DONTWAIT);
    if (n > 0) m.receive({scratch, static_cast<std::size_t>(n)}, now());
    if (n == 0) m.receive_eof(now());
    if (n < 0 && errno != EAGAIN) return false;
    handle(m);
  }
  m.advance(now());
  handle(m);
  bytes_view out[1];
  while (m.gather(out) != 0) {
    ssize_t const n = send(c.fd, out[0].data(), out[0].size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    m.consume_output(n > 0 ? static_cast<std::size_t>(n) : 0, now());
    if (n < 0 && errno != EAGAIN) return false;
    if (n < 0) break;
  }
  if (m.transport() == transport_action::shut_write) shutdown(c.fd, SHUT_WR);
  return m.transport() != transport_action::close;
}

int main(int argc, char** argv) {
  int const listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 9002));
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0 || listen(listener, 64) != 0)
    return std::perror("poll_echo: cannot listen; name another port"), 1;
  options const with;
  std::list<client> clients;
  for (;;) {
    std::vector<pollfd> waits{{listener, POLLIN, 0}};
    instant wake = now() + seconds(60);
    for (client& c : clients) {
      bool const output = c.machine.queued_bytes() != 0;
      waits.push_back({c.fd, static_cast<short>((c.machine.wants_input() ? POLLIN : 0) | (output ? POLLOUT : 0)), 0});
      if (c.machine.deadline() < wake) wake = c.machine.deadline();
    }
    std::int64_t const left = (wake - now()).ns / 1'000'000 + 1;
    poll(waits.data(), waits.size(), left < 0 ? 0 : static_cast<int>(left));
    std::size_t i = 1;
    for (auto c = clients.begin(); c != clients.end(); ++i)
      c = serve(*c, waits[i].revents) ? std::next(c) : (close(c->fd), clients.erase(c));
    if (waits[0].revents != 0)
      if (int const fd = accept(listener, nullptr, nullptr); fd >= 0) clients.emplace_back(fd, with);
  }
}
