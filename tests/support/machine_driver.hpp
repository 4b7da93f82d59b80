// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "frames.hpp"
#include "names.hpp"

namespace test {

/// A payload as text: hexadecimal, or its size and a hash when it is long.
inline std::string describe(purews::bytes_view payload) {
  if (payload.size() <= 64) return to_hex(payload);
  // Four chains of products, because each waits for its last one: some tests describe gigabytes.
  std::uint64_t a = 1, b = 2, c = 3, d = payload.size();
  constexpr std::uint64_t factor = 0x9e3779b97f4a7c15U;
  for (std::size_t at = 0; at < payload.size(); at += 32) {
    std::uint64_t words[4]{};
    std::memcpy(words, payload.data() + at, payload.size() - at < 32 ? payload.size() - at : 32);
    a = (a ^ words[0] ^ (a >> 29)) * factor;
    b = (b ^ words[1] ^ (b >> 29)) * factor;
    c = (c ^ words[2] ^ (c >> 29)) * factor;
    d = (d ^ words[3] ^ (d >> 29)) * factor;
  }
  std::uint64_t hash = 0;
  for (std::uint64_t const chain : {a, b, c, d}) hash = (hash ^ chain ^ (chain >> 32)) * factor;
  return std::to_string(payload.size()) + " bytes with hash " + std::to_string(hash);
}

inline std::string describe(purews::event const& e) {
  using enum purews::kind;
  std::string line = name(e.what);
  if (e.what == message) line += " " + name(e.op);
  if (e.what == closed) line += " " + std::to_string(static_cast<int>(e.code)) + (e.clean ? " clean" : " unclean");
  if (e.what == failed) return line + " " + std::to_string(static_cast<int>(e.code)) + " " + name(e.fault);
  return line + " " + describe(e.payload);
}

/// How a loop may treat a machine. Whatever it does, the events and the output must be the same.
struct manner {
  int park_after = -1;                ///< park after so many events of each chunk; -1: drain instead
  std::size_t room = 0;               ///< bytes of output room lent for each chunk; 0: none
  std::size_t write_max = SIZE_MAX;   ///< what the socket takes of each gather
  std::size_t writes_max = SIZE_MAX;  ///< writes after each chunk
  std::size_t spans_max = 8;          ///< spans of each gather
  bool withhold = false;              ///< take no output before the end
  bool direct = false;                ///< read into receive_room() where there is some
  bool overlap = false;               ///< leave a gather outstanding while the next chunk is received

  std::string describe() const {
    auto const number = [](std::size_t n) { return n == SIZE_MAX ? std::string("all") : std::to_string(n); };
    return "park_after " + std::to_string(park_after) + ", room " + number(room) + ", write_max " + number(write_max) +
           ", writes_max " + number(writes_max) + ", spans_max " + number(spans_max) + (withhold ? ", withhold" : "") +
           (direct ? ", direct" : "") + (overlap ? ", overlap" : "");
  }
};

/// Drives a machine as a loop would: lends exact copies of the input, collects a trace of the events, takes the output.
/// A wrong use of the contract by this driver would abort; a broken promise of the machine throws.
template <class Machine>
class machine_driver {
 public:
  explicit machine_driver(Machine& machine, manner how = {}) : machine_(machine), how_(how) {}

  std::vector<std::string> events;  ///< streamed pieces are joined to messages
  octets output;
  purews::instant now{1'000'000'000};

  void receive(std::span<std::byte const> chunk) {
    if (how_.room != 0) begin_loan();
    do {
      purews::bytes const direct = how_.direct ? machine_.receive_room() : purews::bytes{};
      std::size_t const size = direct.empty() || direct.size() > chunk.size() ? chunk.size() : direct.size();
      receive_part(chunk.first(size), direct);
      chunk = chunk.subspan(size);
    } while (!chunk.empty());
    after_input();
  }

  void receive_eof() {
    machine_.receive_eof(now);
    drain();
    after_input();
  }

  void advance(purews::duration d) {
    now = now + d;
    machine_.advance(now);
    drain();
    after_input();
  }

  void drain() {
    while (next()) {
    }
  }

  /// Takes all output that is left.
  void flush() {
    finish_gather();
    while (transmit()) {
    }
  }

  /// Takes the next `n` bytes of the output, or what there is.
  void take(std::size_t n) {
    finish_gather();
    std::size_t const end = output.size() + n, usual = how_.write_max;
    do {
      how_.write_max = end - output.size();
    } while (how_.write_max != 0 && transmit());
    how_.write_max = usual;
  }

  /// Takes what the socket of this manner takes at once. False: there was nothing to take.
  bool transmit() {
    if (!begin_gather()) return false;
    finish_gather();
    return true;
  }

 private:
  void receive_part(std::span<std::byte const> part, purews::bytes direct) {
    if (!direct.empty()) {
      purews::copy_bytes(direct.data(), part);
      machine_.receive(direct.first(part.size()), now);
      drain();
      return;
    }
    {
      exact_copy const lent(part);
      machine_.receive(lent.view(), now);
      int drained = 0;
      if (how_.park_after < 0) {
        drain();
      } else {
        while (drained < how_.park_after && next()) ++drained;
        machine_.park();
      }
    }
    drain();
  }

  bool next() {
    purews::event const e = machine_.next();
    if (e.what == purews::kind::none) return false;
    if (e.what != purews::kind::fragment) {
      events.push_back(describe(e));
      return true;
    }
    if (e.payload.empty() && !e.fin) throw std::runtime_error("a piece that says nothing");
    piece_.insert(piece_.end(), e.payload.begin(), e.payload.end());
    if (!e.fin) return true;
    events.push_back("message " + name(e.op) + " " + describe(piece_));
    piece_.clear();
    return true;
  }

  void after_input() {
    if (how_.overlap) {
      finish_gather();
      begin_gather();
      return;
    }
    if (!how_.withhold)
      for (std::size_t i = 0; i < how_.writes_max && transmit(); ++i) {
      }
    if (room_ != nullptr) end_loan();
  }

  void begin_loan() {
    room_ = new exact_copy(how_.room);
    machine_.lend_output(room_->view());
  }
  void end_loan() {
    machine_.lend_output({});
    delete room_;
    room_ = nullptr;
  }

  bool begin_gather() {
    spans_.resize(how_.spans_max);
    spans_.resize(machine_.gather(spans_));
    gathered_ = what_the_socket_takes();
    return !spans_.empty();
  }

  octets what_the_socket_takes() const {
    octets taken;
    for (purews::bytes_view span : spans_) {
      if (span.empty()) throw std::runtime_error("an empty span was gathered");
      std::size_t const room = how_.write_max - taken.size();
      purews::bytes_view const part = span.first(span.size() < room ? span.size() : room);
      taken.insert(taken.end(), part.begin(), part.end());
    }
    return taken;
  }

  void finish_gather() {
    if (spans_.empty()) return;
    if (what_the_socket_takes() != gathered_) throw std::runtime_error("gathered bytes changed before they were sent");
    output.insert(output.end(), gathered_.begin(), gathered_.end());
    machine_.consume_output(gathered_.size(), now);
    spans_.clear();
  }

  Machine& machine_;
  manner how_;
  exact_copy* room_ = nullptr;
  std::vector<purews::bytes_view> spans_;
  octets gathered_;
  octets piece_;
};

}  // namespace test
