// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <nlohmann/json.hpp>

#include "chat/words.hpp"
#include "fuzz.hpp"
#include "utf8_model.hpp"

/// What holds for each request that a format of the chat has understood.
namespace fuzz::chat_model {

using nlohmann::json;

inline bool is_name(std::string const& name) {
  if (name.empty() || name.size() > chat::name_bytes_max || name.front() == ' ' || name.back() == ' ') return false;
  for (char const c : name)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return false;
  // What turns text around: U+202E and its like.
  return name.find("\xE2\x80\xAE") == name.npos && name.find("\xE2\x81\xA6") == name.npos &&
         fuzz::utf8_model(purews::as_bytes(name)).valid;
}

inline void judge(chat::join const& r) {
  fuzz::check(is_name(r.channel) && (r.user.empty() || is_name(r.user)) && (r.device.empty() || is_name(r.device)),
              "names are names");
  fuzz::check(r.epoch.empty() ? r.seq == 0 : is_name(r.epoch) && r.seq >= 0, "a position is an epoch and a number");
}
inline void judge(chat::history const& r) {
  fuzz::check(is_name(r.channel) && r.before > 0 && r.limit > 0 && r.limit <= chat::page_limit_max,
              "pages are bounded");
}
inline void judge(chat::typing const& r) { fuzz::check(is_name(r.channel), "a channel is a name"); }
inline void judge(chat::ping const&) {}
inline void judge(chat::authenticate const&) {}  // what a token may be is its verifier's business
inline void judge(chat::leave const& r) { fuzz::check(is_name(r.channel), "a channel is a name"); }
inline void judge(chat::message const& r) {
  fuzz::check(is_name(r.channel) && (r.id.empty() || is_name(r.id)), "names are names");
  fuzz::check(!r.text.empty() && r.text.size() <= chat::text_bytes_max, "texts are bounded");
  fuzz::check(r.text.find_first_not_of(" \t\r\n") != r.text.npos, "texts are not blank");
}
inline void judge(chat::fault const& wrong) {
  static constexpr std::string_view codes[] = {"bad_json", "bad_message", "unknown_type",
                                               "bad_name", "bad_text",    "too_many_channels"};
  bool known = false;
  for (std::string_view const code : codes) known = known || wrong.code == code;
  fuzz::check(known && !wrong.message.empty(), "a fault has a code of the protocol, and a sentence", wrong.code);
}
inline void judge(chat::request const& what) {
  std::visit([](auto const& r) { judge(r); }, what);
}

// The requests as a client says them, with docs/chat.md's names.
inline json write(chat::join const& r) {
  json text = {{"type", "join"}, {"channel", r.channel}};
  if (!r.user.empty()) text["user"] = r.user;
  if (!r.device.empty()) text["device"] = r.device;
  if (!r.epoch.empty()) text["epoch"] = r.epoch, text["seq"] = r.seq;
  return text;
}
inline json write(chat::authenticate const& r) { return {{"type", "auth"}, {"token", r.token}}; }
inline json write(chat::leave const& r) { return {{"type", "leave"}, {"channel", r.channel}}; }
inline json write(chat::message const& r) {
  json text = {{"type", "message"}, {"channel", r.channel}, {"text", r.text}};
  if (!r.id.empty()) text["id"] = r.id;
  return text;
}
inline json write(chat::history const& r) {
  return {{"type", "history"}, {"channel", r.channel}, {"before", r.before}, {"limit", r.limit}};
}
inline json write(chat::typing const& r) { return {{"type", "typing"}, {"channel", r.channel}}; }
inline json write(chat::ping const&) { return {{"type", "ping"}}; }

/// What a server may have to tell, cut from an input at each NUL.
inline chat::delivery delivery_of(purews::bytes_view in) {
  script parts(in);
  chat::delivery cut;
  cut.channel = parts.take_until('\0');
  cut.what.user = parts.take_until('\0');
  cut.what.text = parts.take_until('\0');
  cut.what.id = parts.take_until('\0');
  return cut;
}

}  // namespace fuzz::chat_model
