// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../wire/frame.hpp"
#include "../wire/text_writer.hpp"
#include "time.hpp"

namespace purews::inline v0 {

/// The last frame headers of one connection, both ways, for finding out afterwards what two peers disagreed on. It
/// holds no payload and no masking key. Given to a connection by connection::record(); without one nothing is kept.
class flight_recorder {
 public:
  static constexpr std::size_t capacity = 32;  ///< frames; older ones are forgotten
  static constexpr std::size_t json_bytes_max = 160;

  enum class direction : std::uint8_t { received, sent };

  struct entry {
    instant at{};              ///< as the connection was told
    std::uint64_t number = 0;  ///< of the frame in its direction, from 1
    std::uint64_t offset = 0;  ///< of the header among all bytes of frames in its direction
    std::uint64_t length = 0;  ///< of the payload on the wire, in bytes
    direction way = direction::received;
    opcode op = opcode::continuation;
    std::uint8_t rsv = 0;
    bool fin = true;
    bool masked = false;
  };

  /// How many entries there are, and one of them, the oldest first. Precondition (asserted): index < size().
  std::size_t size() const noexcept { return count_ < capacity ? static_cast<std::size_t>(count_) : capacity; }
  entry const& operator[](std::size_t index) const noexcept {
    PUREWS_ASSERT(index < size());
    return ring_[(count_ - size() + index) % capacity];
  }

  /// Writes one entry as a line of JSON to the front of `out` and returns its size in bytes. Times are nanoseconds.
  /// Precondition (asserted): `out` has room for json_bytes_max bytes.
  static std::size_t write_json(bytes out, entry const& what) noexcept;

  /// For the connection: what time it is, and that a frame came or was queued.
  void tell_time(instant now) noexcept { now_ = now; }
  void add(direction way, frame_header const& header) noexcept;

 private:
  entry ring_[capacity];
  std::uint64_t count_ = 0;
  std::uint64_t frames_[2]{};
  std::uint64_t bytes_[2]{};
  instant now_{};
};

inline void flight_recorder::add(direction way, frame_header const& header) noexcept {
  auto const i = static_cast<std::size_t>(way);
  ring_[count_++ % capacity] = {.at = now_,
                                .number = ++frames_[i],
                                .offset = bytes_[i],
                                .length = header.length,
                                .way = way,
                                .op = header.op,
                                .rsv = header.rsv,
                                .fin = header.fin,
                                .masked = header.masked};
  bytes_[i] += frame_header_size(header.length, header.masked) + header.length;
}

inline std::size_t flight_recorder::write_json(bytes out, entry const& what) noexcept {
  constexpr std::string_view ways[] = {"received", "sent"};
  text_writer text(out);
  text.put("{\"ns\":").put_number(static_cast<std::uint64_t>(what.at.ns)).put(",\"way\":\"");
  text.put(ways[static_cast<int>(what.way)]).put("\",\"frame\":").put_number(what.number);
  text.put(",\"offset\":").put_number(what.offset).put(",\"opcode\":").put_number(static_cast<std::uint8_t>(what.op));
  text.put(",\"fin\":").put(what.fin ? "true" : "false").put(",\"rsv\":").put_number(what.rsv);
  text.put(",\"masked\":").put(what.masked ? "true" : "false").put(",\"length\":").put_number(what.length);
  return text.put("}\n").size();
}

}  // namespace purews::inline v0
