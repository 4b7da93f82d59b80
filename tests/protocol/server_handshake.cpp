// SPDX-License-Identifier: BSL-1.0

#include "purews/protocol/server_handshake.hpp"

#include "support/catch.hpp"
#include "support/dies.hpp"
#include "support/http_text.hpp"

using namespace purews;

namespace {

constexpr std::string_view sample_key = "dGhlIHNhbXBsZSBub25jZQ==";

/// An upgrade, each line replaceable.
struct upgrade_lines {
  std::string first = "GET /chat HTTP/1.1\r\n";
  std::string host = "Host: server.example.com\r\n";
  std::string upgrade = "Upgrade: websocket\r\n";
  std::string connection = "Connection: Upgrade\r\n";
  std::string key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  std::string version = "Sec-WebSocket-Version: 13\r\n";
  std::string more = "Origin: http://example.com\r\n";

  std::string text() const { return first + host + upgrade + connection + key + version + more + "\r\n"; }
};

/// Asks `f` about a request that parses, however it is cut.
template <class F>
auto ask(std::string const& text, F f) {
  CAPTURE(text);
  CHECK(same_for_every_cut(text));
  http_head head(head_kind::request);
  REQUIRE(head.parse(as_bytes(text), {}) == http_progress::done);
  return f(http_request(head, as_bytes(text)));
}

request_judgement judge(std::string const& text) {
  return ask(text, [](http_request const& request) { return judge_request(request, 1000); });
}

/// The fault of an upgrade; none if it can be accepted.
error fault_of(upgrade_lines const& lines) {
  request_judgement const judgement = judge(lines.text());
  if (judgement.fault == error::none) CHECK(judgement.what == request_kind::upgrade);
  return judgement.fault;
}

error plain_fault(std::string const& lines) { return judge("POST / HTTP/1.1\r\nHost: h\r\n" + lines + "\r\n").fault; }

std::string selected(std::string const& lines, std::span<std::string_view const> supported) {
  return ask(upgrade_lines{.more = lines}.text(), [&](http_request const& request) {
    return std::string(select_subprotocol(request, supported));
  });
}

std::string written(acceptance const& how, std::string_view extensions = {}) {
  std::string out(accept_size(how, extensions), '?');
  CHECK(write_accept(std::as_writable_bytes(std::span(out)), how, extensions, sample_key) == out.size());
  return out;
}

}  // namespace

TEST_CASE("1.3: the RFC's opening handshake can be accepted") {
  CHECK(fault_of({}) == error::none);
  CHECK(fault_of({.more = "Origin: http://example.com\r\nSec-WebSocket-Protocol: chat, superchat\r\n"
                          "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
                          "User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nCookie: a=b\r\n"}) == error::none);
}

TEST_CASE("4.2.1: names and tokens of the upgrade are read without regard to case [H-01]") {
  CHECK(fault_of({.connection = "Connection: keep-alive, uPgRaDe\r\n"}) == error::none);
  CHECK(fault_of({.connection = "Connection: keep-alive\r\nconnection:\t Upgrade\t\r\n"}) == error::none);
  CHECK(fault_of({.connection = "CONNECTION:upgrade,\tkeep-alive\r\n"}) == error::none);
  CHECK(fault_of({.upgrade = "uPGRADE:\tWebSocket \t\r\n"}) == error::none);
  CHECK(fault_of({.key = "sec-websocket-key:dGhlIHNhbXBsZSBub25jZQ== \r\n"}) == error::none);
  CHECK(fault_of({.version = "SEC-WEBSOCKET-VERSION:\t13\t\r\n"}) == error::none);
  CHECK(fault_of({.first = "GET /chat HTTP/1.2\r\n"}) == error::none);
}

TEST_CASE("4.2.1: websocket may stand in a list, with a version it is refused [H-02]") {
  CHECK(fault_of({.upgrade = "Upgrade: foo, websocket\r\n"}) == error::none);
  CHECK(fault_of({.upgrade = "Upgrade: h2c\r\nUpgrade: websocket\r\n"}) == error::none);
  CHECK(fault_of({.upgrade = "Upgrade: websocket/13\r\n"}) == error::upgrade_missing);
}

TEST_CASE("4.2.1: an upgrade without Upgrade or Connection, or without the token, is refused [H-03]") {
  for (char const* const upgrade :
       {"", "Upgrade:\r\n", "Upgrade: websockets\r\n", "Upgrade: web socket\r\n", "Upgrade: h2c\r\n"})
    CHECK(fault_of({.upgrade = upgrade}) == error::upgrade_missing);
  for (char const* const connection :
       {"", "Connection:\r\n", "Connection: keep-alive\r\n", "Connection: Upgraded\r\n",
        "Connection: keep-alive Upgrade\r\n"})
    CHECK(fault_of({.connection = connection}) == error::upgrade_missing);
}

