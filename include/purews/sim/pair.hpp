// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../protocol/endpoint.hpp"
#include "poisoned.hpp"
#include "world.hpp"

namespace purews::inline v0::sim {

/// A client and a server, and the world between them: what most tests of a protocol on top of WebSocket need.
///
///     sim::pair net(seed, sim::conditions::rough(seed));
///     REQUIRE(net.open());
///     REQUIRE(net.client.send("hello") == refusal::none);
///     while (sim::happening const h = net.step()) { ... }  // until nothing is under way any more
class pair {
 public:
  /// Everything follows from the seed. Without entropy of its own, the client takes sim::entropy of that seed.
  explicit pair(std::uint64_t seed, conditions const& around = {}, options const& of_client = {},
                options const& of_server = {}, trace::sink lines = nullptr) noexcept
      : client_options_(of_client),
        server_options_(of_server),
        client(role::client, seeded(client_options_, seed), net::birth),
        server(role::server, server_options_, net::birth),
        net_(client, server, seed, around, lines) {}
  pair(pair const&) = delete;
  pair& operator=(pair const&) = delete;

 private:
  using machine = poisoned<endpoint>;
  using net = world<machine, machine>;
  options client_options_;
  options server_options_;

 public:
  machine client;
  machine server;

  /// Goes through the opening handshake. False if it failed: then the world around has kept it from happening.
  [[nodiscard]] bool open(client_request const& request = {.where = parse_uri("ws://server/")},
                          acceptance const& answer = {}) {
    if (client.connect(request) != refusal::none) return false;
    bool both[2] = {false, false};
    while (!(both[0] && both[1])) {
      happening const h = step();
      if (h.what.what == kind::request && server.accept(answer) != refusal::none) return false;
      if (h.what.what == kind::open) both[static_cast<int>(h.at)] = true;
      if (!h || h.what.what == kind::failed || h.what.what == kind::closed) return false;
    }
    return true;
  }

  /// Which of the two an event is of.
  endpoint& operator[](role who) noexcept { return who == role::client ? client : server; }
  endpoint& other(role who) noexcept { return who == role::client ? server : client; }

  happening step() { return net_.step(); }
  bool sleep() { return net_.sleep(); }
  void pass(duration d) noexcept { net_.pass(d); }
  instant now() const noexcept { return net_.now(); }
  bool ended() const noexcept { return net_.ended(); }
  char const* broken_promise() const noexcept { return net_.broken_promise(); }
  std::uint64_t hash() const noexcept { return net_.log.hash(); }
  net& around() noexcept { return net_; }

 private:
  static options const& seeded(options& with, std::uint64_t seed) noexcept {
    if (with.entropy == nullptr) with.entropy = entropy;
    seed_entropy(seed);
    return with;
  }

  net net_;
};

}  // namespace purews::inline v0::sim
