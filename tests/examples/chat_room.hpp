// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>

#include "chat/hub.hpp"
#include "chat_speaker.hpp"
#include "support/catch.hpp"

/// A hub with clients and a store, all in memory. The test decides when the store does what it was asked for, and when
/// it tells of it. Each test case runs once for each format, which all its clients speak.
namespace test {

using namespace chat;

/// What a store must do, in the fewest words.
struct model_store {
  struct history {
    std::string epoch;
    std::vector<new_message> messages;  // seq is the place + 1
    std::vector<std::int64_t> times;
  };
  std::map<std::string, history> channels;

  history& of(std::string const& channel) {
    auto& found = channels[channel];
    if (found.epoch.empty()) found.epoch = "epoch of " + channel;
    return found;
  }

  std::int64_t find(history const& in, new_message const& m) const {
    for (std::size_t i = 0; i < in.messages.size(); ++i)
      if (auto const& k = in.messages[i]; k.user == m.user && k.device == m.device && k.id == m.id)
        return static_cast<std::int64_t>(i + 1);
    return 0;
  }

  receipt store(new_message const& m, std::int64_t now) {
    auto& in = of(m.channel);
    if (auto const seq = find(in, m); seq != 0)
      return {receipt::outcome::duplicate, seq, in.times[static_cast<std::size_t>(seq - 1)], in.epoch};
    in.messages.push_back(m);
    in.times.push_back(now);
    return {receipt::outcome::stored, static_cast<std::int64_t>(in.messages.size()), now, in.epoch};
  }

  std::vector<receipt> run(append_request const& r) {
    std::vector<receipt> receipts;
    for (auto const& m : *r.batch) receipts.push_back(store(m, r.now_ms));
    return receipts;
  }

  std::vector<head> run(heads_request const& r) {
    std::vector<head> found;
    for (auto const& name : r.channels) {
      auto const at = channels.find(name);
      auto& last = found.emplace_back(head{.channel = name});
      if (at == channels.end()) continue;
      last.epoch = at->second.epoch, last.newest = static_cast<std::int64_t>(at->second.messages.size());
    }
    return found;
  }

  page run(read_request const& r) {
    auto const& in = of(r.channel);
    auto const size = static_cast<std::int64_t>(in.messages.size());
    auto const limit = static_cast<std::int64_t>(r.limit);
    std::int64_t end = r.what == read_request::from::before ? std::min(r.seq - 1, size) : size;
    std::int64_t begin = r.what == read_request::from::after ? r.seq : std::max<std::int64_t>(0, end - limit);
    if (r.what == read_request::from::after) end = std::min(end, begin + limit);
    page found{in.epoch, size, {}, r.what != read_request::from::after && begin > 0};
    for (auto i = begin; i < end; ++i) {
      auto const& m = in.messages[static_cast<std::size_t>(i)];
      found.messages.push_back({m.user, m.id, m.text, i + 1, in.times[static_cast<std::size_t>(i)]});
    }
    return found;
  }
};

/// One connection: the server's side of its format, and the client's.
struct line {
  std::unique_ptr<format> server;
  std::unique_ptr<speaker> client;
};

struct room {
  enum class serving { at_once, by_hand } serve = serving::at_once;
  bool fails = false;  ///< what the store is asked for from now on
  model_store truth;
  policy may = allow_all;
  hub chat{"made", {.per_second = 0}, [this](auto const&... what) { return may(what...); }};
  std::int64_t now_us = 0;
  std::map<client_id, std::vector<json>> inbox;
  std::map<std::string, std::set<client_id>> subscribed;
  std::map<client_id, std::uint16_t> closed;
  std::vector<std::string> reports;
  std::deque<std::variant<append_request, read_request, heads_request>> asked;  ///< of the store, in this order
  std::deque<answer> done;                                                      ///< but not told yet
  int appends = 0;

  format_kind kind = formats()[GENERATE(range<std::size_t>(0, formats().size()))];
  std::map<client_id, line> lines{};

  explicit room(client_id clients = 2) {
    for (client_id i = 1; i <= clients; ++i) chat.connected(i);
  }
  line& line_of(client_id who) {
    auto& found = lines[who];
    if (found.server == nullptr) found = {kind.make(), make_speaker(kind.subprotocol)};
    return found;
  }

  void settle() {
    for (auto const& each : chat.take_outputs()) std::visit([this](auto const& o) { perform(o); }, each);
    if (serve == serving::at_once) serve_all();
  }
  void perform(to_client const& o) { deliver(o.client, o.what); }
  void perform(to_channel const& o) {
    for (auto const who : subscribed[o.channel])
      if (who != o.but) deliver(who, o.what);
  }
  void deliver(client_id who, event const& what) {
    auto& [server, client] = line_of(who);
    inbox[who].push_back(client->read(server->write(what)));
  }
  void perform(subscribe const& o) { subscribed[o.channel].insert(o.client); }
  void perform(unsubscribe const& o) { subscribed[o.channel].erase(o.client); }
  void perform(close_client const& o) { closed[o.client] = o.code; }
  void perform(report const& o) { reports.push_back(o.sentence); }
  void perform(append_request const& o) { asked.emplace_back(o), ++appends; }
  void perform(read_request const& o) { asked.emplace_back(o); }
  void perform(heads_request const& o) { asked.emplace_back(o); }

