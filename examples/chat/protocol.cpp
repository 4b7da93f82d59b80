// SPDX-License-Identifier: BSL-1.0
#include "protocol.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace chat {
namespace {

using json = nlohmann::ordered_json;

constexpr std::int64_t number_max = (std::int64_t{1} << 53) - 1;  // what JavaScript can count to
constexpr int depth_max = 2;  // requests are flat; what is nested deeper is skipped, not built

/// Reads a code point of valid UTF-8 and moves past it.
char32_t next_code_point(std::string_view& text) {
  auto const first = static_cast<unsigned char>(text.front());
  auto const size = first < 0x80 ? 1u : first < 0xE0 ? 2u : first < 0xF0 ? 3u : 4u;
  char32_t point = size == 1 ? first : first & (0x7Fu >> size);
  for (auto const c : text.substr(1, size - 1)) point = point << 6 | (static_cast<unsigned char>(c) & 0x3Fu);
  text.remove_prefix(std::min<std::size_t>(size, text.size()));
  return point;
}

/// Tells what has no place in a name: controls, line ends, and what hides or turns text around (bidi).
bool is_deceptive(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c <= 0x9F) || c == 0xAD || c == 0x61C || c == 0x200B || c == 0x200E || c == 0x200F ||
         (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF;
}

std::string_view name_flaw(std::string_view name) {
  if (name.empty()) return "must not be empty";
  if (name.size() > name_bytes_max) return "has more than 64 bytes";
  if (name.front() == ' ' || name.back() == ' ') return "must not begin or end with a space";
  while (!name.empty())
    if (is_deceptive(next_code_point(name))) return "contains control characters";
  return {};
}

std::string_view text_flaw(std::string_view text) {
  if (text.find_first_not_of(" \t\r\n") == text.npos) return "must not be empty";
  if (text.find('\0') != text.npos) return "contains U+0000";
  return text.size() > text_bytes_max ? "has more than 16384 bytes" : "";
}

/// Takes the fields of one request, and keeps the first thing that is wrong with it.
class fields {
 public:
  explicit fields(json const& from) : from_(from), wrong_{{}, {}, echo("channel"), echo("id")} {}

  std::string type() {
    return take("type", "", [](std::string_view) { return std::string_view(); });
  }
  std::string text() { return take("text", "bad_text", text_flaw); }
  std::string name(char const* field) { return take(field, "bad_name", name_flaw); }
  std::string optional_name(char const* field) { return from_.contains(field) ? name(field) : ""; }

  std::int64_t number(char const* field, std::int64_t min, std::int64_t max) {
    auto const at = from_.find(field);
    if (at == from_.end()) return fail("bad_message", field, "is missing"), 0;
    bool const whole = at->is_number_integer() && !(at->is_number_unsigned() && at->get<std::uint64_t>() > INT64_MAX);
    auto const value = whole ? at->get<std::int64_t>() : -1;
    if (value >= min && value <= max) return value;
    return fail("bad_message", field,
                "must be a whole number from " + std::to_string(min) + " to " + std::to_string(max)),
           0;
  }
  bool has(char const* field) const { return from_.contains(field); }

  void fail(char const* code, std::string const& field, std::string_view flaw) {
    if (wrong_.code.empty()) wrong_ = {code, "\"" + field + "\" " + std::string(flaw), wrong_.channel, wrong_.id};
  }
  client_message give(client_message taken) const { return wrong_.code.empty() ? std::move(taken) : wrong_; }

 private:
  std::string take(char const* field, char const* code, std::string_view (*flaw)(std::string_view)) {
    auto value = echo(field);
    if (!from_.contains(field) || !from_[field].is_string())
      fail("bad_message", field, from_.contains(field) ? "must be a string" : "is missing");
    else if (auto const found = flaw(value); !found.empty())
      fail(code, field, found);
    return value;
  }
  std::string echo(char const* field) const {
    auto const at = from_.find(field);
    return at != from_.end() && at->is_string() ? at->get<std::string>() : "";
  }

