// SPDX-License-Identifier: BSL-1.0

// Any bytes into a server's endpoint. However they come, it says and answers the same; a request that is reported is
// what a simple reading finds; an accepted one is an answer that our client takes, and then frames; a refused one is
// one answer with its status, and the end. Input: what the application does, an approach, the bytes.
#include "purews/protocol/endpoint.hpp"

#include "head_model.hpp"
#include "machine.hpp"

using namespace purews;

namespace {

// The application: it decides at once, later, or never.
struct decision {
  enum class kind : std::uint8_t { accept, answer, none } what = kind::accept;
  bool subprotocol = false;
  std::uint16_t status = 200;
};

class server : public endpoint {
 public:
  server(options const& with, decision const& decide, std::string_view text)
      : endpoint(role::server, with, {}), decide_(decide), text_(text) {}

  event next() noexcept {
    event const e = endpoint::next();
    fuzz::check(e.what == kind::none || !ended_, "nothing comes after the end", text_);
    ended_ = ended_ || e.what == kind::closed || e.what == kind::failed;
    if (e.what == kind::request) decide(e);
    if (e.what == kind::failed) fault = e.fault;
    return e;
  }

  bool asked = false;
  bool accepted = false;
  std::size_t head_size = 0;
  error fault = error::none;

 private:
  void decide(event const& e) {
    http_request const request = endpoint::request();
    fuzz::check(!asked, "there is one request", text_);
    asked = true;
    head_size = request.head_size();
    fuzz::plain_head const plain = fuzz::read_plain_head(text_);
    check_request(request, plain);
    check_body(e, request, plain);
    switch (decide_.what) {
      case decision::kind::accept:
        accept_it(request);
        break;
      case decision::kind::answer:
        answer_it();
        break;
      case decision::kind::none:
        break;
    }
  }

  void check_request(http_request const& request, fuzz::plain_head const& plain) const {
    std::string const line = std::string(request.method()) + " " + std::string(request.target()) + " HTTP/1." +
                             std::to_string(request.version_minor());
    fuzz::check(line == plain.first_line, "the request line is method, target and version", text_);
    fuzz::check(is_token(request.method()) && request.target().find_first_of(" #") == std::string_view::npos,
                "neither has a space in it", text_);
    std::string target(request.path());
    if (request.target().find('?') != std::string_view::npos) target += "?" + std::string(request.query());
    fuzz::check(request.target().ends_with(target) || (request.path() == "/" && request.target() != "*"),
                "the target ends in path and query", text_);
    fuzz::check(plain.all("Host").size() == 1 || request.version_minor() == 0, "there is one Host", text_);
    fuzz::check(plain.all("Transfer-Encoding").empty(), "no Transfer-Encoding passes", text_);
    fuzz::check(plain.all("Content-Length").size() <= 1, "no second Content-Length passes", text_);
    auto const head = text_.substr(0, plain.size);
    http_head again(head_kind::request);
    fuzz::check(again.parse(as_bytes(head), {}) == http_progress::done, "the head alone is a head", text_);
    fuzz::check_head(http_request(again, as_bytes(head)), head, plain);
    static_cast<void>(same_origin(request));
    static_cast<void>(origin_allowed(request, {}));
    if (!wants_upgrade()) return;
    fuzz::check(request.method() == "GET" && request.version_minor() >= 1, "an upgrade is a GET of HTTP/1.1", text_);
    fuzz::check(plain.only("Sec-WebSocket-Version") == "13", "an upgrade has one version, 13", text_);
    std::string const key = plain.only("Sec-WebSocket-Key");
    fuzz::check(key.size() == 24 && key.ends_with("=="), "an upgrade has one key of 16 bytes", text_);
    std::string const length = plain.all("Content-Length").empty() ? "0" : plain.only("Content-Length");
    fuzz::check(length.find_first_not_of('0') == length.npos, "an upgrade has no body", text_);
  }

  void check_body(event const& e, http_request const& request, fuzz::plain_head const& plain) const {
    std::size_t const size = plain.all("Content-Length").empty() ? 0 : std::stoul(plain.only("Content-Length"));
    fuzz::check(e.payload.size() == size, "a body is as long as announced", text_);
    fuzz::check(e.text() == text_.substr(request.head_size(), size), "a body is what follows the head", text_);
  }

  void accept_it(http_request const& request) {
    acceptance how;
    std::string const key(request.header("Sec-WebSocket-Key"));
    std::string_view const offered[] = {"chat", "superchat"};
    if (decide_.subprotocol) how.subprotocol = select_subprotocol(request, offered);
    bool const upgrade = wants_upgrade();
    fuzz::check((accept(how) == refusal::none) == upgrade, "an upgrade can be accepted, nothing else", text_);
    if (!upgrade) return answer_it();
    accepted = true;
    std::string answer(accept_size(how, {}), '\0');
    write_accept({reinterpret_cast<std::byte*>(answer.data()), answer.size()}, how, {}, key);
    answer_reader reader;
    fuzz::check(reader.parse(as_bytes(answer), {}) == http_progress::done, "the answer is an HTTP head", answer);
    std::string_view const chosen[] = {how.subprotocol};
    client_request const sent{.subprotocols = {chosen, how.subprotocol.empty() ? 0U : 1U}};
    answer_judgement const judged = judge_answer(reader.answer(as_bytes(answer)), sent, key);
    fuzz::check(judged.fault == error::none && judged.subprotocol == how.subprotocol, "our client takes it", answer);
  }

