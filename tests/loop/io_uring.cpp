// SPDX-License-Identifier: BSL-1.0
// What is particular to the loop on io_uring. Its behaviour as a loop is tested with that of all others.
#include "purews/loop/io_uring.hpp"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <vector>

#include "harness.hpp"
#include "purews/loop/thread.hpp"
#include "support/descriptors.hpp"

using namespace purews;
using test::open_descriptors;

namespace {

/// Lets the kernel answer a system call with an error, in this process and for good.
bool forbid(unsigned call, unsigned error) {
  sock_filter steps[] = {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 0},
                         {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, call},
                         {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | error},
                         {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
  sock_fprog const program{4, steps};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

struct crowd {
  crowd(uring_loop& loop, int count, transport how, echo_settings settings = {}) {
    for (int i = 0; i < count; ++i) {
      socket_pair pair = connect_pair(how);
      peers.push_back({std::move(pair.peers)});
      all.push_back(std::make_unique<session<uring_loop>>(loop, std::move(pair.ours), settings));
      REQUIRE(!all.back()->held->start());
    }
  }
  std::vector<hand> peers;
  std::vector<std::unique_ptr<session<uring_loop>>> all;
};

}  // namespace

TEST_CASE("a kernel that forbids io_uring is an error with a name, and the loop does nothing") {
  int const refused = GENERATE(EPERM, ENOSYS, ENOMEM);
  int const code = in_child([&] {
    if (!forbid(SYS_io_uring_setup, static_cast<unsigned>(refused))) return 10;
    uring_loop loop;
    if (loop.error().code != refused) return 11;
    if (!describe(loop.error()).view().starts_with("io_uring_setup: ")) return 12;
    loop.run();
    loop.run_once(duration{});
    if (!loop.watch(0, interest::read, [](interest) {}).error()) return 13;
    if (!listen_tcp("127.0.0.1", 0)) return 14;
    listen_result listening = listen_tcp("127.0.0.1", 0);
    uring_loop::listener listener(loop, std::move(listening.socket), [](descriptor, socket_address const&) {});
    return listener.start().code == refused ? 0 : 15;
  });
  CHECK(code == 0);
}

TEST_CASE("a kernel whose io_uring is too old says that it is not supported") {
  CHECK(in_child([] {
          if (!forbid(SYS_io_uring_setup, EINVAL)) return 10;
          uring_loop const loop;
          return loop.error().code == EOPNOTSUPP ? 0 : 11;
        }) == 0);
  CHECK(in_child([] {  // the probe and the buffers need it
          if (!forbid(SYS_io_uring_register, EPERM)) return 10;
          uring_loop const loop;
          return loop.error() ? 0 : 11;
        }) == 0);
}

TEST_CASE("more operations than the queues hold all come to their end") {
  uring_loop loop;
  REQUIRE(!loop.error());
  constexpr int count = 700;  // of which each has one under way, and sends: the queue has room for 512
  crowd many(loop, count, transport::local);
  turns(loop, 2);
  for (auto const& one : many.all) {
    one->machine().send("first");
    one->held->touch();
  }
  for (hand const& peer : many.peers) peer.send("echo");
  int done = 0;
  CHECK(turn_until(loop, [&] {
    done = 0;
    for (hand& peer : many.peers) {
      peer.collect();
      done += peer.got.size() == 9 ? 1 : 0;
    }
    return done == count;
  }));
  CHECK(done == count);
}

TEST_CASE("when many send at once and the buffers run out, all is read all the same") {
  uring_loop loop;
  REQUIRE(!loop.error());
  constexpr std::size_t each = 100'000;
  crowd many(loop, 300, transport::local);
  turns(loop, 2);
  std::string const text(each, 'x');
  std::vector<std::size_t> sent(many.peers.size());
  CHECK(turn_until(loop, [&] {
    bool all = true;
    for (std::size_t i = 0; i < many.peers.size(); ++i) {
      sent[i] += many.peers[i].send(std::string_view(text).substr(sent[i]));
      many.peers[i].collect();
      all = all && many.peers[i].got.size() == each;
    }
    return all;
  }));
}

TEST_CASE("streams that want no input keep no buffer from the others") {
  uring_loop loop;
  REQUIRE(!loop.error());
  crowd paused(loop, 300, transport::local);
  for (auto& one : paused.all) {
    one->parks = true;
    one->also = [s = one.get()] { s->machine().settings.accepts_input = false; };
  }
  turns(loop, 2);
  for (int i = 0; i < 5; ++i) {
    for (hand const& peer : paused.peers) peer.send("more");
    turns(loop, 1);
  }
  crowd other(loop, 1, transport::local);
  other.peers[0].send("echo");
  CHECK(turn_until(loop, [&] {
    other.peers[0].collect();
    return other.peers[0].got == "echo";
  }));
  for (auto& one : paused.all) {
    one->also.clear();
    one->machine().settings.accepts_input = true;
    one->held->touch();
  }
  CHECK(turn_until(loop, [&] {
    for (auto& one : paused.all)
      if (one->machine().parked != "moremoremoremoremore") return false;
    return true;
  }));
}

TEST_CASE("a stream may be destroyed with a send and a receive under way, its socket closes at once") {
  auto const how = GENERATE(transport::local, transport::tcp);
  rig<uring_loop> r(how);
  turns(r.loop, 2);
  r.ours.machine().send("last");
  r.ours.held->touch();
  // A post comes before the flush of its turn; a timer of no delay starts after it.
  r.loop.post([&] {
    r.ours.held->send_now();
    r.ours.held.reset();
  });
  r.loop.run_once(seconds(5));
  r.peer.collect();
  CHECK(r.peer.got == "last");
  CHECK(r.peer.ended);
}

TEST_CASE("send_now makes room in the machine's queue at once, also while the ring is sending") {
  rig<uring_loop> r;
  turns(r.loop, 2);
  r.ours.also = [&] {
    r.ours.machine().send("one");
    r.ours.held->send_now();
    CHECK(r.ours.machine().queued() == 0);
    r.ours.machine().send("two");
    r.ours.held->send_now();
    r.peer.collect();
    CHECK(r.peer.got == "echoonetwo");
  };
  r.peer.send("echo");
  CHECK(turn_until(r.loop, [&] { return r.ours.calls == 1; }));
  CHECK(r.until([&] { return r.peer.got == "echoonetwo"; }));
}

TEST_CASE("a loop and what was on it leave no descriptor open") {
  int const before = open_descriptors();
  {
    uring_loop loop;
    REQUIRE(!loop.error());
    listen_result listening = listen_tcp("127.0.0.1", 0);
    REQUIRE(listening);
    int accepted = 0;
    uring_loop::listener listener(loop, std::move(listening.socket),
                                  [&](descriptor, socket_address const&) { ++accepted; });
    REQUIRE(!listener.start());
    crowd many(loop, 20, transport::tcp);
    std::vector<connect_result> clients;
    for (int i = 0; i < 10; ++i) clients.push_back(connect_tcp(listening.bound));
    CHECK(turn_until(loop, [&] { return accepted == 10; }));
    for (int i = 0; i < 10; ++i) clients.push_back(connect_tcp(listening.bound));
    for (hand const& peer : many.peers) peer.send("unread");
    listener.pause();  // some of the later ones may have been accepted by the ring
    turns(loop, 2);
    for (auto& one : many.all) one->machine().send("unsent");
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("connections that the ring has accepted when the loop ends are closed") {
  int const before = open_descriptors();
  {
    std::vector<connect_result> clients;
    uring_loop loop;
    listen_result listening = listen_tcp("127.0.0.1", 0);
    REQUIRE(listening);
    uring_loop::listener listener(loop, std::move(listening.socket), [](descriptor, socket_address const&) {});
    REQUIRE(!listener.start());
    crowd const ends_first(loop, 1, transport::local);  // and so the ring looks at all
    turns(loop, 2);
    for (int i = 0; i < 10; ++i) clients.push_back(connect_tcp(listening.bound));
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("a loop may be made on one thread, with a listener, and run on another") {
  uring_loop loop;
  listen_result listening = listen_tcp("127.0.0.1", 0);
  REQUIRE(listening);
  int accepted = 0;
  uring_loop::listener listener(loop, std::move(listening.socket), [&](descriptor, socket_address const&) {
    ++accepted;
    loop.stop();
  });
  REQUIRE(!listener.start());
  connect_result const client = connect_tcp(listening.bound);
  thread runs;
  REQUIRE(!runs.start([&] {
    loop.run();
    listener.close();
  }));
  runs.join();
  CHECK(accepted == 1);
}

TEST_CASE("what is held comes out in order, and the end behind it") {
  uring_held held;
  CHECK(held.empty());
  std::string text = "abcdef";
  auto const part = [&](std::size_t from, std::size_t n) {
    return std::as_writable_bytes(std::span(text)).subspan(from, n);
  };
  REQUIRE(held.add(part(0, 4)));
  CHECK(as_text(held.first(3)) == "abc");
  held.drop(3);
  REQUIRE(held.add(part(4, 2)));
  CHECK(as_text(held.first(10)) == "def");
  held.drop(3);
  CHECK(held.empty());
  REQUIRE(held.add(part(0, 1)));
  held.end(ECONNRESET);
  held.drop(1);
  CHECK(!held.empty());
  CHECK(held.first(1).empty());
  CHECK(held.end_code() == ECONNRESET);
}