  json const& from_;
  fault wrong_;
};

std::string dump(json const& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

json to_json(stored_message const& m) {
  return {{"user", m.user}, {"text", m.text}, {"id", m.id}, {"seq", m.seq}, {"time", m.time}};
}

}  // namespace

client_message parse(std::string_view text) {
  auto const is_shallow = [](int depth, json::parse_event_t, json&) { return depth <= depth_max; };
  auto const request = json::parse(text, is_shallow, false);
  if (request.is_discarded()) return fault{"bad_json", "this is not JSON", {}, {}};
  if (!request.is_object()) return fault{"bad_message", "a message is a JSON object", {}, {}};

  fields from(request);
  auto const type = from.type();
  if (type == "join") {
    join what{from.name("channel"), from.name("user"), from.optional_name("device"), from.optional_name("epoch")};
    if (from.has("epoch") || from.has("seq")) what.seq = from.number("seq", 0, number_max);
    if (from.has("seq") && !from.has("epoch")) from.fail("bad_message", "epoch", "is missing");
    return from.give(std::move(what));
  }
  if (type == "leave") return from.give(leave{from.name("channel")});
  if (type == "message") return from.give(message{from.name("channel"), from.text(), from.optional_name("id")});
  if (type == "history") {
    history what{from.name("channel"), from.number("before", 1, number_max)};
    if (from.has("limit")) what.limit = static_cast<std::size_t>(from.number("limit", 1, page_limit_max));
    return from.give(std::move(what));
  }
  if (type == "typing") return from.give(typing{from.name("channel")});
  if (type == "ping") return from.give(ping{});
  from.fail("unknown_type", "type", "must be join, leave, message, history, typing or ping");
  return from.give(fault{});
}

std::string message_text(std::string const& channel, stored_message const& m) {
  json text = {{"type", "message"}, {"channel", channel}};
  text.update(to_json(m));
  return dump(text);
}

std::string history_text(read_request const& asked, page const& found) {
  using enum read_request::from;
  json text = {{"type", "history"}, {"channel", asked.channel}, {"epoch", found.epoch}};
  if (asked.what == after) text["after"] = asked.seq;
  if (asked.what == before) text["before"] = asked.seq;
  if (asked.what != before) text["seq"] = found.newest;
  if (asked.what != after) text["more"] = found.more;
  json all = json::array();
  for (auto const& m : found.messages) all.push_back(to_json(m));
  text["messages"] = std::move(all);
  return dump(text);
}

std::string reload_text(std::string const& channel) { return dump({{"type", "reload"}, {"channel", channel}}); }

std::string presence_text(std::string const& channel, std::map<std::string, std::size_t> const& users) {
  json names = json::array();
  for (auto each = users.begin(); each != users.end() && names.size() < users_told_max; ++each)
    names.push_back(each->first);
  return dump({{"type", "presence"}, {"channel", channel}, {"users", std::move(names)}, {"count", users.size()}});
}

std::string ack_text(std::string const& channel, std::string const& id, receipt const& stored) {
  return dump({{"type", "ack"}, {"channel", channel}, {"id", id}, {"seq", stored.seq}, {"time", stored.time}});
}

std::string typing_text(std::string const& channel, std::string const& user) {
  return dump({{"type", "typing"}, {"channel", channel}, {"user", user}});
}

std::string pong_text() { return R"({"type":"pong"})"; }

std::string error_text(fault const& what) {
  json text = {{"type", "error"}, {"code", what.code}, {"message", what.message}};
  if (!what.channel.empty()) text["channel"] = what.channel;
  if (!what.id.empty()) text["id"] = what.id;
  if (what.retry_ms > 0) text["retry_ms"] = what.retry_ms;
  return dump(text);
}

}  // namespace chat
