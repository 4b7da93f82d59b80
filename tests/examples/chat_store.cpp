// SPDX-License-Identifier: BSL-1.0
// What every store does. `test_examples [store]` with the URL of a PostgreSQL in CHAT_TEST_POSTGRES tries that one.
#include <chrono>
#include <map>

#include "any_store.hpp"

using namespace test;

TEST_CASE("chat: every store numbers the messages of each channel 1, 2, 3", "[store]") {
  any_store const here;
  opened kept(here.where());
  CHECK(kept.newest().messages.empty());
  auto const receipts = kept.append({say("a", "1"), say("b", "2"), say("c", "1", "bob", "random"), say("d", "3")});
  REQUIRE(receipts.size() == 4);
  CHECK(receipts[0].seq == 1);
  CHECK(receipts[1].seq == 2);
  CHECK(receipts[2].seq == 1);
  CHECK(receipts[3].seq == 3);
  CHECK(receipts[3].what == receipt::outcome::stored);
  CHECK(receipts[3].time == 1000);
  CHECK(kept.append({say("e", "4")}, 2000).front().seq == 4);

  auto const last = kept.newest("general", 2);
  REQUIRE(last.messages.size() == 2);
  CHECK(last.messages[0].text == "d");
  CHECK(last.messages[1].text == "e");
  CHECK(last.messages[1].user == "alice");
  CHECK(last.messages[1].id == "4");
  CHECK(last.messages[1].seq == 4);
  CHECK(last.messages[1].time == 2000);
}

TEST_CASE("chat: every store answers a repeat with its first number and uses none up", "[store]") {
  any_store const here;
  opened kept(here.where());
  auto const batch = kept.append({say("a", "1"), say("a", "1"), say("b", "2")}, 1000);
  CHECK(batch[1].what == receipt::outcome::duplicate);
  CHECK(batch[1].seq == 1);
  CHECK(batch[2].seq == 2);
  auto const later = kept.append({say("other text", "1"), say("c", "3")}, 2000);
  CHECK(later[0].what == receipt::outcome::duplicate);
  CHECK(later[0].seq == 1);
  CHECK(later[0].time == 1000);
  CHECK(later[1].seq == 3);
  CHECK(kept.newest().messages.size() == 3);
  CHECK(kept.newest().messages[0].text == "a");
}

TEST_CASE("chat: the same id of another user, device or channel is another message", "[store]") {
  any_store const here;
  opened kept(here.where());
  auto const all = kept.append(
      {say("a", "1"), say("b", "1", "bob"), say("c", "1", "alice", "general", "d2"), say("d", "1", "alice", "random")});
  for (auto const& each : all) CHECK(each.what == receipt::outcome::stored);
}

TEST_CASE("chat: every store keeps texts as they are, and an epoch per channel", "[store]") {
  any_store const here;
  opened kept(here.where());
  std::string const odd = "a\x01'\"; DROP TABLE messages; --\xF0\x9F\x91\x8B\\{,}NULL";
  kept.append({say(odd, odd, odd, odd)});
  auto const found = kept.newest(odd).messages;
  REQUIRE(found.size() == 1);
  CHECK(found[0].text == odd);
  CHECK(found[0].user == odd);
  CHECK(kept.newest("a").epoch == kept.newest("a").epoch);
  CHECK(kept.newest("a").epoch != kept.newest("b").epoch);
  CHECK_FALSE(kept.newest("a").epoch.empty());
}

