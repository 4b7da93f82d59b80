// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <libpq-fe.h>

#include "../store.hpp"

/// What libpq gives, in the chat's words.
namespace chat::postgres {

struct result_free {
  void operator()(PGresult* r) const { PQclear(r); }
};
using result_ptr = std::unique_ptr<PGresult, result_free>;

[[nodiscard]] answer answer_to(append_request const& what, PGresult const* rows);
[[nodiscard]] answer answer_to(read_request const& what, PGresult const* rows);
[[nodiscard]] answer answer_to(heads_request const& what, PGresult const* rows);

/// One sentence of what libpq says in several lines.
[[nodiscard]] std::string one_line(char const* message);
[[nodiscard]] store_error refused(std::string const& why);

}  // namespace chat::postgres
