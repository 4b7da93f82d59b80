// SPDX-License-Identifier: BSL-1.0
// The order of things: what the store answers early, late, in another order, or not at all.
#include <random>

#include "chat_room.hpp"
#include "support/catch.hpp"

using namespace test;

namespace {

json const& history_in(std::vector<json> const& got) {
  for (auto const& each : got)
    if (each["type"] == "history") return each;
  static json const none;
  return none;
}

}  // namespace

TEST_CASE("chat: who was away gets everything that it missed, in order, once") {
  room r;
  r.past(10);
  r.resume(1, "alice", 7);
  auto const got = history_in(r.take(1));
  CHECK(got["after"] == 7);
  CHECK(got["seq"] == 10);
  CHECK_FALSE(got.contains("more"));
  REQUIRE(got["messages"].size() == 3);
  CHECK(got["messages"][0]["seq"] == 8);
  CHECK(got["messages"][2]["text"] == "m10");
}

TEST_CASE("chat: who has missed nothing gets an empty continuation, also from the very beginning") {
  room r;
  r.resume(1, "alice", 0);
  CHECK(history_in(r.take(1))["after"] == 0);
  r.past(2);
  r.resume(2, "bob", 2);
  auto const got = history_in(r.take(2));
  CHECK(got["after"] == 2);
  CHECK(got["messages"].empty());
}

TEST_CASE("chat: what cannot be continued is answered with reload, and then the end of the history") {
  room r;
  r.past(400);
  SECTION("another epoch") { r.resume(1, "alice", 399, "older"); }
  SECTION("a seq that was never given") { r.resume(1, "alice", 401); }
  SECTION("more than 300 missed") { r.resume(1, "alice", 99); }
  auto const got = r.take(1);
  REQUIRE(got.size() == 3);
  CHECK(got[0] == json::parse(R"({"type":"reload","channel":"general"})"));
  CHECK(got[1]["type"] == "history");
  CHECK_FALSE(got[1].contains("after"));
  CHECK(got[1]["messages"].size() == hub::page_messages);
  CHECK(got[1]["seq"] == 400);
  CHECK(got[1]["more"]);
}

TEST_CASE("chat: 300 missed messages are told, and 512 KiB of text") {
  room r;
  r.past(400);
  r.resume(1, "alice", 100);
  CHECK(history_in(r.take(1))["messages"].size() == 300);
  r.past(33, std::string(16 * 1024, 'x'));
  r.resume(2, "bob", 400);
  CHECK(r.take(2).front()["type"] == "reload");
}

TEST_CASE("chat: what is older than what the store keeps is answered with reload") {
  room r;
  r.past(20);
  r.serve = room::serving::by_hand;
  r.resume(1, "alice", 5);
  r.execute();
  auto& kept = std::get<page>(r.done[0].what).messages;
  kept.erase(kept.begin(), kept.begin() + 5);  // it has 11 to 20 only
  r.tell();
  CHECK(r.take(1).front()["type"] == "reload");
}

TEST_CASE("chat: older messages come by pages") {
  room r;
  r.past(70);
  r.join(1, "alice");
  auto const first = history_in(r.take(1));
  CHECK(first["more"]);
  CHECK(first["messages"][0]["seq"] == 21);
  auto const ask = [&](int before, int limit) {
    r.say(1, {{"type", "history"}, {"channel", "general"}, {"before", before}, {"limit", limit}});
    return r.take(1).at(0);
  };
  auto const second = ask(21, 15);
  CHECK(second["before"] == 21);
  CHECK(second["messages"].size() == 15);
  CHECK(second["messages"][14]["seq"] == 20);
  CHECK(second["more"]);
  auto const last = ask(6, 100);
  CHECK(last["messages"].size() == 5);
  CHECK_FALSE(last["more"]);
  CHECK(ask(1, 1)["messages"].empty());
}

TEST_CASE("chat: a message that is stored and acknowledged while somebody joins reaches them, once") {
  room r;
  r.join(1, "alice");
  r.take_all();
  r.serve = room::serving::by_hand;
  SECTION("read before it was stored, told after") {
    r.join(2, "bob");
    r.message(1, "Hello!", "1"), r.commit();
    r.execute(), r.execute();
    r.tell(1), r.tell();
  }
  SECTION("read before it was stored, told before") {
    r.join(2, "bob");
    r.message(1, "Hello!", "1"), r.commit();
    r.execute(), r.execute();
    r.tell(), r.tell();
  }
  SECTION("read after it was stored, told before") {
    r.join(2, "bob");
    r.message(1, "Hello!", "1"), r.commit();
    r.execute(1), r.execute();
    r.tell(1), r.tell();
  }
  SECTION("read after it was stored, told after") {
    r.join(2, "bob");
    r.message(1, "Hello!", "1"), r.commit();
    r.execute(1), r.execute();
    r.tell(), r.tell();
  }
  CHECK(r.asked.empty());
  for (client_id who : {1U, 2U}) {
    reader all;
    all.seq = 0, all.epoch = "epoch of general";
    all.read(r.take(who));
    CHECK(all.flaw.empty());
    CHECK(all.texts == std::vector<std::string>{"Hello!"});
  }
}