TEST_CASE("chat: every store reads the end of a channel, what is before a message, and what is after one", "[store]") {
  any_store const here;
  opened kept(here.where());
  std::vector<new_message> batch;
  for (int i = 1; i <= 10; ++i) batch.push_back(say("m" + std::to_string(i), std::to_string(i)));
  batch.push_back(say("of another channel", "1", "alice", "random"));
  kept.append(batch);
  using enum read_request::from;
  auto const seqs = [&](read_request::from what, std::int64_t seq, std::size_t limit) {
    auto const found = kept.read({what, 0, "general", seq, limit});
    CHECK(found.newest == 10);
    CHECK(found.epoch == kept.newest().epoch);
    std::string text = found.more ? "..." : "";
    for (auto const& m : found.messages) {
      CHECK(m.text == "m" + std::to_string(m.seq));
      text += " " + std::to_string(m.seq);
    }
    return text;
  };
  CHECK(seqs(newest, 0, 3) == "... 8 9 10");
  CHECK(seqs(newest, 0, 10) == " 1 2 3 4 5 6 7 8 9 10");
  CHECK(seqs(before, 4, 2) == "... 2 3");
  CHECK(seqs(before, 4, 3) == " 1 2 3");
  CHECK(seqs(before, 1, 3).empty());
  CHECK(seqs(before, 99, 1) == "... 10");
  CHECK(seqs(after, 7, 300) == " 8 9 10");
  CHECK(seqs(after, 7, 2) == " 8 9");
  CHECK(seqs(after, 0, 1) == " 1");
  CHECK(seqs(after, 10, 300).empty());
  CHECK(seqs(after, 11, 300).empty());
  CHECK(kept.read({after, 0, "nowhere", 5, 300}).newest == 0);
}

TEST_CASE("chat: every store tells how far channels are, in the order of the question", "[store]") {
  any_store const here;
  opened kept(here.where());
  kept.append({say("a", "1"), say("b", "2"), say("c", "1", "alice", "random")});
  auto const got =
      opened::good<std::vector<head>>(kept.ask(heads_request{.channels = {"random", "no \"\\ such", "general"}}));
  REQUIRE(got.size() == 3);
  CHECK(got[0].channel == "random");
  CHECK(got[0].newest == 1);
  CHECK(got[0].epoch == kept.newest("random").epoch);
  CHECK(got[1].channel == "no \"\\ such");
  CHECK(got[1].epoch.empty());
  CHECK(got[2].newest == 2);
  CHECK(opened::good<std::vector<head>>(kept.ask(heads_request{})).empty());
  CHECK(kept.get().shared() == here.where().starts_with("postgres"));
}

TEST_CASE("chat: every store says with a receipt which epoch it belongs to", "[store]") {
  any_store const here;
  opened kept(here.where());
  auto const got = kept.append({say("a", "1"), say("a", "1"), say("b", "1", "alice", "random")});
  CHECK(got[0].epoch == kept.newest().epoch);
  CHECK(got[1].epoch == kept.newest().epoch);
  CHECK(got[2].epoch == kept.newest("random").epoch);
}

TEST_CASE("chat: every store takes the largest batch, and answers what is asked meanwhile", "[store]") {
  any_store const here;
  opened kept(here.where());
  auto batch = std::make_shared<std::vector<new_message>>();
  for (int i = 0; i < 512; ++i) batch->push_back(say(std::string(1024, 'x'), std::to_string(i)));
  kept.get().submit(append_request{1, batch, 1000});
  for (ticket i = 2; i < 50; ++i) kept.get().submit(read_request{.number = i, .channel = "general", .limit = 1});
  for (ticket i = 49; i > 1; --i) {
    auto const newest = opened::good<page>(kept.wait(i)).newest;
    CHECK((newest == 0 || newest == 512));  // never a part of it
  }
  CHECK(opened::good<std::vector<receipt>>(kept.wait(1)).back().seq == 512);
}

TEST_CASE("chat: a store that ends while it works tells nothing any more, and keeps all or none of a batch",
          "[store]") {
  any_store const here;
  if (here.where() == "memory:") return;
  {
    opened kept(here.where());
    kept.append({say("a", "1")});
    auto const batch = std::vector{say("b", "2"), say("c", "3")};
    kept.get().submit(append_request{77, std::make_shared<std::vector<new_message> const>(batch), 1000});
  }
  opened kept(here.where());
  auto const before = kept.newest().newest;
  CHECK((before == 1 || before == 3));
  auto const again = kept.append({say("b", "2"), say("c", "3"), say("d", "4")});
  CHECK(again[0].seq == 2);
  CHECK(again[2].seq == 4);
}

