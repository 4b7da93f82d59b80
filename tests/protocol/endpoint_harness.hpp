// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <functional>

#include "purews/protocol/endpoint.hpp"

#include "support/catch.hpp"
#include "support/machine_driver.hpp"

/// What the tests of the endpoint have in common.
namespace test {

constexpr purews::instant birth{1'000'000'000};  ///< when the endpoints of these tests begin

/// The RFC's own request (section 1.3), and the answer to it.
inline constexpr std::string_view upgrade_request =
    "GET /chat?x=1 HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: chat, superchat\r\nOrigin: http://example.com\r\n\r\n";
inline constexpr std::string_view switching =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// The entropy with which a client's key is that of the request above.
inline void sample_entropy(purews::bytes out) noexcept {
  purews::copy_bytes(out.data(), purews::as_bytes(std::string_view("the sample nonce").substr(0, out.size())));
}

inline std::string text_of(octets const& data) { return {reinterpret_cast<char const*>(data.data()), data.size()}; }

/// What a peer of `own` sends in one frame, as text, to be appended to a head.
inline std::string frame_text(purews::role own, unsigned first, std::string_view payload = {}) {
  return text_of(peer_frame(own, first, payload));
}

/// An endpoint whose application acts inside next(), as soon as it sees the event.
class acting_endpoint : public purews::endpoint {
 public:
  using action = std::function<void(acting_endpoint&, purews::event const&)>;
  acting_endpoint(purews::role own, purews::options const& with, action act)
      : endpoint(own, with, birth), act_(std::move(act)) {}

  purews::event next() noexcept {
    purews::event const e = endpoint::next();
    if (e.what != purews::kind::none) act_(*this, e);
    return e;
  }

 private:
  action act_;
};

/// What an endpoint did with an input.
struct outcome {
  std::vector<std::string> events{};
  std::string output{};
  purews::transport_action transport = purews::transport_action::keep;

  friend bool operator==(outcome const&, outcome const&) = default;
  friend std::ostream& operator<<(std::ostream& out, outcome const& o) {
    for (std::string const& e : o.events) out << "\n  event " << e;
    return out << "\n  transport " << o.transport << "\n  output " << o.output;
  }
};

/// Gives `input` to a fresh endpoint, in pieces that end at `cuts`. `begin` is called before anything else.
inline outcome feed(purews::role own, purews::options const& with, acting_endpoint::action const& act,
                    std::string const& input, std::vector<std::size_t> const& cuts, manner const& how,
                    std::function<void(acting_endpoint&)> const& begin = {}) {
  acting_endpoint machine(own, with, act);
  if (begin) begin(machine);
  machine_driver<acting_endpoint> driver(machine, how);
  driver.flush();
  octets const in = octets_of(input);
  std::size_t at = 0;
  for (std::size_t const cut : cuts) {
    driver.receive(std::span(in).subspan(at, cut - at));
    at = cut;
  }
  driver.drain();
  driver.flush();
  return {driver.events, text_of(driver.output), machine.transport()};
}

/// Feeds `input` whole, byte by byte and cut into two anywhere, to loops of several manners, and checks that it comes
/// to the same. Returns what it came to.
inline outcome feed_every_way(purews::role own, purews::options const& with, acting_endpoint::action const& act,
                              std::string const& input,
                              std::function<void(acting_endpoint&)> const& begin = {}) {
  static manner const manners[] = {
      {}, {.park_after = 0}, {.park_after = 1}, {.room = 4096}, {.room = 40}, {.write_max = 1},
      {.write_max = 3, .writes_max = 1, .spans_max = 1}, {.write_max = 5, .overlap = true}, {.withhold = true},
      {.park_after = 0, .room = 200, .write_max = 7, .writes_max = 1}};
  outcome const whole = feed(own, with, act, input, {input.size()}, {}, begin);
  std::vector<std::size_t> every;
  for (std::size_t i = 1; i <= input.size(); ++i) every.push_back(i);
  auto const same = [&](std::vector<std::size_t> const& cuts, manner const& how) {
    outcome const got = feed(own, with, act, input, cuts, how, begin);
    if (got == whole) return;
    FAIL("first cut " << cuts[0] << ", " << how.describe() << "\ngot:" << got << "\nexpected:" << whole);
  };
  for (manner const& how : manners) {
    same({input.size()}, how);
    same(every, how);
  }
  std::size_t turn = 0;
  for (std::size_t i = 1; i < input.size(); ++i) {
    same({i, input.size()}, {});
    same({i, input.size()}, manners[turn++ % std::size(manners)]);
  }
  return whole;
}

/// An endpoint, a loop that takes all output at once, and a clock.
struct bench {
  purews::options options;
  purews::endpoint machine;
  machine_driver<purews::endpoint> loop;

  bench(purews::role own, purews::options const& with) : options(with), machine(own, options, birth), loop(machine) {
    loop.now = birth;
  }

  void receive(std::string_view in) { loop.receive(octets_of(in)); }
  /// The output since the last call.
  std::string taken() {
    loop.flush();
    std::string const all = text_of(loop.output);
    loop.output.clear();
    return all;
  }
  /// The events since the last call.
  std::vector<std::string> events() { return std::exchange(loop.events, {}); }
  /// Advances to the machine's next deadline, which must come. Returns how long that was.
  purews::duration sleep() {
    purews::instant const before = loop.now;
    purews::instant const until = machine.deadline();
    REQUIRE(until != purews::never);
    loop.advance(until - before);
    return loop.now - before;
  }
};

using lines = std::vector<std::string>;

}  // namespace test
