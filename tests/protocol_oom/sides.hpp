// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "heap.hpp"

#include "protocol/endpoint_harness.hpp"
#include "support/catch.hpp"

namespace test {

using namespace purews;

constexpr std::size_t loop_bytes = 1 << 16;

/// An endpoint and the two buffers that its loop lends to it.
struct side {
  endpoint machine;
  bool echoes;
  std::byte scratch[loop_bytes];
  std::byte room[loop_bytes];
  long messages = 0;
  long pings = 0;
  long pongs = 0;
  std::uint64_t received = 0;
  int wrong = 0;

  side(role own, options const& with, bool answers) : machine(own, with, birth), echoes(answers) {}

  void handle(event const& e) noexcept {
    wrong += e.what == kind::failed ? 1 : 0;
    pings += e.what == kind::ping ? 1 : 0;
    pongs += e.what == kind::pong ? 1 : 0;
    if (e.what == kind::request) wrong += machine.accept() != refusal::none ? 1 : 0;
    if (e.what != kind::message && e.what != kind::fragment) return;
    messages += e.what == kind::message || e.fin ? 1 : 0;
    received += e.payload.size();
    if (!echoes) return;
    refusal const said = e.what == kind::message
                             ? machine.send(e.op, e.payload)
                             : machine.send_fragment(e.op, e.payload, e.fin ? fragment::last : fragment::more);
    wrong += said != refusal::none ? 1 : 0;
    if (e.fin && messages % 7 == 0) wrong += machine.ping() != refusal::none ? 1 : 0;
  }

  /// One turn of a loop: what came is handled within a loan of room, and the answers leave in one write.
  std::size_t turn(std::size_t came, side& peer) noexcept {
    machine.lend_output(room);
    if (came != 0) {
      machine.receive(bytes(scratch).first(came), birth);
      for (event e = machine.next(); e.what != kind::none; e = machine.next()) handle(e);
    }
    return write_to(peer);
  }

  std::size_t write_to(side& peer) noexcept {
    bytes_view spans[8];
    std::size_t sent = 0;
    for (bytes_view const span : std::span(spans).first(machine.gather(spans))) {
      copy_bytes(peer.scratch + sent, span);
      sent += span.size();
    }
    machine.consume_output(sent, birth);
    machine.lend_output({});
    return sent;
  }
};

/// A client and a server that have shaken hands, and nothing of the handshake is left.
struct pair_of_sides {
  options with;
  side client;
  side server;

  explicit pair_of_sides(delivery deliver, message_extension const* extension = nullptr)
      : with{.deliver = deliver, .entropy = zero_entropy, .extension = extension},
        client(role::client, with, false),
        server(role::server, with, true) {
    REQUIRE(client.machine.connect({.where = parse_uri("ws://example.com/")}) == refusal::none);
    settle();
    REQUIRE(client.machine.current() == state::open);
    REQUIRE(server.machine.current() == state::open);
  }

  /// Turns both loops until neither has anything to say.
  void settle() noexcept {
    std::size_t to_server = client.write_to(server);
    while (to_server != 0) {
      std::size_t const to_client = server.turn(to_server, client);
      to_server = to_client == 0 ? 0 : client.turn(to_client, server);
    }
  }
};

}  // namespace test
