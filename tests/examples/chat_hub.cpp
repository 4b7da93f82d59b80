// SPDX-License-Identifier: BSL-1.0
#include "chat_room.hpp"
#include "support/catch.hpp"

using namespace test;

namespace {

json const users(std::initializer_list<char const*> names) {
  return json(std::vector<std::string>(names.begin(), names.end()));
}

}  // namespace

TEST_CASE("chat: who joins gets the history and then the people present, the others the people a little later") {
  room r;
  r.join(1, "alice");
  auto const first = r.take(1);
  REQUIRE(first.size() == 2);
  CHECK(first[0]["type"] == "history");
  CHECK(first[0]["messages"].empty());
  CHECK(first[0]["seq"] == 0);
  CHECK_FALSE(first[0]["more"]);
  CHECK_FALSE(first[0]["epoch"].get<std::string>().empty());
  CHECK(first[1]["type"] == "presence");
  CHECK(first[1]["users"] == users({"alice"}));

  r.join(2, "Bob");
  CHECK(r.take(2).back()["users"] == users({"Bob", "alice"}));
  CHECK(r.take(1).empty());
  CHECK(r.chat.presence_changed());
  r.tell_presence();
  CHECK_FALSE(r.chat.presence_changed());
  CHECK(r.take(2).empty());  // knows it already
  auto const other = r.take(1);
  REQUIRE(other.size() == 1);
  CHECK(other[0]["users"] == users({"Bob", "alice"}));
  CHECK(other[0]["count"] == 2);
}

TEST_CASE("chat: many changes of who is present are told together") {
  room r(40);
  r.join(1, "alice");
  r.tell_presence();
  r.take_all();
  for (client_id i = 2; i <= 40; ++i) r.join(i, "user " + std::to_string(i));
  for (client_id i = 2; i <= 39; ++i) r.leave(i);
  r.tell_presence();
  auto const told = r.take(1);
  REQUIRE(told.size() == 1);
  CHECK(told[0]["users"] == users({"alice", "user 40"}));
}

TEST_CASE("chat: who joins is told again when somebody goes right after") {
  room r(3);
  r.join(1, "alice");
  r.join(3, "carol");
  r.join(2, "bob");
  r.leave(1);
  r.take(2);
  r.tell_presence();
  CHECK(r.take(2).back()["users"] == users({"bob", "carol"}));
}

TEST_CASE("chat: of many people the first hundred are told by name, and all are counted") {
  room r(130);
  for (client_id i = 1; i <= 130; ++i) r.join(i, "user " + std::to_string(1000 + i));
  auto const last = r.take(130).back();
  CHECK(last["count"] == 130);
  REQUIRE(last["users"].size() == 100);
  CHECK(last["users"][99] == "user 1100");
}

TEST_CASE("chat: a message is acknowledged and delivered after the commit, and not before") {
  room r;
  r.join(1, "alice");
  r.join(2, "bob");
  r.take(1), r.take(2);
  r.message(1, "Hello!", "7");
  CHECK(r.take(1).empty());
  CHECK(r.take(2).empty());
  CHECK(r.chat.pending());
  r.serve = room::serving::by_hand;
  r.commit(1234);
  r.execute();
  CHECK(r.take(1).empty());  // stored, but nobody knows yet
  r.serve = room::serving::at_once;
  r.tell();
  CHECK_FALSE(r.chat.pending());
  auto const mine = r.take(1);
  REQUIRE(mine.size() == 2);
  CHECK(mine[0] == json::parse(R"({"type":"ack","channel":"general","id":"7","seq":1,"time":1234})"));
  auto const delivered = json::parse(
      R"({"type":"message","channel":"general","user":"alice","text":"Hello!","id":"7","seq":1,"time":1234})");
  CHECK(mine[1] == delivered);
  CHECK(r.take(2) == std::vector<json>{delivered});
}

