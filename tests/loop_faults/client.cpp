// SPDX-License-Identifier: BSL-1.0
// A whole life of a client on a loop, again and again, and each time something else fails under it. Its server has
// nothing to fear.
#include <future>
#include <optional>

#include "purews/loop/entropy.hpp"
#include "purews/loop/thread.hpp"
#include "purews/protocol/endpoint.hpp"
#include "purews/server/server.hpp"
#include "steps.hpp"

using namespace purews;

namespace {

/// Connects, sends two messages, of which one is large, waits for both and closes.
template <class Loop>
class caller {
 public:
  using stream = typename Loop::template stream<endpoint, caller>;

  caller(Loop& loop, descriptor socket)
      : loop_(loop), held_(loop, *this, std::move(socket), role::client, with_, steady_now()) {
    static_cast<void>(held_.machine().connect({.where = parse_uri("ws://localhost/")}));
  }

  stream& held() { return held_; }
  void on_events(stream& s) noexcept {
    for (event e = s.machine().next(); e.what != kind::none; e = s.machine().next()) {
      if (e.what == kind::open) say(s);
      if (e.what == kind::message && ++heard == 2 && s.machine().close(status_code::normal) != refusal::none) s.abort();
      if (e.what == kind::failed) failed = true;
      if (e.what == kind::closed) clean = e.clean;
    }
  }
  void on_end(stream&) noexcept {
    ++ends;
    loop_.stop();
  }

  int heard = 0;
  int ends = 0;
  bool failed = false;
  bool clean = false;
  bool refused = false;

 private:
  void say(stream& s) noexcept {
    static std::string const large(900'000, 'L');
    for (std::string_view const text : {std::string_view("small"), std::string_view(large)})
      if (s.machine().send(text) != refusal::none) refused = true;
    if (refused) s.abort();
    try {
      loop_.post([this] { held_.send_now(); });  // what is on its way to the kernel by then
    } catch (std::bad_alloc const&) {
    }
  }

  options with_{.timeout = {.handshake = milliseconds(1000), .close = milliseconds(300)}, .entropy = os_entropy};
  Loop& loop_;
  stream held_;
};

/// The thread of the client.
template <class Loop>
void call_once(socket_address const& at, faults::plan what, std::string& wrong) {
  try {
    Loop loop;
    if (loop.error()) {
      if (loop.error().code != what.code) wrong = "the loop has another error";
      return;
    }
    connect_result connecting = connect_tcp(at);
    if (!connecting) {
      if (connecting.error.code != what.code) wrong = "another error while connecting";
      return;
    }
    caller<Loop> calls(loop, std::move(connecting.socket));
    if (os_error const e = calls.held().start(transport_start::connecting)) {
      if (e.code != what.code) wrong = "another error at the start";
      return;
    }
    loop.run();
    bool const whole = calls.heard == 2 && calls.clean;
    os_error const failure = calls.held().failure();
    if (calls.ends != 1) wrong = "it has not ended once";
    if (!whole && !failure && !calls.failed && !calls.refused) wrong = "it has ended for no reason";
    if (failure && failure.code != what.code) wrong = "it has failed for another reason";
    if (!whole && !faults::struck) wrong = "it has failed though nothing had";
  } catch (std::bad_alloc const&) {
    if (what.code != ENOMEM) wrong = "out of memory";
  }
}

/// A server that is spared, for all clients.
class host {
 public:
  host() {
    std::promise<listening> ready;
    REQUIRE(!thread_.start([&] {
      faults::spared = true;
      basic_server<epoll_loop> server;
      server.route("/", {.origins = {"*"}, .on_message = [](session& s, message_view m) { s.send(m); }});
      server_ = &server;
      ready.set_value(server.listen("127.0.0.1", 0));
      server.run();
    }));
    listening const got = ready.get_future().get();
    REQUIRE(got);
    at = got.address;
  }
  ~host() { server_->stop(); }

  socket_address at;

 private:
  basic_server<epoll_loop>* server_ = nullptr;
  thread thread_;
};

}  // namespace

TEMPLATE_LIST_TEST_CASE("each call of a client to the system, and its memory, may fail once", "", faults::loops) {
  host const server;
  auto const live = [&](faults::plan what) {
    std::string wrong;
    thread client;
    REQUIRE(!client.start([&] { call_once<TestType>(server.at, what, wrong); }));
    client.join();
    if (!wrong.empty()) CHECK(wrong == "");
  };
  for (faults::part const which : {faults::part::system, faults::part::heap})
    fail_each(faults::kinds_of<TestType>.client, which, live);
}

#ifdef PUREWS_TEST_URING
TEST_CASE("a connection of which the ring cannot say when it is there has failed") {
  // A queue of one connection that nobody accepts: further ones wait for ever.
  listen_result const listening = listen_tcp("127.0.0.1", 0, {.backlog = 0});
  REQUIRE(listening);
  std::vector<connect_result> queue;
  for (int i = 0; i < 4; ++i) queue.push_back(connect_tcp(listening.bound));
  for (long at = 0; at < 2; ++at) {  // one is that of the loop's other descriptors
    std::string wrong;
    faults::plan const what{faults::call::ring_poll, at, ENOMEM};
    faults::begin(what);
    thread client;
    REQUIRE(!client.start([&] { call_once<uring_loop>(listening.bound, what, wrong); }));
    client.join();
    CHECK(wrong == "");
    CHECK(faults::struck);
  }
}
#endif
