// SPDX-License-Identifier: BSL-1.0
#include "endpoint_harness.hpp"

#include "support/dies.hpp"

using namespace purews;
using test::bench;
using test::birth;
using test::frame_text;
using test::lines;
using test::outcome;

// The server's side of the opening handshake, as a machine.

namespace {

constexpr role server = role::server;
options const defaults;
std::string const upgrade{test::upgrade_request};
std::string const switched{test::switching};

std::string wire(unsigned first, std::string_view payload = {}) {
  return test::text_of(test::own_frame(server, first, payload));
}

test::acting_endpoint::action const accepting = [](test::acting_endpoint& e, event const& seen) {
  if (seen.what != kind::request) return;
  CHECK(e.wants_upgrade());
  CHECK(e.request().path() == "/chat");
  CHECK(e.request().query() == "x=1");
  CHECK(e.request().header("Origin") == "http://example.com");
  CHECK(e.accept() == refusal::none);
};

test::acting_endpoint::action const refusing = [](test::acting_endpoint& e, event const& seen) {
  if (seen.what == kind::request) CHECK(e.answer({.status = 403, .body = as_bytes("no")}) == refusal::none);
};

std::string const refused =
    "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 2\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n\r\nno";

}  // namespace

TEST_CASE("4.2.2: a request is one event and is answered by one 101, however it is cut [H-64]") {
  outcome const got = test::feed_every_way(server, {}, accepting, upgrade);
  CHECK(got.events == lines{"request ", "open "});
  CHECK(got.output == switched);
  CHECK(got.transport == transport_action::keep);
}

TEST_CASE("4.2.2: what follows the head are frames [H-52]", "[hazard-62]") {
  std::string const input = upgrade + frame_text(server, 0x81, "Hello") + frame_text(server, 0x89, "p") +
                            frame_text(server, 0x01, "a") + frame_text(server, 0x80, "b") +
                            frame_text(server, 0x88, "\x03\xE8gone");
  outcome const got = test::feed_every_way(server, {}, accepting, input);
  CHECK(got.events == lines{"request ", "open ", "message text 48656c6c6f", "ping 70", "message text 6162",
                            "closed 1000 clean 676f6e65"});
  CHECK(got.output == switched + wire(0x8A, "p") + wire(0x88, "\x03\xE8"));
  CHECK(got.transport == transport_action::shut_write);
}

TEST_CASE("4.2.2: a second request behind the head is read as frames, not as HTTP [H-52]", "[hazard-60][hazard-62]") {
  // 'G' is a frame with reserved bits.
  outcome const got = test::feed_every_way(server, {}, accepting, upgrade + upgrade);
  CHECK(got.events == lines{"request ", "open ", "failed 1002 reserved_bit"});
  CHECK(got.output == switched + wire(0x88, "\x03\xEA"));
}

TEST_CASE("7.1.7: a broken frame in the segment of the request fails the open connection", "[hazard-54]") {
  outcome const got = test::feed_every_way(server, {}, accepting, upgrade + "\x81\x05Hello");
  CHECK(got.events == lines{"request ", "open ", "failed 1002 unmasked_frame"});
  CHECK(got.output == switched + wire(0x88, "\x03\xEA"));
  CHECK(got.transport == transport_action::shut_write);
}

TEST_CASE("4.2.2: messages may be sent at once after accept(), and follow the 101") {
  auto const act = [](test::acting_endpoint& e, event const& seen) {
    if (seen.what != kind::request) return;
    CHECK(e.current() == state::connecting);
    CHECK(e.send("early") == refusal::not_open);
    CHECK(e.accept() == refusal::none);
    CHECK(e.current() == state::open);
    CHECK(e.send("first") == refusal::none);
  };
  CHECK(test::feed_every_way(server, {}, act, upgrade).output == switched + wire(0x81, "first"));
}

