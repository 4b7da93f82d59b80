// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../loop/descriptor.hpp"
#include "../loop/entropy.hpp"
#include "route.hpp"
#include "topics.hpp"

namespace purews::inline v0 {

/// What all threads of a server share. Nothing in it changes while the server runs, the counters aside.
struct server_shared {
  options machine{};
  router routes{};
  std::uint64_t last_id = 0;  // atomic
  int stops = 0;              // atomic: how often stop() was called
};

/// One loop of a server with the connections on it: it accepts them, answers their requests, and hands their messages
/// to the handlers of their routes. Everything in it belongs to the loop's thread.
template <class Loop>
class server_worker {
 public:
  explicit server_worker(server_shared& shared) noexcept : shared_(shared) {}
  server_worker(server_worker const&) = delete;
  server_worker& operator=(server_worker const&) = delete;
  ~server_worker() { end_all(); }

  Loop& loop() noexcept { return loop_; }
  topic_table& topics() noexcept { return topics_; }

  /// Accepts connections from a listening socket, and gives each to `to`, which may be on another thread.
  [[nodiscard]] os_error listen(descriptor listening, callback<void(descriptor, socket_address const&)> to);

  /// Takes an accepted connection.
  void adopt(descriptor socket, socket_address const& peer);

  /// Runs until the server is stopped; then closes what is open with 1001 (RFC 6455 section 7.4.1), and ends when
  /// all is sent, but after `drain` at the latest, or when stop() was called again.
  void run(duration drain) noexcept;

 private:
  class peer;
  struct listening {
    typename Loop::listener* listener;
    listening* next;
  };

  void link(peer& p) noexcept;
  void unlink(peer& p) noexcept;
  void close_listeners() noexcept;
  void end_all() noexcept;

  server_shared& shared_;
  Loop loop_;
  topic_table topics_;
  listening* listeners_ = nullptr;
  peer* first_ = nullptr;
  bool draining_ = false;
};

/// One connection of a worker: its stream, and the session that handlers see.
template <class Loop>
class server_worker<Loop>::peer final : public session {
 public:
  using stream_type = typename Loop::template stream<endpoint, peer>;

  peer(server_worker& home, descriptor socket, socket_address const& from, std::uint64_t id)
      : session(id),
        home_(home),
        address_(from),
        stream_(home.loop_, *this, static_cast<descriptor&&>(socket), role::server, home.shared_.machine,
                home.loop_.now()) {}
  ~peer() {
    home_.topics_.unsubscribe_all(*this);
    home_.unlink(*this);
  }

  [[nodiscard]] os_error start() noexcept { return stream_.start(); }
  void on_events(stream_type& stream) noexcept;
  void on_end(stream_type&) noexcept { end(); }

  /// Reports the end, if it was not reported yet, and deletes the peer.
  void end() noexcept;

  /// Closes politely if it is open, and at once if it is not.
  void go_away() noexcept;

  peer* next = nullptr;
  peer* previous = nullptr;

 private:
  endpoint& machine() noexcept override { return stream_.machine(); }
  topic_table& topics() noexcept override { return home_.topics_; }
  socket_address peer_address() noexcept override { return address_; }
  void touch() noexcept override { stream_.touch(); }
  void send_now() noexcept override { stream_.send_now(); }

  void decide(bytes body) noexcept;
  void decide_upgrade(http_request const& request) noexcept;
  bool origin_passes(http_request const& request) noexcept;
  void refuse(std::uint16_t status, std::string_view text, std::span<header_field const> headers = {}) noexcept;
  void report_end(closing const& how) noexcept;

