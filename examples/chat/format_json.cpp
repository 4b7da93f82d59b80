// SPDX-License-Identifier: BSL-1.0
// chat.v1.json: each message is a JSON text.
#include "format_json.hpp"

#include <nlohmann/json.hpp>

#include "words.hpp"

namespace chat {
namespace {

using json = nlohmann::ordered_json;

constexpr int depth_max = 2;  // requests are flat; what is nested deeper is skipped, not built

/// Takes the fields of one request, and keeps the first that is missing or of another kind.
class fields {
 public:
  fields(json const& from, std::string const* channel) : from_(from), channel_(channel) {}

  std::string channel() { return channel_ != nullptr ? *channel_ : text("channel"); }
  std::string text(char const* field) {
    auto const at = from_.find(field);
    if (at == from_.end()) return fail(field, "is missing");
    return at->is_string() ? at->get<std::string>() : fail(field, "must be a string");
  }
  /// Empty if it is not there, and not otherwise.
  std::string optional_text(char const* field) {
    if (!from_.contains(field)) return {};
    auto value = text(field);
    return value.empty() ? fail(field, "must not be empty", "bad_name") : value;
  }
  std::int64_t number(char const* field) {
    auto const at = from_.find(field);
    if (at == from_.end()) return fail(field, "is missing"), 0;
    bool const whole = at->is_number_integer() && !(at->is_number_unsigned() && at->get<std::uint64_t>() > INT64_MAX);
    return whole ? at->get<std::int64_t>() : (fail(field, "must be a whole number"), 0);
  }
  bool has(char const* field) const { return from_.contains(field); }

  std::string fail(std::string const& field, char const* flaw, char const* code = "bad_message") {
    if (wrong_.code.empty()) wrong_ = {code, "\"" + field + "\" " + flaw, echo("channel"), echo("id")};
    return {};
  }
  request give(request taken) const { return wrong_.code.empty() ? checked(std::move(taken)) : wrong_; }

 private:
  std::string echo(char const* field) const {
    if (channel_ != nullptr && std::string_view(field) == "channel") return *channel_;
    auto const at = from_.find(field);
    return at != from_.end() && at->is_string() ? at->get<std::string>() : "";
  }

  json const& from_;
  std::string const* channel_;
  fault wrong_{};
};

request read(fields from) {
  auto const type = from.text("type");
  if (type == "join") {
    join what{from.channel(), from.optional_text("user"), from.optional_text("device"), from.optional_text("epoch")};
    if (from.has("seq") && !from.has("epoch")) from.fail("epoch", "is missing");
    if (from.has("epoch")) what.seq = from.number("seq");
    return from.give(std::move(what));
  }
  if (type == "auth") return from.give(authenticate{from.text("token")});
  if (type == "leave") return from.give(leave{from.channel()});
  if (type == "message") {
    message what{from.channel(), from.text("text"), from.optional_text("id")};
    return from.give(std::move(what));
  }
  if (type == "history") {
    history what{from.channel(), from.number("before")};
    if (from.has("limit")) what.limit = static_cast<std::size_t>(from.number("limit"));
    return from.give(std::move(what));
  }
  if (type == "typing") return from.give(typing{from.channel()});
  if (type == "ping") return from.give(ping{});
  from.fail("type", "must be auth, join, leave, message, history, typing or ping", "unknown_type");
  return from.give(ping{});
}

void add(json& to, stored_message const& m) {
  to.update({{"user", m.user}, {"text", m.text}, {"id", m.id}, {"seq", m.seq}, {"time", m.time}});
}

struct writer {
  bool with_channel;

  json begin(char const* type, std::string const& channel) const {
    json text = {{"type", type}};
    if (with_channel) text["channel"] = channel;
    return text;
  }
  json operator()(history_page const& what) const {
    using enum read_request::from;
    auto const& [asked, found] = what;
    auto text = begin("history", asked.channel);
    text["epoch"] = found.epoch;
    if (asked.what == after) text["after"] = asked.seq;
    if (asked.what == before) text["before"] = asked.seq;
    if (asked.what != before) text["seq"] = found.newest;
    if (asked.what != after) text["more"] = found.more;
    json all = json::array();
    for (auto const& m : found.messages) add(all.emplace_back(json::object()), m);
    text["messages"] = std::move(all);
    return text;
  }
  json operator()(authenticated const& what) const {
    return {{"type", "auth"}, {"user", what.user}, {"expires", what.expires_ms}};
  }
  json operator()(reload const& what) const { return begin("reload", what.channel); }
  json operator()(delivery const& what) const {
    auto text = begin("message", what.channel);
    add(text, what.what);
    return text;
  }
  json operator()(ack const& what) const {
    auto text = begin("ack", what.channel);
    text.update({{"id", what.id}, {"seq", what.seq}, {"time", what.time}});
    return text;
  }
  json operator()(presence const& what) const {
    auto text = begin("presence", what.channel);
    text.update({{"users", what.users}, {"count", what.count}});
    return text;
  }
  json operator()(somebody_types const& what) const {
    auto text = begin("typing", what.channel);
    text["user"] = what.user;
    return text;
  }
  json operator()(pong const&) const { return {{"type", "pong"}}; }
  json operator()(fault const& what) const {
    json text = {{"type", "error"}, {"code", what.code}, {"message", what.message}};
    if (with_channel && !what.channel.empty()) text["channel"] = what.channel;
    if (!what.id.empty()) text["id"] = what.id;
    if (what.retry_ms > 0) text["retry_ms"] = what.retry_ms;
    return text;
  }
};

class json_format final : public format {
 public:
  bool is_binary() const override { return false; }
  incoming read(std::string_view payload) override { return {read_json(payload)}; }
  std::string write(event const& what) const override { return write_json(what); }
  way way_of(std::string const&) const override { return {"chat.v1.json"}; }
};

}  // namespace

request read_json(std::string_view text, std::string const* channel) {
  auto const is_shallow = [](int depth, json::parse_event_t, json&) { return depth <= depth_max; };
  auto const parsed = json::parse(text, is_shallow, false);
  if (parsed.is_discarded()) return fault{"bad_json", "this is not JSON", {}, {}};
  if (!parsed.is_object()) return fault{"bad_message", "a message is a JSON object", {}, {}};
  return read(fields(parsed, channel));
}

std::string write_json(event const& what, bool with_channel) {
  return std::visit(writer{with_channel}, what).dump(-1, ' ', false, json::error_handler_t::replace);
}

std::unique_ptr<format> make_json_format() { return std::make_unique<json_format>(); }

}  // namespace chat
