// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <string>

#include "home.hpp"

namespace purews::inline v0 {

/// A WebSocket upgrade that waits for its decision. An on_upgrade handler that returns without having decided accepts
/// it. The first decision counts. Valid until the handler returns.
class upgrade {
 public:
  /// `ours`: the route's subprotocols, of which the client's first choice is selected unless the handler names another.
  upgrade(session& who, endpoint& machine, socket_address const& peer, std::span<std::string_view const> ours) noexcept
      : session_(who),
        machine_(machine),
        request_(machine.request()),
        peer_(peer),
        ours_(ours),
        chosen_(select_subprotocol(request_, ours)) {}

  http_request const& request() const noexcept { return request_; }
  socket_address const& peer() const noexcept { return peer_; }

  /// The object of the session to be, as in session::data.
  template <class T>
  T& data() noexcept {
    return session_.data<T>();
  }

  /// Accepts it with headers of the application. Without a subprotocol in `with` the client's first choice among the
  /// route's is selected. Refuses: invalid_header, not_connecting if it is decided, out_of_memory. RFC 6455 section
  /// 4.2.2.
  [[nodiscard]] refusal accept(acceptance with) noexcept {
    if (decided_) return refusal::not_connecting;
    if (with.subprotocol.empty()) with.subprotocol = chosen_;
    refusal const result = machine_.accept(with);
    if (result == refusal::none) decide(decision::accepted, with.subprotocol);
    return result;
  }

  /// Answers with an HTTP status instead, as plain text; with 500 if `status` is none of 200 to 599. RFC 6455
  /// section 4.2.2.
  void reject(std::uint16_t status, std::string_view text = {}) noexcept {
    reject({.status = status, .body = as_bytes(text)});
  }
  /// The same with headers, such as Location or WWW-Authenticate.
  void reject(http_answer const& with) noexcept {
    if (decided_) return;
    decide(decision::rejected, {});
    if (machine_.answer(with) != refusal::none) static_cast<void>(machine_.answer({.status = 500}));
  }

  /// Leaves it open when the handler returns: to be decided by session_handle::decide(), from any thread, before
  /// timeouts::handshake is over.
  [[nodiscard]] session_handle defer() {
    if (!decided_) what_ = decision::deferred;
    return session_.handle();
  }

  /// What the handler has said.
  enum class decision : std::uint8_t { accepted, rejected, deferred };
  decision said() const noexcept { return what_; }

  /// The subprotocol that was selected, if it is one of the route's.
  std::string_view chosen() const noexcept { return chosen_; }

 private:
  void decide(decision what, std::string_view subprotocol) noexcept {
    decided_ = true;
    what_ = what;
    chosen_ = {};
    for (std::string_view const name : ours_)
      if (name == subprotocol) chosen_ = name;  // what the handler gave may be gone soon
  }

  session& session_;
  endpoint& machine_;
  http_request request_;  // which the machine does not show any more once it is decided
  socket_address const& peer_;
  std::span<std::string_view const> ours_;
  std::string_view chosen_;
  decision what_ = decision::accepted;
  bool decided_ = false;
};

/// What a server does with the WebSocket connections of one path. With several threads the handlers are called on
/// all of them, each connection always on the same one. Handlers must not throw, but for
/// std::bad_alloc, which ends their connection.
struct websocket_route {
  /// The subprotocols that the server speaks; the client's first choice among them is selected.
  std::vector<std::string> subprotocols{};

  /// Who may connect from a browser: origins such as "https://example.com", or "*" for all. Empty: only pages of
  /// the same host and port as the server. Clients without an Origin header are no browsers and pass, unless they send
  /// a cookie. Precondition (asserted): each is "*" or an origin; parse_origin(text).valid() tells.
  std::vector<std::string> origins{};

  callback<void(upgrade&)> on_upgrade{};
  callback<void(session&)> on_open{};
  callback<void(session&, message_view)> on_message{};

  /// The output that waits for the client was above limits::queue_bytes_high, and has fallen to a quarter of it.
  callback<void(session&)> on_drain{};

  callback<void(session&, closing const&)> on_close{};
};

/// A plain HTTP request that waits for its answer; the connection is closed after it. Valid until the handler
/// returns; without an answer the client gets a 500.
class http_exchange {
 public:
  http_exchange(endpoint& machine, bytes body, socket_address const& peer) noexcept
      : machine_(machine), request_(machine.request()), body_(body), peer_(peer) {}

