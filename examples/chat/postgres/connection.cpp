// SPDX-License-Identifier: BSL-1.0
#include "connection.hpp"

#include <algorithm>
#include <set>
#include <span>
#include <utility>

#include "statements.hpp"

namespace chat::postgres {
namespace {

constexpr auto connect_time_max = purews::seconds(5);
constexpr auto answer_time_max = purews::seconds(10);  // of a server that does not say that it is slow
constexpr auto back_off_max = purews::seconds(5);

/// An array of the texts of each, as PostgreSQL reads it.
template <class T, class Text>
std::string array_of(std::vector<T> const& from, Text text) {
  std::string all = "{";
  for (auto const& each : from) {
    all += all.size() == 1 ? "\"" : ",\"";
    for (char const c : text(each)) {
      if (c == '"' || c == '\\') all += '\\';
      all += c;
    }
    all += '"';
  }
  return all + "}";
}

}  // namespace

answer refused(work const& what, std::string const& why) {
  return {std::visit([](auto const& each) { return each.number; }, what.what), refused(why)};
}

connection::connection(owner& whose, purews::default_loop& loop, std::string const& url, retention keep)
    : owner_(whose), loop_(loop), url_(url), keep_(keep) {
  open();
}

void connection::open() {
  since_ = loop_.now();
  state_ = state::connecting;
  char const* const keys[] = {"tcp_user_timeout", "application_name", "dbname", "client_encoding", nullptr};
  char const* const values[] = {"10000", "chat_server", url_.c_str(), "UTF8", nullptr};
  db_ = PQconnectStartParams(keys, values, 1);
  if (db_ == nullptr || PQstatus(db_) == CONNECTION_BAD)
    return lost(db_ == nullptr ? "no memory" : PQerrorMessage(db_));
  watch(purews::interest::write);
}

void connection::watch(purews::interest what) {
  if (watch_) {
    static_cast<void>(watch_.change(what));
  } else {
    watch_ = loop_.watch(PQsocket(db_), what, [this](purews::interest is) { on_ready(is); });
  }
}

void connection::on_ready(purews::interest what) {
  if (state_ == state::connecting) return connect_further();
  if (has(what, purews::interest::read)) receive();
  if (db_ != nullptr) flush();
}

void connection::connect_further() {
  watch_ = {};  // libpq may go on with another socket
  switch (PQconnectPoll(db_)) {
    case PGRES_POLLING_READING:
      return watch(purews::interest::read);
    case PGRES_POLLING_WRITING:
      return watch(purews::interest::write);
    case PGRES_POLLING_OK:
      return begin();
    default:
      return lost(PQerrorMessage(db_));
  }
}

void connection::begin() {
  char const* const encoding = PQparameterStatus(db_, "server_encoding");
  if (PQserverVersion(db_) < 130000) return lost("it is older than version 13");
  if (encoding == nullptr || std::string_view(encoding) != "UTF8") return lost("the database is not in UTF8");
  state_ = state::setting_up;
  watch(purews::interest::read);
  if (PQsetnonblocking(db_, 1) != 0 || PQsendQuery(db_, set_up) == 0) return lost(PQerrorMessage(db_));
  flush();
}

void connection::prepare() {
  state_ = state::preparing;
  bool good = PQenterPipelineMode(db_) == 1;
  for (auto const& each : {append, forget_many, forget_old, make, later, earlier, heads})
    good = good && PQsendPrepare(db_, each.name, each.sql, 0, nullptr) == 1;
  if (!good || PQpipelineSync(db_) == 0) return lost(PQerrorMessage(db_));
  flush();
}

void connection::receive() {
  if (PQconsumeInput(db_) == 0) return lost(PQerrorMessage(db_));
  int ends = 0;  // of the results of one statement, in a row: two are the end of all
  while (db_ != nullptr && ends < 2 && PQisBusy(db_) == 0) {
    result_ptr got(PQgetResult(db_));
    ends = got == nullptr ? ends + 1 : 0;
    if (got != nullptr) {
      take(std::move(got));
    } else if (state_ == state::setting_up) {
      prepare();
    }
  }
}

void connection::take(result_ptr got) {
  auto const status = PQresultStatus(got.get());
  bool const good = status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_PIPELINE_SYNC;
  if (state_ != state::ready) {
    if (!good) return lost(PQresultErrorMessage(got.get()));
    if (status == PGRES_PIPELINE_SYNC) prepared();
  } else if (status == PGRES_PIPELINE_SYNC) {
    finish();
  } else if (status == PGRES_TUPLES_OK) {
    sent_.front().rows = std::move(got);
  } else if (!good && sent_.front().error.empty()) {
    sent_.front().error = one_line(PQresultErrorMessage(got.get()));
  }
}

void connection::prepared() {
  state_ = state::ready;
  failures_ = 0;
  owner_.works();
  owner_.has_room();
}

/// Only here, and not when the rows come, is it known that the transaction was committed.
void connection::finish() {
  auto const done = std::move(sent_.front());
  sent_.pop_front();
  auto const* const reading = std::get_if<read_request>(&done.what);
  auto const give = [&](auto const& each) { return answer_to(each, done.rows.get()); };
  if (!done.error.empty()) {
    owner_.answered(refused(done, done.error));
  } else if (reading != nullptr && PQntuples(done.rows.get()) == 0) {
    owner_.again({*reading, done.since, {}, {}, reading->channel});
  } else {
    owner_.answered(std::visit(give, done.what));
  }
  owner_.has_room();
}

void connection::send(work what) {
  bool good = what.makes.empty() || execute(make, std::span(&what.makes, 1));
  good = good && std::visit([this](auto const& each) { return start(each); }, what.what);
  sent_.push_back(std::move(what));
  // Each request is a transaction of its own: it is committed at the sync.
  if (!good || PQpipelineSync(db_) == 0) return lost(PQerrorMessage(db_));
  flush();
}

bool connection::start(append_request const& what) {
  auto const all = [&](std::string new_message::*field) {
    return array_of(
        *what.batch, [=](new_message const& m) -> auto& { return m.*field; });
  };
  std::string const values[] = {all(&new_message::channel), all(&new_message::user), all(&new_message::device),
                                all(&new_message::id),      all(&new_message::text), std::to_string(what.now_ms)};
  if (!execute(append, values)) return false;
  std::set<std::string> channels;
  if (keep_.messages > 0 || keep_.days > 0)
    for (auto const& m : *what.batch) channels.insert(m.channel);
  return std::all_of(channels.begin(), channels.end(), [&](auto const& each) { return forget(each, what.now_ms); });
}

bool connection::forget(std::string const& channel, std::int64_t now_ms) {
  std::string const most[] = {channel, std::to_string(keep_.messages)};
  std::string const oldest[] = {channel, std::to_string(keep_.oldest_ms(now_ms))};
  return (keep_.messages == 0 || execute(forget_many, most)) && (keep_.days == 0 || execute(forget_old, oldest));
}

bool connection::start(read_request const& what) {
  using enum read_request::from;
  auto const seq = what.what == newest ? INT64_MAX : what.seq;
  auto const limit = what.limit + (what.what == after ? 0 : 1);
  std::string const values[] = {what.channel, std::to_string(seq), std::to_string(limit)};
  return execute(what.what == after ? later : earlier, values);
}

bool connection::start(heads_request const& what) {
  std::string const values[] = {array_of(
      what.channels, [](std::string const& name) -> auto& { return name; })};
  return execute(heads, values);
}

bool connection::execute(statement const& what, std::span<std::string const> values) {
  std::vector<char const*> pointers;
  for (auto const& each : values) pointers.push_back(each.c_str());
  return PQsendQueryPrepared(db_, what.name, static_cast<int>(pointers.size()), pointers.data(), nullptr, nullptr, 0) ==
         1;
}

void connection::flush() {
  int const left = PQflush(db_);
  if (left < 0) return lost(PQerrorMessage(db_));
  watch(left == 0 ? purews::interest::read : purews::interest::read_write);
}

/// What was read for is read again; what was to be stored may be stored or not, and its senders are told to repeat it.
void connection::lost(std::string const& why) {
  std::string const reason = one_line(why.c_str());
  close();
  state_ = state::resting;
  since_ = loop_.now();
  auto const rest_max = std::min(back_off_max, purews::milliseconds(200 << std::min(failures_++, 5)));
  rest_ = purews::duration{std::uniform_int_distribution<std::int64_t>(0, rest_max.ns)(random_)};
  owner_.fails(reason);
  for (auto left = std::exchange(sent_, {}); !left.empty(); left.pop_back()) {
    auto& each = left.back();
    std::holds_alternative<append_request>(each.what) ? owner_.answered(refused(each, reason))
                                                      : owner_.again({std::move(each.what), each.since});
  }
  owner_.has_room();
}

void connection::close() {
  watch_ = {};
  PQfinish(db_);
  db_ = nullptr;
}

void connection::check_time() {
  auto const now = loop_.now();
  if (state_ == state::resting) {
    if (now - since_ >= rest_) open();
  } else if (state_ != state::ready) {
    if (now - since_ >= connect_time_max) lost("it does not answer");
  } else if (!sent_.empty() && now - sent_.front().since >= answer_time_max) {
    lost("it does not answer");
  }
}

}  // namespace chat::postgres
