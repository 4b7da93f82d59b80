// SPDX-License-Identifier: BSL-1.0

// All 65,536 status codes, received and sent by both roles, against the registry as a table.
#include "purews/protocol/connection.hpp"
#include "support/catch.hpp"
#include "support/machine_driver.hpp"

using namespace purews;
using test::octets;

namespace {

enum class users { nobody, both, client };

/// RFC 6455 section 7.4.2 and IANA's "WebSocket Close Code Number Registry": who may send the codes of a range.
struct row {
  unsigned first, last;
  users senders;
};
constexpr row registry[] = {
    {0, 999, users::nobody},        // not used
    {1000, 1003, users::both},      // normal closure, going away, protocol error, unsupported data
    {1004, 1006, users::nobody},    // reserved, no status received, abnormal closure
    {1007, 1009, users::both},      // invalid payload data, policy violation, message too big
    {1010, 1010, users::client},    // mandatory extension: "this status code is not used by the server"
    {1011, 1014, users::both},      // internal error, service restart, try again later, bad gateway
    {1015, 2999, users::nobody},    // TLS handshake; reserved for later versions and extensions
    {3000, 3999, users::both},      // libraries, frameworks and applications
    {4000, 4999, users::both},      // private use
    {5000, 65'535, users::nobody},  // not defined
};

users senders_of(unsigned code) {
  for (row const& r : registry)
    if (code >= r.first && code <= r.last) return r.senders;
  throw std::logic_error("the table has a hole");
}

octets code_bytes(unsigned code) { return {static_cast<std::byte>(code >> 8), static_cast<std::byte>(code)}; }

options const usual{.entropy = test::zero_entropy};
constexpr instant birth{1'000'000'000};

std::string received(role own, unsigned code, std::string const& reason) {
  connection c(own, usual, birth);
  test::machine_driver<connection> driver(c);
  octets const text = test::octets_of(reason);
  driver.receive(test::peer_frame(own, 0x88, test::join(code_bytes(code), text)));
  driver.flush();
  // A server sends 1010 too, as the echo of a client's.
  bool const good = senders_of(code) != users::nobody;
  std::string const expected =
      good ? "closed " + std::to_string(code) + " clean " + test::describe(text) : "failed 1002 close_code_invalid";
  if (driver.events != std::vector<std::string>{expected}) return "not the event: " + expected;
  if (driver.output != test::own_frame(own, 0x88, code_bytes(good ? code : 1002))) return "not the Close frame";
  auto const action = good && own == role::client ? transport_action::keep : transport_action::shut_write;
  return c.transport() == action ? "" : "the transport: " + test::name(c.transport());
}

std::string sent(role own, unsigned code, std::string const& reason) {
  connection c(own, usual, birth);
  test::machine_driver<connection> driver(c);
  users const who = senders_of(code);
  // 1005 without a reason is how the application asks for a Close without a code.
  bool const empty = code == 1005 && reason.empty();
  bool const good = who == users::both || (who == users::client && own == role::client) || empty;
  refusal const why = c.close(static_cast<status_code>(code), reason);
  driver.flush();
  if (why != (good ? refusal::none : refusal::invalid_code)) return "the answer was " + test::name(why);
  if (c.current() != (good ? state::closing : state::open)) return "not the state";
  octets const payload = empty ? octets{} : test::join(code_bytes(code), test::octets_of(reason));
  return driver.output == (good ? test::own_frame(own, 0x88, payload) : octets{}) ? "" : "not the Close frame";
}

template <class F>
void check_all_codes(F f) {
  std::size_t codes = 0;
  for (role const own : {role::server, role::client})
    for (std::string const& reason : {std::string(), std::string("reason")})
      for (unsigned code = 0; code <= 0xFFFF; ++code, ++codes)
        if (std::string const wrong = f(own, code, reason); !wrong.empty())
          FAIL(wrong << ": " << code << (own == role::server ? ", server" : ", client")
                     << (reason.empty() ? "" : ", with a reason"));
  CHECK(codes == 4 * 65'536);
}

}  // namespace

TEST_CASE("7.4 C-03 C-04: all 65,536 codes received: the registered and private ones are echoed, the others fail",
          "[hazard-19]") {
  check_all_codes(received);
}

TEST_CASE("7.4.1 C-05 C-06: all 65,536 codes of the application: the good ones are sent, the others refused") {
  check_all_codes(sent);
}
