// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <sqlite3.h>

#include <map>

#include "../store.hpp"

namespace chat::sqlite {

/// The row at which a statement stands.
struct row {
  sqlite3_stmt* at;
  std::int64_t number(int column) const { return sqlite3_column_int64(at, column); }
  std::string text(int column) const {
    auto const* const bytes = static_cast<char const*>(sqlite3_column_blob(at, column));
    return {bytes, bytes + sqlite3_column_bytes(at, column)};
  }
};

/// A database of SQLite, for one thread: its statements, and what their failures mean for the operator. Where something
/// is false, why() says why.
class database {
 public:
  static constexpr int busy_ms_max = 2000;

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
    return sqlite3_db_readonly(db_, "main") != 1 || fail("is read-only: make it writable");
  }

  store_error why() const { return {error_}; }

  bool execute(char const* sql) { return accept(sqlite3_exec(db_, sql, nullptr, nullptr, nullptr)); }

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

  /// Ends a transaction without it, and tells why.
  store_error roll_back() {
    auto const error = why();
    if (sqlite3_get_autocommit(db_) == 0) execute("ROLLBACK");
    return error;
  }

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

 private:
  static void bind(sqlite3_stmt* to, int at, std::int64_t value) { sqlite3_bind_int64(to, at, value); }
  static void bind(sqlite3_stmt* to, int at, std::string const& value) {
    sqlite3_bind_text64(to, at, value.data(), value.size(), SQLITE_STATIC, SQLITE_UTF8);
  }

  std::string file_;
  std::string error_;
  sqlite3* db_ = nullptr;
  std::map<std::string, sqlite3_stmt*> prepared_;  // by their SQL
};

}  // namespace chat::sqlite
