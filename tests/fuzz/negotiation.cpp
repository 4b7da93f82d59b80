// SPDX-License-Identifier: BSL-1.0

// Offers and answers of permessage-deflate against a second reading of RFC 7692 7.1.
// Input: what the server and the client want, and the value of a header.
#include <algorithm>

#include "extension_model.hpp"
#include "purews/deflate/permessage_deflate.hpp"
#include "purews/wire/http_head.hpp"

using namespace purews;
using namespace fuzz::extensions;

namespace {

// What one permessage-deflate says; windows: 0 not there, 1 there without a value.
struct words {
  bool valid = true;
  bool server_alone = false, client_alone = false;
  int server_bits = 0, client_bits = 0;
};

bool same(std::string_view a, std::string_view b) {
  auto const lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

words read_words(extension const& e) {
  words result;
  result.valid = e.whole;
  std::vector<std::string> seen;
  for (parameter const& p : e.parameters) {
    std::string name;
    for (char const* const known : {"server_no_context_takeover", "client_no_context_takeover",
                                    "server_max_window_bits", "client_max_window_bits"})
      if (same(p.name, known)) name = known;
    bool const again = std::find(seen.begin(), seen.end(), name) != seen.end();
    if (name.empty() || again) result.valid = false;
    seen.push_back(name);
    int bits = 1;
    if (p.value) {
      static constexpr char const* windows[] = {"8", "9", "10", "11", "12", "13", "14", "15"};
      auto const at = std::find(std::begin(windows), std::end(windows), *p.value);
      bits = at == std::end(windows) ? -1 : 8 + static_cast<int>(at - std::begin(windows));
    }
    bool const alone = name == "server_no_context_takeover" || name == "client_no_context_takeover";
    if (bits < 0 || (alone && p.value) || (name == "server_max_window_bits" && bits == 1)) result.valid = false;
    if (name == "server_no_context_takeover") result.server_alone = true;
    if (name == "client_no_context_takeover") result.client_alone = true;
    if (name == "server_max_window_bits") result.server_bits = bits;
    if (name == "client_max_window_bits") result.client_bits = bits;
  }
  return result;
}

bool is_deflate(extension const& e) { return same(e.name, "permessage-deflate"); }

// Whether a client that sent `asked` and wants no more than `most` can live with an answer. RFC 7692 section 7.1.
bool acceptable(words const& answer, deflate_parameters const& most) {
  bool const server_alone = most.server.history == context::no_takeover;
  if (!answer.valid || answer.client_bits == 1) return false;
  if (server_alone && !answer.server_alone) return false;
  int const server_bits = answer.server_bits == 0 ? 15 : answer.server_bits;
  return server_bits <= most.server.window_bits && answer.client_bits <= most.client.window_bits;
}

void free_codec(message_codec* codec) {
  if (codec != nullptr) codec->destroy();
}

error confirmed(permessage_deflate const& client, std::string_view answer) {
  message_extension::agreement const got = client.confirm(answer);
  fuzz::check((got.codec != nullptr) == (got.fault == error::none), "there is a codec, or a fault", answer);
  free_codec(got.codec);
  return got.fault;
}

void try_answer(deflate_parameters const& most, std::string_view text) {
  permessage_deflate const client({.most = most});
  reading const all = extension_model(text);
  bool const one = !all.malformed && all.extensions.size() == 1 && is_deflate(all.extensions[0]);
  bool const fine = one && acceptable(read_words(all.extensions[0]), most);
  fuzz::check((confirmed(client, text) == error::none) == fine, "an answer is taken exactly when it fits the offer",
              text);
}

// What the server answers to these offers; empty: nothing.
std::string answer_of(permessage_deflate const& server, std::string_view offers) {
  std::string const request =
      "GET / HTTP/1.1\r\nHost: h\r\nSec-WebSocket-Extensions: " + std::string(offers) + "\r\n\r\n";
  http_head head(head_kind::request);
  if (head.parse(as_bytes(request), {}) != http_progress::done) return {};
  message_extension::agreement const got = server.accept(http_request(head, as_bytes(request)));
  fuzz::check((got.codec != nullptr) == (got.answer.size != 0), "there is a codec exactly when something is answered");
  free_codec(got.codec);
  return std::string(got.answer.view());
}

void check_answer(std::string const& answer, words const& offer, deflate_parameters const& most) {
  reading const all = extension_model(answer);
  fuzz::check(!all.malformed && all.extensions.size() == 1 && is_deflate(all.extensions[0]), "one answer", answer);
  words const got = read_words(all.extensions[0]);
  fuzz::check(got.valid && got.client_bits != 1, "the answer is well formed", answer);
  fuzz::check(got.server_alone || !offer.server_alone, "what the client demands of the server is answered", answer);
  fuzz::check(got.server_alone || most.server.history == context::takeover, "the server keeps to its wish", answer);
  fuzz::check(got.client_alone || most.client.history == context::takeover, "it tells the client of it", answer);
  int const server_bits = got.server_bits == 0 ? 15 : got.server_bits;
  fuzz::check(offer.server_bits == 0 || (got.server_bits != 0 && server_bits <= offer.server_bits),
              "the window is not larger than was asked", answer);
  fuzz::check(server_bits <= most.server.window_bits, "nor than the server wants", answer);
  fuzz::check(got.client_bits == 0 || offer.client_bits != 0, "nobody bounds a client that did not offer it", answer);
  fuzz::check(offer.client_bits <= 1 || got.client_bits <= offer.client_bits, "nor beyond what it offered", answer);
  int const client_bits = got.client_bits == 0 ? 15 : got.client_bits;
  fuzz::check(offer.client_bits == 0 || client_bits <= most.client.window_bits || client_bits <= offer.client_bits,
              "the client's window is one that the server wants", answer);

  // The client that made this offer.
  deflate_parameters asked;
  if (offer.server_alone) asked.server.history = context::no_takeover;
  if (offer.client_alone) asked.client.history = context::no_takeover;
  if (offer.server_bits != 0) asked.server.window_bits = static_cast<std::uint8_t>(offer.server_bits);
  if (offer.client_bits > 1) asked.client.window_bits = static_cast<std::uint8_t>(offer.client_bits);
  fuzz::check(confirmed(permessage_deflate({.most = asked}), answer) == error::none, "its client takes it", answer);
}

void try_offers(deflate_parameters const& most, std::string_view text) {
  auto const is_control = [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F; };
  if (std::any_of(text.begin(), text.end(), is_control) || text.size() > 4000) return;  // no request has them
  permessage_deflate const server({.most = most});
  std::string const answer = answer_of(server, text);
  for (extension const& e : extension_model(text).extensions) {
    if (!is_deflate(e)) continue;
    words const offer = read_words(e);
    if (!offer.valid) continue;
    fuzz::check(!answer.empty(), "the first offer that is valid is accepted", text);
    return check_answer(answer, offer, most);
  }
  fuzz::check(answer.empty(), "nothing else is", text);
}

deflate_side read_side(fuzz::script& choices) {
  unsigned const octet = choices.octet();
  return {.history = (octet & 8U) != 0 ? context::no_takeover : context::takeover,
          .window_bits = static_cast<std::uint8_t>(8 + (octet & 7U))};
}

}  // namespace

void fuzz::one_input(bytes_view in) {
  script choices(in);
  deflate_parameters const servers{.server = read_side(choices), .client = read_side(choices)};
  deflate_parameters const clients{.server = read_side(choices), .client = read_side(choices)};
  std::string_view const text = as_text(choices.rest());
  try_offers(servers, text);
  try_answer(clients, text);

  // Ours with ours: they always come to terms.
  permessage_deflate const server({.most = servers}), client({.most = clients});
  std::string const offer(client.offer().view());
  std::string const answer = answer_of(server, offer);
  check(!answer.empty() && confirmed(client, answer) == error::none, "two of ours come to terms",
        offer + "\n" + answer);
  try_offers(servers, offer);
  try_answer(clients, answer);
}
