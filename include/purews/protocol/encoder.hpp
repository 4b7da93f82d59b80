// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../wire/utf8.hpp"
#include "options.hpp"
#include "output_queue.hpp"
#include "refusal.hpp"
#include "state.hpp"

namespace purews::inline v0 {

/// Whether more fragments of the message follow.
enum class fragment : std::uint8_t { more, last };

/// Turns messages into frames at the end of an output queue: the sending half of the codec.
///
/// Every call copies the payload (a client masks the copy), so that later changes of the caller's buffer do not
/// reach the wire. A refused call changes nothing. RFC 6455 section 5.
class encoder {
 public:
  explicit encoder(role own) noexcept : own_(own) {}

  /// Queues a whole message. Refuses: invalid_utf8, message_open, out_of_memory. Precondition: text or binary.
  [[nodiscard]] refusal message(output_queue& out, opcode op, bytes_view payload, options const& with) noexcept;

  /// Queues a shared message, by reference if we are a server. Refuses: message_open, out_of_memory.
  [[nodiscard]] refusal message(output_queue& out, prepared_message const& shared, options const& with) noexcept;

  /// Queues one fragment of a message. A code point may be divided between fragments. Refuses: invalid_utf8,
  /// out_of_memory. Precondition: all fragments of a message are given the same opcode. RFC 6455 section 5.4.
  [[nodiscard]] refusal piece(output_queue& out, opcode op, bytes_view payload, fragment position,
                              options const& with) noexcept;

  /// Queues a ping or pong or Close frame at the end. Refuses: payload_too_long, out_of_memory.
  [[nodiscard]] refusal control(output_queue& out, opcode op, bytes_view payload, options const& with) noexcept;

  /// Queues the pong for a ping. It is bounded, and never refused for a slow peer. RFC 6455 section 5.5.3.
  [[nodiscard]] refusal pong(output_queue& out, bytes_view ping_payload, options const& with) noexcept;

 private:
  static masking_key draw_key(options const& with) noexcept;
  refusal frame(output_queue& out, frame_header header, bytes_view payload, options const& with) noexcept;

  role own_;
  message_state where_ = message_state::between;
  opcode op_ = opcode::binary;  // of the message that is open
  utf8_validator text_{};
};

inline refusal encoder::message(output_queue& out, opcode op, bytes_view payload, options const& with) noexcept {
  PUREWS_ASSERT(op == opcode::text || op == opcode::binary);
  if (where_ == message_state::inside) return refusal::message_open;
  if (op == opcode::text && with.text == outgoing_text::checked && !is_valid_utf8(payload))
    return refusal::invalid_utf8;
  return frame(out, {.op = op}, payload, with);
}

inline refusal encoder::message(output_queue& out, prepared_message const& shared, options const& with) noexcept {
  PUREWS_ASSERT(shared);
  if (where_ == message_state::inside) return refusal::message_open;
  // RFC 6455 5.3: a client masks each frame with a fresh key, so there is nothing that it could share.
  if (own_ == role::client) return frame(out, {.op = shared.op()}, shared.payload(), with);
  return out.append(shared) ? refusal::none : refusal::out_of_memory;
}

inline refusal encoder::piece(output_queue& out, opcode op, bytes_view payload, fragment position,
                              options const& with) noexcept {
  PUREWS_ASSERT(op == opcode::text || op == opcode::binary);
  bool const first = where_ == message_state::between;
  PUREWS_ASSERT(first || op == op_);
  bool const last = position == fragment::last;
  utf8_validator text = first ? utf8_validator{} : text_;
  if (op == opcode::text && with.text == outgoing_text::checked &&
      (!text.feed(payload) || (last && !text.finished())))
    return refusal::invalid_utf8;
  refusal const result = frame(out, {.fin = last, .op = first ? op : opcode::continuation}, payload, with);
  if (result != refusal::none) return result;
  op_ = op;
  text_ = text;
  where_ = last ? message_state::between : message_state::inside;
  return refusal::none;
}

inline refusal encoder::control(output_queue& out, opcode op, bytes_view payload, options const& with) noexcept {
  PUREWS_ASSERT(is_control(op));
  if (payload.size() > control_payload_bytes_max) return refusal::payload_too_long;
  return frame(out, {.op = op}, payload, with);
}

inline refusal encoder::pong(output_queue& out, bytes_view ping_payload, options const& with) noexcept {
  masking_key key{};
  if (own_ == role::client) key = draw_key(with);
  return out.append_pong(ping_payload, own_ == role::client ? &key : nullptr) ? refusal::none
                                                                              : refusal::out_of_memory;
}

inline masking_key encoder::draw_key(options const& with) noexcept {
  PUREWS_ASSERT(with.entropy != nullptr);
  masking_key key;
  with.entropy({key.octets, sizeof key.octets});
  return key;
}

inline refusal encoder::frame(output_queue& out, frame_header header, bytes_view payload,
                              options const& with) noexcept {
  header.length = payload.size();
  if (own_ == role::client) {
    header.masked = true;
    header.key = draw_key(with);
  }
  std::size_t const head = frame_header_size(header.length, header.masked);
  std::byte* const at = out.allocate(head + payload.size());
  if (at == nullptr) return refusal::out_of_memory;
  write_frame_header({at, head}, header);
  if (header.masked)
    mask_copy(at + head, payload, header.key);
  else
    copy_bytes(at + head, payload);
  return refusal::none;
}

}  // namespace purews::inline v0