TEST_CASE("chat: a hub that has missed messages of others reads them before it goes on") {
  room r;
  r.join(1, "alice");
  r.take_all();
  r.past(3);  // by another server
  r.message(1, "mine", "1");
  r.commit();
  auto const got = r.take(1, "message");
  REQUIRE(got.size() == 4);
  CHECK(got[0]["text"] == "m1");
  CHECK(got[3]["text"] == "mine");
  CHECK(got[3]["seq"] == 4);
}

TEST_CASE("chat: a hub that looks sees what others have stored, and reads only where there is something") {
  room r(3);
  r.look();
  CHECK(r.asked.empty());
  r.join(1, "alice");
  r.join(2, "bob", "random");
  r.take_all();
  r.past(2);
  r.serve = room::serving::by_hand;
  r.look();
  r.look();  // one at a time
  REQUIRE(r.asked.size() == 1);
  SECTION("at once") {
    r.execute(), r.tell();
    REQUIRE(r.asked.size() == 1);
    CHECK(std::get<read_request>(r.asked[0]).channel == "general");
  }
  SECTION("again after it has failed") {
    r.fails = true;
    r.execute(), r.tell();
    CHECK(r.asked.empty());
    r.fails = false;
    r.look();
  }
  SECTION("and not what it has seen itself meanwhile") {
    r.execute();
    r.join(3, "carol");
    r.execute(), r.tell(1);
    r.tell();
  }
  r.serve_all();
  CHECK(r.take(1, "message").size() == 2);
  CHECK(r.take(2).empty());
  r.look();
  r.execute(), r.tell();
  CHECK(r.asked.empty());
}

TEST_CASE("chat: when reading what was missed fails, it is tried again, and nobody sees a hole") {
  room r;
  r.join(1, "alice");
  r.take_all();
  r.past(3);
  r.message(1, "mine", "1");
  r.serve = room::serving::by_hand;
  r.commit();
  r.execute(), r.tell();  // stored
  CHECK(r.take(1, "ack").size() == 1);
  r.fails = true;
  r.execute(), r.tell();
  CHECK(r.take(1, "message").empty());
  CHECK(r.chat.is_behind());
  r.fails = false;
  r.chat.catch_up();
  r.settle(), r.serve_all();
  CHECK_FALSE(r.chat.is_behind());
  CHECK(r.take(1, "message").size() == 4);
}

TEST_CASE("chat: a batch with an unknown outcome is not acknowledged; if it was stored it is delivered, once") {
  room r;
  r.join(1, "alice");
  r.join(2, "bob");
  r.take_all();
  r.serve = room::serving::by_hand;
  r.message(1, "Hello!", "1"), r.commit();
  r.execute(), r.lose();
  r.serve = room::serving::at_once;
  auto const mine = r.take(1);
  REQUIRE(mine.size() == 1);
  CHECK(mine[0]["code"] == "store_unavailable");
  CHECK(mine[0]["id"] == "1");
  SECTION("because the hub looks for it") {
    CHECK(r.chat.is_behind());
    r.chat.catch_up(), r.settle();
    CHECK(r.take(2, "message").size() == 1);
    CHECK(r.take(1, "ack").empty());
  }
  SECTION("because it is repeated") {
    r.message(1, "Hello?", "1"), r.commit();
    CHECK(r.take(1, "ack").size() == 1);
    auto const heard = r.take(2, "message");
    REQUIRE(heard.size() == 1);
    CHECK(heard[0]["text"] == "Hello!");  // what is stored
    r.chat.catch_up(), r.settle();
  }
  r.message(1, "again", "2"), r.commit();
  auto const next = r.take(2, "message");
  REQUIRE(next.size() == 1);
  CHECK(next[0]["seq"] == 2);
}

TEST_CASE("chat: when the history changes under a joined client, it is told to reload") {
  room r(3);
  r.past(5);
  r.join(1, "alice");
  r.join(2, "bob");
  r.take_all();
  r.truth.channels["general"] = {"restored", {}, {}};
  r.past(2, "other ");
  SECTION("seen by a message") { r.message(1, "mine", "1"), r.commit(); }
  SECTION("seen by somebody who joins") { r.join(3, "carol"); }
  SECTION("seen by looking") { r.look(); }
  SECTION("seen by a page") { r.say(1, {{"type", "history"}, {"channel", "general"}, {"before", 3}}); }
  r.tell_presence();
  for (client_id who : {1U, 2U}) {
    auto const got = r.take(who);
    reader all;
    all.read(got);
    CHECK(all.reloads == 1);
    CHECK(all.epoch == "restored");
    CHECK(all.seq == static_cast<std::int64_t>(r.truth.of("general").messages.size()));
    CHECK(got.back()["users"].size() == r.subscribed["general"].size());
  }
}