  server_worker& home_;
  router::websocket_entry* route_ = nullptr;  // set once the upgrade is accepted
  bool opened_ = false;
  socket_address address_;
  stream_type stream_;
};

template <class Loop>
void server_worker<Loop>::peer::on_events(stream_type& stream) noexcept {
  for (;;) {
    event const e = stream.machine().next();
    switch (e.what) {
      case kind::none: return;
      case kind::request: decide(e.payload); break;
      case kind::open:
        opened_ = true;
        if (route_->handlers.on_open) route_->handlers.on_open(*this);
        break;
      case kind::message:
      case kind::fragment:
        if (route_->handlers.on_message) route_->handlers.on_message(*this, {e.op, e.payload, e.fin});
        break;
      case kind::closed: report_end({e.code, e.text(), e.clean, error::none}); break;
      case kind::failed: report_end({e.code, {}, false, e.fault}); break;
      case kind::ping:
      case kind::pong: break;
    }
  }
}

template <class Loop>
void server_worker<Loop>::peer::end() noexcept {
  report_end({});
  delete this;
}

template <class Loop>
void server_worker<Loop>::peer::go_away() noexcept {
  if (close(status_code::going_away) == refusal::none) return;
  if (machine().current() == state::connecting) stream_.abort();
}

template <class Loop>
void server_worker<Loop>::peer::report_end(closing const& how) noexcept {
  home_.topics_.unsubscribe_all(*this);
  if (!opened_) return;
  opened_ = false;
  if (route_->handlers.on_close) route_->handlers.on_close(*this, how);
}

template <class Loop>
void server_worker<Loop>::peer::decide(bytes body) noexcept {
  http_request const request = machine().request();
  if (machine().wants_upgrade()) return decide_upgrade(request);
  router& routes = home_.shared_.routes;
  http_handler* const handler = routes.find_http(request.method(), request.path());
  if (handler == nullptr) {
    std::string const allowed = routes.allowed_methods(request.path());
    header_field const allow[] = {{"Allow", allowed}};  // RFC 9110 15.5.6: "MUST generate an Allow header field"
    if (!allowed.empty()) return refuse(405, "There is no such method here.", allow);
    if (routes.find_websocket(request.path()) != nullptr) return refuse(426, "This is a WebSocket.");
    return refuse(404, "There is nothing here.");
  }
  http_exchange exchange(machine(), body);
  (*handler)(exchange);
  refuse(500, "The server gave no answer.");  // refused itself if there was one
}

template <class Loop>
void server_worker<Loop>::peer::decide_upgrade(http_request const& request) noexcept {
  route_ = home_.shared_.routes.find_websocket(request.path());
  if (route_ == nullptr) return refuse(404, "There is nothing here.");
  // RFC 6455 10.2: without this check any page on the web could use the cookies of our users.
  if (!origin_passes(request)) return refuse(403, "This origin may not connect.");
  route_->make_data(data_);
  if (route_->handlers.on_upgrade) {
    upgrade asked(machine(), data_, address_);
    route_->handlers.on_upgrade(asked);
    // Answered already, but if memory was short: a rejected upgrade must never be accepted below.
    if (asked.rejected()) return refuse(500, {});
  }
  // Refused, if the handler has decided already.
  refusal const accepted = machine().accept({.subprotocol = select_subprotocol(request, route_->subprotocols)});
  if (accepted != refusal::none && accepted != refusal::not_connecting) refuse(500, "The upgrade failed.");
}

template <class Loop>
bool server_worker<Loop>::peer::origin_passes(http_request const& request) noexcept {
  if (route_->origins.empty()) return same_origin(request);
  for (std::string_view const allowed : route_->origins)
    if (allowed == "*") return true;
  return origin_allowed(request, route_->origins);
}

template <class Loop>
void server_worker<Loop>::peer::refuse(std::uint16_t status, std::string_view text,
                                        std::span<header_field const> headers) noexcept {
  static_cast<void>(machine().answer({.status = status, .headers = headers, .body = as_bytes(text)}));
}

template <class Loop>
os_error server_worker<Loop>::listen(descriptor socket, callback<void(descriptor, socket_address const&)> to) {
  using listener = typename Loop::listener;
  auto* const made = new listener(loop_, static_cast<descriptor&&>(socket),
                                  static_cast<callback<void(descriptor, socket_address const&)>&&>(to));
  listeners_ = new listening{made, listeners_};
  return made->start();
}

template <class Loop>
void server_worker<Loop>::adopt(descriptor socket, socket_address const& from) {
  if (draining_) return;
  auto* const made = new peer(*this, static_cast<descriptor&&>(socket), from,
                              __atomic_add_fetch(&shared_.last_id, 1, __ATOMIC_RELAXED));
  link(*made);
  if (made->start()) delete made;
}

template <class Loop>
void server_worker<Loop>::run(duration drain) noexcept {
  while (!loop_.error() && __atomic_load_n(&shared_.stops, __ATOMIC_ACQUIRE) == 0) loop_.run();
  draining_ = true;
  close_listeners();
  for (peer* p = first_; p != nullptr; p = p->next) p->go_away();
  instant const end = loop_.now() + drain;
  loop_.run_once(duration{0});
  while (first_ != nullptr && loop_.now() < end && __atomic_load_n(&shared_.stops, __ATOMIC_ACQUIRE) < 2)
    loop_.run_once(end - loop_.now());
  end_all();
}

template <class Loop>
void server_worker<Loop>::link(peer& p) noexcept {
  p.next = first_;
  if (first_ != nullptr) first_->previous = &p;
  first_ = &p;
}

template <class Loop>
void server_worker<Loop>::unlink(peer& p) noexcept {
  if (p.next != nullptr) p.next->previous = p.previous;
  (p.previous != nullptr ? p.previous->next : first_) = p.next;
}

template <class Loop>
void server_worker<Loop>::close_listeners() noexcept {
  while (listeners_ != nullptr) {
    listening* const closes = listeners_;
    listeners_ = closes->next;
    delete closes->listener;
    delete closes;
  }
}

template <class Loop>
void server_worker<Loop>::end_all() noexcept {
  close_listeners();
  while (first_ != nullptr) first_->end();
}

}  // namespace purews::inline v0
