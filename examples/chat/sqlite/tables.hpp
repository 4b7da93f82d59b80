// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../open_store.hpp"
#include "database.hpp"

namespace chat::sqlite {

/// The chat's channels and messages in a database, for one thread.
class tables {
 public:
  explicit tables(retention keep) : keep_(keep) {}

  [[nodiscard]] bool open(std::string const& file);
  store_error why() const { return db_.why(); }

  answer run(append_request const& what);
  answer run(read_request const& what);
  answer run(heads_request const& what);

 private:
  bool append(new_message const& m, std::int64_t now_ms, std::vector<receipt>& receipts);
  bool forget(std::string const& channel, std::int64_t now_ms);
  bool read(read_request const& what, page& found);

  database db_;
  retention keep_;
};

}  // namespace chat::sqlite
