// SPDX-License-Identifier: BSL-1.0
// Everything that a program may do, inside everything that a server calls.
#include <memory>

#include "harness.hpp"
#include "support/descriptors.hpp"
#ifdef PUREWS_TEST_HOSTED
#include "loop/hosts.hpp"
#endif
#ifdef PUREWS_TEST_URING
#include "purews/loop/io_uring.hpp"
#endif

using namespace purews;
using test::open_descriptors;
using test::ws_client;

namespace {

#ifdef PUREWS_TEST_HOSTED
using server_loops = hosted_loops;
#elif defined(PUREWS_TEST_URING)
using server_loops = std::tuple<default_loop, uring_loop>;
#else
using server_loops = std::tuple<default_loop>;
#endif

/// What a test sees of one of the two sessions. Of the loop's thread while that runs.
struct actor {
  session* now = nullptr;
  session_handle handle{};
  int opens = 0;
  std::atomic<int> said{0};  // messages of say() that it was to send
  std::vector<std::string> ends{};
};

/// What deeds use beside a session.
struct stage {
  actor one, two;
  callback<void(std::string_view)> publish;
  callback<void()> stop;
  bool asked = false;  // work, whose answer is to come
  journal log;

  actor& of(session const& s) { return one.now == &s ? one : two; }
  void expect(bool what, char const* name) {
    if (!what) log.add(std::string("not as it should be: ") + name);
  }
};

/// What is left of the session that something was done to, once it was.
enum class fate : std::uint8_t { lives, pauses, closes, is_cut, all_close, all_are_cut };

struct deed {
  char const* name;
  void (*act)(stage&, session&);
  fate then = fate::lives;
  int told = 0;         // how often it hears what was published
  int others_told = 0;  // and how often the other one does
};

bool is_open(session& s) { return s.current() == state::open; }

/// Once the session is over, in its on_close, all of these are refused.
void say(stage& on, session& s) {
  bool const open = is_open(s);
  on.expect(s.send("said") == (open ? refusal::none : refusal::not_open), "send");
  if (open) ++on.of(s).said;
}

void fill(stage& on, session& s) {
  static std::string const large(64U << 10, 'f');
  refusal const full = is_open(s) ? refusal::queue_full : refusal::not_open;
  refusal got = refusal::none;
  for (int i = 0; got == refusal::none && i < 10'000; ++i) got = s.send(large);
  on.expect(got == full, "fill");
}

void close(stage& on, session& s) {
  bool const open = is_open(s);
  on.expect(s.close(status_code{4001}, "acted") == (open ? refusal::none : refusal::not_open), "close");
  on.expect(s.close(status_code{4002}) == refusal::not_open, "close twice");
  on.expect(s.send("lost") == refusal::not_open, "send behind close");
}

void keep(stage& on, session& s) {
  bool const over = s.current() == state::closed;
  session_handle const kept = s.handle();
  on.expect(kept.stale() == over, "stale");
  auto const pushed = kept.post([&on](session& who) { say(on, who); });
  on.expect(pushed == (over ? handover::stale : handover::queued), "post");
}

void work(stage& on, session& s) {
  bool const over = s.current() == state::closed;
  refusal const got = s.work([] { return std::string("answer"); },
                             [&on](session& who, std::string const&) {
                               say(on, who);
                               on.log.add("answered");
                             });
  on.expect(got == (over ? refusal::not_open : refusal::none), "work");
  on.asked = !over;
}

constexpr deed deeds[] = {
    {"nothing", [](stage&, session&) {}},
    {"send", say},
    {"fill its queue", fill},
    {"close", close, fate::closes},
    {"send, and close", [](stage& on, session& s) { say(on, s), close(on, s); }, fate::closes},
    {"fill its queue, and close", [](stage& on, session& s) { fill(on, s), close(on, s); }, fate::closes},
    {"abort", [](stage&, session& s) { s.abort(); }, fate::is_cut},
    {"fill its queue, and abort", [](stage& on, session& s) { fill(on, s), s.abort(); }, fate::is_cut},
    {"abort, and everything else",
     [](stage&, session& s) {
       s.abort();
       s.send("lost");
       s.pause();
       s.subscribe("more");
       s.close(status_code{4001});
       s.resume();
       s.abort();
     },
     fate::is_cut},
    {"close, and abort", [](stage& on, session& s) { close(on, s), s.abort(); }, fate::is_cut},
    {"pause", [](stage&, session& s) { s.pause(); }, fate::pauses},
    {"pause, and resume", [](stage&, session& s) { s.pause(), s.resume(); }},
    {"pause, and close", [](stage& on, session& s) { s.pause(), close(on, s); }, fate::closes},
    {"close, and pause", [](stage& on, session& s) { close(on, s), s.pause(); }, fate::closes},
    {"pause, and abort", [](stage&, session& s) { s.pause(), s.abort(); }, fate::is_cut},
    {"resume", [](stage&, session& s) { s.resume(); }},
    {"publish", [](stage& on, session&) { on.publish("both"); }, fate::lives, 1, 1},
    {"publish, and close", [](stage& on, session& s) { on.publish("both"), close(on, s); }, fate::closes, 0, 1},
    {"subscribe twice", [](stage& on, session& s) { s.subscribe("both"), on.publish("both"); }, fate::lives, 1, 1},
    {"unsubscribe", [](stage& on, session& s) { s.unsubscribe("both"), on.publish("both"); }, fate::lives, 0, 1},
    {"change topics",
     [](stage& on, session& s) {
       s.unsubscribe("both");
       s.subscribe("another");
       s.subscribe("both");
       on.publish("both");
       on.publish("another");
       on.publish("nobody's");
     },
     fate::lives, 2, 1},
    {"keep a handle, and use it", keep},
    {"work", work},
    {"stop", [](stage& on, session&) { on.stop(); }, fate::all_close},
    {"say much, and stop", [](stage& on, session& s) { fill(on, s), on.stop(); }, fate::all_close},
    {"publish, and stop", [](stage& on, session&) { on.publish("both"), on.stop(); }, fate::all_close, 1, 1},
    {"stop twice", [](stage& on, session&) { on.stop(), on.stop(); }, fate::all_are_cut},
    {"stop twice, and everything else",
     [](stage& on, session& s) {
       on.stop();
       on.stop();
       s.send("perhaps");
       s.subscribe("more");
       on.publish("both");
       s.close();
       on.stop();
     },
     fate::all_are_cut},
};

/// What a server calls. Those of a session are of the first one; it is over in the last five.
enum class event_of : std::uint8_t {
  upgrading,
  decision,
  open,
  message,
  message_of_both,
  resumed_message,
  drain,
  http,
  timer,
  watch,
  post,
  task,
  answer,
  closed,
  failed,
  reset,
  aborted,
  cut,
};
constexpr char const* event_names[] = {
    "an upgrade",       "a deferred upgrade", "on_open", "on_message", "on_message, before another's",
    "on_message, late", "on_drain",           "http",    "a timer",    "a watch",
    "a post",           "a handle's task",    "work",    "on_close",   "on_close for a violation",
    "on_close, 1006",   "on_close of abort",  "the end"};

constexpr bool is_over_in(event_of where) { return where >= event_of::closed; }

/// A server and its two clients, of which one makes an event happen. Nothing in it ends by a timeout: what hangs is
/// found. Two is on the other side of each list: older than one.
template <class Loop>
class scene {
 public:
  scene(event_of where, deed const& what, bool to_two) : where_(where), deed_(what), to_two_(to_two) { play(); }

 private:
  using enum event_of;

  static server_options options() {
    return {.limits = {.queue_bytes_max = 128U << 10, .queue_bytes_high = 32U << 10},
            .timeout = {.handshake = forever, .close = forever, .write = forever, .linger = forever},
            .workers = 1,
            .drain = {.deadline = forever},
            .memory_bytes_max = 1U << 30,
            .tcp = {.send_buffer_bytes = 64 << 10}};
  }

  // The loop's thread.

  void act() {
    if (acted_) return;
    acted_ = true;
    session* const target = to_two_ ? on_.two.now : on_.one.now;
    on_.expect(target != nullptr, "the session is there");
    if (target != nullptr) deed_.act(on_, *target);
    on_.log.add("acted");
  }

  void act_in(event_of which) {
    if (where_ == which) act();
  }

  void opened(actor& who, session& s) {
    who.now = &s;
    ++who.opens;
    who.handle = s.handle();
    s.subscribe("both");
    on_.log.add(&who == &on_.one ? "one" : "two");
  }

  void received(session& s, message_view m) {
    on_.expect(!s.paused(), "no message while paused");
    if (m.text() != "do") {
      if (where_ == resumed_message && m.text() == "late") act();
      s.send(m);
      return;
    }
    switch (where_) {
      case message:
      case message_of_both:
        return act();
      case resumed_message:
        s.pause();
        s.handle().post([](session& who) { who.resume(); });
        return;
      case drain:
        while (s.send(std::string(16U << 10, 'd')) == refusal::none) ++filled_;
        return on_.log.add("filled");
      case answer:
        s.work([] {}, [this](session&) { act(); });
        return;
      case aborted:
        return s.abort();
      default:
        return;
    }
  }

  void ended(actor& who, closing const& how) {
    if (&who == &on_.one && is_over_in(where_)) act();
    who.ends.push_back(std::to_string(static_cast<int>(how.code)) + (how.clean ? " clean" : ""));
    who.now = nullptr;
  }

  websocket_route route_of(actor& who) {
    return {.on_open =
                [this, &who](session& s) {
                  opened(who, s);
                  if (&who == &on_.one) act_in(open);
                },
            .on_message = [this](session& s, message_view m) { received(s, m); },
            .on_drain =
                [this, &who](session&) {
                  if (&who == &on_.one) act_in(drain);
                },
            .on_close = [this, &who](session&, closing const& how) { ended(who, how); }};
  }

  void add_routes() {
    server_.route("/one", route_of(on_.one));
    server_.route("/two", route_of(on_.two));
    server_.route("/visit", {.on_upgrade =
                                 [this](upgrade& u) {
                                   if (where_ == upgrading) return act();
                                   static_cast<void>(u.defer().decide([this](upgrade&) { act(); }));
                                 },
                             .on_message = [](session& s, message_view m) { s.send(m); }});
    server_.get("/do", [this](http_exchange& x) {
      act();
      x.answer(200, "done");
    });
    on_.publish = [this](std::string_view name) { static_cast<void>(server_.publish(name, "told")); };
    on_.stop = [this] { server_.stop(); };
  }

  // The test's thread.

  void start() {
    add_routes();
    listening const got = server_.listen("127.0.0.1", 0);
    REQUIRE(got);
    at_ = got.address;
    REQUIRE(!thread_.start([this] {
      server_.run();
      on_.log.add("returned");
    }));
  }

  template <class F>
  void on_loop(F f) {
    std::string const done = "on loop " + std::to_string(++calls_);
    server_.loop().post([this, &f, &done] {
      f();
      on_.log.add(done);
    });
    REQUIRE(on_.log.wait(done));
  }

  /// Lets the loop find in one turn what both clients send.
  void send_both_at_once() {
    server_.loop().post([this] {
      on_.log.add("held");
      on_.log.wait("released");
    });
    REQUIRE(on_.log.wait("held"));
    if (where_ == message) two_->send("noise");
    static_cast<void>(one_->machine().send("do"));
    one_->send("behind it");
    if (where_ == message_of_both) two_->send("noise");
    on_.log.add("released");
  }

  bool all_are_cut() const { return deed_.then == fate::all_are_cut || where_ == cut; }

  void make_it_happen();
  void check_client(ws_client& client, actor& who, fate then, int told);
  void check_outcome();
  void check_end();
  void play();

  event_of const where_;
  deed const& deed_;
  bool const to_two_;
  bool acted_ = false;
  int filled_ = 0;
  int calls_ = 0;
  stage on_;
  basic_server<Loop> server_{options()};
  typename Loop::timer_handle timer_;
  typename Loop::watch_handle watch_;
  socket_address at_{};
  thread thread_;
  std::unique_ptr<ws_client> one_, two_, visitor_;

  /// A scene that fails must end, too: what it used is destroyed after this.
  struct ending {
    scene& of;
    ~ending() {
      of.server_.stop();
      of.server_.stop();
      of.thread_.join();
    }
  };
};

template <class Loop>
void scene<Loop>::make_it_happen() {
  switch (where_) {
    case upgrading:
    case decision:
      visitor_ = std::make_unique<ws_client>(at_, test::ws_request{.path = "/visit"});
      return;
    case open:
      return;
    case message:
    case message_of_both:
      return send_both_at_once();
    case resumed_message:
      static_cast<void>(one_->machine().send("do"));
      one_->send("late");
      return;
    case drain:
      one_->send("do");
      REQUIRE(on_.log.wait("filled"));
      for (int i = 0; i < filled_ && one_->next().what == kind::message; ++i) continue;
      return;
    case http:
      CHECK((test::http(at_, "GET /do HTTP/1.1\r\nHost: a\r\n\r\n").ends_with("done") || all_are_cut()));
      return;
    case timer:
      return on_loop([this] { timer_ = server_.loop().after(duration{}, [this] { act(); }); });
    case event_of::watch:
      return on_loop([this] {
        watch_ = server_.loop().watch(one_->raw().number(), interest::write, [this](interest) {
          watch_ = {};
          act();
        });
      });
    case post:
      return server_.loop().post([this] { act(); });
    case task:
      return static_cast<void>(on_.one.handle.post([this](session&) { act(); }));
    case answer:
    case aborted:
      one_->send("do");
      return;
    case closed:
      // Unless it is cut off at the last moment, it gets the server's Close frame.
      CHECK((one_->close(status_code{3000}).clean || deed_.then == fate::is_cut));
      return;
    case failed:
      one_->raw().send(test::hex("83 80 00000000"));
      return;
    case reset:
      one_->raw().reset();
      return one_.reset();
    case cut:
      return on_loop([this] { server_.stop(), server_.stop(); });
  }
}

/// Whether `client` hears what it should until it gets back what it says, or until its end.
template <class Loop>
void scene<Loop>::check_client(ws_client& client, actor& who, fate then, int told) {
  bool const lives = then == fate::lives || then == fate::pauses;
  if (lives) client.send("still there");
  if (then == fate::pauses)
    on_loop([&] {
      on_.expect(who.now != nullptr && who.now->paused(), "paused");
      if (who.now != nullptr) who.now->resume();
    });
  int said = 0;
  int heard = 0;
  test::received_event last = client.next();
  for (; last.what == kind::message && last.text != "still there"; last = client.next()) {
    said += last.text == "said" ? 1 : 0;
    heard += last.text == "told" ? 1 : 0;
    CHECK(last.text != "lost");
  }
  CHECK((last.what == kind::message) == lives);
  if (then == fate::closes) CHECK(last.code == status_code{4001});
  if (then == fate::all_close) CHECK(last.code == status_code::going_away);
  if (then == fate::is_cut) CHECK(last.what != kind::message);
  if (then == fate::is_cut || then == fate::all_are_cut) return;
  CHECK(heard == told);
  CHECK(said == who.said.load());
}

template <class Loop>
void scene<Loop>::check_outcome() {
  if (where_ == cut) return;
  bool const all_end = deed_.then >= fate::all_close;
  if (!all_end) {
    // What was posted, published or handed over meanwhile is done in the next turn; an answer comes by itself.
    on_loop([] {});
    on_loop([] {});
    if (on_.asked) REQUIRE(on_.log.wait("answered"));
  }
  fate const others = all_end ? deed_.then : fate::lives;
  bool const one_is_over = is_over_in(where_);
  if (!one_is_over)
    check_client(*one_, on_.one, to_two_ ? others : deed_.then, to_two_ ? deed_.others_told : deed_.told);
  // What one cannot be told in its on_close is not told to it.
  check_client(*two_, on_.two, to_two_ ? deed_.then : others, to_two_ ? deed_.told : deed_.others_told);
  if (visitor_ && !all_end) {
    REQUIRE(*visitor_);
    visitor_->send("visits");
    CHECK(visitor_->next_text() == "visits");
  }
}

/// The server ends when its clients do, and has forgotten nothing and nobody.
template <class Loop>
void scene<Loop>::check_end() {
  if (deed_.then < fate::all_close && where_ != cut) server_.stop();  // a second time it would hurry
  for (auto* const client : {&one_, &two_, &visitor_}) {
    if (*client) (*client)->last();
    client->reset();
  }
  REQUIRE(on_.log.wait("returned"));
  for (std::string const& line : on_.log.lines()) {
    CAPTURE(line);
    CHECK(!line.starts_with("not as"));
  }
  for (actor const* const who : {&on_.one, &on_.two}) {
    bool const one_is_over = who == &on_.one && is_over_in(where_);
    CHECK(who->opens == 1);
    REQUIRE(who->ends.size() == 1);
    CAPTURE(who == &on_.one, who->ends[0]);
    CHECK(who->handle.stale());
    if (one_is_over || all_are_cut()) continue;
    bool const is_target = (who == &on_.two) == to_two_;
    char const* const expected = is_target && deed_.then == fate::closes   ? "4001 clean"
                                 : is_target && deed_.then == fate::is_cut ? "1006"
                                                                           : "1001 clean";
    CHECK(who->ends[0] == expected);
  }
  server_counters const counted = server_.counters();
  CHECK(counted.connections() == 0);
  CHECK(counted.sessions == 0);
  CHECK(counted.buffered_bytes == 0);
  CHECK(counted.closed_cleanly + counted.closed_abnormally <= counted.upgrades_accepted);
}

template <class Loop>
void scene<Loop>::play() {
  start();
  ending const ends{*this};
  test::client_socket const small{.receive_buffer = 32768};
  two_ = std::make_unique<ws_client>(at_, test::ws_request{.path = "/two", .socket = small});
  REQUIRE(on_.log.wait("two"));
  one_ = std::make_unique<ws_client>(at_, test::ws_request{.path = "/one", .socket = small});
  REQUIRE(on_.log.wait("one"));
  make_it_happen();
  REQUIRE(on_.log.wait("acted"));
  check_outcome();
  check_end();
}

}  // namespace

TEMPLATE_LIST_TEST_CASE(
    "whatever a program does inside whatever a server calls, nobody hangs and each session ends once [hazard-64]",
    "[hazard-64]", server_loops) {
  { TestType const first; }  // some descriptors stay, for all loops of libuv
  for (int where = 0; where <= static_cast<int>(event_of::cut); ++where) {
    for (deed const& each : deeds) {
      for (bool const to_two : {false, true}) {
        CAPTURE(event_names[where], each.name, to_two);
        int const before = open_descriptors();
        { scene<TestType> const plays(static_cast<event_of>(where), each, to_two); }
        CHECK(open_descriptors() == before);
      }
    }
  }
}

namespace {

/// What an on_upgrade handler says, and what the client gets: a status, or 0 for none.
struct decision {
  char const* name;
  void (*decide)(upgrade&);
  int status;
};

void accept(upgrade& u) { static_cast<void>(u.accept({})); }
void reject(upgrade& u) { u.reject(403); }

/// Defers; later `then` decides.
void later(upgrade& u, void (*then)(upgrade&)) { static_cast<void>(u.defer().decide(then)); }

constexpr decision decisions[] = {
    {"nothing", [](upgrade&) {}, 101},
    {"accept", accept, 101},
    {"accept twice", [](upgrade& u) { accept(u), accept(u); }, 101},
    {"accept, and reject", [](upgrade& u) { accept(u), reject(u); }, 101},
    {"accept, and defer", [](upgrade& u) { accept(u), static_cast<void>(u.defer()); }, 101},
    {"accept, and have it rejected", [](upgrade& u) { accept(u), later(u, reject); }, 101},
    {"reject", reject, 403},
    {"reject twice", [](upgrade& u) { reject(u), u.reject(404); }, 403},
    {"reject, and accept", [](upgrade& u) { reject(u), accept(u); }, 403},
    {"reject, and defer", [](upgrade& u) { reject(u), static_cast<void>(u.defer()); }, 403},
    {"defer, and say nothing later", [](upgrade& u) { later(u, [](upgrade&) {}); }, 101},
    {"defer, and accept later", [](upgrade& u) { later(u, accept); }, 101},
    {"defer, and reject later", [](upgrade& u) { later(u, reject); }, 403},
    {"defer, and accept at once", [](upgrade& u) { static_cast<void>(u.defer()), accept(u); }, 101},
    {"defer, and reject at once", [](upgrade& u) { static_cast<void>(u.defer()), reject(u); }, 403},
    {"defer, and decide differently", [](upgrade& u) { later(u, reject), later(u, accept); }, 403},
    {"defer, and be deferred again", [](upgrade& u) { later(u, [](upgrade& v) { later(v, accept); }); }, 101},
    {"defer, and end it", [](upgrade& u) { static_cast<void>(u.defer().post([](session& s) { s.abort(); })); }, 0},
    {"defer, and do what only an open session can",
     [](upgrade& u) {
       static_cast<void>(u.defer().post([](session& s) {
         s.send("lost");
         s.close();
         s.ping();
         s.subscribe("both");
         s.resume();
       }));
       later(u, accept);
     },
     101},
};

}  // namespace

TEMPLATE_LIST_TEST_CASE("the first decision on an upgrade counts, made at once or later, and is counted once", "",
                        server_loops) {
  for (decision const& each : decisions) {
    CAPTURE(each.name);
    basic_server<TestType> server({.timeout = {.handshake = forever, .close = forever, .linger = forever}});
    journal log;
    websocket_route route = echo_route(log);
    route.subprotocols = {"v1"};
    route.on_upgrade = each.decide;
    route.on_message = [](session& s, message_view m) { s.send(std::string(s.subprotocol()) + std::string(m.text())); };
    server.route("/", std::move(route));
    listening const at = server.listen("127.0.0.1", 0);
    REQUIRE(at);
    thread runs;
    REQUIRE(!runs.start([&] { server.run(); }));
    {
      ws_client client(at.address, {.subprotocols = {"v1"}});
      CHECK(client.status() == each.status);
      CHECK(static_cast<bool>(client) == (each.status == 101));
      if (client) {
        client.send("!");
        CHECK(client.next_text() == "v1!");
        CHECK(server.counters().sessions == 1);
        CHECK(client.close().clean);
      }
    }
    server.stop();
    runs.join();
    server_counters const counted = server.counters();
    CHECK(counted.upgrades_accepted == (each.status == 101 ? 1 : 0));
    CHECK(counted.upgrades_refused == (each.status == 403 ? 1 : 0));
    CHECK(counted.connections() == 0);
    CHECK(counted.sessions == 0);
    CHECK(log.count("open") == counted.upgrades_accepted);
    CHECK(log.lines().size() == 2 * counted.upgrades_accepted);
  }
}

TEMPLATE_LIST_TEST_CASE("whoever defers an upgrade may stop the server, which does not wait for the decision", "",
                        server_loops) {
  basic_server<TestType> server(
      {.timeout = {.handshake = forever, .close = forever, .linger = forever}, .drain = {.deadline = forever}});
  session_handle kept;
  server.route("/", {.on_upgrade = [&](upgrade& u) {
                 kept = u.defer();
                 server.stop();
               }});
  listening const at = server.listen("127.0.0.1", 0);
  REQUIRE(at);
  thread runs;
  REQUIRE(!runs.start([&] { server.run(); }));
  CHECK_FALSE(ws_client(at.address));
  runs.join();
  CHECK(kept.stale());
  CHECK(kept.decide([](upgrade&) {}) == handover::stale);
  CHECK(server.counters().connections() == 0);
}

TEMPLATE_LIST_TEST_CASE("on_ended may use what is left of the server", "", server_loops) {
  basic_server<TestType> server({.threads = 2});
  journal log;
  server.route("/", echo_route(log));
  server.on_ended([&] {
    server.stop();
    static_cast<void>(server.publish("nobody", "hears this"));
    server.loop().post([&] { log.add("not run"); });
    log.add(std::to_string(server.counters().connections()) + (server.ready() ? " ready" : " ended"));
  });
  listening const at = server.listen("127.0.0.1", 0);
  REQUIRE(at);
  thread runs;
  REQUIRE(!runs.start([&] { server.run(); }));
  ws_client const client(at.address);
  REQUIRE(log.wait("open"));
  server.stop();
  server.stop();
  runs.join();
  CHECK(log.lines() == lines{"open", "close 1006", "0 ended"});
}
