// SPDX-License-Identifier: BSL-1.0
#include <sqlite3.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "open_store.hpp"

namespace chat {
namespace {

constexpr int busy_ms_max = 2000;

// synchronous=FULL flushes the log before COMMIT returns: what was acknowledged survives a power cut.
constexpr char const* settings = "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF;";

constexpr char const* schema =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE channels(name TEXT PRIMARY KEY NOT NULL, epoch TEXT NOT NULL, seq INTEGER NOT NULL);"
    "CREATE TABLE messages(channel TEXT NOT NULL REFERENCES channels(name), seq INTEGER NOT NULL,"
    "  time INTEGER NOT NULL, user TEXT NOT NULL, device TEXT NOT NULL, id TEXT NOT NULL, text TEXT NOT NULL,"
    "  PRIMARY KEY(channel, seq), UNIQUE(channel, user, device, id));"
    "PRAGMA user_version=1;"
    "COMMIT;";

constexpr char const* find_channel = "SELECT epoch, seq FROM channels WHERE name=?";
constexpr char const* make_channel =
    "INSERT INTO channels VALUES(?, lower(hex(randomblob(8))), 0) RETURNING epoch, seq";
// Numbers come in the order of the commits, because the database stays locked until then; a rollback leaves no gap.
constexpr char const* next_seq =
    "INSERT INTO channels VALUES(?, lower(hex(randomblob(8))), 1)"
    " ON CONFLICT(name) DO UPDATE SET seq = seq + 1 RETURNING seq, epoch";
constexpr char const* first_seq =
    "SELECT m.seq, m.time, c.epoch FROM messages m JOIN channels c ON c.name = m.channel"
    " WHERE channel=? AND user=? AND device=? AND id=?";
constexpr char const* insert = "INSERT INTO messages VALUES(?, ?, ?, ?, ?, ?, ?)";
constexpr char const* forget_many =
    "DELETE FROM messages WHERE channel=?1 AND seq <= (SELECT seq - ?2 FROM channels WHERE name=?1)";
// By their order, and not by their time alone: a clock may go back, and what is left must have no holes.
constexpr char const* forget_old =
    "DELETE FROM messages WHERE channel=?1 AND seq <"
    " coalesce((SELECT seq FROM messages WHERE channel=?1 AND time>=?2 ORDER BY seq LIMIT 1), 9223372036854775807)";
constexpr char const* later =
    "SELECT seq, time, user, id, text FROM messages WHERE channel=? AND seq>? ORDER BY seq LIMIT ?";
constexpr char const* earlier =
    "SELECT seq, time, user, id, text FROM messages WHERE channel=? AND seq<? ORDER BY seq DESC LIMIT ?";

/// The row at which a statement stands.
struct row {
  sqlite3_stmt* at;
  std::int64_t number(int column) const { return sqlite3_column_int64(at, column); }
  std::string text(int column) const {
    auto const* const bytes = static_cast<char const*>(sqlite3_column_blob(at, column));
    return {bytes, bytes + sqlite3_column_bytes(at, column)};
  }
};

constexpr auto nothing = [](row) {};

/// The database, for one thread.
class database {
 public:
  database() = default;
  database(database const&) = delete;
  database& operator=(database const&) = delete;
  ~database() {
    for (auto const& [sql, statement] : prepared_) sqlite3_finalize(statement);
    sqlite3_close(db_);
  }

  bool open(std::string const& file) {
    file_ = file;
    if (!accept(sqlite3_open_v2(file.c_str(), &db_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr))) return false;
    sqlite3_busy_timeout(db_, busy_ms_max);
    if (sqlite3_db_readonly(db_, "main") == 1) return fail("is read-only: make it writable");

    std::string version, tables;
    if (!ask(version, "PRAGMA user_version") || !ask(tables, "SELECT count(*) FROM sqlite_master")) return false;
    if (version != "1" && (version != "0" || tables != "0"))
      return fail("belongs to another program or a newer chat_server: leave it alone");
    std::string mode, health;
    if (!ask(mode, "PRAGMA journal_mode=WAL") || !execute(settings)) return false;
    if (mode == "memory") return execute(schema) && execute("PRAGMA max_page_count=16384");
    if (mode != "wal") return fail("has no write-ahead log on this file system: use a local disk");
    if ((version == "0" && !execute(schema)) || !ask(health, "PRAGMA integrity_check(1)")) return false;
    return health == "ok" || accept(SQLITE_CORRUPT);
  }

