// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "encoder.hpp"
#include "pipe.hpp"

namespace purews::inline v0 {

/// What leaves a connection, between the application's word and the output queue: which messages are encoded at once,
/// which wait, and which are dropped when the peer reads too slowly. It has the codec and the flight recorder, too.
///
/// What the transport is ready for is encoded at once. What would only lie there waits un-encoded as long as it may be
/// dropped or has yet to be compressed, and whatever comes after it waits, too, so that the order stays. While
/// something waits, the output queue is not empty.
class outbox {
 public:
  explicit outbox(role own) noexcept : encoder_(own) {}
  outbox(outbox const&) = delete;
  outbox& operator=(outbox const&) = delete;
  ~outbox();

  /// Takes a codec, which belongs to the outbox from then on, or a recorder. Refuse: out_of_memory; the codec is
  /// destroyed then. Precondition (asserted): there is no codec yet.
  [[nodiscard]] refusal use(message_codec& codec) noexcept;
  [[nodiscard]] refusal record(flight_recorder& to, instant now) noexcept;
  attachments has() const noexcept { return more_ != nullptr ? attachments(*more_) : attachments{}; }
  bool recording() const noexcept { return more_ != nullptr && more_->recorder != nullptr; }

  /// Sends a whole message. Refuses: queue_full, message_open, invalid_utf8, out_of_memory.
  [[nodiscard]] refusal message(pipe& to, outgoing const& what, options const& with) noexcept;
  /// Sends one fragment. Refuses as above.
  [[nodiscard]] refusal piece(pipe& to, outgoing what, options const& with) noexcept;
  /// Sends a control frame, behind whatever waits. Refuses: payload_too_long, out_of_memory.
  [[nodiscard]] refusal control(pipe& to, opcode op, bytes_view payload, options const& with) noexcept;
  /// Answers a ping. Refuses: out_of_memory.
  [[nodiscard]] refusal pong(pipe& to, bytes_view payload, options const& with) noexcept {
    return encoder_.pong(to.out, payload, with, has());
  }

  /// Encodes what waits, as far as the transport will soon want it. If memory runs out the pipe is broken off.
  void refill(pipe& to, options const& with) noexcept {
    if (more_ != nullptr) encode_waiting(to, with, encoded_ahead_bytes);
  }
  /// Encodes all that waits, and gives the codec back: nothing is sent afterwards.
  void finish(pipe& to, options const& with) noexcept;
  /// Gives the codec back. What waits is lost.
  void free_codec() noexcept;

  std::size_t waiting_bytes() const noexcept { return more_ != nullptr ? more_->waiting.size() : 0; }
  drop_counts dropped() const noexcept { return more_ != nullptr ? more_->dropped : drop_counts{}; }

  /// When a codec that is not used gives its memory back, and the doing of it.
  void note_codec_used(instant t) noexcept;
  instant trim_deadline(timeouts const& timeout) const noexcept {
    return more_ == nullptr || more_->trimmed ? never : more_->codec_used + timeout.idle_codec;
  }
  void trim() noexcept;

 private:
  // What only some connections need; the others have a null pointer for it.
  struct extras : attachments {
    message_queue waiting{};
    drop_counts dropped{};
    instant codec_used{};
    bool trimmed = true;
  };
  // A message may be dropped until it is encoded, so that no more is encoded than a few system calls take.
  static constexpr std::size_t encoded_ahead_bytes = 64U << 10;

  bool have_extras() noexcept;
  bool full(pipe const& to, options const& with) const noexcept {
    return to.out.size() + waiting_bytes() > with.limit.queue_bytes_max;
  }
  refusal by_policy(pipe& to, outgoing const& what, options const& with) noexcept;
  refusal drop_for(pipe& to, outgoing const& what, options const& with) noexcept;
  refusal place(pipe& to, outgoing const& what, options const& with) noexcept;
  bool must_wait(pipe const& to, outgoing const& what) const noexcept;
  void encode_waiting(pipe& to, options const& with, std::size_t enough_bytes) noexcept;