TEST_CASE("RFC 9112 3.2: exactly one well-formed Host is needed, in every request [H-04]", "[hazard-50][hazard-62]") {
  for (char const* const good : {"h", "h:80", "h:", "127.0.0.1:8080", "[::1]", "[::1]:65535", "a_b.c-d~e"}) {
    CHECK(fault_of({.host = std::string("Host: ") + good + "\r\n"}) == error::none);
    CHECK(judge(std::string("GET / HTTP/1.1\r\nhost:") + good + "\r\n\r\n").fault == error::none);
  }
  for (char const* const bad :
       {"", "Host:\r\n", "Host: \t\r\n", "Host: h\r\nHost: h\r\n", "Host: h\r\nhost: g\r\n", "Host: a b\r\n",
        "Host: a, b\r\n", "Host: a/b\r\n", "Host: u@h\r\n", "Host: h:x\r\n", "Host: h:65536\r\n", "Host: h:0\r\n",
        "Host: :80\r\n",
        "Host: [::1\r\n", "Host: ::1\r\n", "Host: [x]\r\n", "Host: h?\r\n", "Host: h#\r\n", "Host: \xC3\xA4\r\n",
        "Host: http://h\r\n", "Host: []\r\n", "Host: [\r\n", "Host: h:80:80\r\n", "Host: %\r\n"}) {
    CHECK(fault_of({.host = bad}) == error::host_invalid);
    CHECK(judge(std::string("GET http://h/ HTTP/1.1\r\n") + bad + "\r\n").fault == error::host_invalid);
  }
  CHECK(judge("GET / HTTP/1.0\r\n\r\n").fault == error::none);
  CHECK(judge("GET / HTTP/1.0\r\nHost:\r\n\r\n").fault == error::host_invalid);
  CHECK(http_status_for(error::host_invalid) == 400);
}

TEST_CASE("4.2.1: the method of an upgrade is GET, in capitals [H-05]") {
  for (char const* const method : {"POST", "HEAD", "PUT", "OPTIONS", "get", "Get", "GETS"})
    CHECK(fault_of({.first = std::string(method) + " /chat HTTP/1.1\r\n"}) == error::upgrade_method);
  CHECK(http_status_for(error::upgrade_method) == 405);
  // Plain requests may have any method: that is for the application.
  CHECK(judge("DELETE / HTTP/1.1\r\nHost: h\r\n\r\n").fault == error::none);
}

TEST_CASE("RFC 9110 7.8: an upgrade over HTTP/1.0 is refused [H-06]") {
  CHECK(fault_of({.first = "GET /chat HTTP/1.0\r\n"}) == error::upgrade_version_http);
  CHECK(http_status_for(error::upgrade_version_http) == 400);
  CHECK(http_status_for(error::http_version) == 505);
}

TEST_CASE("4.2.1: the absolute form is accepted [H-07]") {
  CHECK(fault_of({.first = "GET http://server.example.com/chat?a HTTP/1.1\r\n"}) == error::none);
}

TEST_CASE("4.2.1: the key is 16 bytes in base64, once [H-20]", "[hazard-51]") {
  std::string const name = "Sec-WebSocket-Key: ";
  for (std::string const& value : {
           std::string(""), std::string("dGhlIHNhbXBsZSBub25j"),              // 15 bytes
           std::string("dGhlIHNhbXBsZSBub25jZQo="),                           // 17 bytes
           std::string("dGhlIHNhbXBsZSBub25jZQ"), std::string("dGhlIHNhbXBsZSBub25jZQ="),
           std::string("dGhlIHNhbXBsZSBub25jZQ==="), std::string("dGhlIHNhbXBsZSBub25j!Q=="),
           std::string("dGhlIHNhbXBs_SBub25jZQ=="), std::string("dGhlIHNhbXBs-SBub25jZQ=="),
           std::string("dGhlIHNhbXB  SBub25jZQ=="), std::string("dGhlIHNhbXBsZSBub25jZQ= ="),
           std::string("dGhlIHNhbXBsZSBub25jZ==="), std::string("========================"),
           std::string("dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ=="), std::string("\"GhlIHNhbXBsZSBub25jZQ=\""),
           std::string(24, '\xC3'), std::string(4000, 'A'),
       })
    CHECK(fault_of({.key = name + value + "\r\n"}) == error::upgrade_key);
  std::string const good = name + std::string(sample_key) + "\r\n";
  CHECK(fault_of({.key = ""}) == error::upgrade_key);
  CHECK(fault_of({.key = good + good}) == error::upgrade_key);
  CHECK(fault_of({.key = good, .more = "sec-websocket-key:\r\n"}) == error::upgrade_key);
  CHECK(http_status_for(error::upgrade_key) == 400);
}