  /// The store does the nth thing that it was asked for, and does not tell yet.
  void execute(std::size_t nth = 0) {
    auto const what = asked.at(nth);
    asked.erase(asked.begin() + static_cast<std::ptrdiff_t>(nth));
    std::visit(
        [this](auto const& request) {
          answer result{request.number, store_error{"the disk is full"}};
          if (!fails) result.what = truth.run(request);
          done.push_back(std::move(result));
        },
        what);
  }
  void tell(std::size_t nth = 0) {
    auto what = std::move(done.at(nth));
    done.erase(done.begin() + static_cast<std::ptrdiff_t>(nth));
    chat.answered(std::move(what));
    settle();
  }
  /// The connection to the store breaks: whether it did what it was asked for, nobody knows.
  void lose(std::size_t nth = 0) {
    done.at(nth).what = store_error{"the connection was lost"};
    tell(nth);
  }
  void serve_all() {
    while (!asked.empty() || !done.empty()) {
      while (!asked.empty()) execute();
      tell();
    }
  }

  void say(client_id who, json const& what) {
    for (auto const& payload : line_of(who).client->write(what)) receive(who, payload);
  }
  void receive(client_id who, std::string const& payload) {
    auto const in = line_of(who).server->read(payload);
    if (in.asked) chat.received(who, *in.asked, now_us);
    if (!in.reply.empty() && in.reply != payload) FAIL("an id is opened and closed by the same message");
    settle();
  }
  void commit(std::int64_t now = 1000) {
    chat.flush(now);
    settle();
  }
  void look() {
    chat.look();
    settle();
  }
  void tell_presence() {
    chat.tell_presence();
    settle();
  }
  void join(client_id who, std::string const& user, std::string const& channel = "general",
            std::string const& device = "d") {
    say(who, {{"type", "join"}, {"channel", channel}, {"user", user}, {"device", device}});
  }
  void resume(client_id who, std::string const& user, std::int64_t seq, std::string const& epoch = "epoch of general") {
    say(who,
        {{"type", "join"}, {"channel", "general"}, {"user", user}, {"device", "d"}, {"epoch", epoch}, {"seq", seq}});
  }
  void leave(client_id who, std::string const& channel = "general") {
    say(who, {{"type", "leave"}, {"channel", channel}});
  }
  void message(client_id who, std::string const& text, std::string const& id, std::string const& channel = "general") {
    say(who, {{"type", "message"}, {"channel", channel}, {"text", text}, {"id", id}});
  }
  /// Stores messages of somebody who is not here.
  void past(int messages, std::string const& text = "m", std::string const& channel = "general") {
    for (int i = 0; i < messages; ++i) {
      auto const n = std::to_string(truth.of(channel).messages.size() + 1);
      truth.store({channel, "past", "p", n, text + n}, 500);
    }
  }
  void gone(client_id who) {
    chat.disconnected(who);
    settle();
  }

  /// What a client got since the last call: all of it, of one type, or its last error.
  std::vector<json> take(client_id who) { return std::exchange(inbox[who], {}); }
  std::vector<json> take(client_id who, std::string const& type) {
    std::vector<json> some;
    for (auto& each : take(who))
      if (each["type"] == type) some.push_back(std::move(each));
    return some;
  }
  std::string last_code(client_id who) {
    auto const got = take(who, "error");
    return got.empty() ? "no error" : got.back().value("code", "");
  }
  void take_all() { inbox.clear(); }
};

/// What a client knows of a channel after all that it got: checks that nothing is missing, twice or out of order.
struct reader {
  std::string epoch{};
  std::int64_t seq = 0;
  std::vector<std::string> texts{};  ///< since the last history that replaced what was known
  int reloads = 0;
  std::string flaw{};

  void read(std::vector<json> const& got) {
    bool reloading = false;
    for (auto const& m : got) {
      if (m["type"] == "reload") ++reloads, reloading = true, texts.clear();
      if (m["type"] == "history" && !m.contains("before")) {
        if (m.contains("after") && (reloading || m["after"] != seq || m["epoch"] != epoch)) flaw = "continues nothing";
        if (!m.contains("after")) texts.clear();
        seq =
            m.contains("after") ? seq : m["seq"].get<std::int64_t>() - static_cast<std::int64_t>(m["messages"].size());
        for (auto const& each : m["messages"]) add(each);
        if (seq != m["seq"]) flaw = "the history ends early";
        epoch = m["epoch"];
        reloading = false;
      }
      if (m["type"] == "message") add(m);
    }
  }
  void add(json const& m) {
    if (m["seq"] != ++seq) flaw = "after " + std::to_string(seq - 1) + " comes " + m["seq"].dump();
    texts.push_back(m["text"]);
  }
};

}  // namespace test
