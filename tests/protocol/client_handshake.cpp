// SPDX-License-Identifier: BSL-1.0

#include "purews/protocol/client_handshake.hpp"

#include "support/catch.hpp"
#include "support/dies.hpp"
#include "support/http_text.hpp"

using namespace purews;

namespace {

constexpr std::string_view sample_key = "dGhlIHNhbXBsZSBub25jZQ==";

std::string written(client_request const& request, std::string_view extensions = {}) {
  CHECK(validate(request) == refusal::none);
  std::string out(request_size(request, extensions), '?');
  CHECK(write_request(std::as_writable_bytes(std::span(out)), request, extensions, sample_key) == out.size());
  return out;
}

/// A 101, each line replaceable.
struct answer_lines {
  std::string first = "HTTP/1.1 101 Switching Protocols\r\n";
  std::string upgrade = "Upgrade: websocket\r\n";
  std::string connection = "Connection: Upgrade\r\n";
  std::string accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
  std::string more = "";

  std::string text() const { return first + upgrade + connection + accept + more + "\r\n"; }
};

/// The fault of an answer, reading and judging; none if the connection is open.
error fault_of(answer_lines const& lines, client_request const& request = {}) {
  std::string const text = lines.text();
  CAPTURE(text);
  CHECK(same_for_every_cut(text, head_kind::response));
  answer_reader reader;
  if (reader.parse(as_bytes(text), {}) != http_progress::done) return reader.fault();
  CHECK(reader.size() == text.size());
  return judge_answer(reader.answer(as_bytes(text)), request, sample_key).fault;
}

error status_fault(std::string const& line) { return fault_of({.first = line + "\r\n"}); }

/// What reading `text` byte by byte comes to: the fault, or the status and the size of the answer.
std::string read_bytewise(std::string const& text, head_limits const& limits = {}) {
  answer_reader reader;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    auto const copy = std::make_unique<std::byte[]>(i);
    std::memcpy(copy.get(), text.data(), i);
    bytes_view const in{copy.get(), i};
    http_progress const progress = reader.parse(in, limits);
    if (progress == http_progress::failed) return std::string(message(reader.fault()));
    if (progress == http_progress::done)
      return std::to_string(reader.answer(in).status()) + " " + std::to_string(reader.size());
  }
  return "need more";
}

}  // namespace

