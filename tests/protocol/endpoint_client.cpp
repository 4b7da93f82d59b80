// SPDX-License-Identifier: BSL-1.0
#include "endpoint_harness.hpp"

#include <set>

#include "support/dies.hpp"

using namespace purews;
using test::bench;
using test::birth;
using test::frame_text;
using test::lines;
using test::outcome;

// The client's side of the opening handshake, as a machine.

namespace {

constexpr role client = role::client;
std::string const switched{test::switching};
options const sample{.entropy = test::sample_entropy};

std::string described(error fault) {
  return test::describe({.what = kind::failed, .fault = fault, .code = status_code::abnormal});
}

client_request asking(std::string_view where) { return {.where = parse_uri(where)}; }

void connect(endpoint& e) { REQUIRE(e.connect(asking("ws://server.example.com/chat")) == refusal::none); }

std::string const asked =
    "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

test::acting_endpoint::action const idle = [](test::acting_endpoint&, event const&) {};

outcome answered(std::string const& input) {
  return test::feed_every_way(client, sample, idle, input, [](test::acting_endpoint& e) { connect(e); });
}

std::string answer_with(std::string_view lines_of_it) {
  return "HTTP/1.1 101 Switching Protocols\r\n" + std::string(lines_of_it) + "\r\n";
}

std::uint64_t entropy_state = 1;
void counting_entropy(bytes out) noexcept {
  for (std::byte& b : out) {
    entropy_state = entropy_state * 6364136223846793005U + 1442695040888963407U;
    b = static_cast<std::byte>(entropy_state >> 56);
  }
}

// An extension that is agreed on and has nothing to do with messages.
struct remark final : message_extension {
  agreement accept(http_request const&) const noexcept override { return {}; }
  header_text offer() const noexcept override { return {.text = "remark", .size = 6}; }
  agreement confirm(std::string_view answer) const noexcept override {
    return {.fault = answer == "remark" ? error::none : error::answer_extension};
  }
};

}  // namespace

TEST_CASE("4.1: a client's request is exact [K-01]") {
  bench plain(client, sample);
  connect(plain.machine);
  CHECK(plain.taken() == asked);

  bench full(client, sample);
  std::string_view const protocols[] = {"chat", "superchat"};
  header_field const more[] = {{"Cookie", "a=b"}, {"Authorization", "Basic eDp5"}};
  CHECK(full.machine.connect({.where = parse_uri("wss://[::1]:8443?q=1"),
                              .subprotocols = protocols,
                              .origin = "http://example.com",
                              .headers = more}) == refusal::none);
  CHECK(full.taken() ==
        "GET /?q=1 HTTP/1.1\r\nHost: [::1]:8443\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        "Origin: http://example.com\r\nSec-WebSocket-Protocol: chat, superchat\r\n"
        "Cookie: a=b\r\nAuthorization: Basic eDp5\r\n\r\n");

  bench standard(client, sample);
  CHECK(standard.machine.connect(asking("wss://h:443/")) == refusal::none);
  CHECK(standard.taken().find("\r\nHost: h\r\n") != std::string::npos);
}

TEST_CASE("4.1: the key is fresh each time [K-01]") {
  options const with{.entropy = counting_entropy};
  std::set<std::string> keys;
  for (int i = 0; i < 100; ++i) {
    bench b(client, with);
    connect(b.machine);
    std::string const request = b.taken();
    keys.insert(request.substr(request.find("Sec-WebSocket-Key: ") + 19, 24));
  }
  CHECK(keys.size() == 100);
}

TEST_CASE("4.1: the answer opens the connection, and frames in its segment are processed [K-07]") {
  std::string const input = switched + frame_text(client, 0x81, "Hello") + frame_text(client, 0x02, "a") +
                            frame_text(client, 0x80, "b") + frame_text(client, 0x88, "\x03\xE8");
  outcome const got = answered(input);
  CHECK(got.events == lines{"open ", "message text 48656c6c6f", "message binary 6162", "closed 1000 clean "});
  REQUIRE(got.output.starts_with(asked));
  auto const frames = test::parse_frames(test::octets_of(got.output.substr(asked.size())));
  REQUIRE(frames.size() == 1);
  CHECK(frames[0].first == 0x88);
  CHECK(frames[0].masked);
  CHECK(frames[0].text() == "\x03\xE8");
  CHECK(got.transport == transport_action::keep);  // the server closes first [C-12]

  outcome const broken = answered(switched + test::text_of(test::raw_frame(0x81, {}, true)));
  CHECK(broken.events == lines{"open ", "failed 1002 masked_frame"});
  CHECK(broken.transport == transport_action::shut_write);
}

