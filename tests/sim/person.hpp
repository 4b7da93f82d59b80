// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "purews/sim/heap.hpp"

#include <deque>

#include "purews/sim/frame_reader.hpp"
#include "purews/sim/world.hpp"

#include "purews/protocol/endpoint.hpp"

namespace test {

using namespace purews;

/// What one application knows: what it has said and heard, and what must be true of it.
struct person {
  /// The first thing that was wrong; null if nothing was.
  char const* wrong = nullptr;
  void must(bool kept, char const* sentence) {
    if (!kept && wrong == nullptr) wrong = sentence;
  }

  /// A message as the other side must report it: its bytes are kept as a hash, which does not depend on pieces.
  struct message {
    opcode op = opcode::binary;
    std::uint64_t size = 0;
    std::uint64_t hash = 0;
    std::uint64_t conflates = 0;  // the key + 1 of a message whose place another may take
    void add(bytes_view piece) {
      size += piece.size();
      for (std::byte const b : piece) hash = (hash ^ std::to_integer<std::uint64_t>(b)) * 0x100'0000'01B3U;
    }
    friend bool operator==(message const& a, message const& b) {
      return a.op == b.op && a.size == b.size && a.hash == b.hash;
    }
  };

  std::deque<message> said{};  // and not yet heard by the other
  // Of those: what the machine says it has dropped, and what was lost already.
  std::uint64_t may_lose = 0;
  std::uint64_t lost = 0;
  std::deque<message> pings{};  // and not yet heard
  std::deque<message> awaited_pongs{};
  message being_said{};                 // a fragmented one
  std::vector<std::byte> to_be_said{};  // its rest
  bool inside = false;
  message being_heard{};

  bool asked = false;  // connect() was carried out
  bool undecided = false;
  bool open = false;
  bool bade_farewell = false;  // close() was carried out
  bool closing = false;        // the machine was seen in that state
  bool aborted = false;
  bool ended = false;  // a terminal event came
  status_code farewell = status_code::none;

  /// Notes a message that was sent, and what the machine says has become of it.
  void say(message const& what, drop_counts const& before, drop_counts const& after) {
    may_lose = after.oldest;
    if (after.newest != before.newest) return;
    if (after.conflated == before.conflated) return said.push_back(what);
    // The place that it takes is that of the last of its kind: no other can be waiting.
    std::size_t i = said.size();
    while (i != 0 && said[i - 1].conflates != what.conflates) --i;
    must(i != 0, "a message was conflated with none");
    if (i != 0) said[i - 1] = what;
  }

  /// Takes an event of this person; `other` is the one it comes from. `lossless`: no bit on the way was turned.
  void hear(event const& e, person& other, bool lossless) {
    switch (e.what) {
      case kind::request:
        must(!undecided && !open, "a request came twice");
        undecided = true;
        return;
      case kind::open:
        must(!open, "the connection opened twice");
        open = true;
        return;
      case kind::message:
      case kind::fragment:
        return hear_message(e, other, lossless);
      case kind::ping:
        if (!lossless || e.payload.empty()) return;  // the machines' own pings are empty
        must(take(other.pings, e.payload) == 0, "a ping came that was not the next one that was sent");
        return;
      case kind::pong:
        if (!lossless || e.payload.empty()) return;
        must(take(awaited_pongs, e.payload) >= 0, "a pong came that answers no ping, or an older one than before");
        return;
      case kind::closed:
      case kind::failed:
        return hear_end(e, other, lossless);
      case kind::none:
        return;
    }
  }

 private:
  void hear_message(event const& e, person& other, bool lossless) {
    must(open, "a message came before the connection was open");
    must(!bade_farewell, "a message came after close()");
    being_heard.op = e.op;
    being_heard.add(e.payload);
    must(e.what == kind::fragment || e.fin, "a whole message has no end");
    if (e.what == kind::fragment && !e.fin) return;
    message const heard = being_heard;
    being_heard = {};
    if (!lossless) return;
    while (!other.said.empty() && !(other.said.front() == heard) && other.lost < other.may_lose) {
      other.said.pop_front();
      ++other.lost;
    }
    must(!other.said.empty() && other.said.front() == heard, "a message came that was not the next one that was sent");
    if (!other.said.empty()) other.said.pop_front();
  }

  void hear_end(event const& e, person const& other, bool lossless) {
    must(!aborted, "an end was reported after abort()");
    ended = true;
    undecided = false;
    must(!e.clean || (open && e.what == kind::closed), "only an open connection can be closed cleanly");
    if (!e.clean || !lossless) return;
    if (other.bade_farewell) must(e.code == other.farewell, "the code is not the one that the other side closed with");
    if (other.bade_farewell && !closing && !bade_farewell)
      must(other.said.size() <= other.may_lose - other.lost, "a clean end has lost a message");
  }

  // How many came before it and are dropped with it; -1 if it is not there.
  static int take(std::deque<message>& list, bytes_view payload) {
    message wanted;
    wanted.add(payload);
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (!(list[i] == wanted)) continue;
      list.erase(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(i) + 1);
      return static_cast<int>(i);
    }
    return -1;
  }
};

}  // namespace test
