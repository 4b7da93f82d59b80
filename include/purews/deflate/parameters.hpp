// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../protocol/extension.hpp"
#include "../wire/text_writer.hpp"
#include "../wire/upgrade.hpp"

namespace purews::inline v0 {

/// Whether a compressor remembers earlier messages: smaller messages, more memory. RFC 7692 section 4.2.
enum class context : std::uint8_t {
  takeover,     ///< kept from message to message
  no_takeover,  ///< every message stands alone
};

/// What one side's compressor does, as both peers agreed.
struct deflate_side {
  context history = context::takeover;
  std::uint8_t window_bits = 15;  ///< 8 to 15: the window is 2 to the power of it, in bytes

  friend constexpr bool operator==(deflate_side const&, deflate_side const&) = default;
};

/// What two peers agreed on. RFC 7692 section 7.1.
struct deflate_parameters {
  deflate_side server{};  ///< how the server compresses
  deflate_side client{};  ///< how the client compresses

  deflate_side const& of(role who) const noexcept { return who == role::server ? server : client; }
  friend constexpr bool operator==(deflate_parameters const&, deflate_parameters const&) = default;
};

/// One permessage-deflate as it was offered or answered. Names are read without regard to case, and written exactly.
struct deflate_words {
  bool server_no_context_takeover = false;
  bool client_no_context_takeover = false;
  std::uint8_t server_max_window_bits = 0;  ///< 0: not there
  std::uint8_t client_max_window_bits = 0;  ///< 0: not there, or there without a value
  bool client_window = false;               ///< client_max_window_bits is there
  bool valid = true;                        ///< false: a parameter is unknown, repeated, or has a wrong value

