// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../wire/masking.hpp"
#include "../wire/utf8.hpp"
#include "attachments.hpp"
#include "event.hpp"
#include "input.hpp"
#include "options.hpp"
#include "state.hpp"

namespace purews::inline v0 {

/// Turns received bytes into messages and control frames: the receiving half of the codec.
///
/// It unmasks in place and checks everything that RFC 6455 sections 5 to 8 demand of a receiver. A message that lies
/// whole in the input is a view of it; a cut one is assembled once. It knows no handshake, no time and no output, and
/// may be used alone, for example on a stream of HTTP/2 (RFC 8441).
class decoder {
 public:
  explicit decoder(role own) noexcept : own_(own) {}

  /// Parses the next event from `in`: message, fragment, ping, pong, closed (the peer's Close: its code, and the
  /// reason as payload), failed, or none when more input is needed. The payload is a view into the input or into the
  /// decoder, valid until the following call. After `failed` it must not be called again. RSV1 is a fault unless `has`
  /// a codec. RFC 6455 section 5, RFC 7692 section 6.
  event next(input& in, options const& with, attachments const& has = {}) noexcept;

  /// Takes a message that lies whole in the input as one plain frame, which is what nearly all are. False, with
  /// nothing changed, for everything else and for every fault: next() deals with those.
  bool next_whole(input& in, options const& with, event& out) noexcept;

  /// The room of a cut message, for the transport to read into directly; at most what its frame still lacks. Empty
  /// if there is none, or if it is not worth it. What was read must be lent to the input, and is not copied again.
  bytes receive_room() noexcept;

  /// Whether a message or a frame has begun and is not finished.
  bool inside_message() const noexcept { return where_ == message_state::inside || in_frame_ || carried_ != 0; }

  /// How many bytes of the frame that is being read are taken from the input: after `failed`, of the faulty one.
  std::uint64_t frame_bytes_taken() const noexcept {
    return in_frame_ ? frame_header_size(frame_.length, frame_.masked) + frame_.length - left_ : carried_;
  }

  /// How many bytes of a cut message or control frame are kept.
  std::size_t assembled_bytes() const noexcept { return assembled_.size(); }

  /// Gives back all memory.
  void reset() noexcept { assembled_.clear(); }

 private:
  bool read_header(input& in, options const& with, attachments const& has, error& fault) noexcept;
  error check_start(unsigned first, unsigned second, reserved_bits allowed) const noexcept;
  error begin_frame(options const& with) noexcept;
  error count_bytes(limits const& limit) noexcept;
  event whole_message(input& in) noexcept;
  event piece(input& in, options const& with) noexcept;
  event compressed_piece(input& in, options const& with, message_codec& codec) noexcept;
  static std::size_t size_above(std::uint64_t bound) noexcept {
    return bound < SIZE_MAX ? static_cast<std::size_t>(bound + 1) : SIZE_MAX;
  }
  std::uint64_t inflated_bytes_max(limits const& limit) const noexcept;
  void end_frame() noexcept;
  event end_message() noexcept;
  event control(input& in) noexcept;
  void settle() noexcept;
  static event fail(error what) noexcept { return {.what = kind::failed, .fault = what, .code = status_for(what)}; }
  event control_event(opcode op, bytes payload) noexcept;