TEST_CASE("9112: after a refusal the connection closes, and a second request gets nothing [H-56]",
          "[hazard-60][hazard-62]") {
  outcome const got = test::feed_every_way(server, {}, refusing, upgrade + upgrade);
  CHECK(got.events == lines{"request ", "closed 0 unclean "});
  CHECK(got.output == refused);
  CHECK(got.transport == transport_action::shut_write);

  bench b(server, {});
  b.receive(upgrade);
  CHECK(b.machine.answer({.status = 403, .body = as_bytes("no")}) == refusal::none);
  CHECK(b.machine.current() == state::closed);
  CHECK(b.machine.transport() == transport_action::keep);  // until the answer has left
  CHECK(b.taken() == refused);
  CHECK(b.machine.transport() == transport_action::shut_write);
  for (int i = 0; i < 3; ++i) {
    CHECK(b.machine.wants_input());
    b.receive(upgrade + upgrade);
    CHECK(b.machine.answer({}) == refusal::not_connecting);
    CHECK(b.machine.accept() == refusal::not_connecting);
  }
  CHECK(b.events() == lines{"request ", "closed 0 unclean "});
  CHECK(b.taken().empty());
  b.loop.receive_eof();
  CHECK(b.machine.transport() == transport_action::close);
  CHECK(b.events().empty());
}

TEST_CASE("7.1.7: after a refusal input is thrown away up to the limit, then the transport is closed") {
  limits const limit;
  for (std::size_t const piece : {std::size_t{1024}, std::size_t{limit.linger_bytes_max}}) {
    bench b(server, {});
    b.receive("GARBAGE\r\n");
    CHECK(b.taken().starts_with("HTTP/1.1 400 "));
    std::string const more(piece, 'x');
    for (std::size_t sent = 0; sent < limit.linger_bytes_max; sent += piece) b.receive(more);
    CHECK(b.machine.transport() == transport_action::shut_write);
    b.receive("x");
    CHECK(b.machine.transport() == transport_action::close);
    CHECK(b.machine.deadline() == never);
    CHECK(b.events().size() == 1);
  }
}

TEST_CASE("7.1.7: after a refusal the transport is closed when the time to linger is over") {
  bench b(server, {});
  b.receive("GARBAGE\r\n");
  CHECK(!b.taken().empty());
  CHECK(b.sleep() == seconds(1));
  CHECK(b.machine.transport() == transport_action::close);
  CHECK(b.events().size() == 1);
}

TEST_CASE("9112: a request may stay undecided while frames arrive behind it [H-52]") {
  std::string const frames = frame_text(server, 0x81, "Hello") + frame_text(server, 0x82, "binary");
  for (std::size_t cut = 0; cut <= frames.size(); ++cut) {
    CAPTURE(cut);
    bench b(server, {});
    CHECK(b.machine.wants_input());
    b.receive(upgrade + frames.substr(0, cut));
    CHECK(b.events() == lines{"request "});
    CHECK(!b.machine.wants_input());
    CHECK(b.machine.request().path() == "/chat");
    // A loop with completions may have one more buffer under way.
    if (cut < frames.size()) b.receive(frames.substr(cut));
    CHECK(b.events().empty());
    CHECK(!b.machine.wants_input());
    CHECK(b.taken().empty());
    CHECK(b.machine.transport() == transport_action::keep);
    CHECK(b.machine.request().header("Sec-WebSocket-Key") == "dGhlIHNhbXBsZSBub25jZQ==");
    CHECK(b.machine.request().head_size() == upgrade.size());
    CHECK(b.machine.accept() == refusal::none);
    CHECK(b.machine.wants_input());
    b.loop.drain();
    CHECK(b.events() == lines{"open ", "message text 48656c6c6f", "message binary 62696e617279"});
    CHECK(b.taken() == switched);
  }
}

