// SPDX-License-Identifier: BSL-1.0
#include "chat/store.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "support/catch.hpp"

using namespace chat;
using namespace std::string_literals;
namespace fs = std::filesystem;

namespace {

/// A folder for one test, removed at its end.
class folder {
 public:
  folder() {
    std::string name = (fs::temp_directory_path() / "chat-store-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  folder(folder const&) = delete;
  folder& operator=(folder const&) = delete;
  ~folder() { fs::remove_all(path_); }
  std::string file(char const* name = "chat.db") const { return (path_ / name).string(); }
  std::string store() const { return "sqlite:" + file(); }

 private:
  fs::path path_;
};

std::unique_ptr<store> open(std::string const& where) {
  auto opened = open_store(where);
  if (auto const* const error = std::get_if<store_error>(&opened)) FAIL(error->sentence);
  return std::move(std::get<0>(opened));
}

std::string refusal(std::string const& where) {
  auto const opened = open_store(where);
  REQUIRE(std::holds_alternative<store_error>(opened));
  auto const sentence = std::get<store_error>(opened).sentence;
  CHECK(sentence.find('\n') == sentence.npos);
  CHECK(sentence.find("--store") != sentence.npos);  // says what to do
  return sentence;
}

new_message say(std::string const& text, std::string const& id, std::string const& user = "alice",
                std::string const& channel = "general", std::string const& device = "d1") {
  return {channel, user, device, id, text};
}

std::vector<receipt> append(store& to, std::vector<new_message> const& batch, std::int64_t now = 1000) {
  auto const done = to.append(batch, now);
  if (auto const* const error = std::get_if<store_error>(&done)) FAIL(error->sentence);
  return std::get<0>(done);
}

past history(store& of, std::string const& channel = "general", std::size_t count = 50) {
  auto const read = of.history(channel, count);
  if (auto const* const error = std::get_if<store_error>(&read)) FAIL(error->sentence);
  return std::get<0>(read);
}

/// Runs SQL behind the store's back.
void run(std::string const& file, char const* sql) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(file.c_str(), &db) == SQLITE_OK);
  char* error = nullptr;
  sqlite3_exec(db, sql, nullptr, nullptr, &error);
  if (error != nullptr) FAIL(error);
  sqlite3_close(db);
}

bool has(std::string const& text, char const* part) { return text.find(part) != text.npos; }

}  // namespace

TEST_CASE("chat: every store numbers the messages of each channel 1, 2, 3") {
  folder const here;
  auto const kept = open(GENERATE(true, false) ? here.store() : "memory:");
  CHECK(history(*kept).messages.empty());
  auto const receipts = append(*kept, {say("a", "1"), say("b", "2"), say("c", "1", "bob", "random"), say("d", "3")});
  REQUIRE(receipts.size() == 4);
  CHECK(receipts[0].seq == 1);
  CHECK(receipts[1].seq == 2);
  CHECK(receipts[2].seq == 1);
  CHECK(receipts[3].seq == 3);
  CHECK(receipts[3].what == receipt::outcome::stored);
  CHECK(receipts[3].time == 1000);
  CHECK(append(*kept, {say("e", "4")}, 2000).front().seq == 4);

  auto const last = history(*kept, "general", 2);
  REQUIRE(last.messages.size() == 2);
  CHECK(last.messages[0].text == "d");
  CHECK(last.messages[1].text == "e");
  CHECK(last.messages[1].user == "alice");
  CHECK(last.messages[1].id == "4");
  CHECK(last.messages[1].seq == 4);
  CHECK(last.messages[1].time == 2000);
}

TEST_CASE("chat: every store answers a repeat with its first number and uses none up") {
  folder const here;
  auto const kept = open(GENERATE(true, false) ? here.store() : "memory:");
  auto const batch = append(*kept, {say("a", "1"), say("a", "1"), say("b", "2")}, 1000);
  CHECK(batch[1].what == receipt::outcome::duplicate);
  CHECK(batch[1].seq == 1);
  CHECK(batch[2].seq == 2);
  auto const later = append(*kept, {say("other text", "1"), say("c", "3")}, 2000);
  CHECK(later[0].what == receipt::outcome::duplicate);
  CHECK(later[0].seq == 1);
  CHECK(later[0].time == 1000);
  CHECK(later[1].seq == 3);
  CHECK(history(*kept).messages.size() == 3);
  CHECK(history(*kept).messages[0].text == "a");
}

TEST_CASE("chat: the same id of another user, device or channel is another message") {
  folder const here;
  auto const kept = open(GENERATE(true, false) ? here.store() : "memory:");
  auto const all = append(*kept, {say("a", "1"), say("b", "1", "bob"), say("c", "1", "alice", "general", "d2"),
                                  say("d", "1", "alice", "random")});
  for (auto const& each : all) CHECK(each.what == receipt::outcome::stored);
}

TEST_CASE("chat: every store keeps bytes as they are, and an epoch per channel") {
  folder const here;
  auto const kept = open(GENERATE(true, false) ? here.store() : "memory:");
  auto const odd = "a\0b'\"; DROP TABLE messages; --\xF0\x9F\x91\x8B"s;
  append(*kept, {say(odd, odd, odd, odd)});
  auto const found = history(*kept, odd).messages;
  REQUIRE(found.size() == 1);
  CHECK(found[0].text == odd);
  CHECK(found[0].user == odd);
  CHECK(history(*kept, "a").epoch == history(*kept, "a").epoch);
  CHECK(history(*kept, "a").epoch != history(*kept, "b").epoch);
  CHECK_FALSE(history(*kept, "a").epoch.empty());
}