  encoder encoder_;
  extras* more_ = nullptr;
};

inline outbox::~outbox() {
  if (more_ == nullptr) return;
  free_codec();
  more_->~extras();
  free_bytes(more_);
}

inline refusal outbox::use(message_codec& codec) noexcept {
  if (!have_extras()) {
    codec.destroy();
    return refusal::out_of_memory;
  }
  PUREWS_ASSERT(more_->codec == nullptr);
  more_->codec = &codec;
  return refusal::none;
}

inline refusal outbox::record(flight_recorder& to, instant now) noexcept {
  if (!have_extras()) return refusal::out_of_memory;
  more_->recorder = &to;
  to.tell_time(now);
  return refusal::none;
}

inline refusal outbox::message(pipe& to, outgoing const& what, options const& with) noexcept {
  if (refusal const why = encoder_.admit(what, with); why != refusal::none) return why;
  if (more_ != nullptr || what.how.when_full != overflow::refuse) return by_policy(to, what, with);
  return full(to, with) ? refusal::queue_full : encoder_.encode(to.out, what, with);
}

inline refusal outbox::by_policy(pipe& to, outgoing const& what, options const& with) noexcept {
  overflow const how = what.how.when_full;
  if (how == overflow::conflate && more_ != nullptr) {
    using enum message_queue::replacement;
    message_queue::replacement const result = more_->waiting.replace(what);
    if (result == done) ++more_->dropped.conflated;
    if (result != none) return result == done ? refusal::none : refusal::out_of_memory;
  }
  if (!full(to, with)) return place(to, what, with);
  if (how == overflow::drop_oldest) return drop_for(to, what, with);
  if (how != overflow::drop_newest) return refusal::queue_full;
  if (!have_extras()) return refusal::out_of_memory;
  ++more_->dropped.newest;
  return refusal::none;
}

// Drops nothing for a message that is then refused after all; and there is always one left to drop, because those that
// may be dropped are at least as long as what is over.
inline refusal outbox::drop_for(pipe& to, outgoing const& what, options const& with) noexcept {
  std::size_t const over = to.out.size() + waiting_bytes() - with.limit.queue_bytes_max;
  if (more_ == nullptr || more_->waiting.droppable_bytes() < over) return refusal::queue_full;
  if (!more_->waiting.push(what)) return refusal::out_of_memory;
  for (; to.out.size() + waiting_bytes() - what.size() > with.limit.queue_bytes_max; ++more_->dropped.oldest)
    more_->waiting.drop_oldest();
  return refusal::none;
}

inline refusal outbox::piece(pipe& to, outgoing what, options const& with) noexcept {
  utf8_validator text;
  if (refusal const why = encoder_.admit_fragment(what, text, with); why != refusal::none) return why;
  if (full(to, with)) return refusal::queue_full;
  if (refusal const why = place(to, what, with); why != refusal::none) return why;
  encoder_.commit_fragment(what, text);
  return refusal::none;
}

inline refusal outbox::control(pipe& to, opcode op, bytes_view payload, options const& with) noexcept {
  if (payload.size() > control_payload_bytes_max) return refusal::payload_too_long;
  if (more_ == nullptr || more_->waiting.empty()) return encoder_.control(to.out, op, payload, with, has());
  return more_->waiting.push({.op = op, .payload = payload}) ? refusal::none : refusal::out_of_memory;
}

inline refusal outbox::place(pipe& to, outgoing const& what, options const& with) noexcept {
  if (must_wait(to, what)) return have_extras() && more_->waiting.push(what) ? refusal::none : refusal::out_of_memory;
  refusal const result = encoder_.encode(to.out, what, with, has());
  if (result == refusal::none) note_codec_used(to.now());
  return result;
}

inline bool outbox::must_wait(pipe const& to, outgoing const& what) const noexcept {
  if (more_ != nullptr && !more_->waiting.empty()) return true;
  if (!to.out.behind()) return false;
  bool const droppable = what.how.when_full == overflow::drop_oldest || what.how.when_full == overflow::conflate;
  return droppable || (has().codec != nullptr && has().codec->wants(what.size(), what.how.compress));
}

inline void outbox::encode_waiting(pipe& to, options const& with, std::size_t enough_bytes) noexcept {
  while (!more_->waiting.empty() && to.out.size() < enough_bytes && !to.broken()) {
    outgoing const oldest = more_->waiting.front();
    note_codec_used(to.now());
    refusal const result = is_control(oldest.op) ? encoder_.control(to.out, oldest.op, oldest.payload, with, has())
                                                 : encoder_.encode(to.out, oldest, with, has());
    if (result != refusal::none) return to.break_off();
    more_->waiting.pop();
  }
}

inline void outbox::finish(pipe& to, options const& with) noexcept {
  if (more_ == nullptr) return;
  encode_waiting(to, with, SIZE_MAX);
  free_codec();
}

inline void outbox::free_codec() noexcept {
  if (more_ == nullptr) return;
  while (!more_->waiting.empty()) more_->waiting.pop();  // the rest of a compressed message needs the codec
  if (more_->codec == nullptr) return;
  more_->codec->destroy();
  more_->codec = nullptr;
  more_->trimmed = true;
}

inline void outbox::note_codec_used(instant t) noexcept {
  if (more_ == nullptr || more_->codec == nullptr) return;
  more_->codec_used = t;
  more_->trimmed = false;
}

inline void outbox::trim() noexcept {
  more_->codec->trim();
  more_->trimmed = true;
}

inline bool outbox::have_extras() noexcept {
  if (more_ != nullptr) return true;
  void* const memory = allocate_bytes(sizeof(extras));
  if (memory != nullptr) more_ = new (memory) extras;
  return memory != nullptr;
}

}  // namespace purews::inline v0