TEST_CASE("chat: all messages of a turn are one transaction, and so are all that come while another is under way") {
  room r;
  r.join(1, "alice");
  r.join(2, "bob");
  r.take(2);
  for (client_id i = 0; i < 5; ++i) r.message(1 + i % 2, "m", std::to_string(i));
  CHECK(r.appends == 0);
  r.commit();
  CHECK(r.appends == 1);
  std::vector<int> seqs;
  for (auto const& got : r.take(2))
    if (got["type"] == "message") seqs.push_back(got["seq"]);
  CHECK(seqs == std::vector{1, 2, 3, 4, 5});

  r.serve = room::serving::by_hand;
  r.message(1, "m", "first");
  r.commit();
  for (int i = 10; i < 20; ++i) r.message(1, "m", std::to_string(i)), r.commit();
  CHECK_FALSE(r.chat.pending());
  CHECK(r.appends == 2);
  r.execute(), r.tell();
  CHECK(r.chat.pending());
  r.commit();
  CHECK(r.appends == 3);
  r.serve_all();
  CHECK(r.take(2, "message").size() == 11);
}

TEST_CASE("chat: a repeat is acknowledged again with the same seq and not delivered again") {
  room r;
  r.join(1, "alice");
  r.join(2, "bob");
  r.message(1, "Hello!", "7");
  r.message(1, "Hello!", "7");  // in the same batch
  r.commit(1000);
  r.message(1, "Hello!", "7");  // and later
  r.commit(2000);
  std::vector<json> acks;
  for (auto const& got : r.take(1))
    if (got["type"] == "ack") acks.push_back(got);
  REQUIRE(acks.size() == 3);
  CHECK(acks[0] == acks[1]);
  CHECK(acks[0] == acks[2]);
  int delivered = 0;
  for (auto const& got : r.take(2)) delivered += got["type"] == "message";
  CHECK(delivered == 1);
}

TEST_CASE("chat: a repeat after a reconnection is known by its device; another device is another sender") {
  room r(3);
  r.join(1, "alice", "general", "phone");
  r.message(1, "Hello!", "7");
  r.commit();
  r.gone(1);
  r.join(2, "alice", "general", "phone");
  r.join(3, "alice", "general", "desk");
  r.take(2), r.take(3);
  r.message(2, "Hello!", "7");
  r.message(3, "Hello!", "7");
  r.commit();
  CHECK(r.take(2).front()["seq"] == 1);
  CHECK(r.take(3).front()["seq"] == 2);
}

TEST_CASE("chat: a message without an id gets one from the server") {
  room r;
  r.join(1, "alice");
  r.take(1);
  for (int i = 0; i < 2; ++i) r.say(1, {{"type", "message"}, {"channel", "general"}, {"text", "same"}});
  r.commit();
  auto const got = r.take(1);
  REQUIRE(got.size() == 4);
  CHECK_FALSE(got[0]["id"].get<std::string>().empty());
  CHECK(got[0]["id"] == got[1]["id"]);
  CHECK(got[0]["id"] != got[2]["id"]);
  CHECK(got[3]["seq"] == 2);
}

TEST_CASE("chat: history is the last 50 messages, oldest first") {
  room r;
  r.join(1, "alice");
  for (int i = 1; i <= 60; ++i) r.message(1, "m" + std::to_string(i), std::to_string(i));
  r.commit();
  r.join(2, "bob");
  auto const messages = r.take(2).front()["messages"];
  REQUIRE(messages.size() == 50);
  CHECK(messages[0]["seq"] == 11);
  CHECK(messages[49]["text"] == "m60");
}

TEST_CASE("chat: history has a bound in bytes too, and always the newest message") {
  room r;
  r.join(1, "alice");
  for (int i = 1; i <= 50; ++i) r.message(1, std::string(16384, 'x'), std::to_string(i));
  r.commit();
  r.join(2, "bob");
  auto const messages = r.take(2).front()["messages"];
  CHECK(messages.size() == hub::page_bytes / 16384);
  CHECK(messages.back()["seq"] == 50);
}

TEST_CASE("chat: a user on several connections is present once, until the last of them goes") {
  room r(3);
  r.join(1, "alice");
  r.join(2, "alice");
  r.join(3, "bob");
  CHECK(r.take(3).back()["users"] == users({"alice", "bob"}));
  r.gone(1);
  r.tell_presence();
  CHECK(r.take(3).back()["users"] == users({"alice", "bob"}));
  r.gone(2);
  r.tell_presence();
  CHECK(r.take(3).back()["users"] == users({"bob"}));
}