  http_request const& request() const noexcept { return request_; }
  bytes_view body() const noexcept { return body_; }
  socket_address const& peer() const noexcept { return peer_; }

  /// Sends the answer. A permanent body is sent without being copied. Refuses: invalid_header, invalid_code,
  /// out_of_memory; not_connecting if there was one already.
  refusal answer(http_answer const& with, body_lifetime body = body_lifetime::call) noexcept {
    return machine_.answer(with, body);
  }
  refusal answer(std::uint16_t status, std::string_view text) noexcept {
    return answer({.status = status, .body = as_bytes(text)});
  }

 private:
  endpoint& machine_;
  http_request request_;
  bytes body_;
  socket_address const& peer_;
};

using http_handler = callback<void(http_exchange&)>;

/// What is served under which path. A path that ends with '*' stands for all that begin like it. The longest wins; of
/// two for one path, the first.
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

  http_handler* find_http(std::string_view method, std::string_view path) noexcept;

  /// The methods that have a handler for `path`, as the value of an Allow header; empty if there are none.
  std::string allowed_methods(std::string_view path) const;

 private:
  struct http_entry {
    std::string path;
    std::string method;
    http_handler handler;
  };

  /// 0: `pattern` does not match; otherwise the more, the more of the path it names.
  static std::size_t match(std::string_view pattern, std::string_view path) noexcept;
  http_entry* find_entry(std::string_view method, std::string_view path) noexcept;

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
  // The views outlive the move of the lists. Nothing fails once the entry is made.
  std::vector<std::string_view> subprotocols(handlers.subprotocols.begin(), handlers.subprotocols.end());
  std::vector<std::string_view> origins(handlers.origins.begin(), handlers.origins.end());
  // A list that allows less than it seems to says would be found out by users, or not at all.
  for (std::string_view const name : origins) PUREWS_ASSERT(name == "*" || parse_origin(name).valid());
  websockets_.reserve(websockets_.size() + 1);
  websockets_.push_back(new websocket_entry{std::string(path), static_cast<websocket_route&&>(handlers), make_data,
                                            static_cast<std::vector<std::string_view>&&>(subprotocols),
                                            static_cast<std::vector<std::string_view>&&>(origins)});
}

inline void router::add(std::string_view method, std::string_view path, http_handler handler) {
  https_.push_back({std::string(path), std::string(method), static_cast<http_handler&&>(handler)});
}

inline std::size_t router::match(std::string_view pattern, std::string_view path) noexcept {
  if (!pattern.ends_with('*')) return pattern == path ? path.size() + 2 : 0;
  pattern.remove_suffix(1);
  return path.starts_with(pattern) ? pattern.size() + 1 : 0;
}

inline router::websocket_entry* router::find_websocket(std::string_view path) noexcept {
  websocket_entry* best = nullptr;
  std::size_t best_match = 0;
  for (auto* const entry : websockets_) {
    std::size_t const found = match(entry->path, path);
    if (found <= best_match) continue;
    best = entry;
    best_match = found;
  }
  return best;
}

inline http_handler* router::find_http(std::string_view method, std::string_view path) noexcept {
  http_entry* found = find_entry(method, path);
  // RFC 9110 9.3.2: HEAD is GET without the body, which the answer leaves out by itself.
  if (found == nullptr && method == "HEAD") found = find_entry("GET", path);
  return found == nullptr ? nullptr : &found->handler;
}

inline std::string router::allowed_methods(std::string_view path) const {
  std::string all;
  auto const add = [&all](std::string_view method) {
    if ((", " + all + ",").find(", " + std::string(method) + ",") != all.npos) return;
    if (!all.empty()) all += ", ";
    all += method;
  };
  for (http_entry const& entry : https_) {
    if (match(entry.path, path) == 0) continue;
    add(entry.method);
    if (entry.method == "GET") add("HEAD");
  }
  return all;
}

inline router::http_entry* router::find_entry(std::string_view method, std::string_view path) noexcept {
  http_entry* best = nullptr;
  std::size_t best_match = 0;
  for (http_entry& entry : https_) {
    std::size_t const found = match(entry.path, path);
    if (found <= best_match || entry.method != method) continue;
    best = &entry;
    best_match = found;
  }
  return best;
}

}  // namespace purews::inline v0
