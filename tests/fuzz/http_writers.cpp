// SPDX-License-Identifier: BSL-1.0

// What the application gives for a head is refused, or it is read back as it was given: no string can add a line,
// end a head, or pass for a header of ours (hazard 58). Input: what to write, then strings, each with NUL behind it.
#include "purews/protocol/client_handshake.hpp"
#include "purews/protocol/http_answer.hpp"
#include "purews/protocol/server_handshake.hpp"

#include "head_model.hpp"
#include "support/hex.hpp"

using namespace purews;

namespace {

using texts = std::vector<std::string>;

constexpr std::byte nonce[16]{};

bool has_control(std::string_view text) {
  for (char const c : text)
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F) return true;
  return false;
}

// NUL divides the strings of an input, so that it is written as the two characters \0 in them.
std::string with_nul(std::string_view text) {
  std::string result(text);
  for (std::size_t at = result.find("\\0"); at != result.npos; at = result.find("\\0", at))
    result.replace(at, 2, 1, '\0');
  return result;
}

texts take_texts(fuzz::script& choices, std::size_t count) {
  texts result;
  for (std::size_t i = 0; i < count; ++i) result.push_back(with_nul(choices.take_until('\0')));
  return result;
}

std::vector<header_field> fields_of(texts const& strings) {
  std::vector<header_field> result;
  for (std::size_t i = 0; i + 1 < strings.size(); i += 2) result.push_back({strings[i], strings[i + 1]});
  return result;
}

// Whether nothing in the strings could do harm; what is harmless must not be refused either.
bool harmless(std::vector<header_field> const& fields) {
  for (header_field const& f : fields) {
    if (f.name.empty() || has_control(f.name) || has_control(f.value)) return false;
    if (f.name.find_first_of(" \t\"(),/:;<=>?@[\\]{}") != std::string_view::npos) return false;
    for (char const c : f.name)
      if (static_cast<unsigned char>(c) >= 0x80) return false;
    if (is_reserved_header(f.name)) return false;
  }
  return true;
}

constexpr head_limits wide{.bytes_max = 1U << 20, .line_bytes_max = 1U << 20};

// A head that was written into room of its exact size.
struct written_head {
  std::string text;
  http_head head;
};
written_head reread(std::string const& text, head_kind what) {
  http_head head(what);
  fuzz::check(head.parse(as_bytes(text), wide) == http_progress::done && head.size() == text.size(),
              "what is written is one head, with nothing behind it", text);
  return {text, head};
}

template <class Write>
std::string write(std::size_t size, Write const& to) {
  test::exact_copy const room(size);
  fuzz::check(to(room.view()) == size, "as much is written as was counted");
  return std::string(as_text(room.view()));
}

// The application's headers come last, in order, as they were given.
void check_fields(http_message const& got, std::vector<header_field> const& fields, std::size_t ours) {
  fuzz::check(got.line_count() == ours + fields.size(), "each header is one line");
  for (std::size_t i = 0; i < fields.size(); ++i)
    fuzz::check(got.line(ours + i).name == fields[i].name && got.line(ours + i).value == trim_ows(fields[i].value),
                "a header is read as it was given");
}

void try_request(fuzz::script& choices, unsigned flags) {
  texts const strings = take_texts(choices, 3);
  texts const names = take_texts(choices, flags >> 4 & 3U);
  texts const more = take_texts(choices, (flags >> 6) * 2U);
  std::vector<std::string_view> const subprotocols(names.begin(), names.end());
  std::vector<header_field> const fields = fields_of(more);
  client_request const request{
      .where = parse_uri(strings[0]), .subprotocols = subprotocols, .origin = strings[1], .headers = fields};
  if (has_control(strings[2])) return;  // an offer is written by an extension, not by an application
  refusal const why = validate(request);
  bool fine = harmless(fields) && !has_control(strings[1]) && request.where.valid();
  for (header_field const& f : fields) fine = fine && !iequals(f.name, "Origin");
  fine = fine && are_subprotocols(subprotocols);
  fuzz::check((why == refusal::none) == fine, "a request is refused exactly when something in it is wrong");
  if (why != refusal::none) return;

  key_text const key = make_key(nonce);
  std::string const text =
      write(request_size(request, strings[2]), [&](bytes out) { return write_request(out, request, strings[2], key); });
  written_head const sent = reread(text, head_kind::request);
  http_request const got(sent.head, as_bytes(sent.text));
  uri const& where = request.where;
  fuzz::check(got.method() == "GET" && got.target().ends_with(where.target) && got.target().starts_with('/') &&
                  got.target().size() <= where.target.size() + 1,
              "the target is that of the URI", text);
  authority const host = parse_authority(got.header("Host"));
  fuzz::check(host.host == where.server.host && host.port_or(where.default_port()) == where.port(), "so is Host", text);
  bool const named = !names.empty(), offered = !trim_ows(strings[2]).empty(), from = !strings[1].empty();
  fuzz::check(
      got.header("Origin") == trim_ows(strings[1]) && got.header("Sec-WebSocket-Extensions") == trim_ows(strings[2]),
      "origin and extensions are as given", text);
  std::size_t const ours = 5U + (from ? 1U : 0U) + (named ? 1U : 0U) + (strings[2].empty() ? 0U : 1U);
  check_fields(got, fields, ours);
  header_list list(got, "Sec-WebSocket-Protocol");
  for (std::string const& name : names) fuzz::check(list.next() == name, "subprotocols are offered in order", text);
  fuzz::check(list.next().empty(), "and no more of them", text);
  request_judgement const judged = judge_request(got, 0);
  bool const taken = judged.fault == error::none && judged.what == request_kind::upgrade;
  fuzz::check(taken || (!strings[2].empty() && judged.fault == error::upgrade_extensions), "a server takes it", text);
  fuzz::check(taken || !offered || !has_valid_extensions(got), "unless its extensions are not even a list", text);
}

