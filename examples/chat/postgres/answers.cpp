// SPDX-License-Identifier: BSL-1.0
#include "answers.hpp"

#include <charconv>

namespace chat::postgres {
namespace {

std::string text(PGresult const* from, int row, int column) {
  return {PQgetvalue(from, row, column), static_cast<std::size_t>(PQgetlength(from, row, column))};
}

std::int64_t number(PGresult const* from, int row, int column) {
  std::int64_t value = 0;
  auto const digits = text(from, row, column);
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

}  // namespace

answer answer_to(append_request const& what, PGresult const* rows) {
  std::vector<receipt> receipts;
  for (int i = 0; i < PQntuples(rows); ++i) {
    auto const outcome = text(rows, i, 2) == "t" ? receipt::outcome::stored : receipt::outcome::duplicate;
    receipts.push_back({outcome, number(rows, i, 0), number(rows, i, 1), text(rows, i, 3)});
  }
  return {what.number, std::move(receipts)};
}

answer answer_to(read_request const& what, PGresult const* rows) {
  page found{text(rows, 0, 0), number(rows, 0, 1)};
  for (int i = 0; i < PQntuples(rows); ++i)
    if (PQgetisnull(rows, i, 2) == 0)
      found.messages.push_back(
          {text(rows, i, 4), text(rows, i, 5), text(rows, i, 6), number(rows, i, 2), number(rows, i, 3)});
  found.more = what.what != read_request::from::after && found.messages.size() > what.limit;
  if (found.more) found.messages.erase(found.messages.begin());
  return {what.number, std::move(found)};
}

answer answer_to(heads_request const& what, PGresult const* rows) {
  std::vector<head> found;
  for (int i = 0; i < PQntuples(rows); ++i) found.push_back({text(rows, i, 0), text(rows, i, 1), number(rows, i, 2)});
  return {what.number, std::move(found)};
}

std::string one_line(char const* message) {
  std::string line;
  for (char const* at = message; *at != 0; ++at) {
    bool const space = *at == '\n' || *at == '\t' || *at == ' ';
    if (!space || (!line.empty() && line.back() != ' ')) line += space ? ' ' : *at;
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

store_error refused(std::string const& why) {
  return {"PostgreSQL does not work (" + why +
          "): see to it that it runs, can be reached as --store says, and has room"};
}

}  // namespace chat::postgres
