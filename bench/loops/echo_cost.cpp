// SPDX-License-Identifier: BSL-1.0
// What a loop costs: bytes are echoed, without a protocol, over so many connections of loopback TCP, with so many
// messages under way on each. The server is this process, so that `strace -c` without -f counts its calls:
//   build/bin/echo_cost epoll|asio|libuv|asio_alone CONNECTIONS DEPTH BYTES MESSAGES
// "asio_alone" is Asio without purews: async_read_some and async_write.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <asio/ip/tcp.hpp>
#include <asio/write.hpp>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <string>
#include <vector>

#include "loop/echo_machine.hpp"
#include "purews/loop/asio.hpp"
#include "purews/loop/epoll.hpp"
#include "purews/loop/libuv.hpp"

using namespace purews;

namespace {

struct work {
  int connections, depth, bytes;
  long messages;
};

// ---- The peer, in a process of its own ------------------------------------------------------------------------------

void talk(std::vector<descriptor> const& sockets, work const& w) {
  std::vector<char> room(1 << 16);
  long to_send = w.messages * w.bytes;
  long to_receive = to_send;
  auto const send = [&](int fd, long count) {
    count = count < to_send ? count : to_send;
    to_send -= count;
    if (count > 0 && ::send(fd, room.data(), static_cast<std::size_t>(count), 0) != count) std::abort();
  };
  descriptor const queue(::epoll_create1(0));
  for (descriptor const& socket : sockets) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = socket.number();
    ::epoll_ctl(queue.number(), EPOLL_CTL_ADD, socket.number(), &event);
  }
  for (descriptor const& socket : sockets) send(socket.number(), long{w.depth} * w.bytes);
  while (to_receive > 0) {
    epoll_event events[256];
    int const count = ::epoll_wait(queue.number(), events, 256, -1);
    for (int i = 0; i < count; ++i) {
      ssize_t const got = ::recv(events[i].data.fd, room.data(), room.size(), 0);
      if (got <= 0) std::abort();
      to_receive -= got;
      send(events[i].data.fd, got);
    }
  }
}

// ---- Streams of purews --------------------------------------------------------------------------

template <class Loop>
struct echo {
  using stream = typename Loop::template stream<echo_machine, echo>;

  echo(Loop& on, int& open, descriptor socket)
      : loop(on), left(open), held(on, *this, static_cast<descriptor&&>(socket)) {
    if (held.start()) std::abort();
  }
  void on_events(stream& s) noexcept {
    for (event e = s.machine().next(); e.what != kind::none; e = s.machine().next()) s.machine().send(e.payload);
  }
  void on_end(stream&) noexcept {
    if (--left == 0) loop.stop();
  }

  Loop& loop;
  int& left;
  stream held;
};

template <class Loop>
void serve(std::vector<descriptor> sockets) {
  Loop loop;
  int left = static_cast<int>(sockets.size());
  std::deque<echo<Loop>> echoes;
  for (descriptor& socket : sockets) echoes.emplace_back(loop, left, static_cast<descriptor&&>(socket));
  loop.run();
}

// ---- Asio alone ---------------------------------------------------------------------------------

struct asio_echo {
  asio_echo(asio::io_context& context, descriptor adopted) : socket(context) {
    socket.assign(asio::ip::tcp::v4(), adopted.release());
    read();
  }
  void read() {
    socket.async_read_some(asio::buffer(room), [this](asio::error_code failed, std::size_t count) {
      if (!failed) write(count);
    });
  }
  void write(std::size_t count) {
    asio::async_write(socket, asio::buffer(room, count), [this](asio::error_code failed, std::size_t) {
      if (!failed) read();
    });
  }
  asio::ip::tcp::socket socket;
  char room[4096];
};

void serve_by_asio_alone(std::vector<descriptor> sockets) {
  asio::io_context context(1);
  std::deque<asio_echo> echoes;
  for (descriptor& socket : sockets) echoes.emplace_back(context, static_cast<descriptor&&>(socket));
  context.run();
}

double seconds_of(timeval const& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; }

}  // namespace

int main(int argc, char** argv) {
  struct {
    std::string_view name;
    void (*serve)(std::vector<descriptor>);
  } const loops[] = {{"epoll", serve<epoll_loop>},
                     {"asio", serve<asio_loop>},
                     {"libuv", serve<libuv_loop>},
                     {"asio_alone", serve_by_asio_alone}};
  if (argc != 6) return std::puts("usage: echo_cost epoll|asio|libuv|asio_alone CONNECTIONS DEPTH BYTES MESSAGES"), 2;
  work const w{std::atoi(argv[2]), std::atoi(argv[3]), std::atoi(argv[4]), std::atol(argv[5])};
  listen_result const listening = listen_tcp("127.0.0.1", 0);
  if (!listening) return std::puts("cannot listen"), 1;
  std::vector<descriptor> ours;
  std::vector<descriptor> peers;
  for (int i = 0; i < w.connections; ++i) {
    descriptor peer(::socket(AF_INET, SOCK_STREAM, 0));
    socket_address const& to = listening.bound;
    if (::connect(peer.number(), to.data(), to.size) != 0) return std::perror("connect"), 1;
    pollfd asked{listening.socket.number(), POLLIN, 0};
    ::poll(&asked, 1, -1);
    accept_result accepted = accept_one(listening.socket.number());
    int const on = 1;
    ::setsockopt(peer.number(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!accepted.socket || prepare_socket(accepted.socket.number())) return std::puts("cannot accept"), 1;
    ours.push_back(static_cast<descriptor&&>(accepted.socket));
    peers.push_back(static_cast<descriptor&&>(peer));
  }
  pid_t const child = ::fork();
  if (child == 0) {
    ours.clear();
    talk(peers, w);
    ::_exit(0);
  }
  peers.clear();
  for (auto const& loop : loops) {
    if (loop.name != argv[1]) continue;
    rusage before{};
    rusage after{};
    ::getrusage(RUSAGE_SELF, &before);
    loop.serve(static_cast<std::vector<descriptor>&&>(ours));
    ::getrusage(RUSAGE_SELF, &after);
    double const user = seconds_of(after.ru_utime) - seconds_of(before.ru_utime);
    double const system = seconds_of(after.ru_stime) - seconds_of(before.ru_stime);
    double const each = 1e9 / static_cast<double>(w.messages);
    std::printf("%s, %d connections, depth %d: %.0f ns a message (user %.0f, system %.0f)\n", argv[1], w.connections,
                w.depth, (user + system) * each, user * each, system * each);
  }
  ::waitpid(child, nullptr, 0);
}