  void answer_it() {
    http_answer const with{.status = decide_.status, .body = as_bytes("no")};
    fuzz::check(answer(with) == refusal::none, "a request can be answered", text_);
    fuzz::check(answer(with) == refusal::not_connecting, "but only once", text_);
  }

  decision decide_;
  std::string_view text_;
  bool ended_ = false;
};

// A body that has come already needs no leave to be sent. RFC 9110 section 10.1.1.
std::string_view final_answer(std::string_view output) {
  if (output.starts_with(continue_answer)) output.remove_prefix(continue_answer.size());
  return output;
}

// One whole answer, with a length that is true, and nothing behind it.
void check_answer(std::string_view output, unsigned status, bool head_request) {
  output = final_answer(output);
  fuzz::plain_head const head = fuzz::read_plain_head(output);
  fuzz::check(head.first_line.starts_with("HTTP/1.1 " + std::to_string(status) + " "), "an answer has its status",
              output);
  std::string const connection = head.only("Connection");
  fuzz::check(connection == "close" || connection == "Upgrade, close", "every answer ends the connection", output);
  std::size_t const announced = std::stoul(head.only("Content-Length"));
  std::size_t const size = output.size() - head.size;
  fuzz::check(size == announced || (head_request && size == 0), "a body is as long as announced", output);
}

// Behind an accepted upgrade there are frames: a connection says the same of them.
void check_frames(fuzz::outcome const& got, options const& with, bytes_view frames) {
  connection alone(role::server, with, {});
  fuzz::outcome const expected = fuzz::feed(alone, frames, {});
  std::vector<std::string> const events(got.events.begin() + 2, got.events.end());
  fuzz::check(got.events[1].starts_with("open") && events == expected.events, "what follows an upgrade are frames", got,
              expected);
  fuzz::plain_head const head = fuzz::read_plain_head(as_text(got.output));
  test::octets const sent(got.output.begin() + static_cast<std::ptrdiff_t>(head.size), got.output.end());
  fuzz::check(sent == expected.output, "they are answered as such", got, expected);
}

bool many_pings(std::vector<std::string> const& events) {
  int pings = 0;
  for (std::string const& e : events) pings += e.starts_with("ping") ? 1 : 0;
  return pings > 16;
}

}  // namespace

void fuzz::one_input(bytes_view in) {
  script choices(in);
  unsigned const flags = choices.octet();
  decision decide;
  decide.what = static_cast<decision::kind>(flags % 3);
  decide.subprotocol = (flags & 4U) != 0;
  decide.status = static_cast<std::uint16_t>((flags & 8U) != 0 ? 426 : 403);
  options with;
  with.limit.body_bytes_max = 64;
  if ((flags & 16U) != 0) with.limit.head_bytes_max = 200;
  if ((flags & 32U) != 0) with.limit.head_line_bytes_max = 40;
  if ((flags & 64U) != 0) with.limit.head_lines_max = 6;
  auto const end = (flags & 128U) != 0 ? ending::end_of_stream : ending::open;
  auto const last = (flags & 128U) != 0 ? transport_action::close : transport_action::shut_write;
  approach const way = read_approach(choices);
  bytes_view const bytes = choices.rest();
  std::string_view const text = as_text(bytes);

  server whole(with, decide, text);
  outcome const expected = feed(whole, bytes, {}, end);
  server cut(with, decide, text);
  outcome const got = feed(cut, bytes, way, end);
  check(got.events == expected.events, "the events do not depend on the way", got, expected);
  check(got.transport == expected.transport, "nor does the end", got, expected);
  bool const same = final_answer(as_text(got.output)) == final_answer(as_text(expected.output));
  check(same || many_pings(got.events), "nor does the output", got, expected);

  bool const head_request = text.find("HEAD ") != text.npos;
  if (whole.accepted) {
    if (!many_pings(expected.events) && end == ending::open)
      check_frames(expected, with, bytes.subspan(whole.head_size));
  } else if (whole.fault != error::none) {
    check(!whole.asked, "a faulty request is not reported", text);
    check_answer(as_text(expected.output), http_status_for(whole.fault), head_request);
    check(expected.transport == last, "a fault ends the connection", text);
  } else if (whole.asked && decide.what != decision::kind::none) {
    check_answer(as_text(expected.output), decide.status, head_request);
    check(expected.transport == last, "an answer ends the connection", text);
  } else if (whole.asked || end == ending::open) {
    check(expected.transport == transport_action::keep, "an open question keeps the connection", text);
  }
}
