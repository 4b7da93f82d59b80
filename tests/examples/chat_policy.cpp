// SPDX-License-Identifier: BSL-1.0
#include "chat_room.hpp"
#include "support/catch.hpp"

using namespace test;

namespace {

char const* const channels[] = {"open", "staff"};
char const* const people[] = {"ada", "bob", "eve"};

json request_of(action what, std::string const& channel, std::string const& user) {
  switch (what) {
    case action::join:
      return {{"type", "join"}, {"channel", channel}, {"user", user}, {"device", "d"}};
    case action::message:
      return {{"type", "message"}, {"channel", channel}, {"text", "hello"}, {"id", "7"}};
    case action::history:
      return {{"type", "history"}, {"channel", channel}, {"before", 2}};
    case action::typing:
      return {{"type", "typing"}, {"channel", channel}};
  }
  return {};
}

using right = std::tuple<std::string, action, std::string>;

}  // namespace

TEST_CASE("chat: each request asks for the right of this user to do this in this channel [hazard-72]", "[hazard-72]") {
  room r(3);
  std::set<right> forbidden;
  std::vector<right> asked_for;
  r.may = [&](std::string const& user, action what, std::string const& channel) {
    asked_for.emplace_back(user, what, channel);
    return !forbidden.contains({user, what, channel});
  };
  for (auto const* const channel : channels)
    for (client_id who = 1; who <= 3; ++who) r.join(who, people[who - 1], channel);
  for (auto const* const channel : channels)
    for (auto const what : {action::join, action::message, action::history, action::typing})
      for (client_id who = 1; who <= 3; ++who) {
        std::string const user = people[who - 1];
        INFO(user << " " << static_cast<int>(what) << " " << channel);
        if (what == action::join) r.leave(who, channel);
        r.take_all();
        auto const before = r.truth.of(channel).messages.size();
        forbidden = {{user, what, channel}};
        asked_for.clear();
        r.say(who, request_of(what, channel, user));
        r.commit();
        CHECK(asked_for == std::vector<right>{{user, what, channel}});
        auto const answer = r.take(who);
        REQUIRE(answer.size() == 1);
        CHECK(answer[0]["code"] == "forbidden");
        CHECK(answer[0]["channel"] == channel);
        if (what == action::message) CHECK(answer[0]["id"] == "7");
        CHECK(r.truth.of(channel).messages.size() == before);
        for (client_id other = 1; other <= 3; ++other) CHECK(r.take(other).empty());

        // The same by everybody else, and elsewhere, goes through.
        for (client_id other = 1; other <= 3; ++other)
          for (auto const* const place : channels) {
            if (other == who && place == std::string(channel)) continue;
            if (what == action::join) r.leave(other, place);
            r.take(other);
            r.say(other, request_of(what, place, people[other - 1]));
            CHECK(r.last_code(other) == "no error");
          }
        r.commit();
        forbidden.clear();
        if (what == action::join) r.join(who, user, channel);
      }
}

TEST_CASE("chat: who may not join hears nothing of a channel [hazard-72]", "[hazard-72]") {
  room r;
  r.past(3);
  r.may = [](std::string const& user, action, std::string const& channel) {
    return user != "eve" || channel != "general";
  };
  r.join(1, "ada");
  r.join(2, "eve");
  CHECK(r.last_code(2) == "forbidden");
  r.message(1, "a secret", "1");
  r.say(1, {{"type", "typing"}, {"channel", "general"}});
  r.commit();
  r.tell_presence();
  CHECK(r.take(2).empty());
  auto const present = r.take(1, "presence");
  REQUIRE(present.size() == 1);
  CHECK(present[0]["users"] == json::array({"ada"}));
  CHECK_FALSE(r.subscribed["general"].contains(2));
}

TEST_CASE("chat: who may not be in a channel any more is taken out, and hears nothing after that [hazard-72]",
          "[hazard-72]") {
  room r(3);
  std::set<std::string> removed;
  r.may = [&](std::string const& user, action, std::string const& channel) {
    return channel != "staff" || !removed.contains(user);
  };
  for (auto const* const channel : channels)
    for (client_id who = 1; who <= 3; ++who) r.join(who, people[who - 1], channel);
  r.tell_presence();
  r.chat.review();
  r.settle();
  r.tell_presence();
  r.take_all();

  r.serve = room::serving::by_hand;
  r.leave(2, "staff");
  r.join(2, "bob", "staff");  // which the store has not answered yet
  r.take_all();
  removed = {"bob", "eve"};
  r.chat.review();
  r.settle();
  for (client_id who = 2; who <= 3; ++who) {
    auto const told = r.take(who);
    REQUIRE(told.size() == 1);
    CHECK(told[0]["code"] == "removed");
    CHECK(told[0]["channel"] == "staff");
  }
  CHECK(r.take(1).empty());
  r.serve = room::serving::at_once;
  r.message(1, "a secret", "1", "staff");
  r.commit();
  r.tell_presence();
  CHECK(r.take(1).back()["users"] == json::array({"ada"}));
  for (client_id who = 2; who <= 3; ++who) {
    CHECK(r.take(who).empty());
    r.message(who, "still here", "2", "staff");
    CHECK(r.last_code(who) == "not_joined");
    r.join(who, people[who - 1], "staff");
    CHECK(r.last_code(who) == "forbidden");
    r.message(who, "elsewhere", "3", "open");
    CHECK(r.last_code(who) == "no error");
  }
}