TEST_CASE("9112: the views of an undecided request are renewed by request() after park()") {
  endpoint e(server, defaults, birth);
  {
    test::exact_copy const lent(as_bytes(upgrade));
    e.receive(lent.view(), birth);
    CHECK(e.next().what == kind::request);
    http_request const seen = e.request();
    CHECK(seen.method() == "GET");
    e.park();
  }
  CHECK(e.request().target() == "/chat?x=1");
  e.park();
  CHECK(e.next().what == kind::none);
  CHECK(e.request().host() == "server.example.com");
  CHECK(e.accept() == refusal::none);
  CHECK(e.next().what == kind::open);
  CHECK(e.next().what == kind::none);
}

TEST_CASE("4.2.2: a decision is refused where there is no request to decide") {
  acceptance const plain_accept;
  http_answer const plain_answer;
  auto const both_refused = [&](endpoint& e) {
    CHECK(e.accept(plain_accept) == refusal::not_connecting);
    CHECK(e.answer(plain_answer) == refusal::not_connecting);
  };
  bench b(server, {});
  CHECK(!b.machine.wants_upgrade());
  both_refused(b.machine);
  b.receive(upgrade.substr(0, 50));
  CHECK(!b.machine.wants_upgrade());
  both_refused(b.machine);
  b.receive(upgrade.substr(50));
  CHECK(b.machine.accept() == refusal::none);
  both_refused(b.machine);
  b.loop.drain();
  both_refused(b.machine);
  CHECK(b.taken() == switched);
  CHECK(b.events() == lines{"request ", "open "});

  bench plain(server, {});
  plain.receive("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(!plain.machine.wants_upgrade());
  CHECK(plain.machine.accept() == refusal::not_connecting);
  CHECK(plain.machine.answer({}) == refusal::none);
  plain.loop.drain();
  both_refused(plain.machine);

  bench aborted(server, {});
  aborted.receive(upgrade);
  aborted.machine.abort();
  both_refused(aborted.machine);
  CHECK(aborted.taken().empty());
  aborted.loop.drain();
  CHECK(aborted.events() == lines{"request "});
  CHECK(aborted.machine.transport() == transport_action::close);

  options const client_options{.entropy = test::zero_entropy};
  bench client(role::client, client_options);
  both_refused(client.machine);
}

TEST_CASE("4.2.2: after the deadline an undecided request cannot be decided, and its peer is read to the end") {
  bench b(server, {});
  b.receive(upgrade);
  CHECK(b.sleep() == seconds(5));
  CHECK(b.machine.accept() == refusal::not_connecting);
  CHECK(b.machine.answer({}) == refusal::not_connecting);
  CHECK(b.machine.wants_input());  // lingering
  std::string const answer = b.taken();
  CHECK(answer.starts_with("HTTP/1.1 408 "));
  CHECK(answer.find("101") == std::string::npos);
  b.receive("more");
  lines const events = b.events();
  REQUIRE(events.size() == 2);
  CHECK(events[1] == test::describe({.what = kind::failed, .fault = error::handshake_timeout,
                                     .code = status_code::abnormal}));
  CHECK(dies([&] { static_cast<void>(b.machine.request()); }));
}

TEST_CASE("4.2.2: abort() after accept() ends without a further event") {
  bench b(server, {});
  b.receive(upgrade);
  CHECK(b.machine.accept() == refusal::none);
  b.machine.abort();
  b.loop.drain();
  CHECK(b.events() == lines{"request "});
  CHECK(b.taken().empty());
  CHECK(b.machine.transport() == transport_action::close);
}

TEST_CASE("9110 15.2.2: what accept() is given must be writable; a refusal changes nothing [H-63]", "[hazard-58]") {
  bench b(server, {});
  b.receive(upgrade);
  header_field const bad[] = {{"X\r\n", "v"}, {"X", "a\r\nY: b"}, {"X", std::string_view("\0", 1)}, {"", "v"},
                              {"Content-Length", "0"}, {"Transfer-Encoding", "chunked"},
                              {"sec-websocket-accept", "x"}, {"connection", "close"}, {"X Y", "v"}};
  for (header_field const& field : bad) CHECK(b.machine.accept({.headers = {&field, 1}}) == refusal::invalid_header);
  for (char const* const never_offered : {"mqtt", "chat\r\n", "Chat", "chat, superchat"})
    CHECK(b.machine.accept({.subprotocol = never_offered}) == refusal::invalid_header);
  CHECK(b.taken().empty());
  CHECK(b.machine.wants_upgrade());
  header_field const good[] = {{"Set-Cookie", "a=b"}, {"X-Trace", ""}};
  CHECK(b.machine.accept({.subprotocol = "superchat", .headers = good}) == refusal::none);
  CHECK(b.taken() ==
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: superchat\r\n"
        "Set-Cookie: a=b\r\nX-Trace: \r\n\r\n");
}

TEST_CASE("9110 15: what answer() is given must be writable; a refusal changes nothing", "[hazard-58]") {
  bench b(server, {});
  b.receive(upgrade);
  for (int const status : {0, 100, 101, 199, 600, 999})
    CHECK(b.machine.answer({.status = static_cast<std::uint16_t>(status)}) == refusal::invalid_code);
  header_field const bad[] = {{"X", "a\nb"}, {"Connection", "keep-alive"}, {"Content-Length", "7"},
                              {"Content-Type", "x/y"}, {"a b", ""}};
  for (header_field const& field : bad) CHECK(b.machine.answer({.headers = {&field, 1}}) == refusal::invalid_header);
  CHECK(b.machine.answer({.content_type = "text/plain\r\nX: y"}) == refusal::invalid_header);
  CHECK(b.taken().empty());
  CHECK(b.machine.current() == state::connecting);
  CHECK(b.machine.accept() == refusal::none);
}

TEST_CASE("4.2.1: every error of a request is answered with its status, and closes [H-56]",
          "[hazard-60][hazard-61]") {
  std::string const get = "GET / HTTP/1.1\r\n";
  std::string const plain = "POST / HTTP/1.1\r\nHost: h\r\n";
  auto const without = [](std::string_view line) {
    std::string text{test::upgrade_request};
    std::size_t const at = text.find(line);
    return text.erase(at, text.find('\n', at) + 1 - at);
  };
  auto const with = [](std::string_view line) {
    return std::string(test::upgrade_request).insert(test::upgrade_request.size() - 2, line);
  };
  std::string many_lines;
  for (int i = 0; i < 101; ++i) many_lines += "a:b\r\n";
  struct refusal_case {
    error fault;
    int status;
    std::string request;
  };
  refusal_case const cases[] = {
      {error::head_line_too_long, 431, get + "a: " + std::string(8190, 'x') + "\r\n\r\n"},
      {error::request_line_too_long, 414, "GET /" + std::string(8200, 'x') + " HTTP/1.1\r\n\r\n"},
      {error::head_too_long, 431, get + "a: " + std::string(8180, 'x') + "\r\nb: " + std::string(8188, 'x')},
      {error::too_many_lines, 431, get + many_lines + "\r\n"},
      {error::head_syntax, 400, get + "Host : h\r\n\r\n"},
      {error::request_line_syntax, 400, "GET  / HTTP/1.1\r\n\r\n"},
      {error::http_version, 505, "PRI * HTTP/2.0\r\n\r\n"},
      {error::host_invalid, 400, get + "\r\n"},
      {error::body_framing, 400, plain + "Content-Length: 5, 5\r\n\r\nhello"},
      {error::body_too_big, 413, plain + "Content-Length: 65537\r\n\r\n"},
      {error::transfer_encoding, 501, plain + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {error::upgrade_method, 405, "POST" + upgrade.substr(3)},
      {error::upgrade_version_http, 400, std::string(upgrade).replace(upgrade.find("/1.1"), 4, "/1.0")},
      {error::upgrade_missing, 426, without("Upgrade:")},
      {error::upgrade_key, 400, without("Sec-WebSocket-Key")},
      {error::upgrade_version, 426, std::string(upgrade).replace(upgrade.find(": 13"), 4, ": 12")},
      {error::upgrade_version_missing, 400, without("Sec-WebSocket-Version")},
      {error::upgrade_subprotocol, 400, with("Sec-WebSocket-Protocol: chat\r\n")},
      {error::upgrade_extensions, 400, with("Sec-WebSocket-Extensions: ;\r\n")},
      {error::upgrade_body, 400, with("Content-Length: 5\r\n")},
  };
  auto const nothing = [](test::acting_endpoint&, event const& e) { CHECK(e.what == kind::failed); };
  std::vector<bool> covered(error_count);
  // The deadline and the heap have tests of their own.
  covered[static_cast<std::size_t>(error::handshake_timeout)] = true;
  covered[static_cast<std::size_t>(error::out_of_memory)] = true;
  for (refusal_case const& c : cases) {
    CAPTURE(c.request.substr(0, 300));
    covered[static_cast<std::size_t>(c.fault)] = true;
    std::string const input = c.request + "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    outcome const got = c.request.size() < 400 ? test::feed_every_way(server, {}, nothing, input)
                                               : test::feed(server, {}, nothing, input, {input.size()}, {});
    std::vector<std::size_t> every;
    for (std::size_t i = 1; i <= input.size(); ++i) every.push_back(i);
    CHECK(test::feed(server, {}, nothing, input, every, {}) == got);
    CHECK(got.events == lines{test::describe({.what = kind::failed, .fault = c.fault,
                                              .code = status_code::abnormal})});
    CHECK(got.output.starts_with("HTTP/1.1 " + std::to_string(c.status) + " "));
    CHECK(got.output.find(c.status == 426 ? "\r\nConnection: Upgrade, close\r\n" : "\r\nConnection: close\r\n") !=
          std::string::npos);
    std::string const body{message(c.fault)};
    CHECK(got.output.ends_with("\r\n\r\n" + body));
    CHECK(got.output.find("\r\nContent-Length: " + std::to_string(body.size()) + "\r\n") != std::string::npos);
    CHECK(got.transport == transport_action::shut_write);
  }
  for (int i = 0; i < error_count; ++i) {
    CAPTURE(i, message(static_cast<error>(i)));
    CHECK(covered[static_cast<std::size_t>(i)] == (http_status_for(static_cast<error>(i)) != 0));
  }
}

TEST_CASE("9110 9.3.2: a HEAD that is refused for its head gets no body") {
  bench b(server, {});
  b.receive("HEAD / HTTP/1.1\r\n\r\n");
  std::string const answer = b.taken();
  CHECK(answer.starts_with("HTTP/1.1 400 "));
  CHECK(answer.ends_with("\r\n\r\n"));
}

TEST_CASE("9110 15.5.15, 6585 5: the limits of the head are exact, and refuse at the first byte above [H-60]") {
  // The size of the input after which the machine answers, with its status; nothing if it asks the application.
  auto const answered = [](std::string const& input, std::size_t piece) -> std::pair<std::size_t, std::string> {
    bench b(server, {});
    for (std::size_t at = 0; at < input.size(); at += piece) {
      b.receive(std::string_view(input).substr(at, piece));
      std::string const answer = b.taken();
      if (!answer.empty()) return {at + piece, answer.substr(9, 3)};
    }
    CHECK(b.events() == lines{"request "});
    return {};
  };
  auto const both_ways = [&](std::string const& input, std::size_t known, std::string const& status) {
    CHECK(answered(input, 1) == std::pair(known, status));
    CHECK(answered(input, input.size()).second == status);
  };
  std::string const tail = " HTTP/1.1\r\nHost: h\r\n\r\n";
  auto const request_line = [&](std::size_t size) { return "GET /" + std::string(size - 14, 'x') + tail; };
  both_ways(request_line(8192), 0, "");
  both_ways(request_line(8193), 8193, "414");
  both_ways("GET /" + std::string(20'000, 'x'), 8193, "414");

  std::string const get = "GET / HTTP/1.1\r\nHost: h\r\n";
  auto const line = [](std::size_t size) { return "a:" + std::string(size - 2, 'x') + "\r\n"; };
  both_ways(get + line(8192) + "\r\n", 0, "");
  both_ways(get + line(8193) + "\r\n", get.size() + 8193, "431");
  both_ways(get + "a:" + std::string(20'000, 'x'), get.size() + 8193, "431");

  std::size_t const left = 16'384 - get.size() - 2 - 8194;
  both_ways(get + line(8192) + line(left - 2) + "\r\n", 0, "");
  both_ways(get + line(8192) + line(left - 1) + "\r\n", 16'385, "431");

  auto const headers = [&](int count) {
    std::string text = get;
    for (int i = 1; i < count; ++i) text += "a:b\r\n";
    return text;
  };
  both_ways(headers(100) + "\r\n", 0, "");
  both_ways(headers(101) + "\r\n", headers(100).size() + 1, "431");
  both_ways("\r\n" + get + "\r\n", 0, "");
  both_ways("\r\n\r\n" + get + "\r\n", 3, "400");
}

TEST_CASE("policy: a head that comes one byte a second ends at the absolute deadline, with 408 [H-61]",
          "[hazard-75]") {
  for (std::string const& text : {upgrade, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 999\r\n\r\n" + upgrade}) {
    bench b(server, {});
    // All but the last bytes of the head at once, so that the second one is reading a body.
    std::size_t at = text.find("\r\n\r\n") - 2;
    b.receive(text.substr(0, at));
    for (int second = 1; second < 5; ++second) {
      CHECK(b.machine.deadline() == birth + seconds(5));
      b.loop.advance(seconds(1));
      CHECK(b.machine.transport() == transport_action::keep);
      b.receive(text.substr(at, at == text.size() ? 0 : 1));
      at += 1;
    }
    CHECK(b.events().empty());
    b.loop.advance(milliseconds(999));
    CHECK(b.events().empty());
    CHECK(b.machine.deadline() == birth + seconds(5));
    b.loop.advance(milliseconds(1));
    CHECK(b.events().size() == 1);
    CHECK(b.machine.current() == state::closed);
    std::string const answer = b.taken();
    CHECK(answer.starts_with("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n"));
    CHECK(b.machine.transport() == transport_action::shut_write);
    CHECK(b.sleep() == seconds(1));
    CHECK(b.machine.transport() == transport_action::close);
    CHECK(b.events().empty());
  }
}

TEST_CASE("policy: a peer that says nothing is closed at the deadline without an answer [H-61]", "[hazard-75]") {
  bench b(server, {});
  CHECK(b.machine.deadline() == birth + seconds(5));
  CHECK(b.machine.next().what == kind::none);
  b.loop.advance(seconds(4));
  CHECK(b.machine.transport() == transport_action::keep);
  CHECK(b.sleep() == seconds(1));
  CHECK(b.taken().empty());
  CHECK(b.machine.transport() == transport_action::close);
  CHECK(b.events() == lines{test::describe({.what = kind::failed, .fault = error::handshake_timeout,
                                            .code = status_code::abnormal})});
  b.loop.advance(seconds(60));
  CHECK(b.events().empty());
  CHECK(b.machine.deadline() == never);
}

TEST_CASE("policy: the handshake's deadline can be turned off, and does not outlive the handshake") {
  options patient;
  patient.timeout.handshake = forever;
  bench b(server, patient);
  CHECK(b.machine.deadline() == never);
  b.receive(upgrade.substr(0, 20));
  CHECK(b.machine.deadline() == never);

  bench open(server, {});
  open.receive(upgrade);
  CHECK(open.machine.accept() == refusal::none);
  open.loop.drain();
  open.taken();
  open.loop.advance(seconds(6));
  CHECK(open.events() == lines{"request ", "open "});
  CHECK(open.machine.current() == state::open);
  CHECK(open.machine.deadline() == birth + seconds(25));
}

TEST_CASE("7.1.5: an end of stream before the request is whole is reported once, as 1006") {
  for (std::string const& seen : {std::string(), upgrade.substr(0, 1), upgrade.substr(0, upgrade.size() - 1),
                                  std::string("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nx")}) {
    CAPTURE(seen);
    bench b(server, {});
    if (!seen.empty()) b.receive(seen);
    b.loop.receive_eof();
    b.loop.drain();
    CHECK(b.events() == lines{"closed 1006 unclean "});
    CHECK(b.taken().empty());
    CHECK(b.machine.current() == state::closed);
    CHECK(b.machine.transport() == transport_action::close);
  }
}

TEST_CASE("9112: a peer that shuts its side after the request is still answered") {
  bench b(server, {});
  b.receive(upgrade);
  b.loop.receive_eof();
  CHECK(b.events() == lines{"request "});
  CHECK(!b.machine.wants_input());
  SECTION("by a refusal") {
    CHECK(b.machine.answer({.status = 403, .body = as_bytes("no")}) == refusal::none);
    b.loop.drain();
    CHECK(b.machine.transport() == transport_action::keep);
    CHECK(b.taken() == refused);
    CHECK(b.events() == lines{"closed 0 unclean "});
  }
  SECTION("by a 101, behind which the connection ends") {
    CHECK(b.machine.accept() == refusal::none);
    b.loop.drain();
    CHECK(b.taken() == switched);
    CHECK(b.events() == lines{"open ", "closed 1006 unclean "});
  }
  CHECK(b.machine.transport() == transport_action::close);
}

TEST_CASE("7.1.5: an end of stream behind frames that wait for the decision comes after them") {
  bench b(server, {});
  b.receive(upgrade + frame_text(server, 0x81, "last"));
  b.loop.receive_eof();
  CHECK(b.machine.accept() == refusal::none);
  b.loop.drain();
  CHECK(b.events() == lines{"request ", "open ", "message text 6c617374", "closed 1006 unclean "});
}

TEST_CASE("the contract: what breaks it dies") {
  auto const fresh = [](auto f) {
    return dies([&] {
      endpoint e(server, defaults, birth);
      f(e);
    });
  };
  std::string text = upgrade;
  bytes const in = std::as_writable_bytes(std::span(text));
  CHECK(fresh([](endpoint& e) { static_cast<void>(e.request()); }));
  CHECK(fresh([](endpoint& e) { static_cast<void>(e.response()); }));
  CHECK(fresh([](endpoint& e) { static_cast<void>(e.connect({.where = parse_uri("ws://h/")})); }));
  CHECK(fresh([&](endpoint& e) {  // a request that is not whole
    e.receive(in.first(20), birth);
    e.next();
    static_cast<void>(e.request());
  }));
  CHECK(fresh([&](endpoint& e) {  // decided
    e.receive(in, birth);
    e.next();
    static_cast<void>(e.accept());
    static_cast<void>(e.request());
  }));
  CHECK(fresh([&](endpoint& e) {  // the input before is neither drained nor parked
    e.receive(in.first(20), birth);
    e.receive(in.subspan(20), birth);
  }));
  CHECK(fresh([&](endpoint& e) {
    e.receive_eof(birth);
    e.receive(in, birth);
  }));
  CHECK(fresh([&](endpoint& e) {
    e.receive(in, birth);
    e.next();
    static_cast<void>(e.accept());
    bytes_view spans[2];
    e.gather(spans);
    e.gather(spans);
  }));
  CHECK(fresh([&](endpoint& e) { e.consume_output(1, birth); }));
  CHECK(dies([] { endpoint(role::client, defaults, birth); }));  // without entropy
  CHECK(!fresh([](endpoint& e) {
    static_cast<void>(e.accept());
    static_cast<void>(e.answer({}));
    static_cast<void>(e.send("x"));
    static_cast<void>(e.close());
    static_cast<void>(e.ping());
    e.park();
    e.advance(birth);
    e.next();
    e.abort();
    e.abort();
  }));
}
