// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "inflate_model.hpp"
#include "machine.hpp"
#include "purews/protocol/limits.hpp"
#include "utf8_model.hpp"

namespace fuzz {

/// RFC 6455 sections 5 to 8 once more, as one function over the whole input: what an open connection, with nothing said
/// by its own side, must report and answer; with `unpack` also RFC 7692 section 6. It shares the names of errors with
/// the library, and no code.
class frame_model {
 public:
  frame_model(purews::role own, purews::limits const& limit, inflate_model* unpack, bool takeover)
      : own_(own), limit_(limit), unpack_(unpack), takeover_(takeover) {}

  std::vector<std::string> events{};
  std::vector<test::octets> pings{};  ///< payloads that were not too late to be answered
  test::octets close{};               ///< the Close frame that must have been sent, if any
  purews::transport_action transport = purews::transport_action::keep;
  bool failed = false;
  std::size_t last_frame = 0;  ///< where the frame begins that broke a rule

  void read(purews::bytes_view in, ending end) {
    std::size_t const size = in.size();
    do {
      last_frame = size - in.size();
    } while (!ended_ && read_frame(in));
    if (end == ending::open) return;
    if (!ended_) {
      events.push_back(test::describe({.what = purews::kind::closed, .code = purews::status_code::abnormal}));
    }
    transport = purews::transport_action::close;
  }

  /// Whether `output` is what must be sent. Pongs may be fewer than pings beyond sixteen. RFC 6455 section 5.5.3.
  bool allows(test::octets const& output) const {
    std::vector<test::octets> sent;
    test::octets closes;
    for (test::parsed_frame const& f : test::parse_frames(output)) {
      if (!closes.empty() || f.masked != (own_ == purews::role::client)) return false;
      if (f.first == 0x8A)
        sent.push_back(f.payload);
      else
        closes.assign(output.begin() + static_cast<std::ptrdiff_t>(f.at), output.end());
    }
    if (closes != close) return false;
    constexpr std::size_t kept_min = 16;
    std::size_t next = 0;
    for (std::size_t i = 0; i < sent.size(); ++i) {
      if (i < kept_min && (i >= pings.size() || sent[i] != pings[i])) return false;
      while (next < pings.size() && pings[next] != sent[i]) ++next;
      if (next++ == pings.size()) return false;
    }
    std::size_t const must = pings.size() < kept_min ? pings.size() : kept_min;
    bool const newest = close.empty() && !pings.empty();
    return sent.size() >= must && (!newest || sent.back() == pings.back());
  }

 private:
  struct frame {
    unsigned first = 0, second = 0;
    std::uint64_t length = 0;
    test::octets payload{};  // unmasked, as much as is there
    unsigned op() const { return first & 0xFU; }
    bool fin() const { return first >= 0x80; }
    bool control() const { return op() >= 8; }
    bool whole() const { return payload.size() == length; }
  };

  // False: it ended, or more input is needed.
  bool read_frame(purews::bytes_view& in) {
    using purews::error;
    if (in.size() < 2) return false;
    frame f;
    f.first = std::to_integer<unsigned>(in[0]);
    f.second = std::to_integer<unsigned>(in[1]);
    bool const masked = f.second >= 0x80;
    // RFC 7692 6: RSV1 on the first frame of a message, and nowhere else.
    bool const packed = unpack_ != nullptr && (f.first & 0x70U) == 0x40U && (f.op() == 1 || f.op() == 2);
    if ((f.first & 0x70U) != 0 && !packed) return fail(error::reserved_bit, 1002);
    if ((f.op() > 2 && f.op() < 8) || f.op() > 10) return fail(error::unknown_opcode, 1002);
    if (f.control() && !f.fin()) return fail(error::control_fragmented, 1002);
    if (f.op() == 0 && !inside_) return fail(error::unexpected_continuation, 1002);
    if ((f.op() == 1 || f.op() == 2) && inside_) return fail(error::expected_continuation, 1002);
    if (masked != (own_ == purews::role::server))
      return fail(masked ? error::masked_frame : error::unmasked_frame, 1002);
    f.length = f.second & 0x7FU;
    if (f.control() && f.length > 125) return fail(error::control_too_long, 1002);

    std::size_t const extended = f.length == 126 ? 2 : f.length == 127 ? 8 : 0;
    if (in.size() < 2 + extended) return false;
    if (extended != 0) f.length = 0;
    for (std::size_t i = 0; i < extended; ++i) f.length = f.length * 256 + std::to_integer<unsigned>(in[2 + i]);
    if (f.length > INT64_MAX) return fail(error::length_too_large, 1002);
    if ((extended == 2 && f.length < 126) || (extended == 8 && f.length < 65536))
      return fail(error::length_not_minimal, 1002);
    std::size_t const head = 2 + extended + (masked ? 4 : 0);
    if (in.size() < head) return false;
    std::size_t const there = in.size() - head < f.length ? in.size() - head : static_cast<std::size_t>(f.length);
    for (std::size_t i = 0; i < there; ++i)
      f.payload.push_back(masked ? in[head + i] ^ in[head - 4 + i % 4] : in[head + i]);
    in = in.subspan(head + there);
    return f.control() ? take_control(f) : take_data(f);
  }