  friend constexpr bool operator==(deflate_words const&, deflate_words const&) = default;
};

inline constexpr std::string_view permessage_deflate_name = "permessage-deflate";

/// Reads the parameters of the extension that `reader` has just returned the name of, all of them. RFC 7692
/// section 7.1.
deflate_words read_deflate_words(extension_reader& reader) noexcept;

/// Writes them as one element of a Sec-WebSocket-Extensions header.
message_extension::header_text write_deflate_words(deflate_words const& words) noexcept;

/// What a server makes of one offer: the answer, and what it means. `wanted` bounds the windows and may demand
/// no_takeover of either side; an offer without client_max_window_bits leaves the client's window at 15 bits.
/// Precondition: the offer is valid. RFC 7692 sections 7.1.1 and 7.1.2.
struct deflate_decision {
  deflate_words answer{};
  deflate_parameters agreed{};
};
deflate_decision decide_deflate(deflate_words const& offer, deflate_parameters const& wanted) noexcept;

/// What a client offers, if `wanted` bounds both sides.
deflate_words offer_deflate(deflate_parameters const& wanted) noexcept;

/// What a client makes of the answer to that offer: false if the server agreed to something else.
/// RFC 7692 sections 7.1.1 and 7.1.2.
[[nodiscard]] bool confirm_deflate(deflate_words const& answer, deflate_parameters const& wanted,
                                   deflate_parameters& agreed) noexcept;

/// The value of a window parameter: a canonical decimal from 8 to 15; 0 if it is anything else.
inline std::uint8_t read_window_bits(extension_parameter const& parameter) noexcept {
  char room[4];
  std::string_view const text = parameter.unescaped(room);
  decimal const number = parse_decimal(text, 15);
  bool const canonical = number.valid && number.value >= 8 && text[0] != '0';
  return canonical ? static_cast<std::uint8_t>(number.value) : std::uint8_t{0};
}

inline deflate_words read_deflate_words(extension_reader& reader) noexcept {
  deflate_words words;
  for (extension_parameter p; reader.next_parameter(p);) {
    bool* flag = nullptr;
    if (iequals(p.name, "server_no_context_takeover")) flag = &words.server_no_context_takeover;
    if (iequals(p.name, "client_no_context_takeover")) flag = &words.client_no_context_takeover;
    if (flag != nullptr) {
      // RFC 7692 7.1.1: "no value"; 7: a parameter occurs once.
      if (*flag || p.has_value) words.valid = false;
      *flag = true;
    } else if (iequals(p.name, "server_max_window_bits")) {
      std::uint8_t const bits = read_window_bits(p);
      if (words.server_max_window_bits != 0 || bits == 0) words.valid = false;
      words.server_max_window_bits = bits;
    } else if (iequals(p.name, "client_max_window_bits")) {
      std::uint8_t const bits = read_window_bits(p);
      if (words.client_window || (p.has_value && bits == 0)) words.valid = false;
      words.client_window = true;
      words.client_max_window_bits = bits;
    } else {
      words.valid = false;
    }
  }
  if (reader.malformed()) words.valid = false;
  return words;
}

inline message_extension::header_text write_deflate_words(deflate_words const& words) noexcept {
  message_extension::header_text out;
  text_writer text(std::as_writable_bytes(std::span(out.text)));
  text.put(permessage_deflate_name);
  if (words.server_no_context_takeover) text.put("; server_no_context_takeover");
  if (words.client_no_context_takeover) text.put("; client_no_context_takeover");
  if (words.server_max_window_bits != 0) text.put("; server_max_window_bits=").put_number(words.server_max_window_bits);
  if (words.client_window) text.put("; client_max_window_bits");
  if (words.client_max_window_bits != 0) text.put("=").put_number(words.client_max_window_bits);
  out.size = text.size();
  return out;
}

inline deflate_decision decide_deflate(deflate_words const& offer, deflate_parameters const& wanted) noexcept {
  deflate_decision result;
  deflate_parameters& agreed = result.agreed;
  agreed = wanted;
  if (offer.server_no_context_takeover) agreed.server.history = context::no_takeover;
  if (offer.client_no_context_takeover) agreed.client.history = context::no_takeover;
  if (offer.server_max_window_bits != 0 && offer.server_max_window_bits < agreed.server.window_bits)
    agreed.server.window_bits = offer.server_max_window_bits;
  // RFC 7692 7.1.2.2: without the parameter in the offer it must not be in the answer.
  if (!offer.client_window) agreed.client.window_bits = 15;
  if (offer.client_max_window_bits != 0 && offer.client_max_window_bits < agreed.client.window_bits)
    agreed.client.window_bits = offer.client_max_window_bits;
  deflate_words& answer = result.answer;
  answer.server_no_context_takeover = agreed.server.history == context::no_takeover;
  answer.client_no_context_takeover = agreed.client.history == context::no_takeover;
  // RFC 7692 7.1.2.1: an offered bound is answered with the same or a smaller one.
  if (offer.server_max_window_bits != 0 || agreed.server.window_bits < 15)
    answer.server_max_window_bits = agreed.server.window_bits;
  if (offer.client_window && agreed.client.window_bits < 15) {
    answer.client_window = true;
    answer.client_max_window_bits = agreed.client.window_bits;
  }
  return result;
}

inline deflate_words offer_deflate(deflate_parameters const& wanted) noexcept {
  // client_max_window_bits always: it only says that we can obey it. RFC 7692 section 7.1.2.2.
  return {.server_no_context_takeover = wanted.server.history == context::no_takeover,
          .client_no_context_takeover = wanted.client.history == context::no_takeover,
          .server_max_window_bits = wanted.server.window_bits < 15 ? wanted.server.window_bits : std::uint8_t{0},
          .client_max_window_bits = wanted.client.window_bits < 15 ? wanted.client.window_bits : std::uint8_t{0},
          .client_window = true};
}

inline bool confirm_deflate(deflate_words const& answer, deflate_parameters const& wanted,
                            deflate_parameters& agreed) noexcept {
  if (!answer.valid) return false;
  // RFC 7692 7.1.2.2: in an answer the parameter has a value.
  if (answer.client_window && answer.client_max_window_bits == 0) return false;
  agreed = wanted;
  bool const server_takes_over = !answer.server_no_context_takeover;
  if (wanted.server.history == context::no_takeover && server_takes_over) return false;
  agreed.server.history = server_takes_over ? context::takeover : context::no_takeover;
  if (answer.client_no_context_takeover) agreed.client.history = context::no_takeover;
  std::uint8_t const server_bits =
      answer.server_max_window_bits != 0 ? answer.server_max_window_bits : std::uint8_t{15};
  if (server_bits > wanted.server.window_bits) return false;
  agreed.server.window_bits = server_bits;
  if (answer.client_max_window_bits > wanted.client.window_bits) return false;
  if (answer.client_max_window_bits != 0) agreed.client.window_bits = answer.client_max_window_bits;
  return true;
}

}  // namespace purews::inline v0
