// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <vector>

#include "../loop/address.hpp"
#include "../protocol/endpoint.hpp"

namespace purews::inline v0 {

class session;
class topic_table;
struct topic;

/// A received message on its way to a handler. The payload is writable and valid until the handler returns.
struct message_view {
  opcode op = opcode::binary;  ///< text or binary
  bytes payload{};
  bool fin = true;  ///< delivery::pieces: whether this is the last piece of its message

  std::string_view text() const noexcept { return as_text(payload); }  ///< valid UTF-8 if `op` is text
};

/// How a connection ended. The reason is valid until the handler returns. RFC 6455 section 7.1.5.
struct closing {
  status_code code = status_code::abnormal;
  std::string_view reason{};
  bool clean = false;         ///< both sides sent a Close frame
  error fault = error::none;  ///< the rule that the peer broke or the deadline that it missed, if that was the cause
};

/// What a handler is attached to a connection with: one object of any type, made before on_upgrade and destroyed
/// after on_close.
class session_data {
 public:
  session_data() noexcept = default;
  session_data(session_data const&) = delete;
  session_data& operator=(session_data const&) = delete;
  ~session_data() {
    if (drop_ != nullptr) drop_(object_);
  }

  template <class T>
  void emplace() {
    PUREWS_ASSERT(drop_ == nullptr);
    object_ = new T();
    drop_ = &drop<T>;
  }

  /// Precondition (asserted): the object is a T.
  template <class T>
  T& as() noexcept {
    PUREWS_ASSERT(drop_ == &drop<T>);
    return *static_cast<T*>(object_);
  }

 private:
  template <class T>
  static void drop(void* object) noexcept {
    delete static_cast<T*>(object);
  }

  void* object_ = nullptr;
  void (*drop_)(void*) noexcept = nullptr;
};

/// One open WebSocket connection, as handlers see it. It lives until its on_close handler returns, and is used only
/// on its own loop: inside a handler, or in something posted to that loop.
class session {
 public:
  session(session const&) = delete;
  session& operator=(session const&) = delete;

  /// Queues a message; the payload is copied, and leaves when the handler returns. Refuses: not_open, queue_full,
  /// message_open, invalid_utf8, out_of_memory. RFC 6455 section 5.6.
  refusal send(std::string_view text, send_options const& how = {}) noexcept {
    return send(opcode::text, as_bytes(text), how);
  }
  refusal send(opcode op, bytes_view payload, send_options const& how = {}) noexcept {
    return queued([&] { return machine().send(op, payload, how); });
  }
  refusal send(message_view const& m) noexcept { return send(m.op, m.payload); }
  refusal send(prepared_message const& shared, send_options const& how = {}) noexcept {
    return queued([&] { return machine().send(shared, how); });
  }
  refusal send_fragment(opcode op, bytes_view payload, fragment position) noexcept {
    return queued([&] { return machine().send_fragment(op, payload, position); });
  }
  refusal ping(bytes_view payload = {}) noexcept { return touched(machine().ping(payload)); }

  /// Begins the closing handshake; on_close follows. Refuses as connection::close does. RFC 6455 section 7.1.2.
  refusal close(status_code code = status_code::normal, std::string_view reason = {}) noexcept {
    return touched(machine().close(code, reason));
  }

  /// Receives what is published under `name` from now on, once, however often it is asked for.
  void subscribe(std::string_view name);
  void unsubscribe(std::string_view name);

  /// The object that the route was given a type for: `server.route<T>(...)`.
  template <class T>
  T& data() noexcept {
    return data_.as<T>();
  }

  std::uint64_t id() const noexcept { return id_; }  ///< unique in this server
  state current() noexcept { return machine().current(); }
  std::size_t queued_bytes() noexcept { return machine().queued_bytes(); }  ///< output that waits for the peer
  drop_counts dropped() noexcept { return machine().dropped(); }            ///< see overflow
  socket_address peer() noexcept { return peer_address(); }

 protected:
  explicit session(std::uint64_t id) noexcept : id_(id) {}
  ~session();

  virtual endpoint& machine() noexcept = 0;
  virtual topic_table& topics() noexcept = 0;
  virtual socket_address peer_address() noexcept = 0;
  virtual void touch() noexcept = 0;     // output is to be sent at the end of the turn
  virtual void send_now() noexcept = 0;  // and as much as possible of it now

  session_data data_;

 private:
  friend class topic_table;

  struct subscription {
    topic* to;
    std::size_t index;  // of this session among its members
  };

  // What one turn queues may exceed the bound that is meant for peers who do not read.
  template <class F>
  refusal queued(F attempt) noexcept {
    refusal result = attempt();
    if (result == refusal::queue_full) {
      send_now();
      result = attempt();
    }
    return touched(result);
  }

  refusal touched(refusal result) noexcept {
    touch();
    return result;
  }

  std::vector<subscription> subscriptions_;
  std::uint64_t id_;
};

}  // namespace purews::inline v0