TEST_CASE("chat: two programs on one store give no number twice, and leave none out", "[store]") {
  any_store const here;
  if (here.where() == "memory:") return;
  opened one(here.where());
  opened two(here.where());
  std::map<std::int64_t, std::string> all;
  for (int round = 0; round < 20; ++round) {
    for (auto* const each : {&one, &two}) {
      auto const batch = std::vector{say("m", std::to_string(round), each == &one ? "one" : "two"),
                                     say("m", std::to_string(round), each == &one ? "one" : "two", "random")};
      each->get().submit(append_request{1000, std::make_shared<std::vector<new_message> const>(batch), 1000});
    }
    for (auto* const each : {&one, &two}) {
      auto const got = opened::good<std::vector<receipt>>(each->wait(1000));
      CHECK(all.emplace(got[0].seq, each == &one ? "one" : "two").second);
    }
  }
  CHECK(all.size() == 40);
  CHECK(all.rbegin()->first == 40);
  CHECK(one.newest("random").newest == 40);
}

TEST_CASE("chat: every store keeps so many messages of each channel as it is told, and goes on counting", "[store]") {
  any_store const here;
  opened kept(here.where(), {.messages = 3});
  kept.append({say("a", "1"), say("b", "1", "bob", "random")});
  std::vector<new_message> batch;
  for (int i = 2; i <= 10; ++i) batch.push_back(say("m", std::to_string(i)));
  CHECK(kept.append(batch).back().seq == 10);
  auto const rest = kept.newest();
  CHECK(rest.newest == 10);
  CHECK(rest.messages.size() == 3);
  CHECK(rest.messages.front().seq == 8);
  CHECK_FALSE(rest.more);
  auto const missed = kept.read({read_request::from::after, 0, "general", 5, 300});
  CHECK(missed.messages.size() == 3);  // which is not all that came after 5, and so the hub says reload
  CHECK(kept.newest("random").messages.size() == 1);
  CHECK(kept.append({say("m", "9"), say("k", "11")}).front().seq == 9);
  CHECK(kept.newest().messages.back().seq == 11);
}

TEST_CASE("chat: every store keeps messages for so many days as it is told, and goes on counting", "[store]") {
  using namespace std::chrono;
  auto const now = duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
  auto const ago = [&](std::int64_t days) { return now - days * 86'400'000; };
  any_store const here;
  opened kept(here.where(), {.days = 7});
  kept.append({say("a", "1"), say("b", "2"), say("q", "1", "bob", "quiet")}, ago(9));
  kept.append({say("r", "2", "bob", "quiet")}, ago(6));
  kept.append({say("of yesterday", "3")}, ago(1));
  kept.append({say("by a clock that was wrong", "4")}, ago(8));  // stays, because of the one before it
  kept.append({say("c", "5")}, now);
  auto const rest = kept.newest();
  CHECK(rest.newest == 5);
  REQUIRE(rest.messages.size() == 3);
  CHECK(rest.messages.front().seq == 3);
  CHECK_FALSE(rest.more);
  CHECK(kept.read({read_request::from::after, 0, "general", 1, 300}).messages.size() ==
        3);  // not all: the hub says reload
  CHECK(kept.read({read_request::from::before, 0, "general", 3, 50}).messages.empty());
  CHECK(kept.append({say("c", "5"), say("d", "1")}, now)[0].seq == 5);
  CHECK(kept.newest().messages.back().seq == 6);  // the first number 1 is forgotten

  auto const quiet = kept.read({read_request::from::before, 0, "quiet", 3, 1});
  CHECK(quiet.messages.front().text == "r");
  CHECK_FALSE(kept.newest("quiet").more);
  CHECK(kept.newest("quiet").messages.size() == 1);
}

TEST_CASE("chat: a channel where nothing is said shows nothing that is too old", "[store]") {
  any_store const here;
  opened kept(here.where(), {.days = 7});
  kept.append({say("a", "1"), say("b", "2")}, 1000);
  auto const rest = kept.newest("general", 1);
  CHECK(rest.newest == 2);
  CHECK(rest.messages.empty());
  CHECK_FALSE(rest.more);
}
