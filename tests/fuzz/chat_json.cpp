// SPDX-License-Identifier: BSL-1.0

// chat.v1.json on anything a client may send, and its writer on anything it may be given.
// Input: the text of one message; for the writer it is cut at each NUL.
#include <nlohmann/json.hpp>

#include "chat/format_json.hpp"

#include "chat_model.hpp"

using nlohmann::json;

namespace {

using fuzz::chat_model::write;

// A request that was understood says the same when it is written again.
template <class Request>
void understood(Request const& request) {
  auto const again = chat::read_json(write(request).dump());
  auto const* const same = std::get_if<Request>(&again);
  fuzz::check(same != nullptr && write(*same) == write(request), "a request survives being written");
}

void understood(chat::fault const& wrong) {
  json const answer = json::parse(chat::write_json(wrong));
  fuzz::check(answer["type"] == "error" && answer["code"] == wrong.code && answer["message"] == wrong.message,
              "an error answer says what is wrong");
  fuzz::check(answer.contains("channel") == !wrong.channel.empty() && answer.contains("id") == !wrong.id.empty(),
              "an error answer repeats what it was given, and no more");
}

// What the server writes is JSON even if a store gave it rubbish, and the same text where it was UTF-8.
void written(std::string const& channel, chat::stored_message const& stored) {
  json const sent = json::parse(chat::write_json(chat::delivery{channel, stored}));
  auto const kept = [](json const& field, std::string const& text) {
    return !fuzz::utf8_model(purews::as_bytes(text)).valid || field == text;
  };
  fuzz::check(kept(sent["channel"], channel) && kept(sent["user"], stored.user) && kept(sent["text"], stored.text) &&
                  kept(sent["id"], stored.id) && sent["type"] == "message",
              "a message is written as it is");
  json const history =
      json::parse(chat::write_json(chat::history_page{{.channel = channel}, {stored.id, 2, {stored, stored}}}));
  fuzz::check(history["messages"].size() == 2 && kept(history["messages"][1]["text"], stored.text),
              "a history is written as it is");
  json const presence = json::parse(chat::write_json(chat::presence{channel, {stored.user}, 1}));
  fuzz::check(presence["count"] == 1 && kept(presence["users"][0], stored.user), "so is a presence");
}

}  // namespace

void fuzz::one_input(purews::bytes_view in) {
  std::string_view const text = purews::as_text(in);
  auto const request = chat::read_json(text);
  chat_model::judge(request);
  std::visit([](auto const& what) { understood(what); }, request);
  bool const is_json = json::accept(text);
  auto const* const wrong = std::get_if<chat::fault>(&request);
  check((wrong != nullptr && wrong->code == "bad_json") == !is_json, "bad_json means that it is no JSON", text);

  auto const [channel, stored] = chat_model::delivery_of(in);
  written(channel, stored);
}
