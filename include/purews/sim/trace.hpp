// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <string>

#include "../protocol/event.hpp"
#include "../protocol/refusal.hpp"
#include "../protocol/time.hpp"

namespace purews::inline v0::sim {

/// What happened, as one number: two runs with the same hash did the same. On request also as lines of text.
class trace {
 public:
  /// Is given each line, without its end, when it happens.
  using sink = void (*)(std::string_view line);

  explicit trace(sink to = nullptr) noexcept : to_(to) {}

  std::uint64_t hash() const noexcept { return hash_; }
  bool has_text() const noexcept { return to_ != nullptr; }

  void add(std::uint64_t number) noexcept {
    hash_ = (hash_ ^ number) * 0x9E37'79B9'7F4A'7C15U;
    hash_ ^= hash_ >> 32;
  }

  /// Adds the size and the content, the same on machines of either byte order.
  void add(bytes_view data) noexcept {
    add(data.size());
    for (; data.size() >= 8; data = data.subspan(8)) add(word(data.first(8)));
    if (!data.empty()) add(word(data));
  }

  /// Adds that `who` did `what` at `t`, with a number that says how much.
  void note(instant t, role who, std::string_view what, std::uint64_t number) {
    begin(t, who, what);
    add(number);
    if (has_text()) write(t, who, std::string(what) + " " + std::to_string(number));
  }

  /// Adds what an application's call came to.
  void note(instant t, role who, std::string_view call, refusal result) {
    begin(t, who, call);
    add(static_cast<std::uint64_t>(result));
    if (!has_text()) return;
    std::string line(call);
    if (result != refusal::none) line.append(": refused: ").append(message(result));
    write(t, who, line);
  }

  /// Adds an event with its payload.
  void note(instant t, role who, event const& e);

 private:
  static std::uint64_t word(bytes_view data) noexcept {
    std::uint64_t value = 0;
    for (std::size_t i = data.size(); i > 0; --i) value = value << 8 | std::to_integer<std::uint64_t>(data[i - 1]);
    return value;
  }
  void begin(instant t, role who, std::string_view what) noexcept {
    add(static_cast<std::uint64_t>(t.ns));
    add(static_cast<std::uint64_t>(who));
    add(as_bytes(what));
  }
  void write(instant t, role who, std::string_view what);

  sink to_;
  std::uint64_t hash_ = 0x5EED;
};

/// An event as a line of text: what it is, its codes, and the first bytes of its payload.
inline std::string to_text(event const& e) {
  static constexpr std::string_view kinds[] = {"none", "request", "open",   "message", "fragment",
                                               "ping", "pong",    "closed", "failed"};
  std::string line(kinds[static_cast<std::size_t>(e.what)]);
  if (e.what == kind::message || e.what == kind::fragment) line += e.op == opcode::text ? " text" : " binary";
  if (e.what == kind::fragment && !e.fin) line += ", more";
  if (e.what == kind::closed) line += e.clean ? " cleanly" : " without a closing handshake";
  if (e.code != status_code::none) line += " " + std::to_string(static_cast<unsigned>(e.code));
  if (e.fault != error::none) line.append(": ").append(message(e.fault));
  if (e.payload.empty()) return line;
  line += ", " + std::to_string(e.payload.size()) + " bytes:";
  for (std::size_t i = 0; i < e.payload.size() && i < 16; ++i) {
    static constexpr char digits[] = "0123456789abcdef";
    auto const b = std::to_integer<unsigned>(e.payload[i]);
    line.append({' ', digits[b >> 4], digits[b & 15U]});
  }
  return e.payload.size() > 16 ? line + " ..." : line;
}

inline void trace::note(instant t, role who, event const& e) {
  begin(t, who, "event");
  add(static_cast<std::uint64_t>(e.what) << 48 | static_cast<std::uint64_t>(e.op) << 40 |
      static_cast<std::uint64_t>(e.fin ? 1 : 0) << 33 | static_cast<std::uint64_t>(e.clean ? 1 : 0) << 32 |
      static_cast<std::uint64_t>(e.fault) << 16 | static_cast<std::uint64_t>(e.code));
  add(e.payload);
  if (has_text()) write(t, who, "event " + to_text(e));
}

inline void trace::write(instant t, role who, std::string_view what) {
  std::string const micros = std::to_string(t.ns / 1000 % 1'000'000);
  std::string line = std::to_string(t.ns / 1'000'000'000) + "." + std::string(6 - micros.size(), '0') + micros;
  line.append(who == role::client ? "  client " : "  server ").append(what);
  to_(line);
}

}  // namespace purews::inline v0::sim
