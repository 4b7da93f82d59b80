// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "host.hpp"

namespace purews::inline v0::sim {

/// How everything around two machines behaves.
struct conditions {
  network up{};  ///< from the client to the server
  network down{};
  habits client{};  ///< of its loop
  habits server{};
  duration late_max{};  ///< the clock jumps: a loop wakes up to this much later than it wanted to

  /// Everything that a correct program must live with, and that loses nothing and takes no longer than the usual
  /// deadlines allow.
  static conditions rough(std::uint64_t seed) noexcept {
    dice rolls(seed);
    conditions with;
    with.up = network::rough(rolls);
    with.down = network::rough(rolls);
    with.client = habits::any(rolls);
    with.server = habits::any(rolls);
    with.late_max = milliseconds(rolls.happens(200) ? rolls.between(1, 10) : 0);
    return with;
  }

  /// The same, with waits that no deadline survives, bits that turn, ends and breaks.
  static conditions hostile(std::uint64_t seed) noexcept {
    conditions with = rough(seed);
    dice rolls(~seed);
    with.up = network::hostile(rolls);
    with.down = network::hostile(rolls);
    if (rolls.happens(100)) with.late_max = seconds(rolls.between(1, 60));
    if (rolls.happens(100)) with.client.pause_max = milliseconds(rolls.between(1, 5000));
    if (rolls.happens(100)) with.server.pause_max = milliseconds(rolls.between(1, 5000));
    return with;
  }
};

/// An event, and whose it is. False if there is none.
struct happening {
  role at = role::client;
  event what{};  ///< its payload is valid until the next step

  explicit operator bool() const noexcept { return what.what != kind::none; }
};

/// Two machines, two loops, two links and a clock, all driven by one seed. Between two steps both machines are at rest:
/// the application may call them as it likes.
template <byte_machine Client, byte_machine Server>
class world {
 public:
  /// Begins at `birth`, which is also when the machines should begin. They must outlive it.
  static constexpr instant birth{1'000'000'000};
  world(Client& client, Server& server, std::uint64_t seed, conditions const& with = {},
        trace::sink lines = nullptr) noexcept
      : log(lines),
        rolls_(seed),
        late_max_(with.late_max),
        up_(rolls_.fork(), with.up),
        down_(rolls_.fork(), with.down),
        client_(role::client, client, down_, up_, rolls_.fork(), with.client, log),
        server_(role::server, server, up_, down_, rolls_.fork(), with.server, log) {}

  trace log;  ///< what happened so far

  instant now() const noexcept { return now_; }
  link const& up() const noexcept { return up_; }
  link const& down() const noexcept { return down_; }
  host<Client>& client() noexcept { return client_; }
  host<Server>& server() noexcept { return server_; }

  /// Does one thing in one of the loops, and lets time go on while bytes travel. The machines' deadlines are kept on
  /// the way, but nobody waits for one: quiet means that only sleep() or the application can go on.
  progress tick(happening& out);

  /// Goes on to the next event; none when it is quiet.
  happening step();

  /// Waits for the first deadline of the machines; false if there is none.
  bool sleep();

  /// Lets time pass. What is due then is done by the next tick.
  void pass(duration d) noexcept { now_ = now_ + d; }

  /// The application has called a machine: next() has to be asked again. step() and sleep() do so by themselves.
  void touch() noexcept {
    client_.touch();
    server_.touch();
  }

  /// Whether both sockets are closed.
  bool ended() const noexcept { return client_.ended() && server_.ended(); }

  /// The first promise of byte_machine that a machine did not keep; null as long as both keep them.
  char const* broken_promise() const noexcept {
    return client_.broken_promise() != nullptr ? client_.broken_promise() : server_.broken_promise();
  }

  /// How many ticks there were: for a test's own bound.
  std::uint64_t ticks() const noexcept { return ticks_; }

 private:
  void wake_at(instant t) noexcept {
    if (t > now_) now_ = t + duration{late_max_.ns != 0 ? rolls_.between(0, late_max_.ns) : 0};
  }

  dice rolls_;
  duration late_max_;
  instant now_ = birth;
  link up_;
  link down_;
  host<Client> client_;
  host<Server> server_;
  std::uint64_t ticks_ = 0;
};

template <byte_machine Client, byte_machine Server>
progress world<Client, Server>::tick(happening& out) {
  ++ticks_;
  bool const client_first = rolls_.happens(500);
  for (int i = 0; i < 2; ++i) {
    bool const clients = client_first == (i == 0);
    out.at = clients ? role::client : role::server;
    progress const p = clients ? client_.step(now_, out.what) : server_.step(now_, out.what);
    if (p != progress::quiet) return p;
  }
  out.what = {};
  instant next = client_.wakes_at();
  if (server_.wakes_at() < next) next = server_.wakes_at();
  if (next == never) return progress::quiet;
  for (instant const deadline : {client_.deadline(), server_.deadline()})
    if (deadline < next) next = deadline;
  wake_at(next);
  return progress::worked;
}

template <byte_machine Client, byte_machine Server>
happening world<Client, Server>::step() {
  touch();
  happening out;
  for (;;) {
    progress const p = tick(out);
    if (p == progress::reported) return out;
    if (p == progress::quiet) return {};
  }
}

template <byte_machine Client, byte_machine Server>
bool world<Client, Server>::sleep() {
  touch();
  instant next = client_.deadline();
  if (server_.deadline() < next) next = server_.deadline();
  if (next == never) return false;
  wake_at(next);
  return true;
}

}  // namespace purews::inline v0::sim
