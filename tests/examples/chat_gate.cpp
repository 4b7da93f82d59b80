// SPDX-License-Identifier: BSL-1.0
#include "chat/gate.hpp"

#include "support/catch.hpp"

using namespace chat;

namespace {

constexpr std::int64_t second = 1'000'000;
constexpr std::int64_t unix_ms = 1'764'000'000'000;

/// A token is the name of a user, and for how many seconds it is valid from the start on; or nonsense.
std::variant<identity, token_fault> verify(std::string_view token, std::int64_t now_ms) {
  auto const slash = token.find('/');
  if (slash == token.npos) return token_fault::unverified;
  identity const who{std::string(token.substr(0, slash)),
                     unix_ms + std::stoll(std::string(token.substr(slash + 1))) * 1000};
  if (now_ms >= who.expires_ms + token_verifier::leeway_ms) return token_fault::expired;
  return who;
}

/// A gate, and what it has let through and said.
struct doorway {
  gate by{verify};
  std::int64_t now_us = 0;
  std::map<client_id, std::vector<event>> told{};
  std::map<client_id, close_client> closed{};

  gate::moment now() const { return {now_us, unix_ms + now_us / 1000}; }

  void settle() {
    for (auto const& each : by.take_outputs()) std::visit([this](auto const& o) { perform(o); }, each);
  }
  void perform(to_client const& o) { told[o.client].push_back(o.what); }
  void perform(close_client const& o) { closed.emplace(o.client, o); }

  doorway& connect(client_id who) {
    by.connected(who, now());
    return *this;
  }
  std::optional<request> ask(client_id who, request what) {
    auto passed = by.pass(who, std::move(what), now());
    settle();
    return passed;
  }
  /// What became of a token: the user, the code of a fault, or "".
  std::string show(client_id who, std::string const& token) {
    told[who].clear();
    auto const passed = ask(who, authenticate{token});
    if (passed) return std::get<fault>(*passed).code;
    if (told[who].empty()) return "";
    if (auto const* const known = std::get_if<authenticated>(&told[who].back())) return known->user;
    return std::get<fault>(told[who].back()).code;
  }
  /// "passed", the code of the fault that the hub is to tell, or "nothing".
  std::string fate(client_id who, request const& what) {
    auto const passed = ask(who, what);
    if (!passed) return "nothing";
    auto const* const wrong = std::get_if<fault>(&*passed);
    return wrong == nullptr ? "passed" : wrong->code;
  }
  void wait(std::int64_t us) {
    now_us += us;
    by.end_overdue(now());
    settle();
  }
  int code(client_id who) const { return closed.contains(who) ? closed.at(who).code : 0; }
};

join const joining{.channel = "general", .user = "ada", .device = "d"};
request const each_request[] = {
    joining,
    leave{"general"},
    message{"general", "hello", "7"},
    history{"general", 9},
    typing{"general"},
    ping{},
    fault{"bad_json", "this is not JSON", {}, {}},
};

}  // namespace

TEST_CASE("chat: nothing reaches the hub of who has not said who they are [hazard-71]", "[hazard-71]") {
  doorway d;
  d.connect(1).connect(2);
  CHECK(d.show(2, "ada/60") == "ada");
  for (auto const& each : each_request) {
    INFO(each.index());
    CHECK(d.fate(1, each) == "unauthenticated");
    CHECK(d.fate(2, each) == (std::holds_alternative<fault>(each) ? "bad_json" : "passed"));
    CHECK(d.fate(3, each) == "nothing");  // whoever that is
  }
  CHECK_FALSE(d.by.knows(1));
  CHECK(d.by.knows(2));
  CHECK_FALSE(d.by.knows(3));
  auto const refused = d.ask(1, message{"general", "hello", "7"});
  CHECK(std::get<fault>(*refused).channel == "general");
  CHECK(std::get<fault>(*refused).id == "7");
}

TEST_CASE("chat: without a verifier everybody is who they say, and has to say it") {
  doorway d{.by = gate({})};
  d.connect(1);
  for (auto const& each : each_request) CHECK(d.ask(1, each)->index() == each.index());
  CHECK(d.fate(1, join{.channel = "general", .user = {}, .device = {}}) == "bad_message");
  CHECK(std::holds_alternative<authenticate>(*d.ask(1, authenticate{"ada/60"})));  // the hub refuses it
  CHECK(d.by.knows(1));
  CHECK_FALSE(d.by.is_waiting());
  d.wait(1000 * second);
  CHECK(d.closed.empty());
}

