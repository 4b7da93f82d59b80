// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "shared.hpp"

namespace purews::inline v0 {

/// One connection of a worker: its stream, and the session that handlers see. It answers requests, and hands messages
/// to the handlers of their route. The worker says which loop it is on, and is told of its end.
template <class Worker>
class server_peer final : public session {
 public:
  using stream_type = typename Worker::loop_type::template stream<endpoint, server_peer>;

  server_peer(Worker& home, descriptor socket, socket_address const& from, std::uint64_t id)
      : session(home, id),
        address_(from),
        stream_(home.loop(), *this, static_cast<descriptor&&>(socket), role::server, home.shared().machine,
                home.loop().now()) {}
  ~server_peer() { worker().forget(*this); }

  [[nodiscard]] os_error start() noexcept { return stream_.start(); }
  void on_events(stream_type& stream) noexcept;
  void on_settled(stream_type&) noexcept;
  void on_end(stream_type&) noexcept { end(); }

  /// Reports the end, if it was not reported yet, and deletes the peer.
  void end() noexcept;

  void abort() noexcept override { stream_.abort(); }
  void resume() noexcept override;
  socket_address peer() noexcept override { return address_.expand(); }
  endpoint& machine() noexcept override { return stream_.machine(); }

  // The worker's.

  /// Calls `handler`. If memory runs out in it, this connection ends, and no other.
  template <class F>
  void call(F handler) noexcept {
    try {
      handler();
    } catch (std::bad_alloc const&) {
      machine().abort();
      stream_.abort();
    }
  }

  bool is_session() const noexcept { return upgraded_; }
  server_peer* next = nullptr;
  server_peer* previous = nullptr;
  std::size_t kept = 0;  ///< what the worker has counted of buffered_bytes()
  bool shed = false;     ///< it ends because of that

 private:
  using decision = callback<void(upgrade&)>;

  Worker& worker() const noexcept { return static_cast<Worker&>(home_); }
  void count(std::uint64_t server_counters::*which, std::uint64_t n = 1) noexcept { home_.counters.add(which, n); }

  void touch() noexcept override { stream_.touch(); }
  void send_now() noexcept override { stream_.send_now(); }
  void decide(decision& handler) noexcept override;

  void answer_request(bytes body);
  void answer_upgrade(http_request const& request);
  void ask(decision& handler);
  bool origin_passes(http_request const& request) noexcept;
  void refuse(std::uint16_t status, std::string_view text, std::span<header_field const> headers = {}) noexcept;
  void refuse_busy() noexcept;
  void deliver(event const& e) noexcept;
  void report_end(event const& e) noexcept;