  store_error why() const { return {error_}; }

  answer run(append_request const& what, retention const& keep) {
    std::vector<receipt> receipts;
    bool good = execute("BEGIN IMMEDIATE");
    for (auto const& m : *what.batch) good = good && append(m, what.now_ms, receipts);
    std::set<std::string> channels;
    for (auto const& m : *what.batch) channels.insert(m.channel);
    for (auto const& each : channels) good = good && forget(each, keep, what.now_ms);
    if (good && execute("COMMIT")) return {what.number, std::move(receipts)};
    return {what.number, roll_back()};
  }

  answer run(read_request const& what) {
    page found;
    if (execute("BEGIN") && read(what, found) && execute("COMMIT")) return {what.number, std::move(found)};
    return {what.number, roll_back()};
  }

  answer run(heads_request const& what) {
    std::vector<head> found;
    bool good = execute("BEGIN");
    for (auto const& name : what.channels) {
      auto& last = found.emplace_back(head{.channel = name});
      auto const fill = [&](row r) { last.epoch = r.text(0), last.newest = r.number(1); };
      good = good && run(find_channel, fill, name);
    }
    if (good && execute("COMMIT")) return {what.number, std::move(found)};
    return {what.number, roll_back()};
  }

 private:
  bool append(new_message const& m, std::int64_t now_ms, std::vector<receipt>& receipts) {
    receipt got;
    auto const repeat = [&](row r) { got = {receipt::outcome::duplicate, r.number(0), r.number(1), r.text(2)}; };
    auto const fresh = [&](row r) { got = {receipt::outcome::stored, r.number(0), now_ms, r.text(1)}; };
    if (!run(first_seq, repeat, m.channel, m.user, m.device, m.id)) return false;
    if (got.seq == 0 && !run(next_seq, fresh, m.channel)) return false;
    receipts.push_back(got);
    return got.what == receipt::outcome::duplicate ||
           run(insert, nothing, m.channel, got.seq, now_ms, m.user, m.device, m.id, m.text);
  }

  bool forget(std::string const& channel, retention const& keep, std::int64_t now_ms) {
    return (keep.messages == 0 || run(forget_many, nothing, channel, keep.messages)) &&
           (keep.days == 0 || run(forget_old, nothing, channel, keep.oldest_ms(now_ms)));
  }

  bool read(read_request const& what, page& found) {
    using enum read_request::from;
    auto const channel = [&](row r) { found.epoch = r.text(0), found.newest = r.number(1); };
    auto const add = [&](row r) {
      found.messages.push_back({r.text(2), r.text(3), r.text(4), r.number(0), r.number(1)});
    };
    if (!run(find_channel, channel, what.channel)) return false;
    if (found.epoch.empty() && !run(make_channel, channel, what.channel)) return false;
    auto const limit = static_cast<std::int64_t>(what.limit);
    if (what.what == after) return run(later, add, what.channel, what.seq, limit);
    if (!run(earlier, add, what.channel, what.what == newest ? INT64_MAX : what.seq, limit + 1)) return false;
    found.more = found.messages.size() > what.limit;
    if (found.more) found.messages.pop_back();
    std::reverse(found.messages.begin(), found.messages.end());
    return true;
  }

  store_error roll_back() {
    auto const error = why();
    if (sqlite3_get_autocommit(db_) == 0) execute("ROLLBACK");
    return error;
  }

  /// Runs a statement that answers with one text, if with any.
  template <class... Values>
  bool ask(std::string& answer, char const* sql, Values const&... values) {
    return run(
        sql, [&](row r) { answer = r.text(0); }, values...);
  }

