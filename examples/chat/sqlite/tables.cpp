// SPDX-License-Identifier: BSL-1.0
#include "tables.hpp"

#include <algorithm>
#include <set>

namespace chat::sqlite {
namespace {

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

constexpr auto nothing = [](row) {};

}  // namespace

bool tables::open(std::string const& file) {
  std::string version, present, mode, health;
  if (!db_.open(file)) return false;
  if (!db_.ask(version, "PRAGMA user_version") || !db_.ask(present, "SELECT count(*) FROM sqlite_master")) return false;
  if (version != "1" && (version != "0" || present != "0"))
    return db_.fail("belongs to another program or a newer chat_server: leave it alone");
  if (!db_.ask(mode, "PRAGMA journal_mode=WAL") || !db_.execute(settings)) return false;
  if (mode == "memory") return db_.execute(schema) && db_.execute("PRAGMA max_page_count=16384");
  if (mode != "wal") return db_.fail("has no write-ahead log on this file system: use a local disk");
  if ((version == "0" && !db_.execute(schema)) || !db_.ask(health, "PRAGMA integrity_check(1)")) return false;
  return health == "ok" || db_.accept(SQLITE_CORRUPT);
}

answer tables::run(append_request const& what) {
  std::vector<receipt> receipts;
  bool good = db_.execute("BEGIN IMMEDIATE");
  for (auto const& m : *what.batch) good = good && append(m, what.now_ms, receipts);
  std::set<std::string> channels;
  for (auto const& m : *what.batch) channels.insert(m.channel);
  for (auto const& each : channels) good = good && forget(each, what.now_ms);
  if (good && db_.execute("COMMIT")) return {what.number, std::move(receipts)};
  return {what.number, db_.roll_back()};
}

answer tables::run(read_request const& what) {
  page found;
  if (db_.execute("BEGIN") && read(what, found) && db_.execute("COMMIT")) return {what.number, std::move(found)};
  return {what.number, db_.roll_back()};
}

answer tables::run(heads_request const& what) {
  std::vector<head> found;
  bool good = db_.execute("BEGIN");
  for (auto const& name : what.channels) {
    auto& last = found.emplace_back(head{.channel = name});
    auto const fill = [&](row r) { last.epoch = r.text(0), last.newest = r.number(1); };
    good = good && db_.run(find_channel, fill, name);
  }
  if (good && db_.execute("COMMIT")) return {what.number, std::move(found)};
  return {what.number, db_.roll_back()};
}

bool tables::append(new_message const& m, std::int64_t now_ms, std::vector<receipt>& receipts) {
  receipt got;
  auto const repeat = [&](row r) { got = {receipt::outcome::duplicate, r.number(0), r.number(1), r.text(2)}; };
  auto const fresh = [&](row r) { got = {receipt::outcome::stored, r.number(0), now_ms, r.text(1)}; };
  if (!db_.run(first_seq, repeat, m.channel, m.user, m.device, m.id)) return false;
  if (got.seq == 0 && !db_.run(next_seq, fresh, m.channel)) return false;
  receipts.push_back(got);
  return got.what == receipt::outcome::duplicate ||
         db_.run(insert, nothing, m.channel, got.seq, now_ms, m.user, m.device, m.id, m.text);
}

bool tables::forget(std::string const& channel, std::int64_t now_ms) {
  return (keep_.messages == 0 || db_.run(forget_many, nothing, channel, keep_.messages)) &&
         (keep_.days == 0 || db_.run(forget_old, nothing, channel, keep_.oldest_ms(now_ms)));
}

bool tables::read(read_request const& what, page& found) {
  using enum read_request::from;
  auto const channel = [&](row r) { found.epoch = r.text(0), found.newest = r.number(1); };
  auto const add = [&](row r) {
    found.messages.push_back({r.text(2), r.text(3), r.text(4), r.number(0), r.number(1)});
  };
  if (!db_.run(find_channel, channel, what.channel)) return false;
  if (found.epoch.empty() && !db_.run(make_channel, channel, what.channel)) return false;
  auto const limit = static_cast<std::int64_t>(what.limit);
  if (what.what == after) return db_.run(later, add, what.channel, what.seq, limit);
  if (!db_.run(earlier, add, what.channel, what.what == newest ? INT64_MAX : what.seq, limit + 1)) return false;
  found.more = found.messages.size() > what.limit;
  if (found.more) found.messages.pop_back();
  std::reverse(found.messages.begin(), found.messages.end());
  return true;
}

}  // namespace chat::sqlite
