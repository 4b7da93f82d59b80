// SPDX-License-Identifier: BSL-1.0

// Any bytes into a client's endpoint that has sent its request. However they come, it says and answers the same; it
// opens only for an answer in which a simple reading finds all that RFC 6455 4.1 wants; what follows are frames.
// Input: what was offered, an approach, the bytes.
#include "purews/protocol/endpoint.hpp"

#include "head_model.hpp"
#include "machine.hpp"

using namespace purews;

namespace {

// The RFC's own example: with this nonce the answer is known. Masks are made of the same bytes.
constexpr std::string_view nonce = "the sample nonce";
constexpr std::string_view accept_value = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
void sample_entropy(bytes out) noexcept { copy_bytes(out.data(), as_bytes(nonce.substr(0, out.size()))); }
constexpr std::string_view offered[] = {"chat", "superchat"};

class client : public endpoint {
 public:
  client(options const& with, client_request const& request) : endpoint(role::client, with, {}), request_(request) {
    fuzz::check(connect(request) == refusal::none, "the request is sent");
    fuzz::check(connect(request) == refusal::not_connecting, "but only once");
  }

  event next() noexcept {
    event const e = endpoint::next();
    fuzz::check(e.what == kind::none || !ended_, "nothing comes after the end");
    ended_ = ended_ || e.what == kind::closed || e.what == kind::failed;
    if (e.what == kind::open) take_answer();
    if (e.what == kind::failed && !opened) fault = e.fault;
    if (e.what == kind::failed && e.fault == error::answer_status)
      fuzz::check(response().status() != 101 && response().status() >= 200, "an answer that is not 101 can be read");
    return e;
  }

  bool opened = false;
  error fault = error::none;
  std::string chosen{};
  std::string head{};

 private:
  void take_answer() {
    opened = true;
    chosen = subprotocol();
    http_response const answer = response();
    head = "HTTP/1." + std::to_string(answer.version_minor()) + " " + std::to_string(answer.status()) +
           std::string(answer.reason().empty() ? "" : " ") + std::string(answer.reason());
    for (std::size_t i = 0; i < answer.line_count(); ++i)
      head.append("\n").append(answer.line(i).name).append(":").append(answer.line(i).value);
  }

  client_request request_;
  bool ended_ = false;
};

// Skips the interim answers as a simple reading does. Returns where the final one begins.
std::size_t skip_interim(std::string_view text) {
  std::size_t at = 0;
  for (;;) {
    fuzz::plain_head const head = fuzz::read_plain_head(text.substr(at));
    bool const interim = head.first_line.substr(8, 2) == " 1" && head.first_line.substr(8, 4) != " 101";
    if (head.size == 0 || !interim) return at;
    at += head.size;
  }
}

// RFC 6455 4.1, one sentence after the other.
std::size_t check_open(client const& machine, std::string_view text, client_request const& request) {
  std::size_t const at = skip_interim(text);
  fuzz::plain_head const plain = fuzz::read_plain_head(text.substr(at));
  fuzz::check(plain.size != 0 && plain.first_line.starts_with("HTTP/1.") && plain.first_line[7] != '0' &&
                  plain.first_line.substr(8, 4) == " 101",
              "it opens for a 101 of HTTP/1.1", text);
  fuzz::check(iequals(plain.only("Upgrade"), "websocket"), "it opens for one Upgrade: websocket", text);
  bool upgrades = false;
  for (std::string const& value : plain.all("Connection")) {
    list_reader list(value);
    for (std::string_view item = list.next(); !item.empty(); item = list.next())
      upgrades = upgrades || iequals(item, "upgrade");
  }
  fuzz::check(upgrades, "it opens for Connection: Upgrade", text);
  fuzz::check(plain.only("Sec-WebSocket-Accept") == accept_value, "it opens for the right accept key alone", text);
  auto const chosen = plain.all("Sec-WebSocket-Protocol");
  bool known = chosen.empty() && request.subprotocol == subprotocol_use::optional;
  if (request.subprotocols.empty()) known = chosen.empty();
  for (std::string_view const offer : request.subprotocols) known = known || (chosen.size() == 1 && chosen[0] == offer);
  fuzz::check(known && machine.chosen == (chosen.empty() ? "" : chosen[0]), "it opens for what it offered", text);
  fuzz::check(plain.all("Sec-WebSocket-Extensions").empty(), "it opens without extensions", text);
  std::string head = plain.first_line;
  if (head[7] > '1' || head.ends_with(' ')) head = machine.head.substr(0, machine.head.find('\n'));
  for (auto const& [name, value] : plain.fields) head += "\n" + name + ":" + value;
  fuzz::check(machine.head == head, "the answer can be read", text);
  return at + plain.size;
}

}  // namespace

void fuzz::one_input(bytes_view in) {
  script choices(in);
  unsigned const flags = choices.octet();
  options with{.entropy = sample_entropy};
  client_request request{.where = parse_uri("ws://server.example.com/chat")};
  if ((flags & 1U) != 0) request.subprotocols = offered;
  if ((flags & 2U) != 0) request.subprotocol = subprotocol_use::required;
  if ((flags & 4U) != 0) with.limit.head_bytes_max = 200;
  if ((flags & 8U) != 0) with.limit.head_line_bytes_max = 40;
  if ((flags & 16U) != 0) with.limit.head_lines_max = 5;
  auto const end = (flags & 32U) != 0 ? ending::end_of_stream : ending::open;
  approach const way = read_approach(choices);
  std::string_view const text = as_text(choices.rest());

  client whole(with, request);
  outcome const expected = feed(whole, choices.rest(), {}, end);
  client cut(with, request);
  outcome const got = feed(cut, choices.rest(), way, end);
  check(got.events == expected.events, "the events do not depend on the way", got, expected);
  check(got.transport == expected.transport, "nor does the end", got, expected);

  std::string const sent(as_text(expected.output));
  std::size_t const asked = read_plain_head(sent).size;
  check(asked != 0 && sent.starts_with("GET /chat HTTP/1.1\r\n"), "the request is an HTTP head", sent);
  if (!whole.opened) {
    bool const waits = expected.events.empty();
    check(waits == (whole.fault == error::none), "what is not the opening is a failure", got, expected);
    check(sent.size() == asked && got.output == expected.output, "nothing follows the request", sent);
    check(expected.transport == (waits ? transport_action::keep : transport_action::close), "a failure is the end");
    return;
  }
  std::size_t const frames = check_open(whole, text, request);
  connection alone(role::client, with, {});
  outcome const open = feed(alone, choices.rest().subspan(frames), {}, end);
  check(std::vector(expected.events.begin() + 1, expected.events.end()) == open.events, "what follows are frames",
        expected, open);
  check(as_text(open.output) == sent.substr(asked), "they are answered as such", expected, open);
}