TEST_CASE("4.1: the spare bits of a key may be anything [H-21]") {
  CHECK(fault_of({.key = "Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEC==\r\n"}) == error::none);
  CHECK(fault_of({.key = "Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n"}) == error::none);
}

TEST_CASE("4.4: only version 13 is spoken [H-30]", "[hazard-20]") {
  std::string const name = "Sec-WebSocket-Version: ";
  for (char const* const value :
       {"0", "7", "8", "12", "14", "255", "013", "13,8", "13, 13", "", "+13", "13;", "\"13\""})
    CHECK(fault_of({.version = name + value + "\r\n"}) == error::upgrade_version);
  CHECK(fault_of({.version = name + "13\r\n" + name + "13\r\n"}) == error::upgrade_version);
  CHECK(fault_of({.version = name + "8\r\n" + name + "13\r\n"}) == error::upgrade_version);
  CHECK(fault_of({.version = ""}) == error::upgrade_version_missing);
  CHECK(http_status_for(error::upgrade_version) == 426);
  CHECK(http_status_for(error::upgrade_version_missing) == 400);
}

TEST_CASE("a request of the old hixie-76 draft is refused [H-31]", "[hazard-20]") {
  error const fault = fault_of({.upgrade = "Upgrade: WebSocket\r\n",
                                .key = "Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\n"
                                       "Sec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\n",
                                .version = ""});
  CHECK(http_status_for(fault) == 400);
}

TEST_CASE("4.2.2: a subprotocol is chosen in the client's order from those the server supports [H-33]") {
  std::string_view const supported[] = {"v1", "v2", "V3"};
  std::string const name = "Sec-WebSocket-Protocol: ";
  CHECK(selected(name + "x, v2, v1\r\n", supported) == "v2");
  CHECK(selected(name + "x\r\n" + name + "v1\r\n" + name + "v2\r\n", supported) == "v1");
  CHECK(selected(name + "v3\r\n", supported) == "");  // case matters
  CHECK(selected(name + "x\r\n", supported) == "");
  CHECK(selected("", supported) == "");
  CHECK(selected(name + "v1\r\n", {}) == "");
  for (char const* const bad : {"", "a, a", "a b", "a;b", "\"a\"", ","})
    CHECK(fault_of({.more = name + bad + "\r\n"}) == error::upgrade_subprotocol);
  CHECK(fault_of({.more = name + "a\r\n" + name + "a\r\n"}) == error::upgrade_subprotocol);
  CHECK(http_status_for(error::upgrade_subprotocol) == 400);
}

TEST_CASE("9.1: malformed extensions are refused, unknown ones are not [H-40, H-41]") {
  std::string const name = "Sec-WebSocket-Extensions: ";
  CHECK(fault_of({.more = name + "foo; bar=\"baz\", permessage-deflate\r\n" + name + "x-y\r\n"}) == error::none);
  CHECK(fault_of({.more = name + "permessage-deflate; server_max_window_bits=\r\n"}) == error::none);  // N-02
  for (char const* const bad : {"", "a b", "a;", "a; b=\"c", "a; b=\"c d\"", "a; ;b", "=a"})
    CHECK(fault_of({.more = name + bad + "\r\n"}) == error::upgrade_extensions);
  CHECK(http_status_for(error::upgrade_extensions) == 400);
}

TEST_CASE("RFC 9112 6: an upgrade must not have a body [H-50, H-51]", "[hazard-60][hazard-61]") {
  CHECK(fault_of({.more = "Content-Length: 0\r\n"}) == error::none);
  for (char const* const bad :
       {"Content-Length: 5\r\n", "Content-Length: +5\r\n", "Content-Length: 5,5\r\n", "Content-Length: 0,0\r\n",
        "Content-Length: -0\r\n", "Content-Length:\r\n", "Content-Length: 0x0\r\n",
        "Content-Length: 0\r\nContent-Length: 0\r\n", "Content-Length: 99999999999999999999\r\n",
        "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: identity\r\n", "Transfer-Encoding:\r\n",
        "Transfer-Encoding: xchunked\r\n", "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n"}) {
    error const fault = fault_of({.more = bad});
    CHECK(fault != error::none);
    CHECK(http_status_for(fault) == 400);
  }
}

