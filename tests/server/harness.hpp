// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <condition_variable>
#include <mutex>

#include "purews/server.hpp"
#include "support/catch.hpp"
#include "support/dies.hpp"
#include "support/frames.hpp"
#include "support/names.hpp"
#include "support/ws_client.hpp"

/// What handlers, on any thread, have to tell a test.
class journal {
 public:
  void add(std::string line) {
    std::lock_guard const lock(mutex_);
    lines_.push_back(std::move(line));
    changed_.notify_all();
  }

  /// Waits until `line` was written `count` times in all. False: in vain.
  bool wait(std::string const& line, std::size_t count = 1) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::milliseconds(test::patience_ms()),
                             [&] { return found(line) >= count; });
  }

  std::size_t count(std::string const& line) {
    std::lock_guard const lock(mutex_);
    return found(line);
  }
  std::vector<std::string> lines() {
    std::lock_guard const lock(mutex_);
    return lines_;
  }

 private:
  std::size_t found(std::string const& line) const {
    return static_cast<std::size_t>(std::count(lines_.begin(), lines_.end(), line));
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
};

using lines = std::vector<std::string>;

/// Lets a server listen and run on a thread of its own; stops it in the end. To be made after everything that the
/// handlers use. Handlers must not use Catch2's macros: those belong to the main thread.
class running {
 public:
  explicit running(purews::server& what) : server_(what) {
    purews::listening const got = server_.listen("127.0.0.1", 0);
    REQUIRE(got);
    at_ = got.address;
    REQUIRE(!thread_.start([this] { server_.run(); }));
  }
  ~running() {
    server_.stop();
    server_.stop();
  }

  purews::socket_address const& at() const { return at_; }

  /// Waits until run() has returned.
  void join() { thread_.join(); }

  /// Runs `f` on a loop and waits for what it returns.
  template <class F>
  auto on_loop(F f, unsigned index = 0) {
    decltype(f()) result{};
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
    server_.loop(index).post([&] {
      auto got = f();
      std::lock_guard const lock(mutex);
      result = std::move(got);
      done = true;
      changed.notify_all();
    });
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return done; });
    return result;
  }

 private:
  purews::server& server_;
  purews::socket_address at_{};
  purews::thread thread_;
};

/// A route that echoes, and writes down its sessions' beginnings and ends.
inline purews::websocket_route echo_route(journal& log) {
  return {.origins = {"*"},
          .on_open = [&log](purews::session&) { log.add("open"); },
          .on_message = [](purews::session& s, purews::message_view m) { s.send(m); },
          .on_close =
              [&log](purews::session&, purews::closing const& how) {
                log.add("close " + std::to_string(static_cast<int>(how.code)) + (how.clean ? " clean" : ""));
              }};
}
