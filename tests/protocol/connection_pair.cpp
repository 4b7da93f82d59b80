// SPDX-License-Identifier: BSL-1.0

// Two connections of connection.hpp, one of each role, that talk to each other through two streams of bytes: whatever
// is said, however the streams are cut, and whatever the sockets take, everything arrives, once and in order.
#include "purews/protocol/connection.hpp"

#include <algorithm>
#include <random>

#include "support/catch.hpp"
#include "support/machine_driver.hpp"

using namespace purews;
using test::octets;

namespace {

constexpr instant birth{1'000'000'000};
using lines = std::vector<std::string>;

std::mt19937 entropy(7);
void random_entropy(bytes out) noexcept {
  for (std::byte& b : out) b = static_cast<std::byte>(entropy());
}

class conversation {
 public:
  explicit conversation(unsigned seed)
      : random_(seed), with_{.deliver = static_cast<delivery>(seed % 2), .entropy = random_entropy} {}

  void run(int steps) {
    for (int i = 0; i < steps; ++i) step(sides_[below(2)]);
    settle();
    for (side& s : sides_) {
      REQUIRE(s.machine.current() == state::open);
      REQUIRE(s.messages() == other(s).said);
      REQUIRE(s.pings() <= other(s).pinged);
    }
    bid_farewell(sides_[below(2)]);
  }

 private:
  struct side {
    side(role own, options const& with, test::manner how) : machine(own, with, birth), driver(machine, how) {}

    lines messages() const {
      lines result;
      for (std::string const& e : driver.events)
        if (e.starts_with("message")) result.push_back(e);
      return result;
    }
    int pings() const {
      int n = 0;
      for (std::string const& e : driver.events) n += e.starts_with("ping") ? 1 : 0;
      return n;
    }

    connection machine;
    test::machine_driver<connection> driver;
    octets wire{};   // sent, and not yet received by the other side
    lines said{};    // as the other side will report it
    octets begun{};  // of a fragmented message
    bool inside = false;
    opcode op = opcode::binary;
    int pinged = 0;
  };

  unsigned below(unsigned n) { return static_cast<unsigned>(random_() % n); }
  side& other(side& s) { return &s == &sides_[0] ? sides_[1] : sides_[0]; }

  test::manner any_manner() {
    test::manner how;
    how.park_after = static_cast<int>(below(4)) - 1;
    how.overlap = below(3) == 0;
    how.room = below(2) == 0 && !how.overlap ? 1 + below(2000) : 0;
    how.write_max = below(2) == 0 ? 1 + below(2000) : SIZE_MAX;
    how.writes_max = below(2) == 0 ? below(3) : SIZE_MAX;
    how.spans_max = 1 + below(4);
    how.direct = below(2) == 0;
    return how;
  }

  octets any_payload(opcode op) {
    std::size_t const size = below(20) == 0 ? below(60'000) : below(3) == 0 ? below(600) : below(10);
    octets payload;
    while (payload.size() < size) {
      if (op == opcode::text && below(50) == 0)
        for (char const c : {'\xe2', '\x82', '\xac'}) payload.push_back(static_cast<std::byte>(c));
      else
        payload.push_back(static_cast<std::byte>(op == opcode::text ? 'a' + below(26) : below(256)));
    }
    return payload;
  }

  void step(side& s) {
    switch (below(8)) {
      case 0:
      case 1:
        say(s);
        break;
      case 2:
        say_part(s);
        break;
      case 3: {
        if (s.machine.ping(octets(below(126))) == refusal::none) ++s.pinged;
        break;
      }
      case 4:
        s.driver.advance(milliseconds(below(3)));
        break;
      default:
        carry(other(s), 1 + below(3000));
        break;
    }
    collect(s);
    collect(other(s));
  }

  void say(side& s) {
    opcode const op = below(2) == 0 ? opcode::text : opcode::binary;
    octets const payload = any_payload(op);
    std::string const line = "message " + test::name(op) + " " + test::describe(payload);
    refusal const why = below(4) == 0 ? s.machine.send(prepared_message(op, payload)) : s.machine.send(op, payload);
    if (why == refusal::none) s.said.push_back(line);
    REQUIRE((why == refusal::none || why == refusal::queue_full || (s.inside && why == refusal::message_open)));
  }

  void say_part(side& s) {
    if (!s.inside) s.op = below(2) == 0 ? opcode::text : opcode::binary;
    octets const payload = any_payload(s.op);
    auto const position = below(3) == 0 || s.begun.size() > 500'000 ? fragment::last : fragment::more;
    if (s.machine.send_fragment(s.op, payload, position) != refusal::none) return;
    s.begun = test::join(s.begun, payload);
    s.inside = position == fragment::more;
    if (s.inside) return;
    s.said.push_back("message " + test::name(s.op) + " " + test::describe(s.begun));
    s.begun.clear();
  }

  // Brings at most n bytes to the other side of `from`.
  void carry(side& from, std::size_t n) {
    side& to = other(from);
    if (!to.machine.wants_input()) return;
    octets const some(from.wire.begin(),
                      from.wire.begin() + static_cast<std::ptrdiff_t>(std::min(n, from.wire.size())));
    from.wire.erase(from.wire.begin(), from.wire.begin() + static_cast<std::ptrdiff_t>(some.size()));
    to.driver.receive(some);
  }

  void collect(side& s) {
    s.wire = test::join(s.wire, s.driver.output);
    s.driver.output.clear();
  }

  void settle() {
    for (side& s : sides_)
      while (s.inside) {
        s.driver.flush();  // or the queue might be full
        collect(s);
        say_part(s);
      }
    for (bool more = true; more;) {
      more = false;
      for (side& s : sides_) {
        s.driver.flush();
        collect(s);
        more = more || !s.wire.empty();
        carry(s, SIZE_MAX);
      }
    }
  }

  void bid_farewell(side& first) {
    REQUIRE(first.machine.close(status_code::going_away, "farewell") == refusal::none);
    settle();
    for (side& s : sides_) REQUIRE(s.machine.current() == state::closed);
    REQUIRE(first.driver.events.back() == "closed 1001 clean ");
    std::string const reason = test::describe(test::octets_of("farewell"));
    REQUIRE(other(first).driver.events.back() == "closed 1001 clean " + reason);
    REQUIRE(sides_[0].machine.transport() == transport_action::shut_write);  // the server
    REQUIRE(sides_[1].machine.transport() == transport_action::keep);
    for (side& s : sides_) {
      s.driver.receive_eof();
      REQUIRE(s.machine.transport() == transport_action::close);
    }
  }

  std::mt19937 random_;
  options with_;
  side sides_[2] = {{role::server, with_, any_manner()}, {role::client, with_, any_manner()}};
};

}  // namespace

TEST_CASE("5, 7: two connections understand each other, whatever the transport does", "[hazard-09][hazard-10]") {
  for (unsigned seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    conversation(seed).run(400);
  }
}
