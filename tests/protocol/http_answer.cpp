// SPDX-License-Identifier: BSL-1.0

#include "purews/protocol/http_answer.hpp"

#include <string>

#include "support/catch.hpp"
#include "support/dies.hpp"

using namespace purews;

namespace {

std::string written(http_answer const& answer) {
  std::string out(head_size(answer), '?');
  CHECK(write_head(std::as_writable_bytes(std::span(out)), answer) == out.size());
  return out;
}

bool contains(std::string const& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("RFC 9112 4: an answer has its length, its type, and ends the connection") {
  CHECK(written({}) == "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  header_field const headers[] = {{"X-Content-Type-Options", "nosniff"}};
  CHECK(written({.content_type = "text/html", .headers = headers, .body = as_bytes("<p>Hello")}) ==
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 8\r\nContent-Type: text/html\r\n"
        "X-Content-Type-Options: nosniff\r\n\r\n");
  CHECK(written({.content_type = {}, .body = as_bytes("?")}) ==
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n");
  CHECK(written({.status = 299}) == "HTTP/1.1 299 \r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  CHECK(written({.status = 204}) == "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
  CHECK(written({.status = 304}) == "HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n");
}

TEST_CASE("RFC 9110 9.3.2: the answer to HEAD has the same head and no body") {
  http_answer const page{.body = as_bytes("page")};
  CHECK(has_body(page, "GET"));
  CHECK_FALSE(has_body(page, "HEAD"));
  CHECK_FALSE(has_body({.status = 204}, "GET"));
  CHECK_FALSE(has_body({.status = 304}, "GET"));
}

TEST_CASE("RFC 9110 15.5.22: 426 names what to upgrade to [H-03, H-30]") {
  CHECK(written({.status = 426}) ==
        "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n"
        "Sec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n");
  for (error const fault : {error::upgrade_version, error::upgrade_version_missing})
    CHECK(contains(written(answer_for(fault)), "\r\nSec-WebSocket-Version: 13\r\n"));
  CHECK(answer_for(error::upgrade_version_missing).status == 400);
  CHECK(answer_for(error::upgrade_missing).status == 426);
}

TEST_CASE("RFC 9110 15.5.6: 405 names what is allowed [H-05]") {
  http_answer const answer = answer_for(error::upgrade_method);
  CHECK(answer.status == 405);
  CHECK(contains(written(answer), "\r\nAllow: GET\r\n"));
}

TEST_CASE("every refusal of a request is one sentence, and ends the connection", "[hazard-60]") {
  int refusals = 0;
  for (error_info const& info : error_table) {
    if (info.http == 0) continue;
    ++refusals;
    http_answer const answer = answer_for(info.what);
    CAPTURE(info.message);
    CHECK(answer.status == info.http);
    CHECK(answer.status >= 400);
    CHECK_FALSE(reason_phrase(answer.status).empty());
    CHECK(as_text(answer.body) == info.message);
    std::string const head = written(answer);
    CHECK(contains(head, info.http == 426 ? "\r\nConnection: Upgrade, close\r\n" : "\r\nConnection: close\r\n"));
    CHECK(contains(head, "\r\nContent-Length: " + std::to_string(answer.body.size()) + "\r\n"));
  }
  CHECK(refusals > 15);
  CHECK(dies([] { answer_for(error::masked_frame); }));
}

TEST_CASE("H-63: what the application puts into an answer is checked", "[hazard-58]") {
  auto const with = [](std::string_view name, std::string_view value) {
    header_field const field{name, value};
    return validate(http_answer{.headers = {&field, 1}});
  };
  CHECK(validate(http_answer{}) == refusal::none);
  CHECK(with("Cache-Control", "no-store") == refusal::none);
  CHECK(with("X", "a\r\nB: c") == refusal::invalid_header);
  CHECK(with("X:", "a") == refusal::invalid_header);
  CHECK(with("content-length", "1") == refusal::invalid_header);
  CHECK(with("Connection", "keep-alive") == refusal::invalid_header);
  CHECK(with("Content-TYPE", "text/html") == refusal::invalid_header);
  CHECK(validate(http_answer{.content_type = "a\nb"}) == refusal::invalid_header);
  for (unsigned const status : {0U, 100U, 101U, 199U, 600U, 65535U})
    CHECK(validate(http_answer{.status = static_cast<std::uint16_t>(status)}) == refusal::invalid_code);
  for (unsigned const status : {200U, 404U, 599U})
    CHECK(validate(http_answer{.status = static_cast<std::uint16_t>(status)}) == refusal::none);
}

TEST_CASE("RFC 9110 10.1.1: a client that waits for leave to send its body is recognised") {
  auto const expects = [](std::string const& text) {
    http_head head(head_kind::request);
    REQUIRE(head.parse(as_bytes(text), {}) == http_progress::done);
    return expects_continue(http_request(head, as_bytes(text)));
  };
  CHECK(expects("POST / HTTP/1.1\r\nExpect: 100-Continue\r\n\r\n"));
  CHECK_FALSE(expects("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n"));
  CHECK_FALSE(expects("POST / HTTP/1.1\r\nExpect: 200\r\n\r\n"));
  CHECK_FALSE(expects("POST / HTTP/1.1\r\n\r\n"));
}
