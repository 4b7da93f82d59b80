// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <iterator>
#include <ostream>
#include <string>

#include "purews/protocol/byte_machine.hpp"
#include "purews/protocol/refusal.hpp"
#include "purews/protocol/state.hpp"

/// The names of enumerators, for vectors, traces and the messages of failed tests.
namespace test {

inline std::string name(purews::error e) { return std::string(purews::rule(e)); }

inline std::string name(purews::refusal r) {
  static constexpr char const* names[] = {
      "none",         "not_open",        "not_connecting",   "queue_full",     "message_open", "invalid_utf8",
      "invalid_code", "reason_too_long", "payload_too_long", "invalid_header", "invalid_uri",  "out_of_memory"};
  auto const i = static_cast<std::size_t>(r);
  return i < std::size(names) ? names[i] : "refusal " + std::to_string(i);
}

inline std::string name(purews::transport_action a) {
  static constexpr char const* names[] = {"keep", "shut_write", "close"};
  return names[static_cast<std::size_t>(a)];
}

inline std::string name(purews::kind k) {
  static constexpr char const* names[] = {"none", "request", "open",   "message", "fragment",
                                          "ping", "pong",    "closed", "failed"};
  return names[static_cast<std::size_t>(k)];
}

inline std::string name(purews::opcode op) {
  using enum purews::opcode;
  switch (op) {
    case continuation:
      return "continuation";
    case text:
      return "text";
    case binary:
      return "binary";
    case close:
      return "close";
    case ping:
      return "ping";
    case pong:
      return "pong";
  }
  return "opcode " + std::to_string(static_cast<int>(op));
}

}  // namespace test

// Catch2 prints what it can stream.
namespace purews::inline v0 {
inline std::ostream& operator<<(std::ostream& out, error e) { return out << test::name(e); }
inline std::ostream& operator<<(std::ostream& out, refusal r) { return out << test::name(r); }
inline std::ostream& operator<<(std::ostream& out, transport_action a) { return out << test::name(a); }
inline std::ostream& operator<<(std::ostream& out, kind k) { return out << test::name(k); }
inline std::ostream& operator<<(std::ostream& out, opcode op) { return out << test::name(op); }
inline std::ostream& operator<<(std::ostream& out, state s) { return out << state_names[static_cast<int>(s)]; }
inline std::ostream& operator<<(std::ostream& out, status_code c) { return out << static_cast<int>(c); }
inline std::ostream& operator<<(std::ostream& out, instant t) { return out << t.ns << " ns"; }
inline std::ostream& operator<<(std::ostream& out, duration d) { return out << d.ns << " ns"; }
}  // namespace purews::inline v0
