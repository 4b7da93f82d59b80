// SPDX-License-Identifier: BSL-1.0
// A whole life of a server, again and again, and each time another of its calls to the system or the heap fails.
#include "faults.hpp"

#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <future>
#include <string>
#include <tuple>
#include <vector>

#include "purews/loop/epoll.hpp"
#include "purews/server/server.hpp"
#include "support/catch.hpp"
#include "support/frames.hpp"
#include "support/ws_client.hpp"

using namespace purews;
using faults::call;
using test::raw_client;
using test::upgrade_request;
using test::ws_client;

namespace {

/// Loops whose system calls are in faults.hpp.
using faulty_loops = std::tuple<epoll_loop>;

long descriptors() {
  using files = std::filesystem::directory_iterator;
  return std::distance(files("/proc/self/fd"), files());
}

/// What became of a server.
struct life {
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
  return {.timeout = {.handshake = milliseconds(500), .close = milliseconds(300), .linger = milliseconds(200)},
          .threads = 2,
          .pin = pinning::cores,
          .workers = 1,
          .drain = {.deadline = milliseconds(300)}};
}

template <class Server>
websocket_route conversation(Server& server, life& l) {
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
void serve(life& l, std::promise<places>& ready, std::promise<basic_server<Loop>*>& running, std::string const& path,
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
void live(life& l, faults::plan what) {
  std::string const path = "/tmp/purews-faults-" + std::to_string(::getpid()) + ".sock";
  std::promise<places> ready;
  std::promise<basic_server<Loop>*> running;
  std::promise<void> visited;
  faults::begin(what);
  thread server_thread;
  REQUIRE(!server_thread.start([&] { serve<Loop>(l, ready, running, path, visited.get_future()); }));
  basic_server<Loop>* const server = running.get_future().get();
  places const at = ready.get_future().get();
  std::unique_ptr<ws_client> last;
  if (at.good) {
    give(*server);
    test::patience_ms = 1500;  // what was lost with the memory for it does not come
    visit(at);
    test::patience_ms = 10'000;
    // The failure may strike one of these; then the next is served.
    for (int i = 0; i < 2 && !l.fresh_served; ++i)
      l.fresh_served = echoes(at.tcp, "fresh") && echoes(at.local, "fresh");
    try {
      last = std::make_unique<ws_client>(at.tcp);
    } catch (std::runtime_error const&) {
    }
    server->stop();
    test::patience_ms = 1500;
    if (last) last->last();
    test::patience_ms = 10'000;
    last.reset();
  }
  visited.set_value();
  server_thread.join();
  ::unlink(path.c_str());
}

char running_now[160];
[[noreturn]] void hung(int) {
  [[maybe_unused]] ssize_t const written = ::write(2, running_now, std::strlen(running_now));
  std::signal(SIGALRM, SIG_DFL);
  std::abort();
}

struct faulty {
  call which;
  std::vector<int> codes;  ///< that the kernel may give us; for the heap, whatever
};

std::vector<faulty> const& table() {
  static std::vector<faulty> const all{
      {call::epoll_create1, {EMFILE, ENFILE, ENOMEM}},
      {call::epoll_ctl, {ENOMEM, ENOSPC}},
      {call::epoll_wait, {EINTR}},
      {call::eventfd, {EMFILE, ENFILE, ENOMEM, ENODEV}},
      {call::read, {EAGAIN, EINTR}},
      {call::write, {EAGAIN}},
      {call::accept4, {EAGAIN, EINTR, ECONNABORTED, EMFILE, ENFILE, ENOBUFS, ENOMEM, EPROTO, EPERM, ENETDOWN}},
      {call::recv, {EAGAIN, EINTR, ECONNRESET, ETIMEDOUT, ENOMEM, ENOBUFS, EHOSTUNREACH}},
      {call::send, {EAGAIN, EINTR, ECONNRESET, EPIPE, ENOMEM, ENOBUFS, ETIMEDOUT}},
      {call::sendmsg, {EAGAIN, EINTR, ECONNRESET, EPIPE, ENOMEM, ENOBUFS}},
      {call::socket, {EMFILE, ENFILE, ENOBUFS, ENOMEM, EACCES, EAFNOSUPPORT}},
      {call::bind, {EADDRINUSE, EACCES, EADDRNOTAVAIL, ENOMEM}},
      {call::listen, {EADDRINUSE, EOPNOTSUPP}},
      {call::setsockopt, {ENOPROTOOPT, ENOMEM, EPERM}},
      {call::getsockname, {ENOBUFS}},
      {call::getpeername, {ENOTCONN, ENOBUFS}},
      {call::shutdown, {ENOTCONN}},
      {call::close, {EINTR, EIO}},
      {call::unlink, {EACCES, EPERM, EROFS}},
      {call::fcntl, {ENOMEM}},
      {call::mmap, {ENOMEM}},
      {call::madvise, {EINVAL, ENOMEM}},
      {call::getrandom, {EINTR}},
      {call::pthread_create, {EAGAIN}},
      {call::sched_getaffinity, {EPERM}},
      {call::sched_setaffinity, {EPERM, EINVAL}},
      {call::malloc, {ENOMEM}},
      {call::realloc, {ENOMEM}},
      {call::operator_new, {ENOMEM}},
  };
  return all;
}

/// One life with one failure; false: it was not reached.
template <class Loop>
bool survives(faults::plan what) {
  long const before = descriptors();
  std::snprintf(running_now, sizeof running_now, "hung: call %ld of %s gave %s\n", what.at,
                faults::names[static_cast<int>(what.which)], ::strerrorname_np(what.code));
  INFO(std::string(running_now));
  ::alarm(120);
  life l;
  live<Loop>(l, what);
  ::alarm(0);
  bool const reached = faults::struck;
  if (l.opens != l.closes) CHECK(l.opens == l.closes);
  if (descriptors() != before) CHECK(descriptors() == before);
  bool const told = l.refused || l.out_of_memory;
  if (!told && !l.fresh_served) CHECK(l.fresh_served);
  // What it refuses, it refuses for this reason.
  if (l.refused && (!reached || l.refused.code != what.code)) CHECK(l.refused.code == what.code);
  return reached;
}

/// Lives, in each of which one call fails: to the heap, or to the system.
template <class Loop>
void fail_each(bool (*chosen)(call)) {
  std::signal(SIGALRM, hung);
  life calm;
  live<Loop>(calm, {});
  CHECK(calm.fresh_served);
  CHECK(calm.opens >= 6);
  CHECK(calm.opens == calm.closes);
  // What is made once and kept, by this thread and the C library, has been made.
  CHECK(survives<Loop>({}) == false);
  std::vector<long> counts;
  for (faulty const& f : table()) counts.push_back(faults::count_of(f.which));
  int lives = 0;
  for (std::size_t i = 0; i < table().size(); ++i) {
    faulty const& f = table()[i];
    if (!chosen(f.which)) continue;
    INFO(faults::names[static_cast<int>(f.which)]);
    // Only a socket file that is left over is removed before it is made, and only one process has to look.
    if (counts[i] == 0) CHECK((f.which == call::sendmsg || f.which == call::connect));
    // The first ones with each error; behind them one here and there, with one or the other.
    long const step = counts[i] > 16 ? (counts[i] - 4) / 12 : 1;
    std::size_t turn = 0;
    for (long at = 0; at < counts[i]; at += at < 4 ? 1 : step) {
      for (std::size_t k = 0; k < f.codes.size(); ++k) {
        if (at >= 4 && k != turn % f.codes.size()) continue;
        survives<Loop>({f.which, at, f.codes[k]});
        ++lives;
      }
      ++turn;
    }
  }
  CHECK(lives > 20);
  std::signal(SIGALRM, SIG_DFL);
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("each call of a server to the system may fail once with each error", "", faulty_loops) {
  fail_each<TestType>([](call which) { return which < call::malloc; });
}

TEMPLATE_LIST_TEST_CASE("memory may run out once at every place of a server", "", faulty_loops) {
  fail_each<TestType>([](call which) { return which >= call::malloc; });
}

TEMPLATE_LIST_TEST_CASE("an echoed message costs one recv, one send, its share of a wait, and no memory", "",
                        faulty_loops) {
  constexpr long messages = 1000;
  life l;
  std::promise<places> ready;
  std::promise<basic_server<TestType>*> running;
  std::promise<void> visited;
  faults::begin();
  thread server_thread;
  std::string const path = "/tmp/purews-counted-" + std::to_string(::getpid()) + ".sock";
  REQUIRE(!server_thread.start([&] { serve<TestType>(l, ready, running, path, visited.get_future()); }));
  basic_server<TestType>* const server = running.get_future().get();
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
