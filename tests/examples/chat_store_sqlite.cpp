// SPDX-License-Identifier: BSL-1.0
// What is special about SQLite: its file. What every store does is in chat_store.cpp.
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <fstream>

#include "stores.hpp"

using namespace test;
namespace fs = std::filesystem;

namespace {

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

TEST_CASE("chat: SQLite remembers messages, repeats, numbers and epochs when it is opened again") {
  folder const here;
  std::string epoch;
  {
    opened kept(here.store());
    kept.append({say("a", "1"), say("b", "2")});
    epoch = kept.newest().epoch;
  }
  opened kept(here.store());
  CHECK(kept.newest().epoch == epoch);
  CHECK(kept.newest().messages.size() == 2);
  auto const more = kept.append({say("b", "2"), say("c", "3")});
  CHECK(more[0].what == receipt::outcome::duplicate);
  CHECK(more[0].seq == 2);
  CHECK(more[1].seq == 3);
}

TEST_CASE("chat: what SQLite acknowledged is there after the process was killed") {
  folder const here;
  pid_t const child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    opened kept(here.store());
    if (!failed(kept.ask({say("a", "1"), say("b", "2")}))) ::raise(SIGKILL);
    ::_exit(1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
  opened kept(here.store());
  CHECK(kept.newest().messages.size() == 2);
  CHECK(kept.append({say("a", "1")}).front().what == receipt::outcome::duplicate);
  CHECK(kept.append({say("c", "3")}).front().seq == 3);
}

TEST_CASE("chat: a batch is stored whole or not at all") {
  folder const here;
  opened kept(here.store());
  kept.append({say("a", "1")});
  run(here.file(),
      "CREATE TRIGGER refuse BEFORE INSERT ON messages WHEN new.text='bad' BEGIN SELECT RAISE(ABORT,'no'); END");
  auto const batch = std::vector{say("b", "2"), say("bad", "3"), say("c", "4")};
  CHECK(failed(kept.ask(batch)));
  CHECK(kept.newest().messages.size() == 1);
  CHECK(kept.append({say("b", "2")}).front().seq == 2);  // no gap
}

TEST_CASE("chat: a full disk is an error, and all goes on when there is room again") {
  folder const here;
  opened kept(here.store());
  kept.append({say("a", "1")});
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  auto const old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit const none{65536, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &none) == 0);
  std::vector<new_message> batch;
  for (int i = 0; i < 20; ++i) batch.push_back(say(std::string(16384, 'x'), "big" + std::to_string(i)));
  auto const full = kept.ask(batch);
  auto const read = kept.ask(read_request{.channel = "general", .limit = 50});
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old_handler);
  REQUIRE(failed(full));
  CHECK(has(std::get<store_error>(full.what).sentence, "disk"));
  CHECK(opened::good<page>(read).messages.size() == 1);  // reading still works
  auto const again = kept.append(batch);
  CHECK(again.front().what == receipt::outcome::stored);
  CHECK(again.back().seq == 21);
}

TEST_CASE("chat: the store in memory has a bound") {
  opened kept("memory:");
  std::vector<new_message> batch;
  for (int i = 0; i < 64; ++i) batch.push_back(say(std::string(16384, 'x'), ""));
  int batches = 0;
  bool full = false;
  for (; !full && batches < 100; ++batches) {
    for (std::size_t i = 0; i < batch.size(); ++i) batch[i].id = std::to_string(batches) + "-" + std::to_string(i);
    full = failed(kept.ask(batch));
  }
  CHECK(full);
  CHECK(batches > 25);
  CHECK(kept.newest("general", 1).messages.size() == 1);
}

TEST_CASE("chat: a path that leads nowhere, or to a folder, is refused with a sentence") {
  folder const here;
  CHECK(has(opened::refusal("sqlite:" + here.file("no/such/folder.db")), "folder"));
  CHECK(has(opened::refusal("sqlite:" + here.file("")), "folder"));
}

TEST_CASE("chat: a file that may not be written is refused with a sentence") {
  if (::geteuid() == 0) return;  // root may write everything
  folder const here;
  opened(here.store());
  REQUIRE(::chmod(here.file().c_str(), 0444) == 0);
  CHECK(has(opened::refusal(here.store()), "read-only"));
}

TEST_CASE("chat: a file that is no database is refused, and not touched") {
  folder const here;
  auto const garbage = GENERATE(std::string("no database, only text"), std::string(100000, '\x5a'));
  std::ofstream(here.file()) << garbage;
  CHECK(has(opened::refusal(here.store()), "damaged"));
  std::ifstream in(here.file());
  CHECK(std::string(std::istreambuf_iterator<char>(in), {}) == garbage);
}

TEST_CASE("chat: a database with a damaged page is refused") {
  folder const here;
  {
    opened kept(here.store());
    std::vector<new_message> batch;
    for (int i = 0; i < 200; ++i) batch.push_back(say(std::string(1000, 'x'), std::to_string(i)));
    kept.append(batch);
  }
  auto const size = fs::file_size(here.file());
  REQUIRE(size > 10 * 4096);
  std::fstream file(here.file(), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(size / 4096 / 2 * 4096));
  file << std::string(4096, '\xee');
  file.close();
  CHECK(has(opened::refusal(here.store()), "damaged"));
}

TEST_CASE("chat: a database of another program, or of a newer version, is refused, and not touched") {
  folder const here;
  run(here.file(), GENERATE("CREATE TABLE songs(title)", "PRAGMA user_version=2"));
  CHECK(has(opened::refusal(here.store()), "another program"));
  CHECK_FALSE(fs::exists(here.file() + "-wal"));
}

TEST_CASE("chat: an empty file becomes a store") {
  folder const here;
  std::ofstream(here.file()).close();
  CHECK(opened(here.store()).append({say("a", "1")}).front().seq == 1);
}