TEST_CASE("chat: who has a token is its user in each channel, and nobody else [hazard-73]", "[hazard-73]") {
  doorway d;
  d.connect(1);
  CHECK(d.show(1, "ada/60") == "ada");
  auto const& known = std::get<authenticated>(d.told[1].back());
  CHECK(known.expires_ms == unix_ms + 60'000);
  auto const user = [&d](std::string const& said) {
    auto const passed = d.ask(1, join{.channel = "general", .user = said, .device = "d"});
    auto const* const in = std::get_if<join>(&*passed);
    return in == nullptr ? std::get<fault>(*passed).code : in->user;
  };
  CHECK(user("ada") == "ada");
  CHECK(user("") == "ada");
  CHECK(user("eve") == "forbidden");
  CHECK(user("Ada") == "forbidden");
}

TEST_CASE("chat: who does not say who they are is closed after ten seconds [hazard-75]", "[hazard-75]") {
  doorway d;
  d.connect(1).connect(2);
  d.show(2, "ada/600");
  d.wait(5 * second);
  d.connect(3);
  for (int i = 0; i < 4; ++i) d.fate(1, ping{});  // talking is not enough
  d.wait(5 * second - 1);
  CHECK(d.closed.empty());
  d.wait(1);
  CHECK(d.code(1) == 4408);
  CHECK(d.code(2) == 0);
  CHECK(d.code(3) == 0);
  CHECK(d.show(1, "ada/600") == "");  // too late
  d.wait(5 * second);
  CHECK(d.code(3) == 4408);
  CHECK(d.closed.size() == 2);
  d.by.disconnected(2);
  CHECK_FALSE(d.by.is_waiting());
}

TEST_CASE("chat: a token that is refused ends the connection, whenever it comes") {
  for (bool const known : {false, true})
    for (auto const* const token : {"nonsense", "", "ada/-30"}) {
      doorway d;
      d.connect(1);
      if (known) d.show(1, "ada/60");
      CHECK(d.show(1, token) == "unauthenticated");
      CHECK(d.code(1) == 4401);
      CHECK(d.fate(1, joining) == "nothing");
      CHECK_FALSE(d.by.is_waiting());
    }
}

TEST_CASE("chat: a connection ends when its token has run out, unless it was renewed") {
  doorway d;
  d.connect(1).connect(2).connect(3);
  d.show(1, "ada/60");
  d.show(2, "bob/60");
  d.show(3, "eve/60");
  d.wait(50 * second);
  CHECK(d.show(2, "bob/300") == "bob");
  CHECK(d.show(3, "ada/300") == "forbidden");  // another user's
  d.wait(60 * second + 29 * second - 50 * second);
  CHECK(d.closed.empty());
  CHECK(d.fate(1, joining) == "passed");
  d.wait(second);
  CHECK(d.code(1) == 4401);
  CHECK(d.code(2) == 0);
  CHECK(d.code(3) == 4401);
  d.wait(239 * second);
  CHECK(d.code(2) == 0);
  d.now_us += second;
  CHECK(d.fate(2, ping{}) == "nothing");  // also before anybody has looked
  CHECK(d.code(2) == 4401);
}

TEST_CASE("chat: a user has ten connections, and one more when one of them has gone [hazard-32]", "[hazard-32]") {
  doorway d;
  for (client_id who = 1; who <= 12; ++who) d.connect(who);
  for (client_id who = 1; who <= 10; ++who) CHECK(d.show(who, "ada/600") == "ada");
  CHECK(d.show(1, "ada/700") == "ada");  // to renew it is no new one
  CHECK(d.show(11, "ada/600") == "too_many_connections");
  CHECK(d.code(11) == 4429);
  CHECK(d.closed.at(11).reason == "10000");
  CHECK(d.show(12, "bob/600") == "bob");
  d.by.disconnected(3);
  d.connect(13);
  CHECK(d.show(13, "ada/600") == "ada");
  d.connect(14);
  CHECK(d.show(14, "ada/600") == "too_many_connections");
}

TEST_CASE("chat: tokens are taken once a second, after a burst of five") {
  doorway d;
  d.connect(1);
  for (int i = 0; i < 5; ++i) CHECK(d.show(1, "ada/600") == "ada");
  CHECK(d.show(1, "ada/600") == "rate_limited");
  d.now_us += second;
  CHECK(d.show(1, "ada/600") == "ada");
  CHECK(d.show(1, "ada/600") == "rate_limited");
  CHECK(d.closed.empty());
}
