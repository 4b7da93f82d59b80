// SPDX-License-Identifier: BSL-1.0
#include "purews/sim/heap.hpp"

#include "purews/sim/pair.hpp"

#include <string>

#include "support/catch.hpp"

using namespace purews;

// What docs/writing-an-adapter.md shows: an adapter whose socket is a type that it is given, so that the simulator can
// be it.
namespace {

template <class Socket, class Application>
bool serve(endpoint& m, Socket& socket, Application&& handle, instant now) {  // false: close the socket
  std::byte scratch[700];
  while (m.wants_input()) {
    bytes room = m.receive_room();
    if (room.empty()) room = scratch;
    auto const n = socket.receive(room);
    if (n < 0) break;  // it would block
    n == 0 ? m.receive_eof(now) : m.receive(room.first(static_cast<std::size_t>(n)), now);
    handle(m);
  }
  m.advance(now);
  handle(m);
  bytes_view out[4];
  while (std::size_t const spans = m.gather(out)) {
    std::size_t const n = socket.send(std::span(out).first(spans));
    m.consume_output(n, now);
    if (n == 0) break;
  }
  if (m.transport() == transport_action::shut_write) socket.shut_write();
  return m.transport() != transport_action::close;
}

// A socket of the simulator: two links, and what time it is.
struct sim_socket {
  sim::link& in;
  sim::link& out;
  instant now{};
  bool eof = false;

  std::ptrdiff_t receive(bytes to) {
    if (!eof && in.ended(now)) return eof = true, in.mark_end_told(), 0;
    return in.readable(now) == 0 ? -1 : static_cast<std::ptrdiff_t>(in.take(to, now));
  }
  std::size_t send(std::span<bytes_view const> spans) {
    std::size_t sent = 0;
    for (bytes_view const part : spans) {
      std::size_t const n = part.size() < out.room() ? part.size() : out.room();
      out.send(part.first(n), now);
      sent += n;
    }
    return sent;
  }
  void shut_write() { out.shut(now); }
};

void echo(endpoint& m) {
  for (event e = m.next(); e.what != kind::none; e = m.next()) {
    if (e.what == kind::request) REQUIRE(m.accept() == refusal::none);
    if (e.what == kind::message) REQUIRE(m.send(e.op, e.payload) == refusal::none);
  }
}

}  // namespace

TEST_CASE("my adapter: it echoes and ends cleanly, whatever the network does") {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    CAPTURE(seed);
    sim::dice rolls(seed);
    sim::seed_entropy(seed);
    sim::link up(rolls.fork(), sim::network::rough(rolls));
    sim::link down(rolls.fork(), sim::network::rough(rolls));
    options const with{.entropy = sim::entropy};
    instant now{1'000'000'000};
    endpoint client(role::client, with, now);
    endpoint server(role::server, with, now);
    sim::trace log;
    sim::host<endpoint> peer(role::client, client, down, up, rolls.fork(), sim::habits::any(rolls), log);
    sim_socket socket{up, down};
    std::string const text(static_cast<std::size_t>(rolls.between(0, 20'000)), 'x');
    REQUIRE(client.connect({.where = parse_uri("ws://server/")}) == refusal::none);
    peer.touch();
    std::string outcome;
    bool open = true;
    for (int step = 0; step < 1'000'000 && (open || !peer.ended()); ++step) {
      socket.now = now;
      if (open && !serve(server, socket, echo, now)) {
        open = false;
        up.leave();
        down.shut(now);
      }
      event e;
      sim::progress const did = peer.step(now, e);
      if (e.what == kind::open) REQUIRE(client.send(text) == refusal::none);
      if (e.what == kind::message) outcome += e.text() == text ? "echo " : "rubbish ";
      if (e.what == kind::message) REQUIRE(client.close() == refusal::none);
      if (e.what == kind::closed) outcome += e.clean ? "clean" : "unclean";
      if (e.what == kind::failed) outcome += rule(e.fault);
      if (did == sim::progress::reported) peer.touch();
      if (did != sim::progress::quiet) continue;
      instant next = never;  // nothing can be done at this time: go on to when something can
      for (instant const at : {up.arrival(), down.arrival(), peer.wakes_at(), peer.deadline(), server.deadline()})
        if (at > now && at < next) next = at;
      now = next;
    }
    CHECK(outcome == "echo clean");
    CHECK_FALSE(open);
    CHECK(peer.broken_promise() == nullptr);
  }
}
