// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <string>

#include "../loop/callback.hpp"
#include "session.hpp"

namespace purews::inline v0 {

/// A WebSocket upgrade that waits for its decision. An on_upgrade handler that returns without rejecting it accepts
/// it. Valid until the handler returns.
class upgrade {
 public:
  upgrade(endpoint& machine, session_data& data, socket_address const& peer) noexcept
      : machine_(machine), data_(data), peer_(peer) {}

  http_request request() const noexcept { return machine_.request(); }
  socket_address const& peer() const noexcept { return peer_; }

  /// The object of the session to be, as in session::data.
  template <class T>
  T& data() noexcept {
    return data_.as<T>();
  }

  /// Accepts it with a subprotocol and headers of the application. Refuses: invalid_header. RFC 6455 section 4.2.2.
  [[nodiscard]] refusal accept(acceptance const& with) noexcept { return machine_.accept(with); }

  /// Answers with an HTTP status instead, as plain text. RFC 6455 section 4.2.2.
  void reject(std::uint16_t status, std::string_view text = {}) noexcept {
    static_cast<void>(machine_.answer({.status = status, .body = as_bytes(text)}));
  }

 private:
  endpoint& machine_;
  session_data& data_;
  socket_address const& peer_;
};

/// What a server does with the WebSocket connections of one path. With several threads the handlers are called on
/// all of them, each connection always on the same one. Handlers must not throw.
struct websocket_route {
  /// The subprotocols that the server speaks; the client's first choice among them is selected.
  std::vector<std::string> subprotocols{};

  /// Who may connect from a browser: origins such as "https://example.com", or "*" for all. Empty: only pages of
  /// the same host and port as the server. Clients without an Origin header are no browsers and pass.
  std::vector<std::string> origins{};

  callback<void(upgrade&)> on_upgrade{};
  callback<void(session&)> on_open{};
  callback<void(session&, message_view)> on_message{};
  callback<void(session&, closing const&)> on_close{};
};

/// A plain HTTP request that waits for its answer; the connection is closed after it. Valid until the handler
/// returns; without an answer the client gets a 500.
class http_exchange {
 public:
  http_exchange(endpoint& machine, bytes body) noexcept : machine_(machine), body_(body) {}

  http_request request() const noexcept { return machine_.request(); }
  bytes_view body() const noexcept { return body_; }

  /// Sends the answer. Refuses: invalid_header, out_of_memory; not_connecting if there was one already.
  refusal answer(http_answer const& with) noexcept { return machine_.answer(with); }

 private:
  endpoint& machine_;
  bytes body_;
};

using http_handler = callback<void(http_exchange&)>;

/// What is served under which path. A path that ends with '*' stands for all that begin like it; the longest wins.
class router {
 public:
  struct websocket_entry {
    std::string path;
    websocket_route handlers;
    void (*make_data)(session_data&);
    std::vector<std::string_view> subprotocols{};  // views of handlers.subprotocols and handlers.origins
    std::vector<std::string_view> origins{};
  };

  void add(std::string_view path, websocket_route handlers, void (*make_data)(session_data&));
  void add(std::string_view method, std::string_view path, http_handler handler);

  websocket_entry* find_websocket(std::string_view path) noexcept;

  /// The handler, or null with `path_known` telling whether another method would have found one.
  http_handler* find_http(std::string_view method, std::string_view path, bool& path_known) noexcept;

 private:
  struct http_entry {
    std::string path;
    std::string method;
    http_handler handler;
  };

  static bool matches(std::string_view pattern, std::string_view path) noexcept;

  std::vector<websocket_entry*> websockets_;
  std::vector<http_entry> https_;

 public:
  router() = default;
  router(router const&) = delete;
  router& operator=(router const&) = delete;
  ~router() {
    for (auto* const entry : websockets_) delete entry;
  }
};

inline void router::add(std::string_view path, websocket_route handlers, void (*make_data)(session_data&)) {
  auto* const entry = new websocket_entry{std::string(path), static_cast<websocket_route&&>(handlers), make_data};
  for (std::string const& name : entry->handlers.subprotocols) entry->subprotocols.push_back(name);
  for (std::string const& name : entry->handlers.origins) entry->origins.push_back(name);
  websockets_.push_back(entry);
}

inline void router::add(std::string_view method, std::string_view path, http_handler handler) {
  https_.push_back({std::string(path), std::string(method), static_cast<http_handler&&>(handler)});
}

inline bool router::matches(std::string_view pattern, std::string_view path) noexcept {
  if (pattern.empty() || pattern.back() != '*') return pattern == path;
  return path.starts_with(pattern.substr(0, pattern.size() - 1));
}

inline router::websocket_entry* router::find_websocket(std::string_view path) noexcept {
  websocket_entry* best = nullptr;
  for (auto* const entry : websockets_)
    if (matches(entry->path, path) && (best == nullptr || entry->path.size() > best->path.size())) best = entry;
  return best;
}

inline http_handler* router::find_http(std::string_view method, std::string_view path, bool& path_known) noexcept {
  // RFC 9110 9.3.2: HEAD is GET without the body, which the answer leaves out by itself.
  std::string_view const wanted = method == "HEAD" ? "GET" : method;
  http_entry* best = nullptr;
  path_known = false;
  for (http_entry& entry : https_) {
    if (!matches(entry.path, path)) continue;
    path_known = true;
    if (entry.method == wanted && (best == nullptr || entry.path.size() > best->path.size())) best = &entry;
  }
  return best == nullptr ? nullptr : &best->handler;
}

}  // namespace purews::inline v0