  frame_header frame_{};                // the frame that is being read
  std::uint64_t left_ = 0;              // payload bytes of it that are still to come
  std::uint64_t message_bytes_ = 0;     // of the message so far, earlier frames included; inflated
  std::uint64_t compressed_bytes_ = 0;  // of a compressed message, with all of this frame
  std::size_t unmasked_ = 0;            // bytes at the front of the input that are unmasked already
  std::uint32_t fragments_ = 0;         // of the message so far
  std::uint8_t control_bytes_ = 0;      // of a cut control frame, at the end of assembled_
  std::uint8_t carried_ = 0;            // bytes of a cut header, in carry_
  role own_;
  message_state where_ = message_state::between;
  opcode message_op_ = opcode::binary;
  bool in_frame_ = false;
  bool delivered_ = false;    // the last event was a view of assembled_
  bool compressed_ = false;   // the message is
  bool more_output_ = false;  // the codec filled all of its room, and may have more
  utf8_validator text_{};
  std::byte carry_[frame_header_bytes_max];
  buffer assembled_;
};

inline event decoder::next(input& in, options const& with, attachments const& has) noexcept {
  if (delivered_) settle();
  for (;;) {
    if (!in_frame_) {
      error fault = error::none;
      if (!read_header(in, with, has, fault)) return fault == error::none ? event{} : fail(fault);
    }
    if (is_control(frame_.op)) return control(in);
    if (compressed_) {
      event const e = compressed_piece(in, with, *has.codec);
      if (e.what != kind::none || in_frame_) return e;
      continue;
    }
    bool const whole = frame_.fin && where_ == message_state::between && left_ == frame_.length &&
                       with.deliver == delivery::whole && in.unread().size() >= left_;
    if (whole) return whole_message(in);
    event const e = piece(in, with);
    if (e.what != kind::none || in_frame_) return e;
  }
}

inline bool decoder::next_whole(input& in, options const& with, event& out) noexcept {
  bytes const there = in.unread();
  if (in_frame_ || carried_ != 0 || delivered_ || with.deliver != delivery::whole || there.size() < 2) return false;
  unsigned const first = std::to_integer<unsigned>(there[0]);
  unsigned const second = std::to_integer<unsigned>(there[1]);
  bool const server = own_ == role::server;
  auto const& errors = first_byte_errors.of[static_cast<int>(where_)][static_cast<int>(reserved_bits::none)];
  // FIN, not a control frame, and masked as it must be.
  if (errors[first] != error::none || (first & 0x88U) != 0x80U || (second >> 7 != 0) != server) return false;
  if (where_ == message_state::inside) return false;
  std::size_t length = second & 0x7FU;
  std::size_t head = server ? 6 : 2;
  if (length >= 126) {
    if (length == 127 || there.size() < 4) return false;
    length = load_be16(there.data() + 2);
    head += 2;
    if (length < 126) return false;
  }
  if (there.size() < head + length) return false;
  if (length > with.limit.message_bytes_max || length > with.limit.frame_bytes_max) return false;
  bytes const payload = there.subspan(head, length);
  auto const op = static_cast<opcode>(first & 0xFU);
  masking_key key;
  if (server) std::memcpy(key.octets, there.data() + head - 4, 4);
  bool const ascii = server && mask_is_ascii(payload, key);
  if (op == opcode::text && !ascii && !is_valid_utf8(payload)) {
    if (server) mask(payload, key);  // next() finds it again, and reports it
    return false;
  }
  in.drop(head + length);
  out.what = kind::message;
  out.op = op;
  out.payload = payload;
  return true;
}

inline bytes decoder::receive_room() noexcept {
  // Below this the loop's scratch serves better: it can bring the following frames by the same call.
  constexpr std::uint64_t worth_bytes = 16U << 10;
  constexpr std::uint64_t first_bytes = 64U << 10;
  if (!in_frame_ || compressed_ || is_control(frame_.op) || left_ < worth_bytes || assembled_.size() == 0) return {};
  // The buffer at most doubles: memory follows what came, not what was announced.
  std::uint64_t const grown = assembled_.size() > first_bytes ? assembled_.size() : first_bytes;
  auto const wanted = static_cast<std::size_t>(left_ < grown ? left_ : grown);
  bytes const room = assembled_.prepare(wanted);
  return room.size() > wanted ? room.first(wanted) : room;
}

// The fields of a frame that show in its first two bytes, but for what read_frame_header() finds. Anything wrong with
// them is reported before the rest of the header is looked at, so that the way in which the input was cut cannot change
// what is reported.
inline error decoder::check_start(unsigned first, unsigned second, reserved_bits allowed) const noexcept {
  error const fault = first_byte_errors.of[static_cast<int>(where_)][static_cast<int>(allowed)][first];
  if (fault != error::none) return fault;
  bool const masked = (second & 0x80U) != 0;
  // RFC 6455 5.1: "The server MUST close the connection upon receiving a frame that is not masked", and the reverse.
  if (masked != (own_ == role::server)) return masked ? error::masked_frame : error::unmasked_frame;
  return error::none;
}

// Reads one header, whole or in pieces. False: more input is needed, or `fault` is set.
inline bool decoder::read_header(input& in, options const& with, attachments const& has, error& fault) noexcept {
  reserved_bits const allowed = has.codec != nullptr ? reserved_bits::rsv1 : reserved_bits::none;
  frame_header_result result;
  if (carried_ == 0) {
    bytes const at = in.unread();
    if (at.size() >= 2) {
      fault = check_start(std::to_integer<unsigned>(at[0]), std::to_integer<unsigned>(at[1]), allowed);
      if (fault != error::none) return false;
    }
    result = read_frame_header(at);
    if (result.size != 0) {
      in.drop(result.size);
    } else if (result.fault == error::none) {
      copy_bytes(carry_, at);
      carried_ = static_cast<std::uint8_t>(at.size());
      in.drop(at.size());
      return false;
    }
  } else {
    for (;;) {
      result = read_frame_header({carry_, carried_});
      if (result.needed == 0) break;
      if (in.empty()) return false;
      std::size_t const missing = result.needed - carried_;
      std::size_t const have = in.unread().size();
      std::size_t const taken = missing < have ? missing : have;
      copy_bytes(carry_ + carried_, in.unread().first(taken));
      in.drop(taken);
      carried_ = static_cast<std::uint8_t>(carried_ + taken);
      fault = check_start(std::to_integer<unsigned>(carry_[0]), std::to_integer<unsigned>(carry_[1]), allowed);
      if (fault != error::none) return false;
    }
  }
  fault = result.fault;
  if (fault != error::none) return false;
  carried_ = 0;
  frame_ = result.header;
  has.note(flight_recorder::direction::received, frame_);
  fault = begin_frame(with);
  return fault == error::none;
}

inline error decoder::begin_frame(options const& with) noexcept {
  left_ = frame_.length;
  in_frame_ = true;
  if (is_control(frame_.op)) return error::none;
  limits const& limit = with.limit;
  if (frame_.length > limit.frame_bytes_max) return error::frame_too_big;
  if (where_ == message_state::between) {
    message_op_ = frame_.op;
    message_bytes_ = 0;
    compressed_bytes_ = 0;
    compressed_ = frame_.rsv != 0;
    fragments_ = 0;
    text_.reset();
  }
  if (error const fault = count_bytes(limit); fault != error::none) return fault;
  // Fragments that carry nothing count too.
  if (!(frame_.fin && where_ == message_state::between) && ++fragments_ > limit.fragments_max)
    return error::too_many_fragments;
  return error::none;
}

// RFC 6455 10.4. In the form of a subtraction, because a sum could wrap.
inline error decoder::count_bytes(limits const& limit) noexcept {
  if (!compressed_) {
    if (frame_.length > limit.message_bytes_max - message_bytes_) return error::message_too_big;
    message_bytes_ += frame_.length;
    return error::none;
  }
  // What no sender needs for a message within the limit: blocks that carry nothing would burn time for ever.
  std::uint64_t const overhead = limit.message_bytes_max / 8 + limit.message_bytes_max / 64 + 64;
  std::uint64_t const most =
      limit.message_bytes_max > UINT64_MAX - overhead ? UINT64_MAX : limit.message_bytes_max + overhead;
  if (frame_.length > most - compressed_bytes_) return error::compressed_too_big;
  compressed_bytes_ += frame_.length;
  return error::none;
}

// A message of one frame that lies whole in the input: no copy.
inline event decoder::whole_message(input& in) noexcept {
  bytes const payload = in.unread().first(static_cast<std::size_t>(left_));
  in.drop(payload.size());
  left_ = 0;
  bool const ascii = frame_.masked && mask_is_ascii(payload, frame_.key);
  if (frame_.op == opcode::text && !ascii && !is_valid_utf8(payload)) return fail(error::invalid_utf8);
  in_frame_ = false;
  return {.what = kind::message, .op = frame_.op, .payload = payload};
}

// Whatever part of a data frame is there. none with in_frame_ still set: more input is needed.
inline event decoder::piece(input& in, options const& with) noexcept {
  bytes const there = in.unread();
  std::size_t const size = there.size() < left_ ? there.size() : static_cast<std::size_t>(left_);
  bytes const part = there.first(size);
  auto const phase = static_cast<std::size_t>((frame_.length - left_) & 3U);
  bool const ascii = frame_.masked && mask_is_ascii(part, frame_.key, phase);
  in.drop(size);
  left_ -= size;
  // RFC 6455 8.1: fail as soon as no continuation could make the text valid. ASCII between two code points is.
  bool const plain = ascii && text_.finished();
  if (message_op_ == opcode::text && !plain && !text_.feed(part)) return fail(error::invalid_utf8);
  bool const frame_done = left_ == 0;
  bool const message_done = frame_done && frame_.fin;
  if (message_done && message_op_ == opcode::text && !text_.finished()) return fail(error::invalid_utf8);
  if (frame_done) end_frame();
  if (with.deliver == delivery::pieces) {
    if (size == 0 && !message_done) return {};
    return {.what = kind::fragment, .op = message_op_, .fin = message_done, .payload = part};
  }
  if (assembled_.is_prepared(part)) {
    assembled_.commit(size);  // read directly into its place
  } else if (!assembled_.append(part, size_above(with.limit.message_bytes_max))) {
    return fail(error::out_of_memory);
  }
  return message_done ? end_message() : event{};
}

// How much a compressed message may have become by the end of this frame. The ratio counts all that the frame
// announces, so that the way in which the input was cut cannot change the outcome.
inline std::uint64_t decoder::inflated_bytes_max(limits const& limit) const noexcept {
  if (limit.inflate_ratio_max == 0) return limit.message_bytes_max;
  constexpr std::uint64_t always_allowed = 64U << 10;
  std::uint64_t const ratio = limit.inflate_ratio_max;
  std::uint64_t const grown = compressed_bytes_ > UINT64_MAX / ratio ? UINT64_MAX : compressed_bytes_ * ratio;
  std::uint64_t const allowed = grown > always_allowed ? grown : always_allowed;
  return allowed < limit.message_bytes_max ? allowed : limit.message_bytes_max;
}

// Whatever part of a compressed data frame is there, inflated into assembled_. RFC 7692 section 7.2.2.
inline event decoder::compressed_piece(input& in, options const& with, message_codec& codec) noexcept {
  constexpr std::uint64_t room_bytes_max = 16U << 10;
  std::uint64_t const most = inflated_bytes_max(with.limit);
  for (;;) {
    bytes const there = in.unread();
    bytes const part = there.first(there.size() < left_ ? there.size() : static_cast<std::size_t>(left_));
    if (frame_.masked && unmasked_ < part.size()) {
      mask(part.subspan(unmasked_), frame_.key, static_cast<std::size_t>((frame_.length - left_ + unmasked_) & 3U));
      unmasked_ = part.size();
    }
    bool const ends = frame_.fin && part.size() == left_;
    if (part.empty() && left_ != 0 && !more_output_) return {};
    // As much room as has been of use so far, so that a few bytes that become many do not come in as many pieces.
    std::uint64_t const likely = message_bytes_ > part.size() * 4 ? message_bytes_ : part.size() * 4;
    std::uint64_t const wanted = likely < 256 ? 256 : likely < room_bytes_max ? likely : room_bytes_max;
    // One byte above the bound tells that it would be passed.
    std::uint64_t const allowed = most - message_bytes_ < wanted ? most - message_bytes_ + 1 : wanted;
    bytes room = assembled_.prepare(static_cast<std::size_t>(allowed), size_above(most));
    if (room.empty()) return fail(error::out_of_memory);
    room = room.first(static_cast<std::size_t>(allowed));
    decoded const got = codec.decode(part, room, ends ? fragment::last : fragment::more);
    in.drop(got.consumed);
    left_ -= got.consumed;
    unmasked_ -= frame_.masked ? got.consumed : 0;
    // Whatever is wrong first in the text is reported, so that the way in which the input was cut cannot change it.
    bool const over = got.produced > most - message_bytes_;
    bytes const made = room.first(over ? got.produced - 1 : got.produced);
    if (message_op_ == opcode::text && !text_.feed(made)) return fail(error::invalid_utf8);
    if (over) return fail(most < with.limit.message_bytes_max ? error::inflate_ratio : error::message_too_big);
    if (got.fault != error::none) return fail(got.fault);
    message_bytes_ += got.produced;
    if (got.finished && message_op_ == opcode::text && !text_.finished()) return fail(error::invalid_utf8);
    assembled_.commit(got.produced);
    more_output_ = got.produced == room.size() && !got.finished;
    bool const frame_done = left_ == 0 && !more_output_;
    if (frame_done) end_frame();
    if (got.finished && with.deliver == delivery::whole) return end_message();
    if (got.finished || (got.produced != 0 && with.deliver == delivery::pieces)) {
      delivered_ = true;
      return {.what = kind::fragment, .op = message_op_, .fin = got.finished, .payload = assembled_.view()};
    }
    if (frame_done || (!more_output_ && part.size() == got.consumed)) return {};
    PUREWS_ASSERT(got.consumed + got.produced != 0);
  }
}

inline void decoder::end_frame() noexcept {
  in_frame_ = false;
  where_ = frame_.fin ? message_state::between : message_state::inside;
}

inline event decoder::end_message() noexcept {
  delivered_ = true;
  return {.what = kind::message, .op = message_op_, .payload = assembled_.view()};
}

// A control frame may come between the fragments of a message, and may be cut itself: then it is gathered behind
// the message. RFC 6455 section 5.4.
inline event decoder::control(input& in) noexcept {
  bytes const there = in.unread();
  std::size_t const size = there.size() < left_ ? there.size() : static_cast<std::size_t>(left_);
  bytes const part = there.first(size);
  if (frame_.masked) mask(part, frame_.key, static_cast<std::size_t>((frame_.length - left_) & 3U));
  in.drop(size);
  bool const all_here = left_ == frame_.length && size == left_;
  left_ -= size;
  if (all_here) return control_event(frame_.op, part);
  if (!assembled_.append(part)) return fail(error::out_of_memory);
  control_bytes_ = static_cast<std::uint8_t>(control_bytes_ + size);
  if (left_ != 0) return {};
  delivered_ = true;
  return control_event(frame_.op, assembled_.view().last(control_bytes_));
}

inline event decoder::control_event(opcode op, bytes payload) noexcept {
  in_frame_ = op == opcode::close;  // until it is known to be good
  if (op == opcode::ping) return {.what = kind::ping, .op = op, .payload = payload};
  if (op == opcode::pong) return {.what = kind::pong, .op = op, .payload = payload};
  close_payload const close = parse_close(payload);
  if (!close.well_formed) return fail(payload.size() == 1 ? error::close_payload_short : error::close_code_invalid);
  if (!is_valid_utf8(as_bytes(close.reason))) return fail(error::close_reason_utf8);
  in_frame_ = false;
  return {
      .what = kind::closed, .op = op, .code = close.code, .payload = payload.empty() ? payload : payload.subspan(2)};
}

// Forgets what the last event was a view of.
inline void decoder::settle() noexcept {
  delivered_ = false;
  if (control_bytes_ != 0) {
    assembled_.truncate(assembled_.size() - control_bytes_);
    control_bytes_ = 0;
  } else {
    assembled_.clear();
  }
}

}  // namespace purews::inline v0