TEST_CASE("4.1: the request is exact [K-01]") {
  CHECK(written({.where = parse_uri("ws://server.example.com/chat?a=b")}) ==
        "GET /chat?a=b HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
  std::string_view const subprotocols[] = {"chat", "superchat"};
  header_field const headers[] = {{"Authorization", "Bearer x"}, {"Cookie", "a=b"}};
  CHECK(written({.where = parse_uri("wss://[::1]:8443?q"),
                 .subprotocols = subprotocols,
                 .origin = "https://example.com",
                 .headers = headers},
                "permessage-deflate") ==
        "GET /?q HTTP/1.1\r\nHost: [::1]:8443\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nOrigin: https://example.com\r\n"
        "Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Extensions: permessage-deflate\r\n"
        "Authorization: Bearer x\r\nCookie: a=b\r\n\r\n");
}

TEST_CASE("4.1: Host has the port only if it is not the standard one [K-01]") {
  auto const host = [](char const* text) {
    std::string const request = written({.where = parse_uri(text)});
    std::size_t const at = request.find("Host: ") + 6;
    return request.substr(at, request.find('\r', at) - at);
  };
  CHECK(host("ws://h:80") == "h");
  CHECK(host("ws://h:443") == "h:443");
  CHECK(host("wss://h:443") == "h");
  CHECK(host("wss://h:80") == "h:80");
  CHECK(host("wss://h:") == "h");
}

TEST_CASE("4.1: the key is another one for other random bytes [K-01]") {
  std::byte random[16]{};
  std::string const first{std::string_view(make_key(random))};
  random[15] = std::byte{1};
  std::string const second{std::string_view(make_key(random))};
  CHECK(first != second);
  CHECK(is_valid_key(first));
}

TEST_CASE("K-01: what would break the request is refused", "[hazard-58]") {
  uri const where = parse_uri("ws://h/");
  CHECK(validate(client_request{}) == refusal::invalid_uri);
  CHECK(validate(client_request{.where = parse_uri("ws://h/\r\nX: y")}) == refusal::invalid_uri);
  CHECK(validate(client_request{.where = where, .origin = "a\r\nb"}) == refusal::invalid_header);
  for (header_field const& field : {
           header_field{"X", "a\r\nB: c"}, header_field{"X", std::string_view("a\0", 2)}, header_field{"X", "\x7F"},
           header_field{"X Y", "a"}, header_field{"Host", "h"}, header_field{"origin", "http://h"},
           header_field{"Sec-WebSocket-Key", "x"}, header_field{"Content-Length", "5"}, header_field{"upgrade", "h2c"},
       }) {
    CAPTURE(field.name);
    CHECK(validate(client_request{.where = where, .headers = {&field, 1}}) == refusal::invalid_header);
  }
  for (std::string_view const subprotocol : {"", "a b", "a,b", "a\r\n", "\xC3\xA4"})
    CHECK(validate(client_request{.where = where, .subprotocols = {&subprotocol, 1}}) == refusal::invalid_header);
  std::string_view const twice[] = {"a", "b", "a"};
  CHECK(validate(client_request{.where = where, .subprotocols = twice}) == refusal::invalid_header);
  CHECK(dies([&] {
    std::byte small[20]{};
    write_request(small, {.where = where}, {}, sample_key);
  }));
  CHECK(dies([&] {
    std::byte room[500]{};
    write_request(room, {.where = where}, {}, "short");
  }));
  CHECK(dies([&] { request_size({.where = where}, "a\r\nb"); }));
}

TEST_CASE("4.1: the RFC's answer opens the connection [K-03]") {
  CHECK(fault_of({}) == error::none);
  CHECK(fault_of({.upgrade = "upgrade:\tWebSocket\r\n"}) == error::none);
  CHECK(fault_of({.connection = "CONNECTION: keep-alive, upgrade\r\n"}) == error::none);
  CHECK(fault_of({.first = "HTTP/1.1 101\r\n"}) == error::none);
  CHECK(fault_of({.accept = "sec-websocket-accept:s3pPLMBiTxaQ9kYGzzhZRbK+xOo= \t\r\n"}) == error::none);
  CHECK(fault_of({.more = "Server: x\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n"}) == error::none);
}

TEST_CASE("4.1: another status than 101 is an error that leaves the status readable [K-02]") {
  for (char const* const line : {"HTTP/1.1 200 OK", "HTTP/1.1 401 x", "HTTP/1.1 302 x", "HTTP/1.1 426 x",
                                 "HTTP/1.0 503 x", "HTTP/1.1 999"})
    CHECK(status_fault(line) == error::answer_status);
  std::string const text = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\n\r\nbody";
  answer_reader reader;
  REQUIRE(reader.parse(as_bytes(text), {}) == http_progress::done);
  http_response const answer = reader.answer(as_bytes(text));
  CHECK(answer.status() == 401);
  CHECK(answer.reason() == "Unauthorized");
  CHECK(answer.header("www-authenticate") == "Basic");
  CHECK(text.substr(reader.size()) == "body");
}

TEST_CASE("4.1: Upgrade, Connection and Accept are checked [K-03]") {
  for (char const* const upgrade : {"", "Upgrade:\r\n", "Upgrade: h2c\r\n", "Upgrade: websocket, foo\r\n",
                                    "Upgrade: websocket/13\r\n", "Upgrade: websocket\r\nUpgrade: websocket\r\n"})
    CHECK(fault_of({.upgrade = upgrade}) == error::answer_upgrade);
  for (char const* const connection : {"", "Connection:\r\n", "Connection: close\r\n", "Connection: Upgraded\r\n"})
    CHECK(fault_of({.connection = connection}) == error::answer_connection);
  std::string const good = answer_lines{}.accept;
  for (std::string const& accept :
       {std::string(""), std::string("Sec-WebSocket-Accept:\r\n"), good + good,
        std::string("Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"),
        std::string("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo\r\n"),
        std::string("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=, x\r\n"),
        std::string("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZ RbK+xOo=\r\n")})
    CHECK(fault_of({.accept = accept}) == error::answer_accept);
}

TEST_CASE("4.1: only a subprotocol that was offered may be chosen, and only one [K-04]") {
  std::string_view const offers[] = {"a", "b"};
  client_request const request{.subprotocols = offers};
  client_request const demanding{.subprotocols = offers, .subprotocol = subprotocol_use::required};
  std::string const name = "Sec-WebSocket-Protocol: ";
  CHECK(fault_of({.more = name + "b\r\n"}, request) == error::none);
  CHECK(fault_of({}, request) == error::none);
  CHECK(fault_of({}, demanding) == error::answer_subprotocol);
  CHECK(fault_of({}, {.subprotocol = subprotocol_use::required}) == error::none);
  CHECK(fault_of({.more = name + "a\r\n"}, demanding) == error::none);
  CHECK(fault_of({.more = name + "a\r\n"}) == error::answer_subprotocol);
  for (char const* const bad : {"", "c", "A", "a, b", "a b"})
    CHECK(fault_of({.more = name + bad + "\r\n"}, request) == error::answer_subprotocol);
  CHECK(fault_of({.more = name + "\r\n"}) == error::answer_subprotocol);
  CHECK(fault_of({.more = name + "a\r\n" + name + "a\r\n"}, request) == error::answer_subprotocol);
  std::string const text = answer_lines{.more = name + "b\r\n"}.text();
  answer_reader reader;
  REQUIRE(reader.parse(as_bytes(text), {}) == http_progress::done);
  CHECK(judge_answer(reader.answer(as_bytes(text)), request, sample_key).subprotocol == "b");
}

TEST_CASE("4.1: extensions are handed on, but not from two headers [K-05]") {
  std::string const line = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
  CHECK(fault_of({.more = line}) == error::none);
  CHECK(fault_of({.more = line + line}) == error::answer_extension);
  CHECK(fault_of({.more = line + line + "Sec-WebSocket-Protocol: a\r\n"}) == error::answer_subprotocol);  // the first
  std::string const text = answer_lines{.more = line}.text();
  answer_reader reader;
  REQUIRE(reader.parse(as_bytes(text), {}) == http_progress::done);
  answer_judgement const found = judge_answer(reader.answer(as_bytes(text)), {}, sample_key);
  CHECK(found.extensions == "permessage-deflate");
  CHECK(found.extension_headers == 1);
}

TEST_CASE("K-06: malformed, old and endless answers are refused", "[hazard-49]") {
  CHECK(status_fault("HTTP/1.0 101 x") == error::http_version);
  CHECK(status_fault("HTTP/2.0 101 x") == error::http_version);
  CHECK(fault_of({.more = "A: b\r\n c\r\n"}) == error::head_syntax);
  CHECK(fault_of({.more = "A : b\r\n"}) == error::head_syntax);
  CHECK(fault_of({.more = "A: b\n"}) == error::head_syntax);
  std::string lines;
  for (int i = 0; i < 98; ++i) lines += "A: b\r\n";
  CHECK(fault_of({.more = lines}) == error::too_many_lines);
}

TEST_CASE("RFC 9110 15.2: up to eight interim answers are skipped [K-06]", "[hazard-49]") {
  std::string const interim = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
  std::string const last = answer_lines{}.text();
  std::string eight;
  for (int i = 0; i < 4; ++i) eight += interim;
  CHECK(read_bytewise(interim + last + "frames") == "101 " + std::to_string((interim + last).size()));
  CHECK(read_bytewise(eight + last) == "101 " + std::to_string((eight + last).size()));
  CHECK(read_bytewise(eight + "HTTP/1.1 199 x\r\n\r\n" + last) == message(error::answer_interim));
  CHECK(read_bytewise(eight) == "need more");
  CHECK(read_bytewise(interim + "HTTP/1.1 404 x\r\n\r\n") == "404 " + std::to_string(interim.size() + 18));
  CHECK(read_bytewise(interim + "\r\n") == message(error::status_line_syntax));
  std::string const text = eight + last;
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    answer_reader reader;
    reader.parse(as_bytes({text.data(), cut}), {});
    REQUIRE(reader.parse(as_bytes(text), {}) == http_progress::done);
    REQUIRE(judge_answer(reader.answer(as_bytes(text)), {}, sample_key).fault == error::none);
  }
}

TEST_CASE("K-06: the limit on a head holds for interim answers and the last one together", "[hazard-49]") {
  std::string const interim = "HTTP/1.1 100 Continue\r\n\r\n";
  std::string const last = "HTTP/1.1 101 x\r\nA: b\r\n\r\n";
  auto const size = static_cast<std::uint32_t>((interim + interim + last).size());
  head_limits limits{.bytes_max = size};
  CHECK(read_bytewise(interim + interim + last, limits) == "101 " + std::to_string(size));
  limits.bytes_max = size - 1;
  CHECK(read_bytewise(interim + interim + last, limits) == message(error::head_too_long));
  limits.bytes_max = static_cast<std::uint32_t>(interim.size());
  CHECK(read_bytewise(interim + interim + last, limits) == message(error::head_too_long));
}

TEST_CASE("K-07: bytes behind the 101 are left alone") {
  std::string const text = answer_lines{}.text();
  std::string const more = text + "\x81\x05Hello";
  answer_reader reader;
  REQUIRE(reader.parse(as_bytes(more), {}) == http_progress::done);
  CHECK(reader.size() == text.size());
}
