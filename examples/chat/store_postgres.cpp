// SPDX-License-Identifier: BSL-1.0
// PostgreSQL: a pool of connections on the loop, and what waits for one of them.
#include <algorithm>
#include <deque>
#include <utility>

#include "open_store.hpp"
#include "postgres/connection.hpp"

namespace chat {
namespace {

using postgres::work;

constexpr int connections = 3;
constexpr auto wait_time_max = purews::seconds(5);  // of a request, for a connection
constexpr auto tick = purews::milliseconds(500);

class postgres_store final : public store, public postgres::owner {
 public:
  postgres_store(std::string url, purews::default_loop& loop, store_setup setup)
      : loop_(loop), url_(std::move(url)), setup_(std::move(setup)) {
    for (int i = 0; i < connections; ++i)
      pool_.push_back(std::make_unique<postgres::connection>(*this, loop_, url_, setup_.keep));
    start_timer();
  }

  void submit(append_request what) override { waiting_.push_front({std::move(what), loop_.now()}), has_room(); }
  void submit(read_request what) override { waiting_.push_back({std::move(what), loop_.now()}), has_room(); }
  void submit(heads_request what) override { waiting_.push_back({std::move(what), loop_.now()}), has_room(); }
  bool shared() const override { return true; }
  bool ready() const override {
    return std::any_of(pool_.begin(), pool_.end(), [](auto const& each) { return each->ready(); });
  }

 private:
  void answered(answer what) override;
  void again(work what) override { waiting_.push_front(std::move(what)); }
  void works() override { reported_.clear(); }
  void fails(std::string const& why) override;
  void has_room() override;

  void start_timer() {
    timer_ = loop_.after(tick, [this] { check_time(); });
  }
  void check_time();

  purews::default_loop& loop_;
  std::string url_;
  store_setup setup_;
  std::shared_ptr<int> alive_ = std::make_shared<int>();
  std::string reported_;
  std::deque<work> waiting_;
  std::vector<std::unique_ptr<postgres::connection>> pool_;
  purews::default_loop::timer_handle timer_;
};

/// Tells it later, so that nobody is called from inside submit().
void postgres_store::answered(answer what) {
  loop_.post([here = std::weak_ptr(alive_), this, got = std::move(what)]() mutable {
    if (here.lock()) setup_.answered(std::move(got));
  });
}

void postgres_store::fails(std::string const& why) {
  if (why == std::exchange(reported_, why)) return;
  loop_.post([here = std::weak_ptr(alive_), this, why] {
    if (here.lock()) setup_.report(postgres::refused(why));
  });
}

void postgres_store::has_room() {
  while (!waiting_.empty()) {
    postgres::connection* best = nullptr;
    for (auto const& each : pool_)
      if (each->ready() && each->load() < each->load_max && (best == nullptr || each->load() < best->load()))
        best = each.get();
    if (best == nullptr) return;
    auto next = std::move(waiting_.front());
    waiting_.pop_front();
    best->send(std::move(next));
  }
}

void postgres_store::check_time() {
  for (auto const& each : pool_) each->check_time();
  for (auto left = std::exchange(waiting_, {}); !left.empty(); left.pop_front()) {
    auto& each = left.front();
    loop_.now() - each.since < wait_time_max ? waiting_.push_back(std::move(each))
                                             : answered(postgres::refused(each, reported_));
  }
  start_timer();
}

}  // namespace

result<std::unique_ptr<store>> open_postgres(std::string const& url, purews::default_loop& loop, store_setup setup) {
  char* error = nullptr;
  auto* const options = PQconninfoParse(url.c_str(), &error);
  if (options == nullptr) {
    std::string const why = error == nullptr ? "no memory" : postgres::one_line(error);
    PQfreemem(error);
    return store_error{"this is no URL of PostgreSQL (" + why + "): use --store postgres://USER@HOST/DATABASE"};
  }
  PQconninfoFree(options);
  return std::make_unique<postgres_store>(url, loop, std::move(setup));
}

}  // namespace chat
