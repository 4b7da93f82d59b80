// SPDX-License-Identifier: BSL-1.0
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "sqlite/tables.hpp"

namespace chat {
namespace {

/// The database on a thread of its own. Storing goes before reading: others wait for it.
class sqlite_store final : public store {
 public:
  sqlite_store(purews::default_loop& loop, store_setup setup)
      : loop_(loop), setup_(std::make_shared<store_setup>(std::move(setup))), db_(setup_->keep) {}
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
    add(appends_, [this, what = std::move(what)] { return db_.run(what); });
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
  sqlite::tables db_;
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