  /// Runs a statement, prepared at its first use, and gives its rows to `on_row`.
  template <class Row, class... Values>
  bool run(char const* sql, Row on_row, Values const&... values) {
    auto& statement = prepared_[sql];
    if (statement == nullptr && !accept(sqlite3_prepare_v2(db_, sql, -1, &statement, nullptr))) return false;
    int at = 0;
    (bind(statement, ++at, values), ...);
    int outcome = sqlite3_step(statement);
    for (; outcome == SQLITE_ROW; outcome = sqlite3_step(statement)) on_row(row{statement});
    bool const good = accept(outcome);
    sqlite3_reset(statement);
    return good;
  }

  static void bind(sqlite3_stmt* to, int at, std::int64_t value) { sqlite3_bind_int64(to, at, value); }
  static void bind(sqlite3_stmt* to, int at, std::string const& value) {
    sqlite3_bind_text64(to, at, value.data(), value.size(), SQLITE_STATIC, SQLITE_UTF8);
  }

  bool execute(char const* sql) { return accept(sqlite3_exec(db_, sql, nullptr, nullptr, nullptr)); }

  /// Keeps what a failure means for the operator; a later call would make SQLite forget it.
  bool accept(int outcome) {
    auto const code = outcome & 0xff;
    if (code == SQLITE_OK || code == SQLITE_DONE) return true;
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
      return fail("is damaged or no SQLite database: restore it from a backup");
    return fail("does not work (" + std::string(sqlite3_errmsg(db_)) +
                "): check that its folder exists and is writable, that the disk has room and nobody else locks it");
  }

  bool fail(std::string const& problem) {
    error_ = "'" + file_ + "' " + problem + ", or choose another file with --store sqlite:FILE";
    return false;
  }

  std::string file_;
  std::string error_;
  sqlite3* db_ = nullptr;
  std::map<std::string, sqlite3_stmt*> prepared_;  // by their SQL
};

/// The database on a thread of its own. Storing goes before reading: others wait for it.
class sqlite_store final : public store {
 public:
  sqlite_store(purews::default_loop& loop, store_setup setup)
      : loop_(loop), setup_(std::make_shared<store_setup>(std::move(setup))) {}
  ~sqlite_store() override {
    {
      std::lock_guard const lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_one();
    if (thread_.joinable()) thread_.join();
  }

  std::optional<store_error> open(std::string const& file) {
    if (!db_.open(file)) return db_.why();
    thread_ = std::thread([this] { work(); });
    return std::nullopt;
  }

  void submit(append_request what) override {
    add(appends_, [this, what = std::move(what)] { return db_.run(what, setup_->keep); });
  }
  void submit(read_request what) override {
    add(reads_, [this, what = std::move(what)] { return db_.run(what); });
  }
  void submit(heads_request what) override {
    add(reads_, [this, what = std::move(what)] { return db_.run(what); });
  }

 private:
  using task = std::function<answer()>;

  void add(std::deque<task>& to, task what) {
    {
      std::lock_guard const lock(mutex_);
      to.push_back(std::move(what));
    }
    changed_.notify_one();
  }

  void work() {
    for (std::unique_lock lock(mutex_);;) {
      changed_.wait(lock, [this] { return stopping_ || !appends_.empty() || !reads_.empty(); });
      if (stopping_) return;
      auto& from = appends_.empty() ? reads_ : appends_;
      auto const what = std::move(from.front());
      from.pop_front();
      lock.unlock();
      loop_.post([to = std::weak_ptr(setup_), got = what()]() mutable {
        if (auto const setup = to.lock()) setup->answered(std::move(got));
      });
      lock.lock();
    }
  }

  purews::default_loop& loop_;
  std::shared_ptr<store_setup> setup_;  // whoever still tells something must know whether we are there
  database db_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<task> appends_;
  std::deque<task> reads_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace

result<std::unique_ptr<store>> open_sqlite(std::string const& file, purews::default_loop& loop, store_setup setup) {
  auto opened = std::make_unique<sqlite_store>(loop, std::move(setup));
  if (auto const error = opened->open(file)) return *error;
  return opened;
}

}  // namespace chat
