// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "worker.hpp"

namespace purews::inline v0 {

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
///
/// On loops that live inside somebody else's (asio_loop, libuv_loop) it serves as soon as it listens and that loop
/// runs; then run() is not called, stop() still drains, and on_ended() tells of the end.
template <class Loop>
class basic_server {
 public:
  /// Makes each of its loops from `loop_arguments`: nothing, or whatever they are to live in.
  template <class... A>
  explicit basic_server(server_options with = {}, A&&... loop_arguments);
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

  /// Answers the questions of whoever watches the process: `live` with 200 for as long as a loop turns, `ready` with
  /// 503 while ready() is false.
  void health(std::string_view live = "/healthz", std::string_view ready = "/readyz");

  /// Why the loops cannot run, such as an io_uring that the kernel forbids. listen() tells the same.
  os_error loop_error() const noexcept;

  /// Listens on a host name or address and a port; 0 lets the system choose. May be called several times, before run().
  /// After an error it does not listen there, on any thread.
  [[nodiscard]] listening listen(std::string_view host, std::uint16_t port);

  /// Listens on a local socket; see listen_local. Its file is removed in the end.
  [[nodiscard]] listening listen_unix(std::string_view path);

  /// Takes a connection that somebody else has accepted: a stream socket with nothing read from it yet. Any thread.
  void adopt(descriptor socket);

  /// Serves on this thread and on `threads - 1` others until stop(); returns when all connections have ended. A loop
  /// with an error, of which listen() tells, serves nothing. If a thread cannot be started or pinned, stops and tells
  /// why.
  os_error run();

  /// Stops: see drain_options. A second call ends it at once. Any thread, and signal handlers.
  void stop() noexcept;

  /// Calls `done` when all has ended after stop(), on the loop that was the last, inside a turn of it: so the server
  /// must not be destroyed there, but may be in a handler that is posted to its host. To be set before stop().
  void on_ended(callback<void()> done) { shared_.ended = static_cast<callback<void()>&&>(done); }

  /// Whether new sessions are welcome: stop() was not called, and memory is not short. Any thread.
  bool ready() const noexcept { return !shared_.draining() && !shared_.is_above(80); }

  /// Sends a message to all sessions that are subscribed to `name`, on all loops, in a later turn of each. Any thread.
  /// Refuses: invalid_utf8, out_of_memory.
  refusal publish(std::string_view name, opcode op, bytes_view payload);
  refusal publish(std::string_view name, std::string_view text) { return publish(name, opcode::text, as_bytes(text)); }

  /// What has happened so far. Any thread; the counters of one thread fit together, those of several may not.
  server_counters counters() const noexcept;

  unsigned threads() const noexcept { return static_cast<unsigned>(workers_.size()); }

  /// One of the loops, for timers, watched descriptors and posts. Precondition: index < threads().
  Loop& loop(unsigned index = 0) noexcept { return workers_[index]->loop(); }

 private:
  using worker = server_worker<Loop>;

  /// Without loops. What throws after this one leaves the rest to the destructor.
  struct no_loops {};
  basic_server(no_loops, server_options const& with) : shared_(with) {
    workers_.reserve(shared_.with.threads);
    shared_.inboxes.reserve(shared_.with.threads);
  }

  listen_options options_for(port_sharing sharing) const noexcept {
    return {.backlog = shared_.with.backlog, .sharing = sharing, .tcp = shared_.with.tcp};
  }
  static constexpr int any_port_tries = 10;
  os_error listen_shared(std::string_view host, std::uint16_t port) noexcept;
  os_error listen_on(worker& w, std::string_view host, std::uint16_t port) noexcept;
  os_error listen_alone(listen_result first);
  void deal(descriptor socket, socket_address const& peer);
  os_error start_threads(std::vector<thread>& others);

  server_shared shared_;
  std::vector<worker*> workers_;
  std::size_t next_worker_ = 0;  // atomic: where a shared acceptor puts the next connection
};

template <class Loop>
template <class... A>
basic_server<Loop>::basic_server(server_options with, A&&... loop_arguments) : basic_server(no_loops{}, with) {
  for (unsigned i = 0; i < shared_.with.threads; ++i) {
    workers_.push_back(new worker(shared_, loop_arguments...));
    shared_.inboxes.push_back(&workers_.back()->inbox);
  }
}

template <class Loop>
basic_server<Loop>::~basic_server() {
  shared_.pool.stop();  // its jobs may hold handles and whatever belongs to the program
  for (worker* const w : workers_) delete w;
}

template <class Loop>
void basic_server<Loop>::health(std::string_view live, std::string_view ready) {
  get(live, [](http_exchange& e) { e.answer(200, "The server is alive.\n"); });
  get(ready, [this](http_exchange& e) {
    if (this->ready()) {
      e.answer(200, "The server is ready.\n");
    } else {
      e.answer(503, shared_.draining() ? "The server is going away.\n" : "The server is short of memory.\n");
    }
  });
}

template <class Loop>
os_error basic_server<Loop>::loop_error() const noexcept {
  for (worker const* const w : workers_)
    if (os_error const e = w->error()) return e;
  return {};
}

template <class Loop>
listening basic_server<Loop>::listen(std::string_view host, std::uint16_t port) {
  if (os_error const e = loop_error()) return {e, {}};
  for (int tries = 1;; ++tries) {
    // Exclusively first, even if the port is shared between our threads afterwards: otherwise a second server of the
    // same user would be let in, and take half of the connections without a word.
    listen_result first = listen_tcp(host, port, options_for(port_sharing::exclusive));
    if (!first) return {first.error, {}};
    socket_address const bound = first.bound;
    if (workers_.size() == 1 || !shared_port_balances)
      return {listen_alone(static_cast<listen_result&&>(first)), bound};
    first.socket.reset();
    os_error const e = listen_shared(host, bound.port());
    // Whoever asked for any port gets another one, if somebody took this one meanwhile.
    if (port != 0 || e.code != EADDRINUSE || tries == any_port_tries) return {e, bound};
  }
}

template <class Loop>
listening basic_server<Loop>::listen_unix(std::string_view path) {
  if (os_error const e = loop_error()) return {e, {}};
  listen_result first = listen_local(path, options_for(port_sharing::exclusive));
  if (!first) return {first.error, {}};
  socket_address const bound = first.bound;
  return {listen_alone(static_cast<listen_result&&>(first)), bound};
}

// One listening socket for each thread, so that the kernel spreads the connections; or none.
template <class Loop>
os_error basic_server<Loop>::listen_shared(std::string_view host, std::uint16_t port) noexcept {
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    os_error const e = listen_on(*workers_[i], host, port);
    if (!e) continue;
    while (i > 0) workers_[--i]->unlisten();
    return e;
  }
  return {};
}