TEST_CASE("4.1: nothing but the request is sent before the answer [K-08]") {
  bench b(client, sample);
  auto const all_refused = [&b] {
    CHECK(b.machine.send("x") == refusal::not_open);
    CHECK(b.machine.send(opcode::binary, {}) == refusal::not_open);
    CHECK(b.machine.send_fragment(opcode::text, {}, fragment::more) == refusal::not_open);
    CHECK(b.machine.ping() == refusal::not_open);
    CHECK(b.machine.close() == refusal::not_open);
    CHECK(b.machine.current() == state::connecting);
  };
  all_refused();
  CHECK(b.taken().empty());
  connect(b.machine);
  all_refused();
  CHECK(b.taken() == asked);
  b.receive(switched.substr(0, switched.size() - 1));
  all_refused();
  CHECK(b.taken().empty());
  b.receive("\n");
  CHECK(b.events() == lines{"open "});
  CHECK(b.machine.send("x") == refusal::none);
  CHECK(b.taken().size() == 7);
}

TEST_CASE("4.1: a wrong answer fails the opening handshake, however it is cut [K-02][K-03][K-04][K-05][K-06]") {
  std::string const upgrade = "Upgrade: websocket\r\n";
  std::string const connection = "Connection: Upgrade\r\n";
  std::string const accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
  std::string const right = upgrade + connection + accept;
  struct wrong_answer {
    error fault;
    std::string text;
  };
  std::string interim;
  for (int i = 0; i < 9; ++i) interim += "HTTP/1.1 103 Early Hints\r\n\r\n";
  wrong_answer const cases[] = {
      {error::answer_status, "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 2\r\n\r\nno"},
      {error::answer_status, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
      {error::answer_status, "HTTP/1.1 301 Moved\r\nLocation: ws://other/\r\nContent-Length: 0\r\n\r\n"},
      {error::http_version, "HTTP/1.0 101 X\r\n" + right + "\r\n"},
      {error::http_version, "HTTP/2.0 101 X\r\n" + right + "\r\n"},
      {error::answer_upgrade, answer_with(connection + accept)},
      {error::answer_upgrade, answer_with("Upgrade: websocket, foo\r\n" + connection + accept)},
      {error::answer_connection, answer_with(upgrade + accept)},
      {error::answer_connection, answer_with(upgrade + "Connection: close\r\n" + accept)},
      {error::answer_accept, answer_with(upgrade + connection)},
      {error::answer_accept, answer_with(right + accept)},
      {error::answer_accept, answer_with(upgrade + connection + "Sec-WebSocket-Accept: x\r\n")},
      {error::answer_subprotocol, answer_with(right + "Sec-WebSocket-Protocol: chat\r\n")},
      {error::answer_subprotocol, answer_with(right + "Sec-WebSocket-Protocol:\r\n")},
      {error::answer_extension, answer_with(right + "Sec-WebSocket-Extensions: permessage-deflate\r\n")},
      {error::answer_interim, interim + switched},
      {error::status_line_syntax, "SSH-2.0-OpenSSH\r\n"},
      {error::status_line_syntax, "\r\n" + switched},
      {error::head_syntax, answer_with(right + " folded\r\n")},
      {error::head_syntax, "HTTP/1.1 101 X\r\nA : b\r\n\r\n"},
  };
  for (wrong_answer const& c : cases) {
    CAPTURE(c.text);
    outcome const got = answered(c.text + frame_text(client, 0x81, "not to be seen"));
    CHECK(got.events == lines{described(c.fault)});
    CHECK((got.output == asked || got.output.empty()));
    CHECK(got.transport == transport_action::close);
  }
  for (std::string const& endless : {"HTTP/1.1 200 " + std::string(20'000, 'x'),
                                     "HTTP/1.1 200 OK\r\na: " + std::string(20'000, 'x')}) {
    bench b(client, sample);
    connect(b.machine);
    b.taken();
    b.receive(endless.substr(0, 8192));
    CHECK(b.events().empty());
    b.receive(endless.substr(8192));
    CHECK(b.events() == lines{described(error::head_line_too_long)});
  }
  std::string many = "HTTP/1.1 101 X\r\n";
  for (int i = 0; i < 101; ++i) many += "a:b\r\n";
  bench b(client, sample);
  connect(b.machine);
  b.taken();
  b.receive(many);
  CHECK(b.events() == lines{described(error::too_many_lines)});
}

TEST_CASE("9.1: an extension that both sides agreed on may leave the messages alone") {
  remark const extension;
  for (std::string_view const answer : {"remark", "other"}) {
    options const with{.entropy = test::sample_entropy, .extension = &extension};
    bench b(client, with);
    connect(b.machine);
    CHECK(b.taken().find("\r\nSec-WebSocket-Extensions: remark\r\n") != std::string::npos);
    std::string text = switched;
    text.insert(text.size() - 2, "Sec-WebSocket-Extensions: " + std::string(answer) + "\r\n");
    b.receive(text + frame_text(client, 0x81, "text") + frame_text(client, 0xC1, "RSV1 means nothing"));
    if (answer == "remark")
      CHECK(b.events() == lines{"open ", "message text 74657874", "failed 1002 reserved_bit"});
    else
      CHECK(b.events() == lines{described(error::answer_extension)});
  }
}

TEST_CASE("4.1: the answer can be read when it opens the connection, and when it did not switch [K-02]") {
  auto const reading = [](test::acting_endpoint& e, event const& seen) {
    http_response const answer = e.response();
    if (seen.what == kind::open) {
      CHECK(answer.status() == 101);
      CHECK(answer.header("Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    } else {
      REQUIRE(seen.fault == error::answer_status);
      CHECK(answer.status() == 401);
      CHECK(answer.reason() == "Unauthorized");
      CHECK(answer.header("WWW-Authenticate") == "Basic realm=\"x\"");
    }
  };
  auto const begin = [](test::acting_endpoint& e) { connect(e); };
  std::string const hints = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
  for (std::string const& before : {std::string(), hints}) {
    CHECK(test::feed_every_way(client, sample, reading, before + switched, begin).events == lines{"open "});
    std::string const refused = before + "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\n" +
                                "Content-Length: 0\r\n\r\n";
    CHECK(test::feed_every_way(client, sample, reading, refused, begin).events ==
          lines{described(error::answer_status)});
  }
}

TEST_CASE("4.1: a fault of an answer is where its line begins, behind the interim ones [K-06]") {
  std::string const before =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n";
  bench b(client, sample);
  connect(b.machine);
  b.receive(before + "no colon\r\n\r\n");
  CHECK(b.events() == lines{described(error::head_syntax)});
  CHECK(b.machine.fault_offset() == before.size());

  bench whole(client, sample);
  connect(whole.machine);
  whole.receive(before + "Connection: close\r\n\r\n");
  CHECK(whole.events() == lines{described(error::answer_connection)});
  CHECK(whole.machine.fault_offset() == 0);  // no line of it is to blame
}

TEST_CASE("9110 15.2: up to eight interim answers are skipped [K-06]") {
  std::string interim;
  for (int i = 0; i < 8; ++i) interim += "HTTP/1.1 " + std::to_string(i % 2 == 0 ? 100 : 103) + " X\r\nA: b\r\n\r\n";
  CHECK(answered(interim + switched + frame_text(client, 0x81, "Hi")).events ==
        lines{"open ", "message text 4869"});
}

TEST_CASE("4.1: the subprotocol that was agreed on can be read from open to the following next()") {
  std::string_view const offered[] = {"chat", "superchat"};
  bench b(client, sample);
  CHECK(b.machine.subprotocol().empty());
  CHECK(b.machine.connect({.where = parse_uri("ws://h/"), .subprotocols = offered}) == refusal::none);
  std::string answer = switched;
  answer.insert(answer.size() - 2, "Sec-WebSocket-Protocol: superchat\r\n");
  b.machine.receive(std::as_writable_bytes(std::span(answer)), birth);
  CHECK(b.machine.next().what == kind::open);
  CHECK(b.machine.subprotocol() == "superchat");
  CHECK(b.machine.next().what == kind::none);
  CHECK(b.machine.subprotocol().empty());
}

TEST_CASE("4.1: connect() is refused without changing anything, and carried out once") {
  bench b(client, sample);
  CHECK(b.machine.connect(asking("http://h/")) == refusal::invalid_uri);
  CHECK(b.machine.connect({}) == refusal::invalid_uri);
  header_field const bad[] = {{"X", "a\r\nb"}};
  CHECK(b.machine.connect({.where = parse_uri("ws://h/"), .headers = bad}) == refusal::invalid_header);
  CHECK(b.machine.connect({.where = parse_uri("ws://h/"), .origin = "a\r\nb"}) == refusal::invalid_header);
  CHECK(b.taken().empty());
  CHECK(b.machine.current() == state::connecting);
  connect(b.machine);
  CHECK(b.machine.connect(asking("ws://h/")) == refusal::not_connecting);
  CHECK(b.taken() == asked);
  b.receive(switched);
  CHECK(b.machine.connect(asking("ws://h/")) == refusal::not_connecting);
  b.loop.drain();
  CHECK(b.machine.connect(asking("ws://h/")) == refusal::not_connecting);
  CHECK(b.taken().empty());

  bench ended(client, sample);
  ended.machine.abort();
  CHECK(ended.machine.connect(asking("ws://h/")) == refusal::not_connecting);
}

TEST_CASE("7.1.5: an end of stream before the answer is whole fails the opening handshake") {
  for (std::string const& seen : {std::string(), switched.substr(0, 1), switched.substr(0, switched.size() - 1),
                                  std::string("HTTP/1.1 100 Continue\r\n\r\n")}) {
    CAPTURE(seen);
    bench b(client, sample);
    connect(b.machine);
    b.taken();
    if (!seen.empty()) b.receive(seen);
    b.loop.receive_eof();
    b.loop.drain();
    CHECK(b.events() == lines{described(error::answer_eof)});
    CHECK(b.machine.transport() == transport_action::close);
    CHECK(b.machine.current() == state::closed);
  }
  SECTION("also if the request was not sent yet") {
    bench b(client, sample);
    connect(b.machine);
    b.machine.receive_eof(birth);
    b.loop.drain();
    CHECK(b.events() == lines{described(error::answer_eof)});
    CHECK(b.taken().empty());
    CHECK(b.machine.transport() == transport_action::close);
  }
  SECTION("also if connect() was not called yet") {
    bench b(client, sample);
    b.loop.receive_eof();
    CHECK(b.events() == lines{described(error::answer_eof)});
    CHECK(b.machine.transport() == transport_action::close);
  }
}

TEST_CASE("7.1.5: an end of stream behind the answer is 1006") {
  bench b(client, sample);
  connect(b.machine);
  b.taken();
  b.receive(switched);
  b.loop.receive_eof();
  CHECK(b.events() == lines{"open ", "closed 1006 unclean "});
  CHECK(b.machine.transport() == transport_action::close);
}

TEST_CASE("policy: a server that speaks before connect() is not read, and cannot do harm") {
  bench b(client, sample);
  CHECK(!b.machine.wants_input());
  b.receive("SSH-2.0");
  b.receive("-OpenSSH\r\n");  // what was under way
  CHECK(b.events().empty());
  CHECK(!b.machine.wants_input());
  connect(b.machine);
  CHECK(b.machine.wants_input());
  b.loop.drain();
  CHECK(b.events() == lines{described(error::status_line_syntax)});
}

TEST_CASE("policy: a client's handshake has an absolute deadline, connect() called or not [H-61]") {
  for (bool const asks : {false, true}) {
    bench b(client, sample);
    if (asks) connect(b.machine);
    b.taken();
    b.loop.advance(seconds(4));
    CHECK(b.machine.deadline() == birth + seconds(5));
    CHECK(b.events().empty());
    CHECK(b.sleep() == seconds(1));
    CHECK(b.events() == lines{described(error::handshake_timeout)});
    CHECK(b.machine.transport() == transport_action::close);
    CHECK(b.taken().empty());
    CHECK(b.machine.connect(asking("ws://h/")) == refusal::not_connecting);
  }
  bench slow(client, sample);
  connect(slow.machine);
  slow.taken();
  for (std::size_t second = 0; second < 5; ++second) {
    slow.receive(switched.substr(second, 1));
    CHECK(slow.events().empty());
    slow.loop.advance(seconds(1));
  }
  CHECK(slow.events() == lines{described(error::handshake_timeout)});
}

TEST_CASE("policy: a server that does not take the request is given up at the deadline for writing") {
  options with = sample;
  with.timeout.write = seconds(2);
  bench b(client, with);
  connect(b.machine);
  b.machine.consume_output(0, b.loop.now);
  CHECK(b.sleep() == seconds(2));
  CHECK(b.events() == lines{described(error::write_timeout)});
  CHECK(b.machine.transport() == transport_action::close);
}

TEST_CASE("5.3: a client masks every frame with a fresh key, control frames and empty ones too [F-04]") {
  options const with{.entropy = counting_entropy};
  bench b(client, with);
  connect(b.machine);
  std::string const request = b.taken();
  std::string const key = request.substr(request.find("Sec-WebSocket-Key: ") + 19, 24);
  std::string answer = switched;
  answer.replace(answer.find("s3pP"), 28, std::string_view(accept_key(key)));
  b.receive(answer);
  REQUIRE(b.machine.current() == state::open);
  for (int i = 0; i < 200; ++i) {
    REQUIRE(b.machine.send("") == refusal::none);
    REQUIRE(b.machine.send("text") == refusal::none);
    REQUIRE(b.machine.send_fragment(opcode::binary, as_bytes("a"), fragment::more) == refusal::none);
    REQUIRE(b.machine.ping(as_bytes("p")) == refusal::none);
    REQUIRE(b.machine.send_fragment(opcode::binary, {}, fragment::last) == refusal::none);
    prepared_message const shared(opcode::text, as_bytes("shared"));
    REQUIRE(b.machine.send(shared) == refusal::none);
    b.receive(frame_text(client, 0x89, "q"));
  }
  REQUIRE(b.machine.close() == refusal::none);
  b.loop.flush();
  auto const frames = test::parse_frames(b.loop.output);
  CHECK(frames.size() == 1401);
  std::set<std::string> keys;
  int texts = 0;
  for (auto const& frame : frames) {
    CHECK(frame.masked);
    texts += frame.first == 0x81 && frame.text() == "text" ? 1 : 0;
    keys.insert(test::text_of(frame.key));
  }
  CHECK(keys.size() == frames.size());
  CHECK(texts == 200);
}

TEST_CASE("the contract of a client: what breaks it dies") {
  CHECK(dies([] {
    endpoint e(client, sample, birth);
    static_cast<void>(e.response());
  }));
  CHECK(dies([] {
    endpoint e(client, sample, birth);
    connect(e);
    static_cast<void>(e.response());
  }));
  CHECK(dies([] {  // only an interim answer has come
    endpoint e(client, sample, birth);
    connect(e);
    std::string text = "HTTP/1.1 100 Continue\r\n\r\n";
    e.receive(std::as_writable_bytes(std::span(text)), birth);
    e.next();
    static_cast<void>(e.response());
  }));
  CHECK(dies([] {  // too late
    endpoint e(client, sample, birth);
    connect(e);
    std::string text = switched;
    e.receive(std::as_writable_bytes(std::span(text)), birth);
    e.next();
    e.next();
    static_cast<void>(e.response());
  }));
  CHECK(dies([] {
    endpoint e(client, sample, birth);
    static_cast<void>(e.request());
  }));
}