TEST_CASE("RFC 9112 6: the body of a plain request is framed by one Content-Length only", "[hazard-61]") {
  request_judgement const good = judge("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n");
  CHECK(good.fault == error::none);
  CHECK(good.what == request_kind::plain);
  CHECK(good.body_bytes == 1000);
  CHECK(judge("GET / HTTP/1.1\r\nHost: h\r\n\r\n").body_bytes == 0);
  CHECK(plain_fault("Content-Length: 1001\r\n") == error::body_too_big);
  CHECK(plain_fault("Content-Length: 18446744073709551617\r\n") == error::body_too_big);
  for (char const* const bad : {"+5", "-5", "5,5", "5 5", "0x5", "", "5.0", "\"5\""})
    CHECK(plain_fault(std::string("Content-Length: ") + bad + "\r\n") == error::body_framing);
  CHECK(plain_fault("Content-Length: 5\r\nContent-Length: 5\r\n") == error::body_framing);
  CHECK(plain_fault("Transfer-Encoding: chunked\r\n") == error::transfer_encoding);
  CHECK(plain_fault("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") == error::body_framing);
}

TEST_CASE("a request asks for a WebSocket if it says so in any way") {
  auto const asks = [](std::string const& lines) {
    return ask("GET / HTTP/1.1\r\n" + lines + "\r\n", [](http_request const& request) { return is_upgrade(request); });
  };
  for (char const* const lines : {"Upgrade: websocket\r\n", "Upgrade: foo, WebSocket/8\r\n", "Sec-WebSocket-Key: x\r\n",
                                  "sec-websocket-version: 13\r\n", "A: b\r\nSec-WebSocket-Key1: 4\r\n"})
    CHECK(asks(lines));
  for (char const* const lines :
       {"", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n", "Connection: Upgrade\r\n",
        "Upgrade: websockets\r\n", "Sec-Fetch-Mode: websocket\r\n"})
    CHECK_FALSE(asks(lines));
}

TEST_CASE("4.2.2: the 101 has exactly the expected lines [H-22, H-41, H-63]") {
  std::string const first =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
  CHECK(written({}) == first + "\r\n");
  header_field const headers[] = {{"Set-Cookie", "a=b"}, {"Set-Cookie", "c=d"}};
  CHECK(written({.subprotocol = "chat", .headers = headers}, "permessage-deflate") ==
        first + "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: permessage-deflate\r\n"
                "Set-Cookie: a=b\r\nSet-Cookie: c=d\r\n\r\n");
  CHECK(dies([] {
    std::byte small[100]{};
    write_accept(small, {}, {}, sample_key);
  }));
  CHECK(dies([] { accept_size({}, "a\r\nb"); }));
}

TEST_CASE("H-63: what the application adds to the 101 is checked", "[hazard-58]") {
  std::string const text = upgrade_lines{.more = "Sec-WebSocket-Protocol: a, chat\r\n"}.text();
  auto const refused = [&](acceptance const& how) {
    return ask(text, [&](http_request const& request) { return validate(how, request); });
  };
  CHECK(refused({}) == refusal::none);
  CHECK(refused({.subprotocol = "chat"}) == refusal::none);
  CHECK(refused({.subprotocol = "other"}) == refusal::invalid_header);
  CHECK(refused({.subprotocol = "Chat"}) == refusal::invalid_header);
  CHECK(refused({.subprotocol = "a, chat"}) == refusal::invalid_header);
  CHECK(refused({.subprotocol = "chat\r\nX: y"}) == refusal::invalid_header);
  for (header_field const& field : {
           header_field{"X", "a\r\nB: c"}, header_field{"X", std::string_view("\0", 1)}, header_field{"X", "\x7F"},
           header_field{"X\r\n", "a"}, header_field{"", "a"}, header_field{"Content-Length", "0"},
           header_field{"Sec-WebSocket-Accept", "x"}, header_field{"transfer-encoding", "chunked"},
       })
    CHECK(refused({.headers = {&field, 1}}) == refusal::invalid_header);
  header_field const fine{"X", "a\tb"};
  CHECK(refused({.headers = {&fine, 1}}) == refusal::none);
}

TEST_CASE("H-52: bytes behind the head do not change the judgement and are left alone") {
  std::string const frames = "\x81\x85" + std::string(4, '\0') + "Hello";
  CHECK(judge(upgrade_lines{}.text() + frames).fault == error::none);
  CHECK(parse_whole(upgrade_lines{}.text() + frames).size == upgrade_lines{}.text().size());
}

TEST_CASE("the limits on a head are those of the connection") {
  head_limits const converted = head_limits_of({.head_bytes_max = 1, .head_line_bytes_max = 2, .head_lines_max = 3});
  CHECK(converted.bytes_max == 1);
  CHECK(converted.line_bytes_max == 2);
  CHECK(converted.lines_max == 3);
}