TEST_CASE("chat: what waited to be published is forgotten with the history that it belongs to") {
  room r;
  r.join(1, "alice");
  r.past(3);
  r.serve = room::serving::by_hand;
  r.message(1, "old", "1"), r.commit();
  r.execute(), r.tell();  // stored as 4, which waits for 1 to 3
  r.truth.channels["general"] = {"restored", {}, {}};
  r.serve_all();
  r.past(3, "new ");
  r.serve = room::serving::at_once;
  r.message(1, "newest", "2"), r.commit();
  reader all;
  all.read(r.take(1));
  CHECK(all.flaw.empty());
  CHECK(all.texts == std::vector<std::string>{"new 1", "new 2", "new 3", "newest"});
}

TEST_CASE("chat: a history that became shorter under the same epoch is noticed, too") {
  room r(3);
  r.past(5);
  r.join(1, "alice");
  r.take_all();
  r.truth.of("general").messages.resize(3);
  r.join(2, "bob");
  reader all;
  all.read(r.take(1));
  CHECK(all.reloads == 1);
  CHECK(all.seq == 3);
}

TEST_CASE("chat: a store that has not what it says it has makes the clients reload, and not wait for ever") {
  room r;
  r.join(1, "alice");
  r.take_all();
  r.past(3);
  r.serve = room::serving::by_hand;
  r.message(1, "mine", "1"), r.commit();
  r.execute(), r.tell();
  r.execute();
  std::get<page>(r.done[0].what).messages.erase(std::get<page>(r.done[0].what).messages.begin());
  r.tell();
  r.serve_all();
  reader all;
  all.read(r.take(1));
  CHECK(all.reloads == 1);
  CHECK(all.seq == 4);
}

TEST_CASE("chat: when a join cannot be read it is refused, and may be tried again") {
  room r;
  r.fails = true;
  r.join(1, "alice");
  CHECK(r.take(1)[0]["code"] == "store_unavailable");
  r.message(1, "not in there", "1");
  CHECK(r.last_code(1) == "not_joined");
  r.fails = false;
  r.join(1, "alice");
  CHECK(r.take(1).size() == 2);
}

TEST_CASE("chat: a message right behind a join is stored, and its sender gets it once") {
  room r;
  r.serve = room::serving::by_hand;
  r.join(1, "alice");
  r.message(1, "Hello!", "1"), r.commit();
  SECTION("stored first") {
    r.execute(1), r.tell();
    r.execute(), r.tell();
  }
  SECTION("read first") { r.serve_all(); }
  auto const got = r.take(1);
  reader all;
  all.read(got);
  CHECK(all.flaw.empty());
  CHECK(all.texts == std::vector<std::string>{"Hello!"});
  CHECK(std::count_if(got.begin(), got.end(), [](auto const& m) { return m["type"] == "ack"; }) == 1);
}

TEST_CASE("chat: who leaves or goes while a join is being read is not in the channel") {
  room r;
  r.serve = room::serving::by_hand;
  r.join(1, "alice");
  r.join(2, "bob");
  SECTION("left") { r.leave(1); }
  SECTION("left and came back") { r.leave(1), r.join(1, "alicia"), r.leave(1); }
  SECTION("gone") { r.gone(1); }
  r.serve_all();
  CHECK(r.take(1).empty());
  CHECK(r.subscribed["general"] == std::set<client_id>{2});
  CHECK(r.take(2).back()["users"] == json::parse(R"(["bob"])"));
}

TEST_CASE("chat: one read of a client is with the store, and none while much waits to be sent to it") {
  room r;
  r.serve = room::serving::by_hand;
  for (auto const* const name : {"a", "b", "c"}) r.join(1, "alice", name);
  r.join(2, "bob", "a");
  CHECK(r.asked.size() == 2);
  r.execute(), r.tell();
  CHECK(r.asked.size() == 2);
  r.chat.held(1);
  r.execute(1), r.tell();
  CHECK(r.asked.size() == 1);  // bob's
  CHECK(r.subscribed["b"].contains(1));
  CHECK_FALSE(r.subscribed["c"].contains(1));
  r.chat.released(1);
  r.settle(), r.serve_all();
  CHECK(r.subscribed["c"].contains(1));
}

