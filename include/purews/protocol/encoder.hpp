// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../wire/utf8.hpp"
#include "attachments.hpp"
#include "message_queue.hpp"
#include "options.hpp"
#include "output_queue.hpp"
#include "refusal.hpp"
#include "state.hpp"

namespace purews::inline v0 {

/// Turns messages into frames at the end of an output queue: the sending half of the codec.
///
/// Every frame is a copy of its payload (a client masks the copy), so that later changes of the caller's buffer do not
/// reach the wire. A refused call changes nothing. It knows no handshake and no time, and may be used alone.
/// RFC 6455 section 5.
class encoder {
 public:
  explicit encoder(role own) noexcept : own_(own) {}

  /// Queues a whole message. Refuses: invalid_utf8, message_open, out_of_memory. Precondition: text or binary.
  [[nodiscard]] refusal message(output_queue& out, opcode op, bytes_view payload, options const& with) noexcept {
    return message(out, {.op = op, .payload = payload}, with);
  }
  /// Queues a shared message, by reference if we are a server. Refuses: message_open, out_of_memory.
  [[nodiscard]] refusal message(output_queue& out, prepared_message const& shared, options const& with) noexcept {
    return message(out, {.op = shared.op(), .shared = &shared}, with);
  }
  /// Queues one fragment of a message. A code point may be divided between fragments. Refuses: invalid_utf8,
  /// out_of_memory. Precondition: all fragments of a message are given the same opcode. RFC 6455 section 5.4.
  [[nodiscard]] refusal piece(output_queue& out, opcode op, bytes_view payload, fragment position,
                              options const& with) noexcept;

  // The same in steps, for messages that wait in between.

  /// Judges what is to be sent next. Refuses: message_open, invalid_utf8. Nothing changes before commit().
  /// Preconditions (asserted): text or binary; all fragments of a message have the same opcode. RFC 6455 section 5.4.
  [[nodiscard]] refusal admit(outgoing const& what, options const& with) const noexcept;
  /// The same for one fragment; says whether it is the first of its message.
  [[nodiscard]] refusal admit_fragment(outgoing& what, utf8_validator& text, options const& with) const noexcept;
  /// Takes the fragment that was admitted as sent, with the text as far as it was checked.
  void commit_fragment(outgoing const& what, utf8_validator text) noexcept;

  /// Writes the frame of an admitted message or fragment, compressed if a codec wants it. Refuses: out_of_memory.
  [[nodiscard]] refusal encode(output_queue& out, outgoing const& what, options const& with,
                               attachments const& has = {}) noexcept;

  /// Queues a ping or pong or Close frame at the end. Refuses: payload_too_long, out_of_memory.
  [[nodiscard]] refusal control(output_queue& out, opcode op, bytes_view payload, options const& with,
                                attachments const& has = {}) noexcept;

  /// Queues the pong for a ping. It is bounded, and never refused for a slow peer. RFC 6455 section 5.5.3.
  [[nodiscard]] refusal pong(output_queue& out, bytes_view ping_payload, options const& with,
                             attachments const& has = {}) noexcept;

 private:
  static masking_key draw_key(options const& with) noexcept;
  refusal message(output_queue& out, outgoing const& what, options const& with) noexcept {
    refusal const why = admit(what, with);
    return why != refusal::none ? why : encode(out, what, with);
  }
  refusal share(output_queue& out, outgoing const& what, options const& with, attachments const& has) noexcept;
  refusal frame(output_queue& out, frame_header header, bytes_view payload, options const& with,
                attachments const& has) noexcept;