TEST_CASE("chat: who leaves a channel is off its list and gets nothing more of it") {
  room r;
  r.join(1, "alice");
  r.join(2, "bob");
  r.take(1), r.take(2);
  r.leave(2);
  r.tell_presence();
  CHECK(r.take(1).back()["users"] == users({"alice"}));
  r.message(1, "alone", "1");
  r.commit();
  CHECK(r.take(2).empty());
  r.join(2, "bobby");  // and may come back, under another name
  r.tell_presence();
  CHECK(r.take(1).back()["users"] == users({"alice", "bobby"}));
}

TEST_CASE("chat: channels do not hear each other", "[hazard-72]") {
  room r(3);
  r.join(1, "alice", "general");
  r.join(2, "bob", "random");
  r.join(3, "carol", "general");
  r.join(3, "carol", "random");
  r.take(1), r.take(2), r.take(3);
  r.message(1, "one", "1", "general");
  r.message(2, "two", "1", "random");
  r.commit();
  CHECK(r.take(1).size() == 2);
  CHECK(r.take(2).size() == 2);
  auto const both = r.take(3);
  REQUIRE(both.size() == 2);
  CHECK(both[0]["channel"] == "general");
  CHECK(both[1]["channel"] == "random");
  CHECK(both[1]["seq"] == 1);
}

TEST_CASE("chat: nothing is said, left or read without having joined", "[hazard-72]") {
  room r;
  r.join(1, "alice");
  r.take(1);
  r.message(2, "intruder", "9");
  auto const answer = r.take(2);
  REQUIRE(answer.size() == 1);
  CHECK(answer[0]["code"] == "not_joined");
  CHECK(answer[0]["channel"] == "general");
  CHECK(answer[0]["id"] == "9");
  for (auto const* const type : {"leave", "typing", "history"}) {
    r.say(2, {{"type", type}, {"channel", "general"}, {"before", 7}});
    CHECK(r.last_code(2) == "not_joined");
  }
  CHECK_FALSE(r.chat.pending());
  r.message(1, "among us", "1");
  r.commit();
  CHECK(r.take(2).empty());
}

TEST_CASE("chat: typing is told to the others only, and ping is answered") {
  room r(3);
  r.join(1, "alice");
  r.join(2, "bob");
  r.take_all();
  r.say(1, {{"type", "typing"}, {"channel", "general"}});
  r.say(3, {{"type", "ping"}});
  CHECK(r.take(1).empty());
  CHECK(r.take(2) == std::vector{json::parse(R"({"type":"typing","channel":"general","user":"alice"})")});
  CHECK(r.take(3) == std::vector{json::parse(R"({"type":"pong"})")});
}

TEST_CASE("chat: joining twice is an error, and changes nothing") {
  room r;
  r.join(1, "alice");
  r.join(1, "mallory");
  CHECK(r.last_code(1) == "already_joined");
  r.join(2, "bob");
  CHECK(r.take(2).back()["users"] == users({"alice", "bob"}));
}

TEST_CASE("chat: a connection has at most 128 channels") {
  room r;
  for (int i = 0; i < 128; ++i) r.join(1, "alice", "c" + std::to_string(i));
  CHECK(r.last_code(1) == "no error");
  r.join(1, "alice", "one more");
  CHECK(r.last_code(1) == "too_many_channels");
}

TEST_CASE("chat: the connection stays after bad input, and is closed with 1008 after 10 in a row", "[hazard-33]") {
  room r;
  r.join(2, "bob");
  r.join(1, "alice");
  r.take(2);
  for (int i = 0; i < 9; ++i) r.say(1, {{"type", "nonsense"}});
  CHECK(r.last_code(1) == "unknown_type");
  r.message(1, "sorry", "1");  // a good one begins the count anew
  r.commit();
  for (int i = 0; i < 9; ++i) r.receive(1, "{");
  CHECK(r.closed.empty());
  r.leave(1, "elsewhere");
  CHECK(r.closed[1] == 1008);
  CHECK(r.last_code(1) == "not_joined");
  r.tell_presence();
  auto const other = r.take(2);
  CHECK(other.back()["users"] == users({"bob"}));
  for (auto const& got : other) CHECK(got["type"] != "error");  // nobody else is disturbed

  r.message(1, "still there?", "2");  // was on its way
  r.gone(1);
  CHECK(r.take(1).empty());
  CHECK_FALSE(r.chat.pending());
}

