// SPDX-License-Identifier: BSL-1.0

#include "purews/wire/http_head.hpp"

#include <type_traits>

#include "support/catch.hpp"
#include "support/dies.hpp"
#include "support/http_text.hpp"

using namespace purews;

namespace {

constexpr auto request = head_kind::request;
constexpr auto response = head_kind::response;

/// The fault of a head that is the same for every cut; none if the head is accepted.
error fault_of(std::string const& text, head_kind what = request) {
  CAPTURE(text);
  CHECK(same_for_every_cut(text, what));
  head_outcome const whole = parse_whole(text, what);
  CHECK(whole.progress != http_progress::need_more);
  return whole.fault;
}

std::string with_lines(std::size_t lines) {
  std::string text = "GET / HTTP/1.1\r\n";
  for (std::size_t i = 0; i < lines; ++i) text += "Same-Name: x\r\n";
  return text + "\r\n";
}

}  // namespace

static_assert(std::is_trivially_copyable_v<http_head>);
static_assert(sizeof(http_head) <= 100 * 8 + 128);
static_assert(noexcept(std::declval<http_head&>().parse(bytes_view{}, head_limits{})));

TEST_CASE("RFC 9112 3: a request is taken apart, and what follows it is left alone") {
  std::string const head =
      "POST /a/b%20?x=1?y HTTP/1.1\r\nHost: example.com:8080\r\nEmpty:\r\nX: \t spaced \tout\t \r\nx:second\r\n\r\n";
  head_outcome const whole = parse_whole(head + "\x81\x85 frames");
  CHECK(whole.progress == http_progress::done);
  CHECK(whole.size == head.size());
  CHECK(whole.content ==
        "POST|/a/b%20?x=1?y|/a/b%20|x=1?y|example.com:8080|1\nHost=example.com:8080\nEmpty=\nX=spaced \tout\nx=second");
  CHECK(same_for_every_cut(head + "\x81\x85 frames"));
  CHECK(parse_whole(head.substr(0, head.size() - 1)).progress == http_progress::need_more);
}

TEST_CASE("RFC 9112 4: a response is taken apart") {
  struct row {
    char const* line;
    char const* content;
  };
  for (row const& r : {
           row{"HTTP/1.1 101 Switching Protocols", "101Switching Protocols1\nA=b"},
           row{"HTTP/1.0 404 Not \xC3\xA4 \tfound", "404Not \xC3\xA4 \tfound0\nA=b"},
           row{"HTTP/1.1 200 ", "2001\nA=b"},
           row{"HTTP/1.1 999", "9991\nA=b"},
       }) {
    std::string const text = std::string(r.line) + "\r\nA: b\r\n\r\n";
    CHECK(parse_whole(text, response).content == r.content);
    CHECK(same_for_every_cut(text, response));
  }
}

TEST_CASE("H-07: origin, absolute and asterisk form are read, authority form and fragments are refused") {
  struct row {
    char const* line;
    char const* content;  ///< nullptr: refused
  };
  for (row const& r : {
           row{"GET http://h/p HTTP/1.1", "GET|http://h/p|/p||h|1"},
           row{"GET WS://h:80/p?q HTTP/1.1", "GET|WS://h:80/p?q|/p|q|h:80|1"},
           row{"GET https://h HTTP/1.1", "GET|https://h|/||h|1"},
           row{"GET wss://[::1]?q HTTP/1.1", "GET|wss://[::1]?q|/|q|[::1]|1"},
           row{"GET //h/p HTTP/1.1", "GET|//h/p|//h/p|||1"},
           row{"GET /? HTTP/1.1", "GET|/?|/|||1"},
           row{"GET /a|b\"{} HTTP/1.1", "GET|/a|b\"{}|/a|b\"{}|||1"},
           row{"OPTIONS * HTTP/1.1", "OPTIONS|*|*|||1"},
           row{"GET * HTTP/1.1", nullptr},
           row{"CONNECT h:443 HTTP/1.1", nullptr},
           row{"GET h HTTP/1.1", nullptr},
           row{"GET ftp://h/ HTTP/1.1", nullptr},
           row{"GET http:///p HTTP/1.1", nullptr},
           row{"GET http://u@h/p HTTP/1.1", nullptr},
           row{"GET http://h:0/p HTTP/1.1", nullptr},
           row{"GET :// HTTP/1.1", nullptr},
           row{"GET /# HTTP/1.1", nullptr},
           row{"GET /a#b HTTP/1.1", nullptr},
           row{"GET http://h/#b HTTP/1.1", nullptr},
           row{"GET /\x7F HTTP/1.1", nullptr},
           row{"GET /\xC3\xA4 HTTP/1.1", nullptr},
           row{"GET /\t HTTP/1.1", nullptr},
           row{"GET /\tHTTP/1.1", nullptr},
           row{"GET /#HTTP/1.1", nullptr},
           row{"GET /\x80HTTP/1.1", nullptr},
       }) {
    CAPTURE(r.line);
    std::string const text = std::string(r.line) + "\r\n\r\n";
    head_outcome const whole = parse_whole(text);
    CHECK(fault_of(text) == (r.content != nullptr ? error::none : error::request_line_syntax));
    if (r.content != nullptr) CHECK(whole.content == r.content);
  }
}