  bool take_data(frame const& f) {
    using purews::error;
    if (!inside_) {
      op_ = f.op();
      packed_ = (f.first & 0x40U) != 0;
      packed_bytes_ = 0;
      if (packed_) unpack_->begin_message();
      message_.clear();
      fragments_ = 0;
    }
    if (f.length > limit_.frame_bytes_max) return fail(error::frame_too_big, 1009);
    if (packed_) packed_bytes_ += f.length;
    std::uint64_t const most = limit_.message_bytes_max;
    if (packed_bytes_ > most + most / 8 + most / 64 + 64) return fail(error::compressed_too_big, 1009);
    if (!packed_ && f.length + message_.size() > limit_.message_bytes_max) return fail(error::message_too_big, 1009);
    if (inside_ || !f.fin()) ++fragments_;
    if (fragments_ > limit_.fragments_max) return fail(error::too_many_fragments, 1008);
    bool const last = f.fin() && f.whole();
    bool good = true;
    if (packed_) {
      good = unpack_->feed(f.payload, most) && (!last || unpack_->end(most));
      message_ = unpack_->text;
    } else {
      message_.insert(message_.end(), f.payload.begin(), f.payload.end());
    }
    bool const over = message_.size() > most;
    if (over) message_.resize(most);
    utf8_verdict const text = op_ == 1 ? utf8_model(message_) : utf8_verdict{};
    if (op_ == 1 && text.good != message_.size()) return fail(error::invalid_utf8, 1007);
    if (over) return fail(error::message_too_big, 1009);
    if (!good) return fail(unpack_->fault, 1007);
    if (op_ == 1 && last && !text.valid) return fail(error::invalid_utf8, 1007);
    if (!f.whole()) return false;
    inside_ = !f.fin();
    if (last && packed_ && !takeover_) unpack_->forget();
    if (last)
      events.push_back(
          test::describe({.what = purews::kind::message, .op = static_cast<purews::opcode>(op_), .payload = message_}));
    return true;
  }

  bool take_control(frame& f) {
    using purews::error;
    if (!f.whole()) return false;
    if (f.op() != 8) {
      events.push_back((f.op() == 9 ? "ping " : "pong ") + test::describe(f.payload));
      if (f.op() == 9) pings.push_back(f.payload);
      return true;
    }
    if (f.length == 1) return fail(error::close_payload_short, 1002);
    unsigned code = 1005;
    test::octets reason;
    if (f.length != 0) {
      code = std::to_integer<unsigned>(f.payload[0]) * 256 + std::to_integer<unsigned>(f.payload[1]);
      bool const known = (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006);
      if (!known && (code < 3000 || code > 4999)) return fail(error::close_code_invalid, 1002);
      reason.assign(f.payload.begin() + 2, f.payload.end());
      if (!utf8_model(reason).valid) return fail(error::close_reason_utf8, 1007);
    }
    events.push_back("closed " + std::to_string(code) + " clean " + test::describe(reason));
    // RFC 6455 7.1.1: the server closes first.
    bool const server = own_ == purews::role::server;
    return end(f.length == 0 ? 0 : code,
               server ? purews::transport_action::shut_write : purews::transport_action::keep);
  }

  bool fail(purews::error what, unsigned code) {
    failed = true;
    events.push_back("failed " + std::to_string(code) + " " + test::name(what));
    return end(code, purews::transport_action::shut_write);
  }

  bool end(unsigned code, purews::transport_action then) {
    test::octets payload;
    if (code != 0) payload = {static_cast<std::byte>(code >> 8), static_cast<std::byte>(code)};
    close = test::own_frame(own_, 0x88, payload);
    transport = then;
    ended_ = true;
    return false;
  }

  purews::role own_;
  purews::limits limit_;
  inflate_model* unpack_;
  bool takeover_;
  bool packed_ = false;  // the message is
  std::uint64_t packed_bytes_ = 0;
  bool ended_ = false;
  bool inside_ = false;
  unsigned op_ = 0;
  std::uint64_t fragments_ = 0;
  test::octets message_{};
};

}  // namespace fuzz