TEST_CASE("chat: when the store fails nothing is acknowledged, and a repeat succeeds later") {
  room r;
  r.join(1, "alice");
  r.join(2, "bob");
  r.take(1), r.take(2);
  r.fails = true;
  r.message(1, "Hello!", "7");
  r.message(1, "Hello?", "8");
  r.commit();
  auto const refused = r.take(1);
  REQUIRE(refused.size() == 2);
  CHECK(refused[0]["type"] == "error");
  CHECK(refused[0]["code"] == "store_unavailable");
  CHECK(refused[0]["channel"] == "general");
  CHECK(refused[0]["id"] == "7");
  CHECK(r.take(2).empty());
  CHECK(r.reports == std::vector<std::string>{"the disk is full"});  // the operator knows

  r.fails = false;
  r.message(1, "Hello!", "7");
  r.commit();
  CHECK(r.take(1).front()["seq"] == 1);
  CHECK(r.take(2).size() == 1);
}

TEST_CASE("chat: a failing store does not count as the client's fault") {
  room r;
  r.fails = true;
  for (int i = 0; i < 20; ++i) r.join(1, "alice");
  CHECK(r.last_code(1) == "store_unavailable");
  CHECK(r.closed.empty());
  r.fails = false;
  r.join(1, "alice");
  CHECK(r.take(1).front()["type"] == "history");
}

TEST_CASE("chat: a message of somebody who goes before the commit is stored all the same") {
  room r;
  r.join(1, "alice");
  r.join(2, "bob");
  r.take(2);
  r.message(1, "my last words", "1");
  r.gone(1);
  r.commit();
  r.tell_presence();
  auto const got = r.take(2);
  REQUIRE(got.size() == 2);
  CHECK(got[0]["text"] == "my last words");
  CHECK(got[1]["users"] == users({"bob"}));
}

TEST_CASE("chat: 20 messages and typings a second, after a burst of 40; the rest is refused, and may come later") {
  room r;
  r.chat = hub("made", {.per_second = 20, .burst = 40});
  r.chat.connected(1), r.chat.connected(2);
  r.join(1, "alice");
  r.take_all();
  for (int i = 0; i < 20; ++i) r.say(1, {{"type", "typing"}, {"channel", "general"}});
  for (int i = 0; i < 20; ++i) r.message(1, "m", std::to_string(i));
  CHECK(r.take(1).empty());
  r.message(1, "m", "20");
  auto const refused = r.take(1).at(0);
  CHECK(refused["code"] == "rate_limited");
  CHECK(refused["id"] == "20");
  CHECK(refused["channel"] == "general");
  CHECK(refused["retry_ms"] == 51);
  r.now_us += 51'000;
  r.message(1, "m", "20");
  CHECK(r.last_code(1) == "no error");
  r.message(1, "m", "21");
  CHECK(r.last_code(1) == "rate_limited");
  r.now_us += 1'000'000;
  for (int i = 21; i < 41; ++i) r.message(1, "m", std::to_string(i));
  CHECK(r.last_code(1) == "no error");
}

TEST_CASE("chat: a user has one rate on all connections, and a connection one for all of its names") {
  room r;
  r.chat = hub("made", {.per_second = 20, .burst = 4});
  r.chat.connected(1), r.chat.connected(2), r.chat.connected(3);
  r.join(1, "alice");
  r.join(2, "alice");
  r.join(1, "bob", "random");
  r.join(3, "carol");
  r.take_all();
  for (int i = 0; i < 4; ++i) r.message(1, "m", std::to_string(i));
  r.message(2, "m", "elsewhere");
  CHECK(r.last_code(2) == "rate_limited");
  r.message(1, "m", "under another name", "random");
  CHECK(r.last_code(1) == "rate_limited");
  r.message(3, "m", "somebody else");
  CHECK(r.last_code(3) == "no error");
}

TEST_CASE("chat: who goes on too fast is closed with 4429 and told for how long; that is not taken for bad input") {
  room r;
  r.chat = hub("made", {.per_second = 20, .burst = 4});
  r.chat.connected(1);
  r.join(1, "alice");
  for (int i = 0; i < 4 + conduct::limited_in_a_row_max - 1; ++i) r.message(1, "m", std::to_string(i));
  CHECK(r.closed.empty());
  r.message(1, "m", "the last");
  CHECK(r.closed[1] == 4429);
  CHECK_FALSE(r.subscribed["general"].contains(1));
}