TEST_CASE("H-06: HTTP/1.x is read, other versions are refused, malformed ones are malformed") {
  struct row {
    char const* version;
    error fault;
  };
  for (row const& r : {
           row{"HTTP/1.0", error::none}, row{"HTTP/1.1", error::none}, row{"HTTP/1.2", error::none},
           row{"HTTP/1.9", error::none}, row{"HTTP/2.0", error::http_version}, row{"HTTP/0.9", error::http_version},
           row{"HTTP/1.1 ", error::request_line_syntax}, row{"HTTP/1.10", error::request_line_syntax},
           row{"HTTP/1", error::request_line_syntax}, row{"HTTP/11", error::request_line_syntax},
           row{"http/1.1", error::request_line_syntax}, row{"HTTP/1,1", error::request_line_syntax},
           row{"HTTP/x.1", error::request_line_syntax}, row{"HTTP/1.x", error::request_line_syntax},
           row{"HTTPS/1.1", error::request_line_syntax}, row{"", error::request_line_syntax},
           row{" HTTP/1.1", error::request_line_syntax}, row{"x HTTP/1.1", error::request_line_syntax},
       })
    CHECK(fault_of(std::string("GET / ") + r.version + "\r\n\r\n") == r.fault);
  CHECK(fault_of("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == error::http_version);  // the preface of HTTP/2
  CHECK(fault_of("HTTP/2.0 101 x\r\n\r\n", response) == error::http_version);
}

TEST_CASE("H-53: a malformed first line is refused") {
  for (char const* const text :
       {"GET\r\n\r\n", "GET /\r\n\r\n", "GET  / HTTP/1.1\r\n\r\n", "GET\t/ HTTP/1.1\r\n\r\n", " GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\n\r\n", "G(T / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\r\n\r\n", "GET /\rx HTTP/1.1\r\n\r\n",
        "\n\r\n", ": / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02", "\x81\x85"})
    CHECK(fault_of(text) == error::request_line_syntax);
  for (char const* const text :
       {"HTTP/1.1\r\n\r\n", "HTTP/1.1 \r\n\r\n", "HTTP/1.1 10\r\n\r\n", "HTTP/1.1 1010 x\r\n\r\n",
        "HTTP/1.1 099 x\r\n\r\n", "HTTP/1.1 +10 x\r\n\r\n", "HTTP/1.1  101 x\r\n\r\n", "HTTP/1.1 101x\r\n\r\n",
        "HTTP/1.1 101 x\n\r\n", "HTTP/1.1 101 x\rHTTP\r\n\r\n", "HTTP/1.1 101 \x01\r\n\r\n",
        "HTTP/1.1 101\tx\r\n\r\n", "ICY 200 OK\r\n\r\n", "\r\nHTTP/1.1 101 x\r\n\r\n", "HTTP/1.1x101 x\r\n\r\n",
        "\x15\x03\x01"})
    CHECK(fault_of(text, response) == error::status_line_syntax);
}

TEST_CASE("H-53, K-06: a malformed header line is refused in both roles") {
  for (head_kind const what : {request, response}) {
    std::string const first = what == request ? "GET / HTTP/1.1\r\n" : "HTTP/1.1 101 x\r\n";
    for (std::string const& lines : {
             std::string("A: b\nC: d\r\n\r\n"),        // a bare LF as line end
             std::string("A: b\rC: d\r\n\r\n"),        // a bare CR
             std::string("A: b\r\r\n\r\n"),
             std::string("A: b\r\n c\r\n\r\n"),        // obs-fold
             std::string("A: b\r\n\tc\r\n\r\n"),
             std::string(" A: b\r\n\r\n"),             // leading space on the first header
             std::string("A : b\r\n\r\n"),             // space before the colon
             std::string("A\t: b\r\n\r\n"),
             std::string("A B: b\r\n\r\n"),
             std::string(": b\r\n\r\n"),               // empty name
             std::string("A\r\n\r\n"),                 // no colon
             std::string("A: b\0c\r\n\r\n", 10),       // NUL
             std::string("A: b\x01\r\n\r\n"),
             std::string("A: \x7F\r\n\r\n"),
             std::string("A: b\x0B\r\n\r\n"),
             std::string("A\xC3\xA4: b\r\n\r\n"),      // obs-text in a name: H-54
             std::string("\xC3\xA4: b\r\n\r\n"),
             std::string("A\0: b\r\n\r\n", 9),
             std::string("\n"),
             std::string("A: b\r\n\n"),
             std::string("A: b\r\n\r\r\n"),
         }) {
      CAPTURE(lines);
      CHECK(fault_of(first + lines, what) == error::head_syntax);
    }
  }
}

TEST_CASE("H-54: bytes of 0x80 and above are accepted in values as they are") {
  std::string const text = "GET / HTTP/1.1\r\nA: \x80\xFF\xC3\xA4\r\n\r\n";
  CHECK(fault_of(text) == error::none);
  CHECK(parse_whole(text).content == "GET|/|/|||1\nA=\x80\xFF\xC3\xA4");
}

TEST_CASE("H-55: one empty line before the request line is accepted, two are not") {
  CHECK(fault_of("\r\nGET / HTTP/1.1\r\n\r\n") == error::none);
  CHECK(parse_whole("\r\nGET / HTTP/1.1\r\n\r\n").size == 20);
  CHECK(fault_of("\r\n\r\nGET / HTTP/1.1\r\n\r\n") == error::request_line_syntax);
  CHECK(fault_of("\nGET / HTTP/1.1\r\n\r\n") == error::request_line_syntax);
  CHECK(fault_of("\rGET / HTTP/1.1\r\n\r\n") == error::request_line_syntax);
}

TEST_CASE("H-60: the limits are exact, and known at one byte above", "[hazard-47][hazard-48]") {
  SECTION("request line: 414") {
    std::string const path(8192 - 13, 'x');  // "GET /" and " HTTP/1.1" are 14 bytes
    CHECK(parse_whole("GET /" + path.substr(1) + " HTTP/1.1\r\n\r\n").progress == http_progress::done);
    CHECK(parse_whole("GET /" + path + " HTTP/1.1\r\n\r\n").fault == error::request_line_too_long);
    CHECK(known_after("GET /" + path + " HTTP/1.1\r\n\r\n") == 8193);
    CHECK(known_after("\r\nGET /" + path + std::string(10000, 'x')) == 8195);
    CHECK(http_status_for(error::request_line_too_long) == 414);
  }
  SECTION("status line") {
    std::string const good = "HTTP/1.1 101 " + std::string(8192 - 13, 'x');
    CHECK(parse_whole(good + "\r\n\r\n", response).progress == http_progress::done);
    CHECK(parse_whole(good + "x\r\n\r\n", response).fault == error::head_line_too_long);
    CHECK(known_after(good + "x\r\n\r\n", response) == 8193);
  }
  SECTION("one header line: 431") {
    std::string const good = "GET / HTTP/1.1\r\nA: " + std::string(8192 - 3, 'x');
    CHECK(parse_whole(good + "\r\n\r\n").progress == http_progress::done);
    CHECK(known_after(good + "\r\n\r\n") == good.size() + 4);
    CHECK(parse_whole(good + "x\r\n\r\n").fault == error::head_line_too_long);
    CHECK(known_after(good + "x\r\n\r\n") == 16 + 8193);
    CHECK(parse_whole(good + "\n\r\n\r\n").fault == error::head_syntax);
    CHECK(parse_whole(good + "\rx\r\n\r\n").fault == error::head_line_too_long);
    CHECK(http_status_for(error::head_line_too_long) == 431);
  }
  SECTION("the whole head: 431") {
    std::string const x(8000, 'x');
    std::string head = "GET / HTTP/1.1\r\nA: " + x + "\r\nB: " + x + "\r\nC: ";
    head += std::string(16384 - 4 - head.size(), 'y') + "\r\n\r\n";
    REQUIRE(head.size() == 16384);
    CHECK(parse_whole(head + "frames").progress == http_progress::done);
    CHECK(known_after(head) == 16384);
    head.insert(head.size() - 4, "y");
    CHECK(parse_whole(head).fault == error::head_too_long);
    CHECK(known_after(head) == 16385);
    CHECK(http_status_for(error::head_too_long) == 431);
  }
  SECTION("lines, not names: 431") {
    CHECK(parse_whole(with_lines(100)).progress == http_progress::done);
    CHECK(parse_whole(with_lines(101)).fault == error::too_many_lines);
    CHECK(parse_whole(with_lines(1000)).fault == error::too_many_lines);
    CHECK(known_after(with_lines(101)) == 16 + 100 * 14 + 1);
    CHECK(http_status_for(error::too_many_lines) == 431);
  }
}

TEST_CASE("H-60: small limits have the same outcome for every cut") {
  head_limits const small{.bytes_max = 60, .line_bytes_max = 20, .lines_max = 3};
  std::string const first = "GET / HTTP/1.1\r\n";
  for (std::string const& text : {
           first + "A: b\r\nC: d\r\nE: f\r\n\r\n",
           first + "A: b\r\nC: d\r\nE: f\r\nG: h\r\n\r\n",
           first + "A: b\r\nC: d\r\nE: f\r\n\x01\r\n\r\n",
           first + "A: b\r\nC: d\r\nE: f\r\nABCDEFGHIJKLMNOPQRSTUVWXYZ\r\n\r\n",
           first + "A: 34567890123456789x\r\n\r\n", first + "A: 34567890123456789xy\r\n\r\n",
           first + "A: 34567890123456789x\ry\r\n\r\n", first + "A: 34567890123456789x\n\r\n",
           first + "A: 34567890123456789xyzxyzxyzxyz", first + "A: \x01 34567890123456789xyzxyzxyzxyz\r\n",
           first + "A: 34567890123456789\r\nB: 345678901234567\r\n\r\n",
           first + "A: 34567890123456789\r\nB: 34567890123456789\r\n\r\n",
           first + "A: 34567890123456789\r\nB: 3456789012345678\r\nC\r\n\r\n",
           std::string("GET /789012 HTTP/1.1\r\n\r\n"), std::string("GET /7890123 HTTP/1.1\r\n\r\n"),
           std::string("\r\nGET /789012 HTTP/1.1\r\n\r\n"), std::string(30, 'x'), std::string(70, 'x'),
       }) {
    CAPTURE(text);
    CHECK(same_for_every_cut(text, request, small));
  }
}

TEST_CASE("K-06: a response without end is refused at the limits", "[hazard-49]") {
  std::string const first = "HTTP/1.1 101 x\r\n";
  CHECK(known_after(first + std::string(1 << 20, 'x'), response) == first.size() + 8193);
  std::string lines = first;
  while (lines.size() < 1 << 20) lines += "A: b\r\n";
  CHECK(known_after(lines, response) == first.size() + 600 + 1);
  std::string wide = first;
  while (wide.size() < 1 << 20) wide += "A: " + std::string(1000, 'x') + "\r\n";
  CHECK(known_after(wide, response) == 16385);
}

TEST_CASE("H-64: a head fed byte by byte is scanned once", "[hazard-47]") {
  // 4 million calls; code that starts again at each would need 10^13 steps.
  head_limits const wide{.bytes_max = 5U << 20, .line_bytes_max = 5U << 20, .lines_max = 100};
  std::string const text = "GET / HTTP/1.1\r\nA: " + std::string(4U << 20, 'x') + "\r\n\r\n";
  CHECK(known_after(text, request, wide) == text.size());
  // And 20 MB in pieces of 4 KiB end at the default limit.
  http_head head(request);
  std::string const endless = "GET / HTTP/1.1\r\n" + std::string(20U << 20, 'x');
  std::size_t fed = 0;
  while (fed < endless.size() && head.progress() == http_progress::need_more) {
    fed += 4096;
    head.parse(as_bytes({endless.data(), fed}), {});
  }
  CHECK(fed <= 16384);
  CHECK(head.fault() == error::head_line_too_long);
}

TEST_CASE("H-64: what was searched for the end of a line is not searched again", "[hazard-47][hazard-52]") {
  std::string const text = "GET /a?b HTTP/1.1\r\nHost: h\r\nA: " + std::string(300, 'x') + "\r\nB: c\r\n\r\n";
  http_head head(request);
  std::size_t line = 0;
  for (std::size_t i = 1; i <= text.size(); ++i) {
    // While a line lacks its end, line feeds are planted into all of it but its first byte and what is new; earlier
    // lines are destroyed for good. Code that looks there again would find them.
    std::string seen = text.substr(0, i);
    for (std::size_t at = 0; at < line; ++at) seen[at] = '\n';
    if (text[i - 1] != '\n')
      for (std::size_t at = line + 1; at + 1 < i; ++at) seen[at] = '\n';
    INFO(i);
    REQUIRE(head.parse(as_bytes(seen), {}) ==
            (i == text.size() ? http_progress::done : http_progress::need_more));
    if (text[i - 1] == '\n') line = i;
  }
  http_request const parsed(head, as_bytes(text));
  CHECK(parsed.header("B") == "c");
  CHECK(parsed.query() == "b");
}

TEST_CASE("random heads come to the same for every cut", "[hazard-50]") {
  std::uint32_t seed = 1;
  auto const random = [&](std::size_t below) {
    seed = seed * 1664525U + 1013904223U;
    return (seed >> 8) % static_cast<std::uint32_t>(below);
  };
  std::string const pieces[] = {"\r\n", "\r", "\n", " ", "\t", ":", "A: b\r\n", "Host: h\r\n", "\r\n\r\n", "GET ", "/",
                                "*", "?", "#", "http://", "@", "[", "HTTP/1.1", "HTTP/2.0", " 101 ", "\x80", "\x7F",
                                "x", std::string(1, '\0')};
  for (head_kind const what : {request, response})
    for (int round = 0; round < 2000; ++round) {
      std::string text = what == request ? "GET /a?b HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n"
                                         : "HTTP/1.1 101 Switching\r\nHost: h\r\nA: b\r\n\r\n";
      for (std::uint32_t changes = random(3) + 1; changes > 0; --changes)
        text.replace(random(text.size()), random(3), pieces[random(std::size(pieces))]);
      INFO(text);
      REQUIRE(same_for_every_cut(text, what, {.bytes_max = 60, .line_bytes_max = 30, .lines_max = 3}));
    }
}

TEST_CASE("a finished head does not change any more") {
  std::string const text = "GET / HTTP/1.1\r\n\r\n";
  http_head head(request);
  CHECK(head.parse(as_bytes(text), {}) == http_progress::done);
  CHECK(head.parse(as_bytes(text + "GET /x HTTP/1.1\r\n\r\n"), {}) == http_progress::done);
  CHECK(head.size() == text.size());
  http_head failed(request);
  CHECK(failed.parse(as_bytes("\n"), {}) == http_progress::failed);
  CHECK(failed.parse(as_bytes(text), {}) == http_progress::failed);
  CHECK(failed.fault() == error::request_line_syntax);
}

TEST_CASE("misuse of the head parser ends the program") {
  CHECK(dies([] { http_head(request).parse(as_bytes("GET"), {.lines_max = 101}); }));
  CHECK(dies([] {
    http_head head(request);
    head.parse(as_bytes("GET / HTTP"), {});
    head.parse(as_bytes("GET"), {});
  }));
  CHECK(dies([] {
    http_head const head(request);
    http_request const unfinished(head, {});
  }));
}