  router::websocket_entry* route_ = nullptr;  // set once the upgrade is asked for
  bool upgraded_ = false;                     // it was accepted
  bool opened_ = false;                       // and on_open called, but not on_close
  bool resumed_ = false;                      // what was parked is to be delivered
  bool high_ = false;                         // on_drain is to be called
  compact_address address_;
  stream_type stream_;
};

template <class Worker>
void server_peer<Worker>::on_events(stream_type& stream) noexcept {
  for (;;) {
    if (paused_ && stream.machine().current() == state::open) return stream.machine().park();
    event const e = stream.machine().next();
    switch (e.what) {
      case kind::none:
        return;
      case kind::request:
        call([&] { answer_request(e.payload); });
        break;
      case kind::open:
        opened_ = true;
        if (route_->handlers.on_open) call([this] { route_->handlers.on_open(*this); });
        break;
      case kind::message:
      case kind::fragment:
        deliver(e);
        break;
      case kind::closed:
      case kind::failed:
        report_end(e);
        break;
      case kind::ping:
      case kind::pong:
        break;
    }
  }
}

template <class Worker>
void server_peer<Worker>::on_settled(stream_type& stream) noexcept {
  if (resumed_) {
    resumed_ = false;
    on_events(stream);
    stream.touch();
  }
  std::size_t const waiting = machine().queued_bytes();
  std::size_t const high = worker().shared().queue_high;
  if (waiting > high) {
    high_ = true;
  } else if (high_ && waiting <= high / 4) {
    high_ = false;
    count(&server_counters::drains);
    if (opened_ && route_->handlers.on_drain) call([this] { route_->handlers.on_drain(*this); });
  }
  if (worker().shared().with.memory_bytes_max != 0) worker().count_memory(*this);
}

template <class Worker>
void server_peer<Worker>::deliver(event const& e) noexcept {
  count(&server_counters::messages_received);
  count(&server_counters::bytes_received, e.payload.size());
  if (!route_->handlers.on_message) return;
  call([&] { route_->handlers.on_message(*this, {e.op, e.payload, e.fin}); });
}

template <class Worker>
void server_peer<Worker>::end() noexcept {
  machine().abort();  // one that is cut off is not open in its on_close either: it refuses, and its handles are stale
  report_end({.what = kind::none, .code = status_code::abnormal});
  delete this;
}

template <class Worker>
void server_peer<Worker>::report_end(event const& e) noexcept {
  if (e.what == kind::failed) home_.counters.add(e.fault);
  leave();
  if (!opened_) return;
  opened_ = false;
  count(e.clean ? &server_counters::closed_cleanly : &server_counters::closed_abnormally);
  if (!route_->handlers.on_close) return;
  closing const how = e.what == kind::failed ? closing{e.code, {}, false, e.fault} : closing{e.code, e.text(), e.clean};
  call([&] { route_->handlers.on_close(*this, how); });
}

template <class Worker>
void server_peer<Worker>::resume() noexcept {
  if (!paused_) return;
  paused_ = false;
  resumed_ = true;
  machine().resume(worker().loop().now());
  stream_.touch();
}

template <class Worker>
void server_peer<Worker>::answer_request(bytes body) {
  http_request const request = machine().request();
  if (machine().wants_upgrade()) return answer_upgrade(request);
  count(&server_counters::requests);
  router& routes = worker().shared().routes;
  http_handler* const handler = routes.find_http(request.method(), request.path());
  if (handler == nullptr) {
    std::string const allowed = routes.allowed_methods(request.path());
    header_field const allow[] = {{"Allow", allowed}};  // RFC 9110 15.5.6: "MUST generate an Allow header field"
    if (!allowed.empty()) return refuse(405, "There is no such method here.", allow);
    if (routes.find_websocket(request.path()) != nullptr) return refuse(426, "This is a WebSocket.");
    return refuse(404, "There is nothing here.");
  }
  socket_address const from = peer();
  http_exchange exchange(machine(), body, from);
  (*handler)(exchange);
  refuse(500, "The server gave no answer.");  // refused itself if there was one
}

template <class Worker>
void server_peer<Worker>::answer_upgrade(http_request const& request) {
  server_shared& shared = worker().shared();
  if (shared.draining() || shared.is_above(80)) return refuse_busy();
  route_ = shared.routes.find_websocket(request.path());
  bool const passes = route_ != nullptr && origin_passes(request);
  if (!passes) count(&server_counters::upgrades_refused);
  if (route_ == nullptr) return refuse(404, "There is nothing here.");
  // RFC 6455 10.2: without this check any page on the web could use the cookies of our users.
  if (!passes) return refuse(403, "This origin may not connect.");
  route_->make_data(data_);
  ask(route_->handlers.on_upgrade);
}

/// Lets `handler` decide, and carries out what it has said.
template <class Worker>
void server_peer<Worker>::ask(decision& handler) {
  socket_address const from = peer();
  upgrade asked(*this, machine(), from, route_->subprotocols);
  if (handler) handler(asked);
  if (asked.said() == upgrade::decision::deferred) return;
  if (asked.said() == upgrade::decision::rejected) {
    count(&server_counters::upgrades_refused);
    // Answered already, but if memory was short: a rejected upgrade must never be accepted.
    return refuse(500, {});
  }
  // Refused, if the handler has accepted it already.
  refusal const accepted = asked.accept({});
  if (accepted != refusal::none && accepted != refusal::not_connecting) return refuse(500, "The upgrade failed.");
  subprotocol_ = asked.chosen();
  upgraded_ = true;
  worker().add_session();
}

/// What was deferred.
template <class Worker>
void server_peer<Worker>::decide(decision& handler) noexcept {
  if (upgraded_ || machine().current() != state::connecting || !machine().wants_upgrade()) return;
  call([&] { ask(handler); });
  on_events(stream_);
  stream_.touch();
}

template <class Worker>
bool server_peer<Worker>::origin_passes(http_request const& request) noexcept {
  if (route_->origins.empty()) return same_origin(request);
  for (std::string_view const allowed : route_->origins)
    if (allowed == "*") return true;
  return origin_allowed(request, route_->origins);
}

template <class Worker>
void server_peer<Worker>::refuse(std::uint16_t status, std::string_view text,
                                 std::span<header_field const> headers) noexcept {
  static_cast<void>(machine().answer({.status = status, .headers = headers, .body = as_bytes(text)}));
}

/// RFC 9110 15.6.4. Spread, so that those who are refused together do not come back together.
template <class Worker>
void server_peer<Worker>::refuse_busy() noexcept {
  count(&server_counters::upgrades_busy);
  char const seconds = static_cast<char>('1' + id() % 9);
  header_field const later[] = {{"Retry-After", {&seconds, 1}}};
  refuse(503, "The server is busy: come back later.", later);
}

}  // namespace purews::inline v0
