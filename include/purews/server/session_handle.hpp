// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <string>

#include "inbox.hpp"
#include "session.hpp"

namespace purews::inline v0 {

class upgrade;

/// A session, for any thread at any time: from session::handle() or upgrade::defer(). A small value that may be copied,
/// kept and used after its session, its loop and its server have ended; it keeps none of them alive.
///
/// What is asked for is done on the session's loop, in the order in which one thread asks. Everything throws
/// std::bad_alloc where the heap is out of memory.
class session_handle {
 public:
  session_handle() noexcept = default;  ///< stale
  session_handle(session_inbox& inbox, session_place place) noexcept : inbox_(&inbox), place_(place) { inbox.hold(); }
  session_handle(session_handle const& other) noexcept : inbox_(other.inbox_), place_(other.place_) {
    if (inbox_ != nullptr) inbox_->hold();
  }
  session_handle& operator=(session_handle const& other) noexcept {
    session_handle copy(other);
    swap(copy);
    return *this;
  }
  session_handle(session_handle&& other) noexcept { swap(other); }
  session_handle& operator=(session_handle&& other) noexcept {
    swap(other);
    return *this;
  }
  ~session_handle() {
    if (inbox_ != nullptr) inbox_->drop();
  }

  /// Whether the session has ended. It may end right after a no.
  bool stale() const noexcept { return inbox_ == nullptr || inbox_->is_stale(place_); }

  /// Sends a message; see session::send. Text must be UTF-8. What the session refuses is dropped, and counted.
  handover send(std::string_view text) const { return send(opcode::text, as_bytes(text)); }
  handover send(opcode op, bytes_view payload) const;
  handover send(prepared_message const& shared) const {
    return post([shared](session& s) { s.send(shared); });
  }

  /// Begins the closing handshake; see session::close.
  handover close(status_code code = status_code::normal, std::string_view reason = {}) const;

  /// Calls `task` with the session.
  handover post(session_inbox::command task) const {
    return inbox_ == nullptr ? handover::stale : inbox_->push(place_, static_cast<session_inbox::command&&>(task));
  }

  /// Decides the upgrade that upgrade::defer() left open: `decision` does what an on_upgrade handler does. It is not
  /// called if the upgrade is decided, or the client has gone.
  handover decide(callback<void(upgrade&)> decision) const {
    return post([held = static_cast<callback<void(upgrade&)>&&>(decision)](session& s) mutable { s.decide(held); });
  }

  friend bool operator==(session_handle const&, session_handle const&) noexcept = default;

 private:
  friend class session;

  void swap(session_handle& other) noexcept {
    session_inbox* const inbox = inbox_;
    session_place const place = place_;
    inbox_ = other.inbox_;
    place_ = other.place_;
    other.inbox_ = inbox;
    other.place_ = place;
  }

  session_inbox* inbox_ = nullptr;
  session_place place_{};
};

inline handover session_handle::send(opcode op, bytes_view payload) const {
  if (op == opcode::text && !is_valid_utf8(payload)) return handover::invalid_utf8;
  if (stale()) return handover::stale;
  prepared_message const shared(op, payload);
  return shared ? send(shared) : handover::out_of_memory;
}

inline handover session_handle::close(status_code code, std::string_view reason) const {
  return post([code, text = std::string(reason)](session& s) { s.close(code, text); });
}

}  // namespace purews::inline v0
