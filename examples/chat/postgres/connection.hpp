// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <deque>
#include <purews/loop/default_loop.hpp>
#include <random>
#include <span>

#include "../open_store.hpp"
#include "answers.hpp"

namespace chat::postgres {

struct statement;

/// A request, and what came for it so far.
struct work {
  std::variant<append_request, read_request, heads_request> what;
  purews::instant since{};
  result_ptr rows{};
  std::string error{};
  std::string makes{};  ///< a channel, before
};

/// Nobody can do it now.
[[nodiscard]] answer refused(work const& what, std::string const& why);

/// Who has connections, and what they tell it.
class owner {
 public:
  virtual void answered(answer what) = 0;
  virtual void again(work what) = 0;  ///< it was not done, and any connection may do it
  virtual void works() = 0;
  virtual void fails(std::string const& why) = 0;
  virtual void has_room() = 0;  ///< now, for what waits; or somebody else has to do it

 protected:
  ~owner() = default;
};

/// A connection on the loop, by libpq without blocking, that comes back by itself. Requests go out in a pipeline, each
/// a transaction of its own. Only resolving a host name blocks; with hostaddr= in the URL nothing does.
class connection {
 public:
  static constexpr std::size_t load_max = 64;

  connection(owner& whose, purews::default_loop& loop, std::string const& url, retention keep);
  connection(connection const&) = delete;
  connection& operator=(connection const&) = delete;
  ~connection() { close(); }

  void send(work what);
  void check_time();
  bool ready() const { return state_ == state::ready; }
  std::size_t load() const { return sent_.size(); }  ///< requests without an answer

 private:
  enum class state { resting, connecting, setting_up, preparing, ready };

  void open();
  void on_ready(purews::interest what);
  void connect_further();
  void begin();
  void prepare();
  void receive();
  void take(result_ptr got);
  void prepared();
  void finish();
  bool start(append_request const& what);
  bool start(read_request const& what);
  bool start(heads_request const& what);
  bool forget(std::string const& channel, std::int64_t now_ms);
  bool execute(statement const& what, std::span<std::string const> values);
  void flush();
  void watch(purews::interest what);
  void lost(std::string const& why);
  void close();

  owner& owner_;
  purews::default_loop& loop_;
  std::string const& url_;
  retention keep_;
  state state_ = state::resting;
  PGconn* db_ = nullptr;
  purews::default_loop::watch_handle watch_;  // gone before libpq closes the socket
  std::deque<work> sent_;
  purews::instant since_{};  // the beginning of resting and connecting
  purews::duration rest_{};
  int failures_ = 0;
  std::mt19937_64 random_{std::random_device()()};
};

}  // namespace chat::postgres
