// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../loop/socket.hpp"
#include "../loop/thread.hpp"
#include "worker.hpp"

namespace purews::inline v0 {

/// How a server works. Everything has a default.
struct server_options {
  purews::limits limits{};
  timeouts timeout{};
  delivery deliver = delivery::whole;
  message_extension const* extension = nullptr;  ///< such as a permessage_deflate; it must outlive the server
  unsigned threads = 1;                          ///< loops, each with its own connections; at least 1
  duration drain = seconds(10);                  ///< how long stop() lets connections finish
  int backlog = 4096;                            ///< connections that wait to be accepted
};

/// Where a server listens, or why it does not.
struct listening {
  os_error error{};
  socket_address address{};  ///< with the port that the system gave, if 0 was asked for

  explicit operator bool() const noexcept { return !error; }
};

/// A WebSocket and HTTP server on event loops of one kind. `purews::server` is the one for this system's best loop.
///
/// Add routes, listen, run. Routes and handlers are set before run(). With several threads a connection stays on the
/// thread that accepted it, and handlers are called on all threads at the same time.
template <class Loop>
class basic_server {
 public:
  explicit basic_server(server_options with = {});
  basic_server(basic_server const&) = delete;
  basic_server& operator=(basic_server const&) = delete;
  ~basic_server();

  /// Serves WebSocket connections under `path`, or under all that begin like it if it ends with '*'.
  void route(std::string_view path, websocket_route handlers) {
    shared_.routes.add(path, static_cast<websocket_route&&>(handlers), [](session_data&) {});
  }

  /// The same, with a default-constructed Data for each connection: see session::data.
  template <class Data>
  void route(std::string_view path, websocket_route handlers) {
    shared_.routes.add(path, static_cast<websocket_route&&>(handlers), [](session_data& d) { d.emplace<Data>(); });
  }

  /// Answers plain HTTP requests, paths as above. GET serves HEAD too.
  void http(std::string_view method, std::string_view path, http_handler handler) {
    shared_.routes.add(method, path, static_cast<http_handler&&>(handler));
  }
  void get(std::string_view path, http_handler handler) { http("GET", path, static_cast<http_handler&&>(handler)); }

  /// Listens on a host name or address and a port; 0 lets the system choose. May be called several times, before run().
  [[nodiscard]] listening listen(std::string_view host, std::uint16_t port);

  /// Serves on this thread and on `threads - 1` others until stop(); returns when all connections have ended. A loop
  /// with an error, of which listen() tells, serves nothing. If a thread cannot be started, stops and tells why.
  os_error run();

  /// Stops: no new connections, Close 1001 to all, and an end when all is sent (server_options::drain at the latest).
  /// A second call ends it at once. Any thread, and signal handlers.
  void stop() noexcept;

  /// Sends a message to all sessions that are subscribed to `name`, on all loops, in a later turn of each. Any thread.
  /// Refuses: invalid_utf8, out_of_memory.
  refusal publish(std::string_view name, opcode op, bytes_view payload);
  refusal publish(std::string_view name, std::string_view text) { return publish(name, opcode::text, as_bytes(text)); }

  unsigned threads() const noexcept { return static_cast<unsigned>(workers_.size()); }

  /// One of the loops, for timers, watched descriptors and posts. Precondition: index < threads().
  Loop& loop(unsigned index = 0) noexcept { return workers_[index]->loop(); }

 private:
  using worker = server_worker<Loop>;

  os_error listen_shared(std::string_view host, listening& result);
  os_error listen_alone(descriptor socket);

  server_options with_;
  server_shared shared_;
  std::vector<worker*> workers_;
  std::size_t next_worker_ = 0;  // where a shared acceptor puts the next connection
};

template <class Loop>
basic_server<Loop>::basic_server(server_options with) : with_(with) {
  shared_.machine = {
      .limit = with.limits, .timeout = with.timeout, .deliver = with.deliver, .extension = with.extension};
  if (with_.threads == 0) with_.threads = 1;
  for (unsigned i = 0; i < with_.threads; ++i) workers_.push_back(new worker(shared_));
}

template <class Loop>
basic_server<Loop>::~basic_server() {
  for (worker* const w : workers_) delete w;
}

template <class Loop>
listening basic_server<Loop>::listen(std::string_view host, std::uint16_t port) {
  for (worker* const w : workers_)
    if (os_error const e = w->loop().error()) return {e, {}};
  // Exclusively first, even if the port is shared between our threads afterwards: otherwise a second server of the
  // same user would be let in, and take half of the connections without a word.
  listen_result first = listen_tcp(host, port, {.backlog = with_.backlog, .sharing = port_sharing::exclusive});
  if (!first) return {first.error, {}};
  listening result{{}, first.bound};
  if (workers_.size() > 1 && shared_port_balances) {
    first.socket.reset();
    result.error = listen_shared(host, result);
  } else {
    result.error = listen_alone(static_cast<descriptor&&>(first.socket));
  }
  return result;
}

// One listening socket for each thread: the kernel spreads the connections.
template <class Loop>
os_error basic_server<Loop>::listen_shared(std::string_view host, listening& result) {
  for (worker* const w : workers_) {
    listen_result each =
        listen_tcp(host, result.address.port(), {.backlog = with_.backlog, .sharing = port_sharing::shared});
    if (!each) return each.error;
    auto const take = [w](descriptor socket, socket_address const& peer) {
      w->adopt(static_cast<descriptor&&>(socket), peer);
    };
    if (os_error const e = w->listen(static_cast<descriptor&&>(each.socket), take)) return e;
  }
  return {};
}

// One listening socket on the first thread, which deals the connections out.
template <class Loop>
os_error basic_server<Loop>::listen_alone(descriptor socket) {
  return workers_[0]->listen(static_cast<descriptor&&>(socket), [this](descriptor got, socket_address const& peer) {
    worker* const w = workers_[next_worker_++ % workers_.size()];
    if (w == workers_[0]) return w->adopt(static_cast<descriptor&&>(got), peer);
    w->loop().post([w, moved = static_cast<descriptor&&>(got), peer]() mutable {
      w->adopt(static_cast<descriptor&&>(moved), peer);
    });
  });
}

template <class Loop>
os_error basic_server<Loop>::run() {
  os_error failed{};
  std::vector<thread> others(workers_.size() - 1);
  for (std::size_t i = 1; i < workers_.size(); ++i) {
    worker* const w = workers_[i];
    duration const drain = with_.drain;
    if (os_error const e = others[i - 1].start([w, drain] { w->run(drain); })) failed = e;
  }
  // Without its thread a loop would leave its share of the connections waiting for ever.
  if (failed) stop();
  workers_[0]->run(with_.drain);
  for (thread& t : others) t.join();
  return failed;
}

template <class Loop>
void basic_server<Loop>::stop() noexcept {
  __atomic_add_fetch(&shared_.stops, 1, __ATOMIC_ACQ_REL);
  for (worker* const w : workers_) w->loop().stop();
}

template <class Loop>
refusal basic_server<Loop>::publish(std::string_view name, opcode op, bytes_view payload) {
  if (op == opcode::text && !is_valid_utf8(payload)) return refusal::invalid_utf8;
  prepared_message const shared(op, payload);
  if (!shared) return refusal::out_of_memory;
  for (worker* const w : workers_)
    w->loop().post([w, topic = std::string(name), shared] { w->topics().publish(topic, shared); });
  return refusal::none;
}

}  // namespace purews::inline v0
