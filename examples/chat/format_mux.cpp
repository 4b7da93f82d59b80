// SPDX-License-Identifier: BSL-1.0
// chat.v1.mux: each message is binary, [channel id: 4 bytes, big-endian][payload]. The client opens and closes ids on
// channel 0, [op: 1 byte][id: 4 bytes][name]; all other payloads are JSON texts, which do not name the channel of the
// id again.
#include <map>

#include "format_json.hpp"
#include "words.hpp"

namespace chat {
namespace {

constexpr std::size_t id_bytes = 4;
constexpr std::size_t open_max = 256;
enum op : char { open = 1, close = 2 };

std::string id_text(std::uint32_t id) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(id >> shift & 0xFF);
  return text;
}

/// Takes an id from the front; the text has one.
std::uint32_t take_id(std::string_view& text) {
  std::uint32_t id = 0;
  for (char const c : text.substr(0, id_bytes)) id = id << 8 | static_cast<unsigned char>(c);
  text.remove_prefix(id_bytes);
  return id;
}

fault wrong(std::string sentence) { return {"bad_message", std::move(sentence), {}, {}}; }

class mux_format final : public format {
 public:
  bool is_binary() const override { return true; }

  incoming read(std::string_view payload) override {
    if (payload.size() < id_bytes) return {wrong("a message begins with the 4 bytes of a channel's id")};
    auto const whole = payload;
    auto const id = take_id(payload);
    if (id == 0) return payload.starts_with('{') ? incoming{read_json(payload)} : control(payload, whole);
    auto const at = names_.find(id);
    if (at == names_.end()) return {wrong("channel id " + std::to_string(id) + " is not open")};
    return {read_json(payload, &at->second)};
  }

  std::string write(event const& what) const override {
    auto const id = std::visit([this](auto const& e) { return id_of(e); }, what);
    return id_text(id) + write_json(what, id == 0);
  }

  way way_of(std::string const& channel) const override { return {"chat.v1.mux", id_of(channel)}; }

 private:
  /// Opens or closes an id, and says so by the same message.
  incoming control(std::string_view payload, std::string_view whole) {
    if (payload.size() < 1 + id_bytes || (payload[0] != open && payload[0] != close))
      return {wrong("channel 0 takes JSON, or 1 (open) or 2 (close), the 4 bytes of an id, and for 1 a name")};
    auto const what = payload[0];
    payload.remove_prefix(1);
    auto const id = take_id(payload);
    std::string name(payload);
    return what == open ? open_id(id, std::move(name), whole) : close_id(id, name, whole);
  }

  incoming open_id(std::uint32_t id, std::string name, std::string_view whole) {
    if (id == 0) return {wrong("id 0 is the connection's own")};
    if (names_.contains(id)) return {wrong("channel id " + std::to_string(id) + " is open")};
    if (ids_.size() == open_max)
      return {fault{"too_many_channels", "256 channel ids are open; close one first", name, {}}};
    auto const checked_name = checked(typing{name});  // a request that is a name and nothing else
    if (auto const* const flaw = std::get_if<fault>(&checked_name)) return {*flaw};
    if (!ids_.emplace(name, id).second) return {wrong("this channel has an id already")};
    names_.emplace(id, std::move(name));
    return {.reply = std::string(whole)};
  }

  incoming close_id(std::uint32_t id, std::string const& name, std::string_view whole) {
    auto const at = names_.find(id);
    if (at == names_.end() || !name.empty()) return {wrong("close is 2 and the id of an open channel")};
    leave what{at->second, true};
    ids_.erase(at->second);
    names_.erase(at);
    return {std::move(what), std::string(whole)};
  }

  std::uint32_t id_of(std::string const& channel) const {
    auto const at = ids_.find(channel);
    return at == ids_.end() ? 0 : at->second;
  }
  std::uint32_t id_of(history_page const& what) const { return id_of(what.asked.channel); }
  std::uint32_t id_of(pong const&) const { return 0; }
  std::uint32_t id_of(authenticated const&) const { return 0; }
  template <class Event>
  std::uint32_t id_of(Event const& what) const {
    return id_of(what.channel);
  }

  std::map<std::uint32_t, std::string> names_;
  std::map<std::string, std::uint32_t> ids_;
};

}  // namespace

std::unique_ptr<format> make_mux_format() { return std::make_unique<mux_format>(); }

}  // namespace chat