  role own_;
  message_state where_ = message_state::between;
  opcode op_ = opcode::binary;  // of the message that is open
  bool compressing_ = false;    // the message whose fragments are being encoded
  utf8_validator text_{};
};

inline refusal encoder::piece(output_queue& out, opcode op, bytes_view payload, fragment position,
                              options const& with) noexcept {
  outgoing what{.op = op, .payload = payload, .last = position == fragment::last};
  utf8_validator text;
  if (refusal const why = admit_fragment(what, text, with); why != refusal::none) return why;
  if (refusal const why = encode(out, what, with); why != refusal::none) return why;
  commit_fragment(what, text);
  return refusal::none;
}

inline refusal encoder::admit(outgoing const& what, options const& with) const noexcept {
  PUREWS_ASSERT(what.op == opcode::text || what.op == opcode::binary);
  if (where_ == message_state::inside) return refusal::message_open;
  // A shared message was checked by whoever made it.
  bool const check = what.op == opcode::text && with.text == outgoing_text::checked && what.shared == nullptr;
  return check && !is_valid_utf8(what.payload) ? refusal::invalid_utf8 : refusal::none;
}

inline refusal encoder::admit_fragment(outgoing& what, utf8_validator& text, options const& with) const noexcept {
  PUREWS_ASSERT(what.op == opcode::text || what.op == opcode::binary);
  what.first = where_ == message_state::between;
  PUREWS_ASSERT(what.first || what.op == op_);
  text = what.first ? utf8_validator{} : text_;
  bool const check = what.op == opcode::text && with.text == outgoing_text::checked;
  return check && (!text.feed(what.payload) || (what.last && !text.finished())) ? refusal::invalid_utf8 : refusal::none;
}

inline void encoder::commit_fragment(outgoing const& what, utf8_validator text) noexcept {
  op_ = what.op;
  text_ = text;
  where_ = what.last ? message_state::between : message_state::inside;
}

inline refusal encoder::encode(output_queue& out, outgoing const& what, options const& with,
                               attachments const& has) noexcept {
  if (what.shared != nullptr) return share(out, what, with, has);
  message_codec* const codec = has.codec;
  if (what.first)
    compressing_ = codec != nullptr && codec->wants(what.last ? what.payload.size() : SIZE_MAX, what.how.compress);
  frame_header header{.fin = what.last, .op = what.first ? what.op : opcode::continuation};
  bytes_view payload = what.payload;
  fragment const position = what.last ? fragment::last : fragment::more;
  bool const compresses = compressing_;
  if (compresses) {
    message_codec::encoded const packed = codec->encode(what.payload, position);
    if (packed.done) payload = packed.payload;
    // RFC 7692 6: without RSV1 a message is not compressed. Only its first frame can say so.
    if (!packed.done && !what.first) return refusal::out_of_memory;
    compressing_ = packed.done;
    // RFC 7692 6.1: RSV1 on the first frame of a compressed message, and on no other.
    if (packed.done && what.first) header.rsv = 4;
  }
  refusal const result = frame(out, header, payload, with, has);
  if (compresses) codec->settle(position);
  if (result != refusal::none && compressing_) codec->forget_history();
  return result;
}

inline refusal encoder::share(output_queue& out, outgoing const& what, options const& with,
                              attachments const& has) noexcept {
  message_codec* const codec = has.codec;
  prepared_message packed;
  if (codec != nullptr && codec->wants(what.size(), what.how.compress)) packed = codec->share(*what.shared);
  prepared_message const& shared = packed ? packed : *what.shared;
  refusal result = refusal::none;
  // RFC 6455 5.3: a client masks each frame with a fresh key, so there is no frame that it could share.
  if (own_ == role::client)
    result = frame(out, {.rsv = shared.rsv(), .op = shared.op()}, shared.payload(), with, has);
  else if (out.append(shared))
    has.note(flight_recorder::direction::sent,
             {.rsv = shared.rsv(), .op = shared.op(), .length = shared.payload().size()});
  else
    result = refusal::out_of_memory;
  if (result != refusal::none && packed) codec->forget_history();
  return result;
}

inline refusal encoder::control(output_queue& out, opcode op, bytes_view payload, options const& with,
                                attachments const& has) noexcept {
  PUREWS_ASSERT(is_control(op));
  if (payload.size() > control_payload_bytes_max) return refusal::payload_too_long;
  return frame(out, {.op = op}, payload, with, has);
}

inline refusal encoder::pong(output_queue& out, bytes_view ping_payload, options const& with,
                             attachments const& has) noexcept {
  frame_header header{.op = opcode::pong, .masked = own_ == role::client, .length = ping_payload.size()};
  if (header.masked) header.key = draw_key(with);
  if (!out.append_pong(ping_payload, header.masked ? &header.key : nullptr)) return refusal::out_of_memory;
  has.note(flight_recorder::direction::sent, header);
  return refusal::none;
}

inline masking_key encoder::draw_key(options const& with) noexcept {
  PUREWS_ASSERT(with.entropy != nullptr);
  masking_key key;
  with.entropy({key.octets, sizeof key.octets});
  return key;
}

inline refusal encoder::frame(output_queue& out, frame_header header, bytes_view payload, options const& with,
                              attachments const& has) noexcept {
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
  has.note(flight_recorder::direction::sent, header);
  return refusal::none;
}

}  // namespace purews::inline v0