TEST_CASE("chat: SQLite remembers messages, repeats, numbers and epochs when it is opened again") {
  folder const here;
  std::string epoch;
  {
    auto const kept = open(here.store());
    append(*kept, {say("a", "1"), say("b", "2")});
    epoch = history(*kept).epoch;
  }
  auto const kept = open(here.store());
  CHECK(history(*kept).epoch == epoch);
  CHECK(history(*kept).messages.size() == 2);
  auto const more = append(*kept, {say("b", "2"), say("c", "3")});
  CHECK(more[0].what == receipt::outcome::duplicate);
  CHECK(more[0].seq == 2);
  CHECK(more[1].seq == 3);
}

TEST_CASE("chat: what SQLite acknowledged is there after the process was killed") {
  folder const here;
  pid_t const child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    auto opened = open_store(here.store());
    auto const batch = std::vector{say("a", "1"), say("b", "2")};
    if (auto* const kept = std::get_if<0>(&opened))
      if (std::holds_alternative<std::vector<receipt>>((*kept)->append(batch, 1000))) ::raise(SIGKILL);
    ::_exit(1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
  auto const kept = open(here.store());
  CHECK(history(*kept).messages.size() == 2);
  CHECK(append(*kept, {say("a", "1")}).front().what == receipt::outcome::duplicate);
  CHECK(append(*kept, {say("c", "3")}).front().seq == 3);
}

TEST_CASE("chat: a batch is stored whole or not at all") {
  folder const here;
  auto const kept = open(here.store());
  append(*kept, {say("a", "1")});
  run(here.file(),
      "CREATE TRIGGER refuse BEFORE INSERT ON messages WHEN new.text='bad' BEGIN SELECT RAISE(ABORT,'no'); END");
  auto const batch = std::vector{say("b", "2"), say("bad", "3"), say("c", "4")};
  CHECK(std::holds_alternative<store_error>(kept->append(batch, 1000)));
  CHECK(history(*kept).messages.size() == 1);
  CHECK(append(*kept, {say("b", "2")}).front().seq == 2);  // no gap
}

TEST_CASE("chat: a full disk is an error, and all goes on when there is room again") {
  folder const here;
  auto const kept = open(here.store());
  append(*kept, {say("a", "1")});
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  auto const old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit const none{65536, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &none) == 0);
  std::vector<new_message> batch;
  for (int i = 0; i < 20; ++i) batch.push_back(say(std::string(16384, 'x'), "big" + std::to_string(i)));
  auto const full = kept->append(batch, 1000);
  auto const read = kept->history("general", 50);
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old_handler);
  REQUIRE(std::holds_alternative<store_error>(full));
  CHECK(has(std::get<store_error>(full).sentence, "disk"));
  REQUIRE(std::holds_alternative<past>(read));  // reading still works
  CHECK(std::get<past>(read).messages.size() == 1);
  auto const again = append(*kept, batch);
  CHECK(again.front().what == receipt::outcome::stored);
  CHECK(again.back().seq == 21);
}

TEST_CASE("chat: the store in memory has a bound") {
  auto const kept = open("memory:");
  std::vector<new_message> batch;
  for (int i = 0; i < 64; ++i) batch.push_back(say(std::string(16384, 'x'), ""));
  int batches = 0;
  bool full = false;
  for (; !full && batches < 100; ++batches) {
    for (std::size_t i = 0; i < batch.size(); ++i) batch[i].id = std::to_string(batches) + "-" + std::to_string(i);
    full = std::holds_alternative<store_error>(kept->append(batch, 1000));
  }
  CHECK(full);
  CHECK(batches > 25);
  CHECK(history(*kept, "general", 1).messages.size() == 1);
}

TEST_CASE("chat: a path that leads nowhere, or to a folder, is refused with a sentence") {
  folder const here;
  CHECK(has(refusal("sqlite:" + here.file("no/such/folder.db")), "folder"));
  CHECK(has(refusal("sqlite:" + here.file("")), "folder"));
}

TEST_CASE("chat: a file that may not be written is refused with a sentence") {
  if (::geteuid() == 0) return;  // root may write everything
  folder const here;
  open(here.store());
  REQUIRE(::chmod(here.file().c_str(), 0444) == 0);
  CHECK(has(refusal(here.store()), "read-only"));
}

TEST_CASE("chat: a file that is no database is refused, and not touched") {
  folder const here;
  auto const garbage = GENERATE(std::string("no database, only text"), std::string(100000, '\x5a'));
  std::ofstream(here.file()) << garbage;
  CHECK(has(refusal(here.store()), "damaged"));
  std::ifstream in(here.file());
  CHECK(std::string(std::istreambuf_iterator<char>(in), {}) == garbage);
}

TEST_CASE("chat: a database with a damaged page is refused") {
  folder const here;
  {
    auto const kept = open(here.store());
    std::vector<new_message> batch;
    for (int i = 0; i < 200; ++i) batch.push_back(say(std::string(1000, 'x'), std::to_string(i)));
    append(*kept, batch);
  }
  auto const size = fs::file_size(here.file());
  REQUIRE(size > 10 * 4096);
  std::fstream file(here.file(), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(size / 4096 / 2 * 4096));
  file << std::string(4096, '\xee');
  file.close();
  CHECK(has(refusal(here.store()), "damaged"));
}

TEST_CASE("chat: a database of another program, or of a newer version, is refused, and not touched") {
  folder const here;
  run(here.file(), GENERATE("CREATE TABLE songs(title)", "PRAGMA user_version=2"));
  CHECK(has(refusal(here.store()), "another program"));
  CHECK_FALSE(fs::exists(here.file() + "-wal"));
}

TEST_CASE("chat: an empty file becomes a store") {
  folder const here;
  std::ofstream(here.file()).close();
  CHECK(append(*open(here.store()), {say("a", "1")}).front().seq == 1);
}
