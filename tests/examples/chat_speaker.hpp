// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <map>
#include <nlohmann/json.hpp>

#include "chat/format.hpp"
#ifdef CHAT_PROTOBUF
#include "chat.pb.h"
#endif

/// The client's side of each format. The tests say and hear everything as it is in docs/chat.md, in JSON.
namespace test {

using nlohmann::json;

class speaker {
 public:
  virtual ~speaker() = default;
  /// The messages that say it: the last one is the request, those before it are the format's own business.
  virtual std::vector<std::string> write(json const& request) = 0;
  virtual json read(std::string_view payload) = 0;
};

class json_speaker : public speaker {
 public:
  std::vector<std::string> write(json const& request) override { return {request.dump()}; }
  json read(std::string_view payload) override { return json::parse(payload); }
};

/// Opens an id for each channel when it is spoken of first.
class mux_speaker : public speaker {
 public:
  static std::string id_text(std::uint32_t id) {
    return {static_cast<char>(id >> 24), static_cast<char>(id >> 16), static_cast<char>(id >> 8),
            static_cast<char>(id)};
  }
  static std::string control(char op, std::uint32_t id, std::string const& name = "") {
    return id_text(0) + op + id_text(id) + name;
  }

  std::vector<std::string> write(json const& request) override {
    if (!request.is_object() || !request.contains("channel") || !request["channel"].is_string() ||
        !is_plain(request["channel"]))
      return {id_text(0) + request.dump()};
    std::string const channel = request["channel"];
    std::vector<std::string> said;
    auto& id = ids_[channel];
    if (id == 0) {
      id = static_cast<std::uint32_t>(0x01020300 + ids_.size());
      names_[id] = channel;
      said.push_back(control(1, id, channel));
    }
    json rest = request;
    rest.erase("channel");
    said.push_back(id_text(id) + rest.dump());
    return said;
  }
  json read(std::string_view payload) override {
    std::uint32_t id = 0;
    for (char const c : payload.substr(0, 4)) id = id << 8 | static_cast<unsigned char>(c);
    auto event = json::parse(payload.substr(4));
    if (id == 0) return event;
    if (event.contains("channel")) throw std::logic_error("the channel is named twice");
    event["channel"] = names_.at(id);
    return event;
  }

 private:
  static bool is_plain(std::string const& name) { return !name.empty() && name.size() <= 64; }

  std::map<std::string, std::uint32_t> ids_;
  std::map<std::uint32_t, std::string> names_;
};

#ifdef CHAT_PROTOBUF
class proto_speaker : public speaker {
 public:
  std::vector<std::string> write(json const& request) override {
    chat::v1::Request to;
    auto const text = [&](char const* field) { return request.value(field, ""); };
    auto const number = [&](char const* field) { return request.value(field, std::int64_t{0}); };
    auto const type = text("type");
    if (type == "join") {
      auto& r = *to.mutable_join();
      r.set_channel(text("channel"));
      r.set_user(text("user"));
      r.set_device(text("device"));
      r.set_epoch(text("epoch"));
      r.set_seq(number("seq"));
    } else if (type == "leave") {
      to.mutable_leave()->set_channel(text("channel"));
    } else if (type == "message") {
      auto& r = *to.mutable_message();
      r.set_channel(text("channel"));
      r.set_text(text("text"));
      r.set_id(text("id"));
    } else if (type == "history") {
      auto& r = *to.mutable_history();
      r.set_channel(text("channel"));
      r.set_before(number("before"));
      r.set_limit(static_cast<std::int32_t>(number("limit")));
    } else if (type == "typing") {
      to.mutable_typing()->set_channel(text("channel"));
    } else if (type == "auth") {
      to.mutable_auth()->set_token(text("token"));
    } else if (type == "ping") {
      to.mutable_ping();
    }
    return {to.SerializeAsString()};
  }

  json read(std::string_view payload) override {
    chat::v1::Event from;
    if (!from.ParseFromString(std::string(payload))) throw std::logic_error("this is no Event");
    switch (from.event_case()) {
      case chat::v1::Event::kHistory:
        return read(from.history());
      case chat::v1::Event::kReload:
        return {{"type", "reload"}, {"channel", from.reload().channel()}};
      case chat::v1::Event::kMessage: {
        auto m = read(from.message());
        m["type"] = "message";
        m["channel"] = from.message().channel();
        return m;
      }
      case chat::v1::Event::kAck:
        return {{"type", "ack"},
                {"channel", from.ack().channel()},
                {"id", from.ack().id()},
                {"seq", from.ack().seq()},
                {"time", from.ack().timestamp()}};
      case chat::v1::Event::kPresence: {
        auto const& names = from.presence().users();
        return {{"type", "presence"},
                {"channel", from.presence().channel()},
                {"users", std::vector<std::string>(names.begin(), names.end())},
                {"count", from.presence().count()}};
      }
      case chat::v1::Event::kTyping:
        return {{"type", "typing"}, {"channel", from.typing().channel()}, {"user", from.typing().user()}};
      case chat::v1::Event::kError:
        return read(from.error());
      case chat::v1::Event::kPong:
        return {{"type", "pong"}};
      case chat::v1::Event::kAuth:
        return {{"type", "auth"}, {"user", from.auth().user()}, {"expires", from.auth().expires()}};
      case chat::v1::Event::EVENT_NOT_SET:
        break;
    }
    throw std::logic_error("this is an Event of no kind");
  }

 private:
  static json read(chat::v1::ChatMessage const& m) {
    return {{"user", m.user()}, {"text", m.text()}, {"id", m.id()}, {"seq", m.seq()}, {"time", m.timestamp()}};
  }
  static json read(chat::v1::HistoryPage const& page) {
    json got = {{"type", "history"}, {"channel", page.channel()}, {"epoch", page.epoch()}, {"messages", json::array()}};
    if (page.has_after()) got["after"] = page.after();
    if (page.has_before()) got["before"] = page.before();
    if (page.has_seq()) got["seq"] = page.seq();
    if (page.has_more()) got["more"] = page.more();
    for (auto const& m : page.messages()) got["messages"].push_back(read(m));
    return got;
  }
  static json read(chat::v1::Error const& e) {
    json got = {{"type", "error"}, {"code", e.code()}, {"message", e.message()}};
    if (!e.channel().empty()) got["channel"] = e.channel();
    if (!e.id().empty()) got["id"] = e.id();
    if (e.retry_ms() != 0) got["retry_ms"] = e.retry_ms();
    return got;
  }
};
#endif

inline std::unique_ptr<speaker> make_speaker(std::string_view subprotocol) {
  if (subprotocol == "chat.v1.json") return std::make_unique<json_speaker>();
  if (subprotocol == "chat.v1.mux") return std::make_unique<mux_speaker>();
#ifdef CHAT_PROTOBUF
  if (subprotocol == "chat.v1.proto") return std::make_unique<proto_speaker>();
#endif
  throw std::logic_error("the tests do not speak " + std::string(subprotocol));
}

}  // namespace test
