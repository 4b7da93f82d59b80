// SPDX-License-Identifier: BSL-1.0
#pragma once

#ifdef CHAT_POSTGRES
#include <libpq-fe.h>
#endif

#include "stores.hpp"

namespace test {

/// The URL of a PostgreSQL that may be used by tests, or null.
inline char const* postgres_url() { return std::getenv("CHAT_TEST_POSTGRES"); }

#ifdef CHAT_POSTGRES
/// Runs SQL behind the store's back, and gives the first value of its answer.
inline std::string postgres_run(std::string const& url, std::string const& sql) {
  auto* const db = PQconnectdb(url.c_str());
  INFO(PQerrorMessage(db));
  REQUIRE(PQstatus(db) == CONNECTION_OK);
  auto* const got = PQexec(db, sql.c_str());
  INFO(PQresultErrorMessage(got));
  REQUIRE((PQresultStatus(got) == PGRES_COMMAND_OK || PQresultStatus(got) == PGRES_TUPLES_OK));
  std::string const value = PQntuples(got) > 0 ? PQgetvalue(got, 0, 0) : "";
  PQclear(got);
  PQfinish(db);
  return value;
}
#endif

/// An empty store of one of the kinds that are there: each test case runs once for each. In the unit tests that is
/// SQLite, in a file and in memory; where a PostgreSQL is given it is that, in a schema of its own.
class any_store {
 public:
  any_store() {
#ifdef CHAT_POSTGRES
    if (auto const* const url = postgres_url()) {
      static int schemas = 0;
      auto const schema = "test" + std::to_string(++schemas);
      postgres_run(url, "DROP SCHEMA IF EXISTS " + schema + " CASCADE; CREATE SCHEMA " + schema);
      where_ = std::string(url) + "&options=-csearch_path%3D" + schema;
      return;
    }
#endif
    where_ = GENERATE(true, false) ? folder_.store() : "memory:";
  }
  std::string const& where() const { return where_; }

 private:
  folder folder_;
  std::string where_;
};

}  // namespace test