TEST_CASE("chat: what waits for the store is bounded; the rest is refused") {
  room r;
  r.join(1, "alice");
  r.take_all();
  r.serve = room::serving::by_hand;
  for (std::size_t i = 0; i < hub::waiting_messages_max; ++i) r.message(1, "m", std::to_string(i));
  CHECK(r.take(1).empty());
  r.message(1, "m", "one more");
  CHECK(r.take(1)[0]["code"] == "store_unavailable");
  for (std::size_t i = 0; i < hub::reads_per_client_max + 1; ++i)
    r.say(1, {{"type", "history"}, {"channel", "general"}, {"before", 7}});
  CHECK(r.take(1).empty());
  r.say(1, {{"type", "history"}, {"channel", "general"}, {"before", 7}});
  CHECK(r.last_code(1) == "store_unavailable");
  while (r.chat.pending()) r.commit(), r.serve_all();
  CHECK(r.take(1, "ack").size() == hub::waiting_messages_max);
  CHECK(static_cast<std::size_t>(r.appends) == hub::waiting_messages_max / hub::batch_messages_max);
}

TEST_CASE("chat: who takes long to join while much is said gets it all the same") {
  room r;
  r.join(1, "alice");
  r.serve = room::serving::by_hand;
  r.join(2, "bob");
  r.execute();  // read, but not told yet
  for (std::size_t i = 0; i < tail::kept_messages_max + 10; ++i) r.message(1, "m", std::to_string(i));
  while (r.chat.pending()) {
    r.commit();
    r.execute(), r.tell(1);
  }
  r.serve_all();
  reader all;
  all.read(r.take(2));
  CHECK(all.flaw.empty());
  CHECK(all.seq == static_cast<std::int64_t>(tail::kept_messages_max + 10));
}

TEST_CASE("chat: whatever the store does and when, nobody sees a hole, a repeat or another order, and acks are true") {
  for (unsigned seed = 0; seed < 300; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    auto const dice = [&](unsigned sides) { return random() % sides; };
    room r(6);
    r.serve = room::serving::by_hand;
    r.past(static_cast<int>(dice(4)));
    std::map<client_id, reader> readers;
    std::map<std::string, std::int64_t> acks;
    int said = 0;
    auto const look = [&] {
      for (client_id who = 1; who <= 6; ++who) {
        auto const got = r.take(who);
        readers[who].read(got);
        INFO("client " << who);
        REQUIRE(readers[who].flaw == "");
        for (auto const& m : got)
          if (m["type"] == "ack") REQUIRE(acks.emplace(m["id"], m["seq"]).first->second == m["seq"]);
      }
    };
    for (int step = 0; step < 300; ++step) {
      client_id const who = 1 + dice(6);
      r.fails = dice(10) == 0;
      switch (dice(8)) {
        case 0: {
          auto const& has = readers[who];
          has.epoch.empty() || dice(3) == 0 ? r.join(who, "u") : r.resume(who, "u", has.seq, has.epoch);
          break;
        }
        case 1:
          if (dice(2) == 0) r.leave(who);
          break;
        case 2:
          r.message(who, "t", std::to_string(dice(3) == 0 ? dice(20) : 100U + static_cast<unsigned>(++said)));
          r.commit();
          break;
        case 3:
          if (dice(8) == 0) r.past(1 + static_cast<int>(dice(3)));
          break;
        case 4:
          if (r.chat.is_behind()) r.chat.catch_up(), r.settle();
          if (dice(4) == 0) r.look();
          break;
        case 5:
          if (!r.done.empty())
            dice(6) == 0 ? r.lose(dice(static_cast<unsigned>(r.done.size())))
                         : r.tell(dice(static_cast<unsigned>(r.done.size())));
          break;
        default:
          if (!r.asked.empty()) r.execute(dice(static_cast<unsigned>(r.asked.size())));
      }
      look();
    }
    auto const calm = [&] {
      r.fails = false;
      for (int i = 0; i < 100; ++i) {
        r.serve_all();
        r.commit();
        r.chat.catch_up(), r.settle();
      }
      look();
    };
    auto const& truth = r.truth.of("general");
    calm();
    auto ours = static_cast<std::int64_t>(truth.messages.size());
    while (ours > 0 && truth.messages[static_cast<std::size_t>(ours - 1)].user == "past") --ours;
    for (auto const who : r.subscribed["general"]) CHECK(readers[who].seq >= ours);
    r.look();  // for what another server has stored
    calm();
    for (auto const who : r.subscribed["general"])
      CHECK(readers[who].seq == static_cast<std::int64_t>(truth.messages.size()));
    for (auto const& [id, seq] : acks) CHECK(truth.messages.at(static_cast<std::size_t>(seq - 1)).id == id);
  }
}
