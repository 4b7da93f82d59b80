// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <string>

#include "purews/protocol/byte_machine.hpp"
#include "purews/wire/assert.hpp"

/// What a test wants of its machine. Changed through the machine, while it runs.
struct echo_settings {
  std::size_t queue_high = SIZE_MAX;  ///< above this much output no input is wanted
  std::size_t room = 0;               ///< above 0: the machine has its own buffer of that size
  purews::instant deadline = purews::never;
  bool accepts_input = true;
  bool closes_at_eof = true;
  bool shut_write = false;          ///< shut down when all is sent, close when the peer has ended, too
  bool close = false;               ///< close when all is sent
  purews::bytes_view unreadable{};  ///< is gathered instead of all else
};

/// A byte_machine without a protocol: what comes in is one event, and send() puts bytes out. Breaks of the loop's side
/// of the contract abort.
class echo_machine {
 public:
  explicit echo_machine(echo_settings s = {}) : settings(s), room_(s.room, '\0') {}

  echo_settings settings;
  int receives = 0;
  int eofs = 0;
  int advances = 0;
  int loans = 0;
  int gathers = 0;
  std::size_t largest = 0;  ///< of what came at once
  /// What was copied to a queue of its own.
  std::size_t queued() const noexcept { return queue_.size() + later_.size(); }

  /// Puts `data` out: into the lent buffer when there is one. What is gathered stays where it is.
  void send(purews::bytes_view data) noexcept {
    if (lent_ && later_.empty() && data.size() <= loan_.size() - used_) {
      purews::copy_bytes(loan_.data() + used_, data);
      used_ += data.size();
      return;
    }
    if (lent_ && !gathered_) end_loan();
    (gathered_ ? later_ : queue_).append(purews::as_text(data));
  }
  void send(std::string_view text) noexcept { send(purews::as_bytes(text)); }

  bool wants_input() const noexcept { return settings.accepts_input && unsent() <= settings.queue_high; }
  purews::bytes receive_room() noexcept { return std::as_writable_bytes(std::span<char>(room_)); }
  void receive(purews::bytes in, purews::instant) noexcept {
    PUREWS_ASSERT(eofs == 0 && !pending_ && !in.empty() && wants_input());
    pending_ = true;
    in_ = in;
    ++receives;
    largest = in.size() > largest ? in.size() : largest;
  }
  void receive_eof(purews::instant) noexcept {
    PUREWS_ASSERT(eofs == 0 && !pending_);
    ++eofs;
    end_pending_ = true;
    if (settings.closes_at_eof) settings.close = true;
  }
  purews::event next() noexcept {
    if (pending_) {
      pending_ = false;
      return {.what = purews::kind::message, .op = purews::opcode::binary, .payload = in_};
    }
    if (!end_pending_) return {};
    end_pending_ = false;
    return {.what = purews::kind::closed};
  }
  void park() noexcept {
    parked.append(pending_ ? purews::as_text(in_) : std::string_view());
    pending_ = false;
  }
  std::string parked;

  void lend_output(purews::bytes room) noexcept {
    PUREWS_ASSERT(room.empty() || !lent_);
    PUREWS_ASSERT(!gathered_);
    if (room.empty()) return end_loan();
    PUREWS_ASSERT((reinterpret_cast<std::uintptr_t>(room.data()) & 4095) == 0);
    lent_ = true;
    loan_ = room;
    used_ = 0;
    ++loans;
  }
  std::size_t gather(std::span<purews::bytes_view> out) noexcept {
    PUREWS_ASSERT(!gathered_ && !out.empty());
    ++gathers;
    gathered_ = !settings.unreadable.empty();
    if (gathered_) {
      out[0] = settings.unreadable;
      return 1;
    }
    std::size_t count = 0;
    // Cut into several spans, to be put together again by the call that sends them.
    for (std::size_t at = 0; at < queue_.size() && count < out.size(); at += piece) {
      out[count++] = purews::as_bytes(std::string_view(queue_).substr(at, piece));
    }
    if (count < out.size() && used_ > 0) out[count++] = loan_.first(used_);
    gathered_ = count > 0;
    return count;
  }
  void consume_output(std::size_t n, purews::instant) noexcept {
    PUREWS_ASSERT(gathered_ && n <= unsent());
    gathered_ = false;
    std::size_t const from_queue = n < queue_.size() ? n : queue_.size();
    queue_.erase(0, from_queue);
    n -= from_queue;
    used_ -= n;
    if (n > 0) std::memmove(loan_.data(), loan_.data() + n, used_);
    if (!later_.empty()) end_loan();
  }

  purews::transport_action transport() const noexcept {
    using enum purews::transport_action;
    if (settings.close && unsent() == 0) return close;
    return settings.shut_write ? shut_write : keep;
  }
  purews::instant deadline() const noexcept { return settings.deadline; }
  void advance(purews::instant now) noexcept {
    if (now < settings.deadline) return;
    ++advances;
    settings.deadline = purews::never;
  }

 private:
  static constexpr std::size_t piece = 50'000;

  std::size_t unsent() const noexcept { return queued() + used_; }
  void end_loan() noexcept {
    queue_.append(purews::as_text(loan_.first(used_)));
    queue_.append(later_);
    later_.clear();
    lent_ = false;
    loan_ = {};
    used_ = 0;
  }

  std::string room_;
  std::string queue_;
  std::string later_;  ///< behind what is gathered
  purews::bytes in_{};
  purews::bytes loan_{};
  std::size_t used_ = 0;
  bool pending_ = false;
  bool end_pending_ = false;
  bool lent_ = false;
  bool gathered_ = false;
};

static_assert(purews::byte_machine<echo_machine>);
