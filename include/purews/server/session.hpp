// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <vector>

#include "../loop/address.hpp"
#include "../loop/callback.hpp"
#include "../protocol/endpoint.hpp"
#include "inbox.hpp"

namespace purews::inline v0 {

class session;
class session_handle;
class topic_table;
class upgrade;
struct session_home;
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
/// on its own loop: inside a handler, or in something posted to that loop. For other threads there is handle().
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
    return queued(payload.size(), [&] { return machine().send(op, payload, how); });
  }
  refusal send(message_view const& m) noexcept { return send(m.op, m.payload); }
  refusal send(prepared_message const& shared, send_options const& how = {}) noexcept {
    return queued(shared.payload().size(), [&] { return machine().send(shared, how); });
  }
  refusal send_fragment(opcode op, bytes_view payload, fragment position,
                        compression compress = compression::automatic) noexcept {
    return queued(payload.size(), [&] { return machine().send_fragment(op, payload, position, compress); });
  }
  refusal ping(bytes_view payload = {}) noexcept { return touched(machine().ping(payload)); }

  /// Begins the closing handshake; on_close follows. Refuses as connection::close does. RFC 6455 section 7.1.2.
  refusal close(status_code code = status_code::normal, std::string_view reason = {}) noexcept {
    refusal const result = machine().close(code, reason);
    if (result == refusal::none) resume();  // for the other side's Close frame
    return touched(result);
  }

  /// Ends the connection at the end of this turn, without a Close frame and without what is queued; on_close follows,
  /// with 1006.
  virtual void abort() noexcept = 0;

  /// Calls no on_message and reads nothing, until resume(): for who cannot keep up with this client. TCP holds it up in
  /// the end; the ping and pong deadlines stand still. close() resumes, for the client's own Close frame. An upgrade
  /// that is paused before its decision has its on_open called after resume().
  void pause() noexcept {
    paused_ = true;
    machine().pause();
  }
  virtual void resume() noexcept = 0;
  bool paused() const noexcept { return paused_; }

  /// Receives what is published under `name` from now on, once, however often it is asked for.
  void subscribe(std::string_view name);
  void unsubscribe(std::string_view name);

  /// What other threads may keep of this session; stale once on_close was called. Stale from the beginning if the
  /// session has ended, or memory ran out.
  session_handle handle();

  /// Runs `work` on a thread of the server's pool (server_options::workers, which must not be 0: asserted), and then
  /// `done(session&, what work returned)` on this loop, if the session has not ended. The answers come in the order of
  /// the calls, whichever was ready first. `work` must not touch the session, and none of the two may throw.
  /// Refuses: queue_full if server_options::work_max jobs wait; not_open if the session has ended.
  template <class Work, class Done>
  refusal work(Work work, Done done);

  /// The object that the route was given a type for: `server.route<T>(...)`.
  template <class T>
  T& data() noexcept {
    return data_.as<T>();
  }

  std::uint64_t id() const noexcept { return id_; }  ///< unique in this server
  state current() noexcept { return machine().current(); }
  std::size_t queued_bytes() noexcept { return machine().queued_bytes(); }       ///< output that waits for the peer
  std::size_t buffered_bytes() noexcept { return machine().buffered_bytes(); }   ///< and input that is kept
  drop_counts dropped() noexcept { return machine().dropped(); }                 ///< see overflow
  refusal record(flight_recorder& to) noexcept { return machine().record(to); }  ///< see connection::record
  virtual socket_address peer() noexcept = 0;

  /// The subprotocol that was agreed on, if it is one of the route's; empty otherwise. RFC 6455 section 1.9.
  std::string_view subprotocol() const noexcept { return subprotocol_; }

 protected:
  session(session_home& home, std::uint64_t id) noexcept : home_(home), id_(id) {}
  ~session();

  virtual endpoint& machine() noexcept = 0;
  virtual void touch() noexcept = 0;     // output is to be sent at the end of the turn
  virtual void send_now() noexcept = 0;  // and as much as possible of it now
  virtual void decide(callback<void(upgrade&)>& decision) noexcept = 0;

  // Once no handler will be called any more.
  void leave() noexcept;

  session_home& home_;
  session_data data_;
  std::string_view subprotocol_{};
  bool paused_ = false;

 private:
  friend class session_handle;
  friend class topic_table;

  struct subscription {
    topic* to;
    std::size_t index;  // of this session among its members
  };
  struct work_line;  // of those who have called work()

  // What one turn queues may exceed the bound that is meant for peers who do not read.
  template <class F>
  refusal queued(std::size_t size, F attempt) noexcept {
    refusal result = attempt();
    if (result == refusal::queue_full) {
      send_now();
      result = attempt();
    }
    count_sent(size, result);
    return touched(result);
  }
  refusal touched(refusal result) noexcept {
    touch();
    return result;
  }
  void count_sent(std::size_t size, refusal result) noexcept;
  bool enter();
  void finish_work(std::uint32_t ticket, session_inbox::command& done);

  std::vector<subscription> subscriptions_;
  std::uint64_t id_;
  work_line* works_ = nullptr;
  session_place place_{};
  bool entered_ = false;
};

}  // namespace purews::inline v0