void try_accept(fuzz::script& choices, unsigned flags) {
  texts const strings = take_texts(choices, 2);
  texts const more = take_texts(choices, (flags >> 6) * 2U);
  std::vector<header_field> const fields = fields_of(more);
  acceptance const how{.subprotocol = strings[0], .headers = fields};
  if (has_control(strings[1])) return;
  std::string const asked = "GET / HTTP/1.1\r\nHost: h\r\nSec-WebSocket-Protocol: chat, superchat\r\n\r\n";
  written_head const upgrade = reread(asked, head_kind::request);
  refusal const why = validate(how, http_request(upgrade.head, as_bytes(upgrade.text)));
  bool const offered = strings[0].empty() || strings[0] == "chat" || strings[0] == "superchat";
  fuzz::check((why == refusal::none) == (harmless(fields) && offered),
              "an acceptance is refused exactly when something in it is wrong");
  if (why != refusal::none) return;

  key_text const key = make_key(nonce);
  std::string const text =
      write(accept_size(how, strings[1]), [&](bytes out) { return write_accept(out, how, strings[1], key); });
  written_head const sent = reread(text, head_kind::response);
  http_response const got(sent.head, as_bytes(sent.text));
  fuzz::check(got.status() == 101 && got.header("Sec-WebSocket-Protocol") == strings[0], "it switches protocols", text);
  check_fields(got, fields, 3U + (strings[0].empty() ? 0U : 1U) + (strings[1].empty() ? 0U : 1U));
  std::string_view const subprotocols[] = {strings[0]};
  client_request const request{.subprotocols = {subprotocols, strings[0].empty() ? 0U : 1U}};
  answer_judgement const judged = judge_answer(got, request, key);
  fuzz::check(judged.fault == error::none && judged.subprotocol == strings[0], "a client takes it", text);
  fuzz::check(judged.extensions == trim_ows(strings[1]), "with the extensions that were given", text);
}

void try_answer(fuzz::script& choices, unsigned flags) {
  auto const status = static_cast<std::uint16_t>(choices.word() % 700);
  texts const strings = take_texts(choices, 2);
  texts const more = take_texts(choices, (flags >> 6) * 2U);
  std::vector<header_field> const fields = fields_of(more);
  http_answer const answer{
      .status = status, .content_type = strings[0], .headers = fields, .body = as_bytes(strings[1])};
  refusal const why = validate(answer);
  bool fine = harmless(fields) && !has_control(strings[0]);
  for (header_field const& f : fields) fine = fine && !iequals(f.name, "Content-Type");
  bool const known = status >= 200 && status <= 599;
  fuzz::check((why == refusal::none) == (fine && known), "an answer is refused exactly when something in it is wrong");
  fuzz::check((why == refusal::invalid_code) == !known, "a status outside 200 to 599 is refused as such");
  if (why != refusal::none) return;

  std::string const text = write(head_size(answer), [&](bytes out) { return write_head(out, answer); });
  written_head const sent = reread(text, head_kind::response);
  http_response const got(sent.head, as_bytes(sent.text));
  fuzz::check(got.status() == status && got.reason() == reason_phrase(status), "it has its status", text);
  bool const sized = status != 204 && status != 304;
  std::string const size = sized ? std::to_string(strings[1].size()) : "";
  fuzz::check(got.header("Content-Length") == size, "it has the length of the body", text);
  bool const typed = sized && !strings[1].empty() && !strings[0].empty();
  fuzz::check(got.header("Content-Type") == (typed ? trim_ows(strings[0]) : ""), "it has the type of the body", text);
  fuzz::check(header_lists(got, "Connection", "close"), "it ends the connection", text);
  check_fields(got, fields, 1U + (status == 426 ? 2U : 0U) + (sized ? 1U : 0U) + (typed ? 1U : 0U));
}

}  // namespace

void fuzz::one_input(bytes_view in) {
  script choices(in);
  unsigned const flags = choices.octet();
  switch (flags % 3) {
    case 0:
      try_request(choices, flags);
      break;
    case 1:
      try_accept(choices, flags);
      break;
    default:
      try_answer(choices, flags);
      break;
  }
}
