// SPDX-License-Identifier: BSL-1.0
// PostgreSQL, by libpq without blocking: the loop watches the sockets, and requests go out in pipelines.
// Only resolving a host name blocks; with hostaddr= in the URL nothing does.
#include <libpq-fe.h>

#include <algorithm>
#include <charconv>
#include <deque>
#include <optional>
#include <random>
#include <span>
#include <utility>

#include "open_store.hpp"

namespace chat {
namespace {

constexpr int connections = 3;
constexpr std::size_t pipelined_max = 64;  // requests on their way on one connection
constexpr auto connect_time_max = purews::seconds(5);
constexpr auto wait_time_max = purews::seconds(5);     // of a request, for a connection
constexpr auto answer_time_max = purews::seconds(10);  // of a server that does not say that it is slow
constexpr auto back_off_max = purews::seconds(5);
constexpr auto tick = purews::milliseconds(500);

// Run on each new connection. Whoever is first makes the tables; the others wait for that.
constexpr char const* set_up = R"(
SET client_min_messages = warning;
SET synchronous_commit = on;
SET default_transaction_isolation = 'read committed';
SET default_transaction_read_only = off;
SET statement_timeout = '5s';
BEGIN;
SELECT pg_advisory_xact_lock(812406271);
CREATE TABLE IF NOT EXISTS chat_version(version integer NOT NULL);
DO $migrate$
DECLARE
  present integer := coalesce((SELECT max(version) FROM chat_version), 0);
BEGIN
  IF present > 1 THEN RAISE EXCEPTION 'the tables belong to a newer chat_server'; END IF;
  IF present < 1 THEN
    CREATE TABLE chat_channels(
      name text COLLATE "C" PRIMARY KEY,
      epoch text NOT NULL DEFAULT substr(replace(gen_random_uuid()::text, '-', ''), 1, 16),
      seq bigint NOT NULL DEFAULT 0);
    CREATE TABLE chat_messages(
      channel text COLLATE "C" NOT NULL REFERENCES chat_channels, seq bigint NOT NULL, time bigint NOT NULL,
      sender text COLLATE "C" NOT NULL, device text COLLATE "C" NOT NULL, id text COLLATE "C" NOT NULL,
      body text NOT NULL, PRIMARY KEY (channel, seq), UNIQUE (channel, sender, device, id));
    -- Numbers come in the order of the commits, because the channels stay locked until then; all are locked at once
    -- and in one order, so that no two servers wait for each other. After the lock each statement sees what others
    -- have committed.
    CREATE FUNCTION chat_append(channels text[], senders text[], devices text[], ids text[], bodies text[], now bigint,
      keep bigint)
    RETURNS TABLE(seq bigint, "time" bigint, fresh boolean, epoch text) LANGUAGE plpgsql AS $append$
    DECLARE
      m record;
    BEGIN
      INSERT INTO chat_channels(name) SELECT DISTINCT name FROM unnest(channels) AS name ORDER BY name
        ON CONFLICT DO NOTHING;
      PERFORM 1 FROM chat_channels c WHERE c.name = ANY(channels) ORDER BY c.name FOR UPDATE;
      FOR m IN SELECT * FROM unnest(channels, senders, devices, ids, bodies) AS i(channel, sender, device, id, body)
      LOOP
        SELECT k.seq, k.time, false, c.epoch INTO seq, "time", fresh, epoch
          FROM chat_messages k JOIN chat_channels c ON c.name = k.channel
          WHERE k.channel = m.channel AND k.sender = m.sender AND k.device = m.device AND k.id = m.id;
        IF NOT FOUND THEN
          UPDATE chat_channels c SET seq = c.seq + 1 WHERE c.name = m.channel
            RETURNING c.seq, now, true, c.epoch INTO seq, "time", fresh, epoch;
          INSERT INTO chat_messages VALUES (m.channel, seq, now, m.sender, m.device, m.id, m.body);
        END IF;
        RETURN NEXT;
      END LOOP;
      IF keep > 0 THEN
        DELETE FROM chat_messages k USING chat_channels c
          WHERE c.name = ANY(channels) AND k.channel = c.name AND k.seq <= c.seq - keep;
      END IF;
    END $append$;
    INSERT INTO chat_version VALUES (1);
  END IF;
END $migrate$;
COMMIT;
)";

struct statement {
  char const* name;
  char const* sql;
};
constexpr statement append{"append", "SELECT seq, time, fresh, epoch FROM chat_append($1, $2, $3, $4, $5, $6, $7)"};
constexpr statement make{"make", "INSERT INTO chat_channels(name) VALUES ($1) ON CONFLICT DO NOTHING"};
// One statement, so that the channel and its messages are of the same moment.
constexpr statement later{"later",
                          "SELECT c.epoch, c.seq, m.seq, m.time, m.sender, m.id, m.body FROM chat_channels c"
                          " LEFT JOIN LATERAL (SELECT * FROM chat_messages WHERE channel = c.name AND seq > $2"
                          " ORDER BY seq LIMIT $3) m ON true WHERE c.name = $1 ORDER BY m.seq"};
constexpr statement earlier{"earlier",
                            "SELECT c.epoch, c.seq, m.seq, m.time, m.sender, m.id, m.body FROM chat_channels c"
                            " LEFT JOIN LATERAL (SELECT * FROM chat_messages WHERE channel = c.name AND seq < $2"
                            " ORDER BY seq DESC LIMIT $3) m ON true WHERE c.name = $1 ORDER BY m.seq"};

struct result_free {
  void operator()(PGresult* r) const { PQclear(r); }
};
using result_ptr = std::unique_ptr<PGresult, result_free>;

std::string text(PGresult const* from, int row, int column) {
  return {PQgetvalue(from, row, column), static_cast<std::size_t>(PQgetlength(from, row, column))};
}

std::int64_t number(PGresult const* from, int row, int column) {
  std::int64_t value = 0;
  auto const digits = text(from, row, column);
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

/// One sentence of what libpq says in several lines.
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

/// An array of texts, as PostgreSQL reads it.
std::string array_of(std::vector<new_message> const& batch, std::string new_message::*field) {
  std::string all = "{";
  for (auto const& m : batch) {
    all += all.size() == 1 ? "\"" : ",\"";
    for (char const c : m.*field) {
      if (c == '"' || c == '\\') all += '\\';
      all += c;
    }
    all += '"';
  }
  return all + "}";
}

/// A request, and what came for it so far.
struct work {
  std::variant<std::monostate, append_request, read_request> what;  // none: a connection prepares its statements
  purews::instant since{};
  result_ptr rows{};
  std::string error{};
  bool makes_channel = false;
};

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

class postgres_store;

/// A connection that comes back by itself.
class connection {
 public:
  explicit connection(postgres_store& owner) : owner_(owner) {}
  connection(connection const&) = delete;
  connection& operator=(connection const&) = delete;
  ~connection() { close(); }

  void open();
  void send(work what);
  void check_time(purews::instant now);
  bool ready() const { return state_ == state::ready; }
  std::size_t load() const { return sent_.size(); }

 private:
  enum class state { resting, connecting, setting_up, preparing, ready };

  void on_ready(purews::interest what);
  void connect_further();
  void begin();
  void prepare();
  void receive();
  void take(result_ptr got);
  void finish();
  void flush();
  void watch(purews::interest what);
  bool execute(statement const& what, std::span<std::string const> values);
  void lost(std::string const& why);
  void close();

  postgres_store& owner_;
  state state_ = state::resting;
  PGconn* db_ = nullptr;
  purews::default_loop::watch_handle watch_;  // gone before libpq closes the socket
  std::deque<work> sent_;
  purews::instant since_{};  // the beginning of resting and connecting
  purews::duration rest_{};
  int failures_ = 0;
};

class postgres_store final : public store {
 public:
  postgres_store(std::string url, purews::default_loop& on, store_setup setup)
      : loop(on), url_(std::move(url)), setup_(std::move(setup)) {
    for (int i = 0; i < connections; ++i) pool_.push_back(std::make_unique<connection>(*this));
    for (auto const& each : pool_) each->open();
    start_timer();
  }

  void submit(append_request what) override { waiting_.push_front({std::move(what), loop.now()}), pump(); }
  void submit(read_request what) override { waiting_.push_back({std::move(what), loop.now()}), pump(); }
  bool ready() const override {
    return std::any_of(pool_.begin(), pool_.end(), [](auto const& each) { return each->ready(); });
  }

  // For the connections.

  std::string const& url() const { return url_; }
  std::int64_t keep() const { return setup_.keep; }
  /// A random part of `most`.
  purews::duration part_of(purews::duration most) {
    return purews::duration{std::uniform_int_distribution<std::int64_t>(0, most.ns)(random_)};
  }
  void again(work what) { waiting_.push_front(std::move(what)); }
  void pump();
  /// Later, so that nobody is called from inside submit().
  void tell(answer what) {
    loop.post([here = std::weak_ptr(alive_), this, got = std::move(what)]() mutable {
      if (here.lock()) setup_.answered(std::move(got));
    });
  }
  void report(std::string const& problem);
  void recovered() { reported_.clear(); }

  purews::default_loop& loop;

 private:
  void start_timer() {
    timer_ = loop.after(tick, [this] { check_time(); });
  }
  void check_time();

  std::string url_;
  store_setup setup_;
  std::shared_ptr<int> alive_ = std::make_shared<int>();
  std::mt19937_64 random_{std::random_device()()};
  std::string reported_;
  std::deque<work> waiting_;
  std::vector<std::unique_ptr<connection>> pool_;
  purews::default_loop::timer_handle timer_;
};

void connection::open() {
  since_ = owner_.loop.now();
  state_ = state::connecting;
  char const* const keys[] = {"tcp_user_timeout", "application_name", "dbname", "client_encoding", nullptr};
  char const* const values[] = {"10000", "chat_server", owner_.url().c_str(), "UTF8", nullptr};
  db_ = PQconnectStartParams(keys, values, 1);
  if (db_ == nullptr || PQstatus(db_) == CONNECTION_BAD)
    return lost(db_ == nullptr ? "no memory" : PQerrorMessage(db_));
  watch(purews::interest::write);
}

void connection::watch(purews::interest what) {
  if (watch_) {
    static_cast<void>(watch_.change(what));
  } else {
    watch_ = owner_.loop.watch(PQsocket(db_), what, [this](purews::interest is) { on_ready(is); });
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
  for (auto const& each : {append, make, later, earlier})
    good = good && PQsendPrepare(db_, each.name, each.sql, 0, nullptr) == 1;
  if (!good || PQpipelineSync(db_) == 0) return lost(PQerrorMessage(db_));
  sent_.push_back({{}, owner_.loop.now()});
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
  bool const good = status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
  if (state_ == state::setting_up) {
    if (!good) lost(PQresultErrorMessage(got.get()));
  } else if (status == PGRES_PIPELINE_SYNC) {
    finish();
  } else if (status == PGRES_TUPLES_OK) {
    sent_.front().rows = std::move(got);
  } else if (!good && sent_.front().error.empty()) {
    sent_.front().error = one_line(PQresultErrorMessage(got.get()));
  }
}

/// Only here, and not when the rows come, is it known that the transaction was committed.
void connection::finish() {
  auto done = std::move(sent_.front());
  sent_.pop_front();
  if (std::holds_alternative<std::monostate>(done.what)) {
    if (!done.error.empty()) return lost(done.error);
    state_ = state::ready;
    failures_ = 0;
    owner_.recovered();
  } else if (auto* const asked = std::get_if<append_request>(&done.what)) {
    done.error.empty() ? owner_.tell(answer_to(*asked, done.rows.get()))
                       : owner_.tell({asked->number, refused(done.error)});
  } else {
    auto const& reading = std::get<read_request>(done.what);
    if (!done.error.empty()) {
      owner_.tell({reading.number, refused(done.error)});
    } else if (PQntuples(done.rows.get()) > 0) {
      owner_.tell(answer_to(reading, done.rows.get()));
    } else {
      owner_.again({reading, done.since, {}, {}, true});
    }
  }
  owner_.pump();
}

void connection::send(work what) {
  bool good = true;
  if (auto const* const asked = std::get_if<append_request>(&what.what)) {
    auto const& batch = *asked->batch;
    std::string const values[] = {array_of(batch, &new_message::channel), array_of(batch, &new_message::user),
                                  array_of(batch, &new_message::device),  array_of(batch, &new_message::id),
                                  array_of(batch, &new_message::text),    std::to_string(asked->now_ms),
                                  std::to_string(owner_.keep())};
    good = execute(append, values);
  } else {
    using enum read_request::from;
    auto const& r = std::get<read_request>(what.what);
    auto const seq = r.what == newest ? INT64_MAX : r.seq;
    std::string const values[] = {r.channel, std::to_string(seq), std::to_string(r.limit + (r.what == after ? 0 : 1))};
    if (what.makes_channel) good = execute(make, std::span(values).first(1));
    good = good && execute(r.what == after ? later : earlier, values);
  }
  sent_.push_back(std::move(what));
  // Each request is a transaction of its own: it is committed at the sync.
  if (!good || PQpipelineSync(db_) == 0) return lost(PQerrorMessage(db_));
  flush();
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
  since_ = owner_.loop.now();
  rest_ = owner_.part_of(std::min(back_off_max, purews::milliseconds(200 << std::min(failures_++, 5))));
  owner_.report(reason);
  for (auto left = std::exchange(sent_, {}); !left.empty(); left.pop_back()) {
    auto& each = left.back();
    if (auto const* const asked = std::get_if<append_request>(&each.what))
      owner_.tell({asked->number, refused(reason)});
    if (std::holds_alternative<read_request>(each.what)) owner_.again({std::move(each.what), each.since, {}, {}});
  }
  owner_.pump();
}

void connection::close() {
  watch_ = {};
  PQfinish(db_);
  db_ = nullptr;
}

void connection::check_time(purews::instant now) {
  if (state_ == state::resting) {
    if (now - since_ >= rest_) open();
  } else if (state_ != state::ready) {
    if (now - since_ >= connect_time_max) lost("it does not answer");
  } else if (!sent_.empty() && now - sent_.front().since >= answer_time_max) {
    lost("it does not answer");
  }
}

void postgres_store::pump() {
  while (!waiting_.empty()) {
    connection* best = nullptr;
    for (auto const& each : pool_)
      if (each->ready() && each->load() < pipelined_max && (best == nullptr || each->load() < best->load()))
        best = each.get();
    if (best == nullptr) return;
    auto next = std::move(waiting_.front());
    waiting_.pop_front();
    best->send(std::move(next));
  }
}

void postgres_store::check_time() {
  for (auto const& each : pool_) each->check_time(loop.now());
  for (auto left = std::exchange(waiting_, {}); !left.empty(); left.pop_front()) {
    auto& each = left.front();
    if (loop.now() - each.since < wait_time_max) {
      waiting_.push_back(std::move(each));
      continue;
    }
    auto const* const storing = std::get_if<append_request>(&each.what);
    tell({storing != nullptr ? storing->number : std::get<read_request>(each.what).number, refused(reported_)});
  }
  start_timer();
}

void postgres_store::report(std::string const& problem) {
  if (problem == std::exchange(reported_, problem)) return;
  loop.post([here = std::weak_ptr(alive_), this, problem] {
    if (here.lock()) setup_.report(refused(problem));
  });
}

}  // namespace

result<std::unique_ptr<store>> open_postgres(std::string const& url, purews::default_loop& loop, store_setup setup) {
  char* error = nullptr;
  auto* const options = PQconninfoParse(url.c_str(), &error);
  if (options == nullptr) {
    std::string const why = error == nullptr ? "no memory" : one_line(error);
    PQfreemem(error);
    return store_error{"this is no URL of PostgreSQL (" + why + "): use --store postgres://USER@HOST/DATABASE"};
  }
  PQconninfoFree(options);
  return std::make_unique<postgres_store>(url, loop, std::move(setup));
}

}  // namespace chat
