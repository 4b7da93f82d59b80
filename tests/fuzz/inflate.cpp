// SPDX-License-Identifier: BSL-1.0

// Compressed messages on one context, in any pieces and with any room: what zlib makes of each of them at once.
// Input: for each message how it is cut, its size and its bytes.
#include <algorithm>

#include "purews/deflate/inflater.hpp"

#include "inflate_model.hpp"
#include "machine.hpp"

using namespace purews;
using test::octets;

namespace {

struct packed_message {
  fuzz::approach way{};
  unsigned rooms = 0;  // 0: what is left of a page, else pseudo-random up to so many bytes
  bool apart = false;  // the end is told by an empty piece
  bool saved = false;  // before it, the history moves to another inflater
  bytes_view payload{};
};

packed_message read_message(fuzz::script& choices) {
  packed_message m;
  unsigned const flags = choices.octet();
  m.apart = (flags & 1U) != 0;
  m.saved = (flags & 2U) != 0;
  m.way.pieces = flags >> 2 & 15U;
  m.rooms = choices.octet();
  m.way.seed = choices.octet();
  std::size_t const size = choices.octet();
  m.payload = choices.take(size == 255 ? SIZE_MAX : size);
  return m;
}

// What the inflater makes of one message: its text, up to the fault.
class reader {
 public:
  explicit reader(inflater& machine, packed_message const& m) : machine_(&machine), message_(&m), state_(m.way.seed) {}

  octets text{};
  error fault = error::none;

  void run() {
    std::size_t at = 0;
    std::vector<std::size_t> cuts = message_->way.cuts(message_->payload.size());
    if (message_->apart) cuts.push_back(message_->payload.size());
    for (std::size_t i = 0; i < cuts.size() && fault == error::none; ++i) {
      piece(message_->payload.subspan(at, cuts[i] - at), i + 1 == cuts.size() ? fragment::last : fragment::more);
      at = cuts[i];
    }
  }

 private:
  void piece(bytes_view in, fragment position) {
    test::exact_copy const lent(in);
    bytes_view left = lent.view();
    for (;;) {
      test::exact_copy const room(next_room());
      decoded const got = machine_->decode(left, room.view(), position);
      fuzz::check(got.consumed <= left.size() && got.produced <= room.view().size(), "what was given is not passed");
      left = left.subspan(got.consumed);
      text.insert(text.end(), room.view().begin(), room.view().begin() + static_cast<std::ptrdiff_t>(got.produced));
      fault = got.fault;
      if (fault != error::none) return;
      bool const room_left = got.produced < room.view().size();
      fuzz::check(!got.finished || (position == fragment::last && left.empty()), "a message ends where its input does");
      fuzz::check(!room_left || left.empty(), "room that is left over says that all was read");
      fuzz::check(!room_left || got.finished == (position == fragment::last), "the last piece ends the message");
      if (got.finished || room_left) return;
    }
  }

  std::size_t next_room() {
    if (message_->rooms == 0) return 4096;
    state_ = state_ * 1664525U + 1013904223U;
    return 1 + (state_ >> 16) % message_->rooms;
  }

  inflater* machine_;
  packed_message const* message_;
  unsigned state_;
};

}  // namespace

void fuzz::one_input(bytes_view in) {
  constexpr std::size_t text_bytes_max = 100'000;  // of all messages: a room of one byte each takes its time
  script choices(in);
  std::size_t total = 0;
  inflate_model model;
  inflater machines[2];
  std::size_t used = 0;
  check(machines[0].begin() && machines[1].begin(), "there is memory");
  while (!choices.empty()) {
    packed_message const m = read_message(choices);
    model.begin_message();
    if (model.feed(m.payload, text_bytes_max)) static_cast<void>(model.end(text_bytes_max));
    if ((total += model.text.size()) > text_bytes_max) return;
    if (m.saved) {
      buffer history;
      check(machines[used].save_history(history), "the history is saved");
      used = 1 - used;
      check(machines[used].begin() && machines[used].restore_history(history.view()), "the history is restored");
    }
    reader got(machines[used], m);
    got.run();
    check(got.fault == model.fault, "the fault is that of the model", test::name(got.fault) + test::name(model.fault));
    check(got.text == model.text, "the text is that of the model",
          test::to_hex(got.text) + "\n" + test::to_hex(model.text));
    if (model.fault != error::none) return;
    buffer history;
    check(machines[used].save_history(history), "the history is saved");
    check(std::ranges::equal(history.view(), model.history()), "the history is the end of all texts");
  }
}
