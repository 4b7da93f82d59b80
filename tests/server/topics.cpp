// SPDX-License-Identifier: BSL-1.0
#include "purews/server/topics.hpp"

#include <memory>
#include <random>
#include <set>

#include "fake_session.hpp"

using namespace purews;
using texts = std::vector<std::string>;

namespace {

prepared_message text_of(std::string_view text) { return prepared_message(opcode::text, as_bytes(text)); }

}  // namespace

TEST_CASE("a topic reaches its subscribers, each of them once, and nobody else") {
  session_home home(16);
  topic_table& table = home.topics;
  test::fake_session a(home, 1), b(home, 2), c(home, 3);
  a.subscribe("news");
  a.subscribe("news");
  b.subscribe("news");
  b.subscribe("weather");
  CHECK(table.member_count("news") == 2);
  CHECK(table.member_count("weather") == 1);
  CHECK(table.member_count("sports") == 0);

  CHECK(table.publish("news", text_of("n")) == 2);
  CHECK(table.publish("weather", text_of("w")) == 1);
  CHECK(table.publish("sports", text_of("s")) == 0);
  CHECK(a.sent_texts() == texts{"n"});
  CHECK(b.sent_texts() == texts{"n", "w"});
  CHECK(c.sent_texts().empty());
}

TEST_CASE("a topic's name is any text: empty, with a NUL, not UTF-8, and never a pattern") {
  session_home home(16);
  topic_table& table = home.topics;
  test::fake_session a(home);
  std::string_view const names[] = {"", std::string_view("a\0b", 3), "a", "\xFF", "a*", "*", "#", "a/+"};
  for (auto const name : names) a.subscribe(name);
  for (auto const name : names) {
    CAPTURE(std::string(name));
    CHECK(table.member_count(name) == 1);
    CHECK(table.publish(name, text_of("m")) == 1);
  }
  CHECK(a.sent_texts().size() == std::size(names));
  CHECK(table.publish("ab", text_of("m")) == 0);
}

TEST_CASE("unsubscribing ends it, also when it comes twice, or without a subscription") {
  session_home home(16);
  topic_table& table = home.topics;
  test::fake_session a(home, 1), b(home, 2);
  a.unsubscribe("news");
  a.subscribe("news");
  b.subscribe("news");
  b.unsubscribe("weather");
  a.unsubscribe("news");
  a.unsubscribe("news");
  CHECK(table.publish("news", text_of("n")) == 1);
  CHECK(a.sent_texts().empty());
  CHECK(b.sent_texts() == texts{"n"});
  b.unsubscribe("news");
  CHECK(table.member_count("news") == 0);
  a.subscribe("news");
  CHECK(table.publish("news", text_of("again")) == 1);
}

TEST_CASE("a session that ends leaves all of its topics") {
  session_home home(16);
  topic_table& table = home.topics;
  test::fake_session a(home, 1);
  {
    test::fake_session b(home, 2);
    a.subscribe("one");
    b.subscribe("one");
    b.subscribe("two");
  }
  CHECK(table.member_count("one") == 1);
  CHECK(table.member_count("two") == 0);
  CHECK(table.publish("one", text_of("x")) == 1);
  CHECK(a.sent_texts() == texts{"x"});
}

TEST_CASE("a subscriber that is closing is passed over") {
  session_home home(16);
  topic_table& table = home.topics;
  test::fake_session a(home, 1), b(home, 2);
  a.subscribe("t");
  b.subscribe("t");
  CHECK(a.close() == refusal::none);
  CHECK(table.publish("t", text_of("x")) == 1);
  CHECK(a.sent().size() == 1);  // the Close frame
  CHECK(b.sent_texts() == texts{"x"});
}

TEST_CASE("a subscriber whose queue is full is closed with 1013, and gets nothing more [hazard-28]", "[hazard-28]") {
  session_home home(16);
  topic_table& table = home.topics;
  test::fake_session slow(home, 1, {.queue_bytes_max = 1000}), other(home, 2);
  slow.subscribe("t");
  other.subscribe("t");
  auto const message = text_of(std::string(600, 'm'));
  std::size_t most = 0;
  for (int i = 0; i < 1000; ++i) {
    table.publish("t", message);
    most = std::max(most, slow.queued_bytes());
    other.sent();
  }
  CHECK(most < 1000 + 604 + 2 + 2 + 125);
  CHECK(slow.current() == state::closing);
  CHECK(other.current() == state::open);
  auto const frames = slow.sent();
  REQUIRE(frames.size() == 3);
  CHECK(frames[2].first == 0x88);
  CHECK(frames[2].text() == "\x03\xF5too slow");
}

TEST_CASE("a subscriber in the middle of a message of fragments does not get another message inside it") {
  session_home home(16);
  topic_table& table = home.topics;
  test::fake_session a(home);
  a.subscribe("t");
  CHECK(a.send_fragment(opcode::text, as_bytes("one "), fragment::more) == refusal::none);
  CHECK(table.publish("t", text_of("x")) == 0);
  CHECK(a.send_fragment(opcode::text, as_bytes("two"), fragment::last) == refusal::none);
  CHECK(table.publish("t", text_of("y")) == 1);
  CHECK(a.sent_texts() == texts{"one ", "two", "y"});
}

TEST_CASE("random subscriptions, endings and publications agree with a model [hazard-63]", "[hazard-63]") {
  std::minstd_rand random(63);
  auto const below = [&random](std::size_t n) { return static_cast<std::size_t>(random()) % n; };
  session_home home(16);
  topic_table& table = home.topics;
  std::vector<std::unique_ptr<test::fake_session>> sessions(12);
  std::vector<std::set<std::string>> model(sessions.size());
  std::string const names[] = {"a", "b", "c", "d", "e"};
  for (int step = 0; step < 5'000; ++step) {
    std::size_t const who = below(sessions.size());
    std::string const& name = names[below(std::size(names))];
    auto& session = sessions[who];
    switch (below(6)) {
      case 0:
        if (session) model[who].clear(), session.reset();
        break;
      case 1:
      case 2:
        if (!session) session = std::make_unique<test::fake_session>(home, who);
        session->subscribe(name);
        model[who].insert(name);
        break;
      case 3:
        if (session) session->unsubscribe(name);
        model[who].erase(name);
        break;
      default: {
        std::size_t expected = 0;
        for (auto const& topics : model) expected += topics.count(name);
        REQUIRE(table.member_count(name) == expected);
        REQUIRE(table.publish(name, text_of(name)) == expected);
        for (std::size_t i = 0; i < sessions.size(); ++i)
          if (sessions[i]) REQUIRE(sessions[i]->sent_texts() == (model[i].count(name) != 0 ? texts{name} : texts{}));
      }
    }
  }
}

TEST_CASE("a table with subscribers must not end before them") {
  CHECK(dies([] {
    auto home = std::make_unique<session_home>(16);
    test::fake_session a(*home);
    a.subscribe("t");
    home.reset();
  }));
}
