// SPDX-License-Identifier: BSL-1.0
// What becomes of messages when calls to SQLite's files fail: each of them once, and from each of them on.
#include <map>

#include "faulty_files.hpp"
#include "stores.hpp"

using namespace test;
namespace fs = std::filesystem;

namespace {

std::string health_of(std::string const& file) {
  sqlite3* db = nullptr;
  std::string found;
  sqlite3_open(file.c_str(), &db);
  auto const add = [](void* to, int, char** values, char**) { return *static_cast<std::string*>(to) += values[0], 0; };
  sqlite3_exec(db, "PRAGMA integrity_check; PRAGMA foreign_key_check", add, &found, nullptr);
  sqlite3_close(db);
  return found;
}

/// Somebody who says things until they are acknowledged, and remembers what was.
class sender {
 public:
  explicit sender(std::size_t bytes) : text_(bytes, 'x') {}

  /// Says three more things, and what was not acknowledged before. Whether all is acknowledged now.
  bool say(opened& to) {
    for (int i = 0; i < 3; ++i) waiting_.push_back(test::say(text_, std::to_string(++said_)));
    auto const got = to.ask(waiting_);
    if (failed(got)) return false;
    auto const& receipts = std::get<std::vector<receipt>>(got.what);
    REQUIRE(receipts.size() == waiting_.size());
    for (std::size_t i = 0; i < receipts.size(); ++i) acked_[receipts[i].seq] = waiting_[i].id;
    waiting_.clear();
    return true;
  }

  /// What can be read is 1, 2, 3, ... and all that was acknowledged.
  void look(opened& in) const {
    auto const got = in.ask(read_request{.channel = "general", .limit = 1000});
    if (failed(got)) return;
    auto const& all = std::get<page>(got.what).messages;
    REQUIRE(all.size() >= acked_.size());
    for (std::size_t i = 0; i < all.size(); ++i) REQUIRE(all[i].seq == static_cast<std::int64_t>(i + 1));
    for (auto const& [seq, id] : acked_) {
      auto const& m = all[static_cast<std::size_t>(seq - 1)];
      REQUIRE(m.id == id);
      REQUIRE(m.text == text_);
    }
  }

  std::size_t acked() const { return acked_.size(); }

 private:
  std::string text_;
  int said_ = 0;
  std::vector<new_message> waiting_;
  std::map<std::int64_t, std::string> acked_;
};

using call = faulty_files::call;
using then = faulty_files::then;

struct fault {
  call what;
  int nth;
  then later;
};

/// Talks through a fault, and some time after. False: the call never came.
bool live(fault const& is, bool is_new, std::size_t bytes, int batches) {
  CAPTURE(is.what, is.nth, is.later, is_new);
  folder const here;
  faulty_files files;
  sender alice(bytes);
  if (!is_new) {
    opened kept(here.store());
    alice.say(kept);
  }
  files.fail(is.what, is.nth, is.later);
  auto kept = opened::attempt(here.store());
  for (int i = 0; kept != nullptr && i < batches; ++i) alice.say(*kept);
  if (kept != nullptr) alice.look(*kept);
  bool const came = files.failed();
  folder const killed;
  fs::copy(here.path(), killed.path(), fs::copy_options::recursive);
  files.heal();
  {
    opened revived(killed.store());
    alice.look(revived);
  }
  if (kept != nullptr) CHECK(alice.say(*kept));  // it works again
  files.fail(is.what, 1, is.later);
  kept.reset();  // which writes, too
  files.heal();

  CHECK(health_of(here.file()) == "ok");
  opened again(here.store());
  CHECK(alice.say(again));
  alice.look(again);
  CHECK(again.newest("general", 1000).messages.size() == alice.acked());  // nothing twice
  return came;
}

}  // namespace

TEST_CASE(
    "chat: whichever call to SQLite's files fails, what was acknowledged is there, and the rest can be repeated") {
  for (auto const what : {call::open, call::read, call::write, call::sync, call::remove, call::size, call::map})
    for (auto const later : {then::works, then::fails})
      for (bool const is_new : {true, false}) {
        int nth = 1;
        while (live({what, nth, later}, is_new, 100, 4)) ++nth;
        CHECK((nth > 1 || what == call::remove));
      }
}

TEST_CASE("chat: the same when so much is written that the log is moved into the database") {
  for (auto const what : {call::read, call::write, call::sync, call::truncate})
    for (auto const later : {then::works, then::fails}) {
      int nth = 1;
      while (live({what, nth, later}, true, 200'000, 8)) nth = 3 * nth + 1;
      CHECK(nth > 1);
    }
}

TEST_CASE("chat: what could not be flushed is not acknowledged, and its numbers are not used up") {
  folder const here;
  faulty_files files;
  opened kept(here.store());
  kept.append({say("a", "1")});
  files.fail(call::sync, 1, then::fails);
  for (int i = 0; i < 3; ++i) {
    auto const refused = kept.ask({say("b", "2"), say("c", "3")});
    REQUIRE(failed(refused));
    CHECK(std::get<store_error>(refused.what).sentence.find("disk I/O error") != std::string::npos);
    CHECK(kept.newest().newest == 1);  // reading goes on
  }
  files.heal();
  auto const stored = kept.append({say("c", "3"), say("b", "2")});
  CHECK(stored[0].what == receipt::outcome::stored);
  CHECK(stored[0].seq == 2);
  CHECK(stored[1].seq == 3);
}
