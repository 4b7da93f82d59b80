// SPDX-License-Identifier: BSL-1.0

// chat.v1.mux against a model of its ids.
// Input: a length octet, so many bytes of one message, and so on: a connection's messages.
#include <map>

#include "chat/format.hpp"
#include "chat_model.hpp"

namespace {

std::uint32_t number(std::string_view bytes) {
  std::uint32_t n = 0;
  for (char const c : bytes.substr(0, 4)) n = n << 8 | static_cast<unsigned char>(c);
  return n;
}

struct model {
  std::map<std::uint32_t, std::string> open;

  std::uint32_t id_of(std::string const& channel) const {
    for (auto const& [id, name] : open)
      if (name == channel) return id;
    return 0;
  }
  /// Whether a message opens or closes an id; does it.
  bool control(std::string_view m) {
    if (m.size() < 9 || number(m) != 0) return false;
    auto const id = number(m.substr(5));
    std::string const name(m.substr(9));
    if (m[4] == 2) return name.empty() && open.erase(id) == 1;
    if (m[4] != 1 || id == 0 || open.contains(id) || id_of(name) != 0 || open.size() == 256 ||
        !chat::name_flaw(name).empty())
      return false;
    return open.emplace(id, name).second;
  }
};

std::string channel_of(chat::request const& what) { return chat::about(what, {}, {}).channel; }

}  // namespace

void fuzz::one_input(purews::bytes_view in) {
  auto const mux = chat::make_format("chat.v1.mux");
  model ids;
  script parts(in);
  while (!parts.empty()) {
    std::string const m(purews::as_text(parts.take(parts.octet())));
    auto const before = ids.open;
    bool const is_control = ids.control(m);
    auto const got = mux->read(m);
    check((got.reply == m && !m.empty()) == is_control && (is_control || got.reply.empty()),
          "what opens or closes an id is said again, and nothing else", m);
    if (got.asked) chat_model::judge(*got.asked);
    if (is_control) {
      bool const closes = m[4] == 2;
      check(got.asked.has_value() == closes, "closing leaves the channel");
      if (closes) check(channel_of(*got.asked) == before.at(number(std::string_view(m).substr(5))), "that of the id");
    } else {
      check(got.asked.has_value(), "each other message is a request");
      auto const at = m.size() < 4 ? before.end() : before.find(number(m));
      bool const is_fault = std::holds_alternative<chat::fault>(*got.asked);
      if (at != before.end())
        check(is_fault || std::holds_alternative<chat::ping>(*got.asked) ||
                  std::holds_alternative<chat::authenticate>(*got.asked) || channel_of(*got.asked) == at->second,
              "a request that is about a channel is about that of its id");
      else
        check(is_fault || number(m) == 0, "an id that is not open has no channel");
    }
    for (auto const& [id, name] : ids.open) {
      auto const written = mux->write(chat::reload{name});
      check(number(written) == id && written.substr(4) == R"({"type":"reload"})", "what is told of it has its id");
    }
  }
  auto const elsewhere = mux->write(chat::reload{"\n"});
  check(number(elsewhere) == 0 && elsewhere.find("channel") != elsewhere.npos, "a channel without an id is named");
}