template <class Loop>
os_error basic_server<Loop>::listen_on(worker& w, std::string_view host, std::uint16_t port) noexcept {
  listen_result made = listen_tcp(host, port, options_for(port_sharing::shared));
  if (!made) return made.error;
  return w.listen(
      static_cast<descriptor&&>(made.socket), made.bound,
      [&w](descriptor socket, socket_address const& peer) { w.adopt(static_cast<descriptor&&>(socket), peer); });
}

// One listening socket on the first thread, which deals the connections out.
template <class Loop>
os_error basic_server<Loop>::listen_alone(listen_result first) {
  return workers_[0]->listen(static_cast<descriptor&&>(first.socket), first.bound,
                             [this](descriptor got, socket_address const& peer) {
                               if (workers_.size() == 1)
                                 return workers_[0]->adopt(static_cast<descriptor&&>(got), peer);
                               try {
                                 deal(static_cast<descriptor&&>(got), peer);
                               } catch (std::bad_alloc const&) {  // it is closed
                               }
                             });
}

template <class Loop>
void basic_server<Loop>::deal(descriptor socket, socket_address const& peer) {
  worker* const w = workers_[__atomic_fetch_add(&next_worker_, 1, __ATOMIC_RELAXED) % workers_.size()];
  w->loop().post([w, moved = static_cast<descriptor&&>(socket), peer]() mutable {
    w->adopt(static_cast<descriptor&&>(moved), peer);
  });
}

template <class Loop>
void basic_server<Loop>::adopt(descriptor socket) {
  socket_address peer;
  if (prepare_socket(socket.number()) || remote_address(socket.number(), peer)) return;
  deal(static_cast<descriptor&&>(socket), peer);
}

template <class Loop>
os_error basic_server<Loop>::start_threads(std::vector<thread>& others) {
  if (os_error const e = shared_.pool.start(shared_.with.workers)) return e;
  for (std::size_t i = 1; i < workers_.size(); ++i) {
    thread one;
    if (os_error const e = one.start([this, i] {
          worker& w = *workers_[i];
          if (shared_.with.pin == pinning::cores) w.unpinned = pin_this_thread(static_cast<unsigned>(i));
          if (w.unpinned) stop();
          w.run();
        }))
      return e;
    others.push_back(static_cast<thread&&>(one));
  }
  // Last, because threads inherit it.
  return shared_.with.pin == pinning::cores ? pin_this_thread(0) : os_error{};
}

template <class Loop>
os_error basic_server<Loop>::run() {
  std::vector<thread> others;
  others.reserve(workers_.size());  // what throws, throws before a thread runs
  os_error failed = start_threads(others);
  // Without its thread a loop would leave its share of the connections waiting for ever.
  if (failed) stop();
  workers_[0]->run();
  // Those without a thread stop listening, and end.
  for (std::size_t i = others.size() + 1; i < workers_.size(); ++i) workers_[i]->run();
  for (thread& t : others) t.join();
  for (worker const* const w : workers_)
    if (!failed) failed = w->unpinned;
  shared_.pool.stop();
  return failed;
}

template <class Loop>
void basic_server<Loop>::stop() noexcept {
  __atomic_add_fetch(&shared_.stops, 1, __ATOMIC_ACQ_REL);
  shared_.wake_all();
}

template <class Loop>
refusal basic_server<Loop>::publish(std::string_view name, opcode op, bytes_view payload) {
  if (op == opcode::text && !is_valid_utf8(payload)) return refusal::invalid_utf8;
  prepared_message const shared(op, payload);
  if (!shared) return refusal::out_of_memory;
  for (worker* const w : workers_)
    w->loop().post([w, topic = std::string(name), shared] { w->topics.publish(topic, shared); });
  return refusal::none;
}

template <class Loop>
server_counters basic_server<Loop>::counters() const noexcept {
  server_counters sum;
  for (worker const* const w : workers_) w->counters.add_into(sum);
  sum.buffered_bytes = shared_.buffered();
  return sum;
}

}  // namespace purews::inline v0
