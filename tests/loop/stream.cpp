// SPDX-License-Identifier: BSL-1.0
// The behaviour of a stream, the same on every readiness loop.
#include "purews/loop/stream.hpp"

#include <sys/mman.h>
#include <sys/wait.h>

#include <csignal>
#include <vector>

#include "harness.hpp"

using namespace purews;

namespace {

std::string pattern(std::size_t size) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>(i * 31 + i / 251);
  return out;
}

void reset_on_close(int socket) {
  linger const at_once{1, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

void shrink_buffer(int socket) {
  int const small = 16'384;
  ::setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
}

/// Lets a deadline of `late` fire in a turn that serves `r.ours` first: what that brings about comes after the kernel
/// was asked what is ready, and before the deadline is looked at.
template <class Loop>
void pass_deadline_of(session<Loop>& late, rig<Loop>& r) {
  late.machine().settings.deadline = steady_now() + milliseconds(1);
  late.held->touch();
  turns(r.loop, 1);
  ::usleep(5000);
  r.peer.send("go");
  r.loop.run_once(seconds(5));
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("a stream echoes over local sockets and TCP", "", all_loops) {
  auto const how = GENERATE(transport::local, transport::tcp);
  rig<TestType> r(how);
  std::string sent;
  for (std::string const text : {"a", "hello", "more"}) {
    CHECK(r.peer.send(text) == text.size());
    sent += text;
    CHECK(r.until([&] { return r.peer.got == sent; }));
  }
  CHECK(r.ours.machine().receives == 3);
  CHECK(r.ours.machine().loans == 3);
  CHECK(r.ours.machine().queued() == 0);
  CHECK(r.ours.ends == 0);
}

TEMPLATE_LIST_TEST_CASE("many messages of one read are answered by one call", "", all_loops) {
  rig<TestType> r(transport::tcp);
  turns(r.loop, 1);
  int const before = r.ours.machine().gathers;
  std::size_t const sent = r.peer.send(pattern(20'000));
  r.ours.also = [&] { r.ours.machine().send("end"); };
  CHECK(r.until([&] { return r.peer.got.size() >= sent + 3; }));
  CHECK(r.ours.machine().gathers == before + 2);  // one with all, one that finds nothing
}

TEMPLATE_LIST_TEST_CASE("megabytes go through short writes and a slow reader unharmed", "", all_loops) {
  auto const how = GENERATE(transport::local, transport::tcp);
  rig<TestType> r(how);
  shrink_buffer(r.ours.held->number());
  std::string const text = pattern(5'000'000);
  r.ours.machine().send(text);
  r.ours.held->touch();
  turns(r.loop, 5);
  CHECK(r.ours.machine().queued() > 0);
  CHECK(rests(r.loop));  // nobody reads: no spinning
  CHECK(r.until([&] { return r.peer.got.size() == text.size(); }));
  CHECK((r.peer.got == text));
  CHECK(r.ours.machine().queued() == 0);
}

TEMPLATE_LIST_TEST_CASE("an owner sees what had to stay after each sending, and may add to it", "", all_loops) {
  rig<TestType> r;
  shrink_buffer(r.ours.held->number());
  std::vector<std::size_t> left;
  std::string const text = pattern(1'000'000);
  bool added = false;
  r.ours.at_settled = [&](auto& stream) {
    left.push_back(stream.machine().queued());
    if (added || left.size() < 3 || left.back() != 0) return;
    added = true;
    stream.machine().send("end");
    stream.touch();
  };
  turns(r.loop, 1);
  CHECK(left == std::vector<std::size_t>{0});
  r.ours.machine().send(text);
  r.ours.held->touch();
  turns(r.loop, 3);
  REQUIRE(left.size() == 2);
  CHECK(left[1] > 0);
  CHECK(left[1] < text.size());
  CHECK(r.until([&] { return r.peer.got.ends_with("end"); }));
  CHECK(std::is_sorted(left.begin() + 1, left.end(), std::greater<>()));
  CHECK(left.back() == 0);
  CHECK(r.peer.got.size() == text.size() + 3);
  CHECK(rests(r.loop));
}

TEMPLATE_LIST_TEST_CASE("input is not read while it is not wanted, and is again afterwards", "", all_loops) {
  rig<TestType> r(transport::local, {.queue_high = 100'000});
  shrink_buffer(r.ours.held->number());
  std::string const text = pattern(4U << 20);
  std::size_t sent = 0;
  for (int i = 0; i < 200; ++i) {  // the peer sends and does not read
    sent += r.peer.send(std::string_view(text).substr(sent));
    turns(r.loop, 1);
  }
  CHECK(sent < text.size());
  CHECK(r.ours.machine().queued() > 100'000);
  CHECK(r.ours.machine().queued() < 100'000 + (1U << 20));
  CHECK(rests(r.loop));
  CHECK(r.until([&] {
    sent += r.peer.send(std::string_view(text).substr(sent));
    return r.peer.got.size() == text.size();
  }));
  CHECK((r.peer.got == text));
}

TEMPLATE_LIST_TEST_CASE("a machine that defers is left alone until it is touched", "", all_loops) {
  rig<TestType> r;
  r.ours.parks = true;
  r.ours.also = [&] { r.ours.machine().settings.accepts_input = false; };
  r.peer.send("first");
  CHECK(r.until([&] { return r.ours.machine().parked == "first"; }));
  r.peer.send("second");
  CHECK(rests(r.loop));
  CHECK(r.ours.calls == 1);
  SECTION("and goes on afterwards") {
    r.ours.also.clear();
    r.ours.machine().settings.accepts_input = true;
    r.ours.machine().send("answer");
    r.ours.held->touch();
    CHECK(r.until([&] { return r.ours.machine().parked == "firstsecond" && r.peer.got == "answer"; }));
  }
  SECTION("and a peer that goes away does not make the loop spin") {
    r.peer.socket.reset();
    CHECK(rests(r.loop));
    CHECK(r.ours.ends == 0);
    r.ours.also.clear();
    r.ours.machine().settings.accepts_input = true;
    r.ours.held->touch();
    CHECK(turn_until(r.loop, [&] { return r.ours.ends == 1; }));
    CHECK(r.ours.machine().parked == "firstsecond");
  }
}

TEMPLATE_LIST_TEST_CASE("a touched stream is flushed once, at the end of the turn", "", all_loops) {
  rig<TestType> r;
  turns(r.loop, 1);
  int const before = r.ours.machine().gathers;
  for (int i = 0; i < 5; ++i) {
    r.ours.machine().send("x");
    r.ours.held->touch();
  }
  r.peer.collect();
  CHECK(r.peer.got.empty());
  turns(r.loop, 1);
  r.peer.collect();
  CHECK(r.peer.got == "xxxxx");
  CHECK(r.ours.machine().gathers == before + 2);
}

TEMPLATE_LIST_TEST_CASE("a stream sends to many others from its own event, each flushed once in that turn", "",
                        all_loops) {
  rig<TestType> r;
  std::vector<hand> peers;
  std::vector<std::unique_ptr<session<TestType>>> others;
  for (int i = 0; i < 20; ++i) {
    socket_pair pair = connect_pair(transport::local);
    peers.push_back({std::move(pair.peers)});
    others.push_back(std::make_unique<session<TestType>>(r.loop, std::move(pair.ours)));
    REQUIRE(!others.back()->held->start());
  }
  turns(r.loop, 1);
  r.ours.also = [&] {
    for (auto& other : others) {
      other->machine().send("news");
      other->held->touch();
      other->held->touch();
    }
  };
  r.peer.send("go");
  r.loop.run_once(seconds(5));
  for (std::size_t i = 0; i < peers.size(); ++i) {
    peers[i].collect();
    CHECK(peers[i].got == "news");
    CHECK(others[i]->machine().gathers == 3);  // one of start(), one with the news, one that finds nothing
  }
}

TEMPLATE_LIST_TEST_CASE("the end of the peer's stream is an event, then the end, once", "", all_loops) {
  auto const how = GENERATE(transport::local, transport::tcp);
  rig<TestType> r(how);
  r.peer.send("last words");
  r.peer.socket.reset();
  CHECK(turn_until(r.loop, [&] { return r.ours.ends == 1; }));
  CHECK(r.ours.received == "last words");
  CHECK(r.ours.closed);
  CHECK(r.ours.machine().eofs == 1);
  CHECK(r.ours.held->ended());
  CHECK(r.ours.held->number() == -1);
  r.ours.held->touch();
  r.ours.held->abort();
  CHECK(rests(r.loop));
  CHECK(r.ours.ends == 1);
}

TEMPLATE_LIST_TEST_CASE("a peer that shuts its sending side still gets its answer", "", all_loops) {
  rig<TestType> r(transport::tcp);
  std::string const text = pattern(200'000);
  std::size_t sent = 0;
  CHECK(r.until([&] {
    sent += r.peer.send(std::string_view(text).substr(sent));
    return sent == text.size();
  }));
  r.peer.shut();
  CHECK(r.until([&] { return r.peer.ended; }));
  CHECK((r.peer.got == text));
  CHECK(r.ours.ends == 1);
  CHECK(!r.ours.held->failure());
}

TEMPLATE_LIST_TEST_CASE("a stream that stays open after the peer's end does not spin, and can still send", "",
                        all_loops) {
  rig<TestType> r(transport::tcp, {.closes_at_eof = false});
  r.peer.shut();
  CHECK(turn_until(r.loop, [&] { return r.ours.closed; }));
  CHECK(rests(r.loop));
  r.ours.machine().send("bye");
  r.ours.machine().settings.close = true;
  r.ours.held->touch();
  CHECK(r.until([&] { return r.peer.ended; }));
  CHECK(r.peer.got == "bye");
  CHECK(r.ours.ends == 1);
}

TEMPLATE_LIST_TEST_CASE("shut_write ends our side after all is sent, and reading goes on", "", all_loops) {
  rig<TestType> r(transport::tcp);
  r.ours.machine().send("all");
  r.ours.machine().settings.shut_write = true;
  r.ours.held->touch();
  CHECK(r.until([&] { return r.peer.ended; }));
  CHECK(r.peer.got == "all");
  CHECK(r.ours.ends == 0);
  r.ours.echoes = false;
  r.peer.send("late");
  CHECK(turn_until(r.loop, [&] { return r.ours.received == "late"; }));
  r.peer.shut();
  CHECK(turn_until(r.loop, [&] { return r.ours.ends == 1; }));
}

TEMPLATE_LIST_TEST_CASE("a reset is the end of the input, with its reason", "", all_loops) {
  rig<TestType> r(transport::tcp);
  reset_on_close(r.peer.socket.number());
  r.peer.socket.reset();
  CHECK(turn_until(r.loop, [&] { return r.ours.ends == 1; }));
  CHECK(r.ours.machine().eofs == 1);
  CHECK(r.ours.held->failure().code == ECONNRESET);
  CHECK(describe(r.ours.held->failure()).view().starts_with("recv: "));
}

TEMPLATE_LIST_TEST_CASE("sending to a peer that has gone ends the stream and never raises SIGPIPE", "", all_loops) {
  static volatile std::sig_atomic_t raised = 0;
  raised = 0;
  auto const before = std::signal(SIGPIPE, [](int) { raised = 1; });
  auto const accepts_input = GENERATE(true, false);
  rig<TestType> r(transport::local, {.accepts_input = accepts_input});
  r.peer.send("unread");
  turns(r.loop, 1);
  r.ours.echoes = false;
  r.peer.socket.reset();
  r.ours.machine().send("to nobody");
  r.ours.held->touch();
  CHECK(turn_until(r.loop, [&] { return r.ours.ends == 1; }));
  CHECK(r.ours.machine().eofs == 1);
  CHECK(r.ours.received == (accepts_input ? "unread" : ""));
  std::signal(SIGPIPE, before);
  CHECK(raised == 0);
}

TEMPLATE_LIST_TEST_CASE("after a failed send the peer is told of the end, and what it says is still read", "",
                        all_loops) {
  rig<TestType> r(transport::tcp);
  turns(r.loop, 1);
  // The kernel cannot read what it is to send, and the peer knows nothing of that.
  void* const page = ::mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(page != MAP_FAILED);
  r.ours.machine().settings.unreadable = {static_cast<std::byte const*>(page), 100};
  SECTION("at the end of a turn") { r.ours.held->touch(); }
  SECTION("at once") { r.ours.held->send_now(); }
  CHECK(r.until([&] { return r.peer.ended; }));
  CHECK(r.peer.got.empty());
  CHECK(r.ours.ends == 0);
  r.ours.echoes = false;
  r.peer.send("late");
  CHECK(turn_until(r.loop, [&] { return r.ours.received == "late"; }));
  r.peer.shut();
  CHECK(turn_until(r.loop, [&] { return r.ours.ends == 1; }));
  CHECK(describe(r.ours.held->failure()).view().starts_with("send: "));
  ::munmap(page, 4096);
}

TEMPLATE_LIST_TEST_CASE("what arrived before the transport broke is read although sending fails", "", all_loops) {
  rig<TestType> r(transport::local);
  r.peer.send("first");
  CHECK(r.until([&] { return r.peer.got == "first"; }));
  r.peer.send("second");
  r.peer.socket.reset();
  r.ours.machine().send("answer");
  r.ours.held->touch();
  CHECK(turn_until(r.loop, [&] { return r.ours.ends == 1; }));
  CHECK(r.ours.received == "firstsecond");
}

TEMPLATE_LIST_TEST_CASE("a machine's own buffer is used where it offers one", "", all_loops) {
  rig<TestType> r(transport::tcp, {.room = 7});
  std::string const text = pattern(1000);
  r.peer.send(text);
  CHECK(r.until([&] { return r.peer.got == text; }));
  if (asks_for_room<TestType>) CHECK(r.ours.machine().largest == 7);
}

TEMPLATE_LIST_TEST_CASE("close ends the stream without an event, with or without input", "", all_loops) {
  rig<TestType> r;
  r.ours.also = [&] { r.ours.machine().settings.close = true; };
  r.peer.send("x");
  CHECK(r.until([&] { return r.peer.ended; }));
  CHECK(r.peer.got == "x");
  CHECK(r.ours.ends == 1);
  CHECK(r.ours.machine().eofs == 0);
}

TEMPLATE_LIST_TEST_CASE("abort ends without sending, at the end of the turn, never inside the call", "", all_loops) {
  rig<TestType> r;
  SECTION("from outside") {
    turns(r.loop, 1);
    r.ours.machine().send("unsent");
    r.ours.held->touch();
    r.ours.held->abort();
    CHECK(r.ours.ends == 0);
    turns(r.loop, 1);
  }
  SECTION("from its own event") {
    r.ours.also = [&] {
      r.ours.held->abort();
      CHECK(r.ours.ends == 0);
    };
    r.peer.send("x");
    r.loop.run_once(seconds(5));
  }
  CHECK(r.ours.ends == 1);
  r.peer.collect();
  CHECK(r.peer.ended);
  CHECK(r.peer.got.empty());
}

TEMPLATE_LIST_TEST_CASE("a deadline advances the machine, not before its time and once", "", all_loops) {
  rig<TestType> r;
  r.ours.machine().settings.deadline = steady_now() + milliseconds(20);
  r.ours.held->touch();
  r.ours.also = [&] { r.ours.machine().send("tick"); };
  CHECK(r.until([&] { return r.peer.got == "tick"; }));
  CHECK(r.ours.machine().advances == 1);
  CHECK(rests(r.loop));
  CHECK(r.ours.machine().advances == 1);
}

TEMPLATE_LIST_TEST_CASE("a deadline that moves to later is armed again when the old one fires", "", all_loops) {
  rig<TestType> r;
  r.ours.machine().settings.deadline = steady_now() + milliseconds(10);
  r.ours.held->touch();
  turns(r.loop, 1);
  instant const real = steady_now() + milliseconds(50);
  r.ours.machine().settings.deadline = real;  // as an input would move it: the loop is not told
  CHECK(turn_until(r.loop, [&] { return r.ours.machine().advances == 1; }));
  CHECK(r.loop.now() >= real);
  r.ours.machine().settings.deadline = steady_now() + seconds(100);
  r.ours.held->touch();
  turns(r.loop, 1);
  r.ours.machine().settings.deadline = steady_now() + milliseconds(5);
  r.ours.held->touch();
  CHECK(turn_until(r.loop, [&] { return r.ours.machine().advances == 2; }));
}

TEMPLATE_LIST_TEST_CASE("what has arrived is read before a deadline counts", "", all_loops) {
  rig<TestType> r;
  socket_pair pair = connect_pair(transport::local);
  hand const late_peer{std::move(pair.peers)};
  session<TestType> late(r.loop, std::move(pair.ours));
  REQUIRE(!late.held->start());
  turns(r.loop, 1);
  late.also = [&] { late.machine().settings.deadline = never; };
  r.ours.also = [&] { late_peer.send("alive"); };
  pass_deadline_of(late, r);
  CHECK(late.received == "alive");
  CHECK(late.machine().advances == 0);
}

TEMPLATE_LIST_TEST_CASE("a watch that becomes ready while a deadline is served is not forgotten", "", all_loops) {
  rig<TestType> r;
  socket_pair pair = connect_pair(transport::local);
  session<TestType> late(r.loop, std::move(pair.ours));
  REQUIRE(!late.held->start());
  turns(r.loop, 1);
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  descriptor const reading(ends[0]), writing(ends[1]);
  bool seen = false;
  auto const watch = r.loop.watch(reading.number(), interest::read, [&](interest) {
    char one = 0;
    seen = ::read(reading.number(), &one, 1) == 1;
  });
  turns(r.loop, 1);
  r.ours.also = [&] { REQUIRE(::write(writing.number(), "x", 1) == 1); };
  pass_deadline_of(late, r);
  CHECK(late.machine().advances == 1);
  CHECK(turn_until(r.loop, [&] { return seen; }));
}

TEMPLATE_LIST_TEST_CASE("an event may destroy other streams, ready or touched or armed in the same turn", "",
                        all_loops) {
  TestType loop;
  REQUIRE(!loop.error());
  std::vector<hand> peers;
  std::vector<std::unique_ptr<session<TestType>>> all;
  for (int i = 0; i < 10; ++i) {
    socket_pair pair = connect_pair(transport::local);
    peers.push_back({std::move(pair.peers)});
    all.push_back(std::make_unique<session<TestType>>(loop, std::move(pair.ours)));
    REQUIRE(!all.back()->held->start());
  }
  turns(loop, 1);
  session<TestType>* survivor = nullptr;
  for (auto& one : all) {
    one->also = [&, self = one.get()] {
      if (survivor != nullptr) return;
      survivor = self;
      for (auto& other : all) {
        if (other.get() == self) continue;
        other->machine().settings.deadline = instant{1};
        other->machine().send("x");
        other->held->touch();
        other.reset();
        // Another stream may take its place in memory and its number, and must not get its event.
        socket_pair pair = connect_pair(transport::local);
        other = std::make_unique<session<TestType>>(loop, std::move(pair.ours), echo_settings{.closes_at_eof = false});
        REQUIRE(!other->held->start());
      }
    };
  }
  for (hand const& peer : peers) peer.send("all at once");
  loop.run_once(seconds(5));
  REQUIRE(survivor != nullptr);
  for (auto& one : all) CHECK(one->machine().receives == (one.get() == survivor ? 1 : 0));
}

TEMPLATE_LIST_TEST_CASE("on_end may destroy its stream, whatever ended it", "", all_loops) {
  enum class cause { eof, abort, deadline, close, broken };
  auto const why = GENERATE(cause::eof, cause::abort, cause::deadline, cause::close, cause::broken);
  rig<TestType> r;
  r.ours.at_end = [&] { r.ours.held.reset(); };
  if (why == cause::eof) r.peer.shut();
  if (why == cause::abort) r.ours.held->abort();
  if (why == cause::close) r.ours.machine().settings.close = true;
  if (why == cause::broken) {
    r.peer.socket.reset();
    r.ours.machine().settings.accepts_input = false;
    r.ours.machine().send("x");
  }
  if (why == cause::deadline) {
    r.ours.machine().settings.deadline = steady_now();
    r.ours.also = [&] { r.ours.machine().settings.close = true; };
  }
  r.ours.held->touch();
  CHECK(turn_until(r.loop, [&] { return r.ours.held == nullptr; }));
  CHECK(r.ours.ends == 1);
}

TEMPLATE_LIST_TEST_CASE("a copy of the descriptor in a forked child brings no event after the stream's end", "",
                        all_loops) {
  rig<TestType> r(transport::tcp);
  pid_t const child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    for (;;) ::pause();
  }
  r.ours.held.reset();
  r.peer.send("to the copy");
  CHECK(rests(r.loop));
  ::kill(child, SIGKILL);
  int status = 0;
  CHECK(::waitpid(child, &status, 0) == child);
}

TEMPLATE_LIST_TEST_CASE("a stream that connects sends what its machine has, and reads", "", all_loops) {
  TestType loop;
  listen_result const listening = listen_tcp("127.0.0.1", 0);
  REQUIRE(listening);
  connect_result connecting = connect_tcp(listening.bound);
  REQUIRE(connecting);
  session<TestType> client(loop, std::move(connecting.socket));
  client.echoes = false;
  client.machine().send("request");
  REQUIRE(!client.held->start(transport_start::connecting));
  hand server;
  CHECK(turn_until(loop, [&] {
    if (!server.socket) server.socket = accept_one(listening.socket.number()).socket;
    if (server.socket) server.collect();
    return server.got == "request";
  }));
  server.send("answer");
  CHECK(turn_until(loop, [&] { return client.received == "answer"; }));
  CHECK(!client.held->failure());
}

TEMPLATE_LIST_TEST_CASE("a connection that is refused ends with its reason", "", all_loops) {
  TestType loop;
  socket_address const closed_port = listen_tcp("127.0.0.1", 0).bound;
  connect_result connecting = connect_tcp(closed_port);
  if (!connecting) return;  // a system that refuses at once
  session<TestType> client(loop, std::move(connecting.socket));
  client.machine().send("request");
  REQUIRE(!client.held->start(transport_start::connecting));
  CHECK(turn_until(loop, [&] { return client.ends == 1; }));
  CHECK(client.machine().eofs == 1);
  CHECK(client.held->failure().code == ECONNREFUSED);
  CHECK(describe(client.held->failure()).view().starts_with("connect: "));
}

TEMPLATE_LIST_TEST_CASE("a deadline counts while connecting", "", all_loops) {
  TestType loop;
  // A queue of one connection that nobody accepts: further ones wait for ever.
  listen_result const listening = listen_tcp("127.0.0.1", 0, {.backlog = 0});
  REQUIRE(listening);
  std::vector<connect_result> queue;
  for (int i = 0; i < 4; ++i) queue.push_back(connect_tcp(listening.bound));
  connect_result connecting = connect_tcp(listening.bound);
  REQUIRE(connecting);
  session<TestType> client(loop, std::move(connecting.socket), {.deadline = steady_now() + milliseconds(20)});
  client.also = [&] { client.machine().settings.close = true; };
  REQUIRE(!client.held->start(transport_start::connecting));
  CHECK(turn_until(loop, [&] { return client.ends == 1; }));
}

TEMPLATE_LIST_TEST_CASE("misuse of a stream is found", "", all_loops) {
  CHECK(dies([] {
    rig<TestType> r;
    r.ours.also = [&] { r.ours.held.reset(); };
    r.peer.send("x");
    r.loop.run_once(seconds(5));
  }));
  CHECK(dies([] {
    rig<TestType> r;
    static_cast<void>(r.ours.held->start());
  }));
  CHECK(dies([] {
    auto loop = std::make_unique<TestType>();
    socket_pair pair = connect_pair(transport::local);
    session<TestType> left(*loop, std::move(pair.ours));
    static_cast<void>(left.held->start());
    loop.reset();
  }));
}
