// SPDX-License-Identifier: BSL-1.0

// The chat's decoder on anything a client may send, and its writers on anything they may be given.
// Input: the text of one message; for the writers it is cut at each NUL.
#include <nlohmann/json.hpp>

#include "chat/protocol.hpp"

#include "fuzz.hpp"
#include "utf8_model.hpp"

using nlohmann::json;

namespace {

bool is_name(std::string const& name) {
  if (name.empty() || name.size() > chat::name_bytes_max || name.front() == ' ' || name.back() == ' ') return false;
  for (char const c : name)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return false;
  // What turns text around: U+202E and its like.
  return name.find("\xE2\x80\xAE") == name.npos && name.find("\xE2\x81\xA6") == name.npos &&
         fuzz::utf8_model(purews::as_bytes(name)).valid;
}

json write(chat::join const& r) {
  json text = {{"type", "join"}, {"channel", r.channel}, {"user", r.user}};
  if (!r.device.empty()) text["device"] = r.device;
  if (!r.epoch.empty()) text["epoch"] = r.epoch, text["seq"] = r.seq;
  return text;
}
json write(chat::leave const& r) { return {{"type", "leave"}, {"channel", r.channel}}; }
json write(chat::message const& r) {
  json text = {{"type", "message"}, {"channel", r.channel}, {"text", r.text}};
  if (!r.id.empty()) text["id"] = r.id;
  return text;
}
json write(chat::history const& r) {
  return {{"type", "history"}, {"channel", r.channel}, {"before", r.before}, {"limit", r.limit}};
}
json write(chat::typing const& r) { return {{"type", "typing"}, {"channel", r.channel}}; }
json write(chat::ping const&) { return {{"type", "ping"}}; }

void judge(chat::join const& r) {
  fuzz::check(is_name(r.channel) && is_name(r.user) && (r.device.empty() || is_name(r.device)), "names are names");
  fuzz::check(r.epoch.empty() ? r.seq == 0 : is_name(r.epoch) && r.seq >= 0, "a position is an epoch and a number");
}
void judge(chat::history const& r) {
  fuzz::check(is_name(r.channel) && r.before > 0 && r.limit > 0 && r.limit <= chat::page_limit_max,
              "pages are bounded");
}
void judge(chat::typing const& r) { fuzz::check(is_name(r.channel), "a channel is a name"); }
void judge(chat::ping const&) {}
void judge(chat::leave const& r) { fuzz::check(is_name(r.channel), "a channel is a name"); }
void judge(chat::message const& r) {
  fuzz::check(is_name(r.channel) && (r.id.empty() || is_name(r.id)), "names are names");
  fuzz::check(!r.text.empty() && r.text.size() <= chat::text_bytes_max, "texts are bounded");
  fuzz::check(r.text.find_first_not_of(" \t\r\n") != r.text.npos, "texts are not blank");
}

// A request that was understood says the same when it is written again.
template <class Request>
void understood(Request const& request) {
  judge(request);
  auto const again = chat::parse(write(request).dump());
  auto const* const same = std::get_if<Request>(&again);
  fuzz::check(same != nullptr && write(*same) == write(request), "a request survives being written");
}

void understood(chat::fault const& wrong) {
  static constexpr std::string_view codes[] = {"bad_json", "bad_message", "unknown_type", "bad_name", "bad_text"};
  bool known = false;
  for (std::string_view const code : codes) known = known || wrong.code == code;
  fuzz::check(known && !wrong.message.empty(), "a fault has a code of the protocol, and a sentence", wrong.code);
  json const answer = json::parse(chat::error_text(wrong));
  fuzz::check(answer["type"] == "error" && answer["code"] == wrong.code && answer["message"] == wrong.message,
              "an error answer says what is wrong");
  fuzz::check(answer.contains("channel") == !wrong.channel.empty() && answer.contains("id") == !wrong.id.empty(),
              "an error answer repeats what it was given, and no more");
}

// What the server writes is JSON even if a store gave it rubbish, and the same text where it was UTF-8.
void written(std::string const& channel, chat::stored_message const& stored) {
  json const sent = json::parse(chat::message_text(channel, stored));
  auto const kept = [](json const& field, std::string const& text) {
    return !fuzz::utf8_model(purews::as_bytes(text)).valid || field == text;
  };
  fuzz::check(kept(sent["channel"], channel) && kept(sent["user"], stored.user) && kept(sent["text"], stored.text) &&
                  kept(sent["id"], stored.id) && sent["type"] == "message",
              "a message is written as it is");
  json const history = json::parse(chat::history_text({.channel = channel}, {stored.id, 2, {stored, stored}}));
  fuzz::check(history["messages"].size() == 2 && kept(history["messages"][1]["text"], stored.text),
              "a history is written as it is");
  json const presence = json::parse(chat::presence_text(channel, {{stored.user, 1}}));
  fuzz::check(presence["count"] == 1 && kept(presence["users"][0], stored.user), "so is a presence");
}

}  // namespace

void fuzz::one_input(purews::bytes_view in) {
  std::string_view const text = purews::as_text(in);
  auto const request = chat::parse(text);
  std::visit([](auto const& what) { understood(what); }, request);
  bool const is_json = json::accept(text);
  auto const* const wrong = std::get_if<chat::fault>(&request);
  check((wrong != nullptr && wrong->code == "bad_json") == !is_json, "bad_json means that it is no JSON", text);

  script parts(in);
  std::string const channel(parts.take_until('\0'));
  chat::stored_message stored;
  stored.user = parts.take_until('\0');
  stored.text = parts.take_until('\0');
  stored.id = parts.take_until('\0');
  written(channel, stored);
}
