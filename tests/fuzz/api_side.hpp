// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <memory>

#include "support/machine_driver.hpp"
#include "utf8_model.hpp"
#include "visible_state.hpp"

namespace fuzz {

/// A message that was accepted, as the other side will report it, unless it is dropped.
struct said_message {
  std::string text;
  purews::send_options how{};

  bool droppable() const {
    return how.when_full == purews::overflow::drop_oldest || how.when_full == purews::overflow::conflate;
  }
};

/// One endpoint with its loop and its application, which keep the contract and check the other side of it.
class api_side {
 public:
  /// `with` must outlive it.
  api_side(purews::role own, purews::options const& with) : machine(own, with, {}), own_(own), with_(&with) {}
  api_side(api_side const&) = delete;
  api_side& operator=(api_side const&) = delete;

  purews::flight_recorder recorder{};
  purews::endpoint machine;
  test::octets output{};             ///< all that the socket has taken
  std::vector<said_message> said{};  ///< messages that were accepted
  std::vector<std::string> heard{};  ///< messages that were reported
  std::size_t received = 0;          ///< bytes of the peer's output
  bool recorded_from_start = false;  ///< each frame of the connection was recorded
  purews::error fault = purews::error::none;
  bool ended = false;    ///< a terminal event came
  bool aborted = false;  ///< none will
  bool eof = false;      ///< the peer's end of stream was told

  bool closed() const { return machine.transport() == purews::transport_action::close; }
  bool shut() const { return machine.transport() != purews::transport_action::keep; }

  // Input

  /// Lends `piece`, or reads the front of it into the machine's own room. Returns how much was taken.
  std::size_t receive(purews::bytes_view piece, purews::instant t, bool direct) {
    settle();
    purews::bytes const room = direct ? machine.receive_room() : purews::bytes{};
    if (room.empty()) {
      lent_ = std::make_unique<test::exact_copy>(piece);
      machine.receive(lent_->view(), t);
    } else {
      piece = piece.first(piece.size() < room.size() ? piece.size() : room.size());
      purews::copy_bytes(room.data(), piece);
      machine.receive(room.first(piece.size()), t);
      drain();
    }
    received += piece.size();
    return piece.size();
  }

  void receive_eof(purews::instant t) {
    settle();
    eof = true;
    machine.receive_eof(t);
    drain();
  }

  void park() {
    machine.park();
    lent_.reset();
  }
  /// Ends the loan of the input, if there is one.
  void settle() {
    if (lent_ != nullptr) park();
  }

  void drain() {
    while (next()) continue;
  }

  /// Takes one event. False: there was none.
  bool next() {
    purews::event const e = machine.next();
    if (e.what == purews::kind::none) {
      lent_.reset();
      return false;
    }
    check(!ended && !aborted, "nothing is reported after the end", test::name(e.what));
    bool const of_opening = e.what == purews::kind::request || e.what == purews::kind::open ||
                            e.what == purews::kind::failed || e.what == purews::kind::closed;
    check(opened_ || of_opening, "no message comes before the opening", test::name(e.what));
    take(e);
    return true;
  }

  // Output

  bool gathering() const { return !spans_.empty(); }

  /// Lends room, or ends the loan of it.
  void toggle_room(std::size_t size) {
    if (room_ != nullptr) {
      if (gathering()) return;
      machine.lend_output({});
      room_.reset();
    } else if (size != 0) {
      room_ = std::make_unique<test::exact_copy>(size);
      machine.lend_output(room_->view());
    }
  }

  void gather(std::size_t spans) {
    if (gathering()) return;
    spans_.resize(spans);
    spans_.resize(machine.gather(spans_));
    gathered_ = in_spans();
    for (purews::bytes_view const span : spans_) check(!span.empty(), "no empty span is gathered");
    check(gathered_.size() <= machine.queued_bytes(), "what is gathered is a part of what is queued");
  }

  void consume(std::size_t n, purews::instant t) {
    if (!gathering()) return;
    n = n < gathered_.size() ? n : gathered_.size();
    check_gathered();
    output.insert(output.end(), gathered_.begin(), gathered_.begin() + static_cast<std::ptrdiff_t>(n));
    std::size_t const before = machine.queued_bytes();
    spans_.clear();
    gathered_.clear();
    machine.consume_output(n, t);
    // The pong of the newest ping may take the place of what has left; what is compressed becomes less.
    check(machine.queued_bytes() + n >= before || with_->extension != nullptr, "what is not consumed stays queued");
    if (machine.queued_bytes() == 0)
      stalled_since_ = purews::never;
    else if (n != 0 || stalled_since_ == purews::never)
      stalled_since_ = t;
  }

  /// Gathered bytes stay as they are until they are consumed, or the transport ends.
  void check_gathered() const { check(closed() || in_spans() == gathered_, "gathered bytes stay unchanged"); }

  // What the application says; each call is refused exactly when it should be.

  void send(purews::opcode op, purews::bytes_view payload, purews::send_options const& how) {
    purews::refusal const expected = message_refusal(op == purews::opcode::text && !utf8_model(payload).valid);
    submit(op, payload, how, expected, [&] { return machine.send(op, payload, how); });
  }

  void send_prepared(purews::opcode op, purews::bytes_view payload, purews::send_options const& how) {
    if (op == purews::opcode::text && !utf8_model(payload).valid) return;  // it is a precondition there
    purews::prepared_message const shared(op, payload);
    submit(op, payload, how, message_refusal(false), [&] { return machine.send(shared, how); });
  }

  void send_fragment(purews::opcode op, purews::bytes_view payload, purews::fragment position,
                     purews::compression compress) {
    if (inside_) op = op_;
    test::octets const all = test::join(begun_, test::octets(payload.begin(), payload.end()));
    utf8_verdict const text = utf8_model(all);
    bool const last = position == purews::fragment::last;
    bool const wrong = op == purews::opcode::text && (text.good != all.size() || (last && !text.valid));
    purews::refusal expected = purews::refusal::none;
    if (machine.current() != purews::state::open)
      expected = purews::refusal::not_open;
    else if (wrong)
      expected = purews::refusal::invalid_utf8;
    else if (full())
      expected = purews::refusal::queue_full;
    purews::refusal const why = refused([&] { return machine.send_fragment(op, payload, position, compress); });
    expect(why, expected);
    if (why != purews::refusal::none) return;
    op_ = op;
    inside_ = !last;
    begun_ = last ? test::octets{} : all;
    if (last) said.push_back({"message " + test::name(op) + " " + test::describe(all)});
  }

  void ping(purews::bytes_view payload) {
    purews::refusal expected = purews::refusal::none;
    if (machine.current() != purews::state::open)
      expected = purews::refusal::not_open;
    else if (payload.size() > 125)
      expected = purews::refusal::payload_too_long;
    expect(refused([&] { return machine.ping(payload); }), expected);
  }

  void close(unsigned code, std::string_view reason) {
    bool const server = own_ == purews::role::server;
    bool const registered = (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006);
    bool const on_wire = (registered && !(server && code == 1010)) || (code >= 3000 && code <= 4999);
    purews::refusal expected = purews::refusal::none;
    if (machine.current() != purews::state::open)
      expected = purews::refusal::not_open;
    else if (!on_wire && !(code == 1005 && reason.empty()))
      expected = purews::refusal::invalid_code;
    else if (reason.size() > 123)
      expected = purews::refusal::reason_too_long;
    else if (!utf8_model(purews::as_bytes(reason)).valid)
      expected = purews::refusal::invalid_utf8;
    expect(refused([&] { return machine.close(purews::status_code(static_cast<std::uint16_t>(code)), reason); }),
           expected);
  }

  /// A client asks, a server answers; whether it may is seen by the refusal alone.
  void open(bool gladly) {
    if (own_ == purews::role::client) {
      static constexpr std::string_view subprotocols[] = {"chat"};
      purews::client_request const request{.where = purews::parse_uri("ws://server.example.com/"),
                                           .subprotocols = subprotocols};
      bool const may = !asked_ && machine.current() == purews::state::connecting;
      expect(refused([&] { return machine.connect(request); }),
             may ? purews::refusal::none : purews::refusal::not_connecting);
      asked_ = true;
      return;
    }
    settle();
    if (gladly && !machine.wants_upgrade()) {
      expect(refused([&] { return machine.accept(); }), purews::refusal::not_connecting);
      return;
    }
    expect(refused([&] { return gladly ? machine.accept() : machine.answer({.status = 403}); }),
           undecided_ ? purews::refusal::none : purews::refusal::not_connecting);
    undecided_ = false;
    drain();
  }

  void record() {
    recorded_from_start = recorded_from_start || machine.current() == purews::state::connecting;
    expect(refused([&] { return machine.record(recorder); }), purews::refusal::none);
  }

  void abort() {
    machine.abort();
    aborted = true;
    undecided_ = false;
    settle();
    check(closed() && machine.current() == purews::state::closed, "abort() ends the transport at once");
  }

  // Time

  void advance(purews::instant t) {
    settle();
    drain();
    visible_state const before(machine);
    bool const early = t < before.deadline;
    if (before.queued != 0 && stalled_since_ == purews::never) stalled_since_ = t;
    machine.advance(t);
    bool const stalled = before.queued != 0 && t >= stalled_since_ + with_->timeout.write;
    check(!stalled || closed(), "a peer that takes nothing has so long, and no longer");
    visible_state const once(machine);
    if (early) check(before.only_later(once), "nothing happens before the deadline", before, once);
    bool const told = next();
    check(!early || !told, "nothing is reported before the deadline");
    drain();
    // What the first call began may take its time from the next one; then no deadline is left that is over.
    for (int i = 0; i < 2 && !closed() && machine.deadline() <= t; ++i) {
      machine.advance(t);
      drain();
    }
    visible_state const after(machine);
    check(closed() || after.deadline > t, "a loop that waits for the deadline does not run hot", before, after);
    machine.advance(t);
    check(visible_state(machine) == after && !next(), "a second call at the same time is a no-op", after,
          visible_state(machine));
  }

 private:
  void take(purews::event const& e) {
    std::string const text = test::describe(e);  // reads all of the payload
    switch (e.what) {
      case purews::kind::request:
        undecided_ = true;
        break;
      case purews::kind::open:
        check(!opened_, "there is one opening");
        opened_ = true;
        break;
      case purews::kind::message:
        heard.push_back(text);
        break;
      case purews::kind::fragment:
        check(e.fin || !e.payload.empty(), "a piece says something");
        piece_.insert(piece_.end(), e.payload.begin(), e.payload.end());
        if (!e.fin) break;
        heard.push_back("message " + test::name(e.op) + " " + test::describe(piece_));
        piece_.clear();
        break;
      case purews::kind::closed:
      case purews::kind::failed:
        ended = true;
        undecided_ = false;
        fault = e.fault;
        check(machine.current() == purews::state::closed, "after the end the state is closed");
        break;
      default:
        check(e.payload.size() <= 125, "a control frame is short");
        break;
    }
  }

  test::octets in_spans() const {
    test::octets all;
    for (purews::bytes_view const span : spans_) all.insert(all.end(), span.begin(), span.end());
    return all;
  }

  template <class Call>
  purews::refusal refused(Call const& call) {
    visible_state const before(machine);
    purews::refusal const why = call();
    if (why != purews::refusal::none)
      check(visible_state(machine) == before, "a refused call changes nothing", before, visible_state(machine));
    return why;
  }
  static void expect(purews::refusal got, purews::refusal expected) {
    if (got != expected)
      check(false, "a call is refused exactly when it must be", test::name(got) + ", not " + test::name(expected));
  }

  bool full() const { return machine.queued_bytes() > with_->limit.queue_bytes_max; }
  purews::refusal message_refusal(bool invalid) const {
    if (machine.current() != purews::state::open) return purews::refusal::not_open;
    if (inside_) return purews::refusal::message_open;
    return invalid ? purews::refusal::invalid_utf8 : purews::refusal::none;
  }

  // A whole message, which may be dropped, or drop others, or end the connection, if the queue is full.
  template <class Call>
  void submit(purews::opcode op, purews::bytes_view payload, purews::send_options const& how, purews::refusal expected,
              Call const& call) {
    using enum purews::overflow;
    bool const over = expected == purews::refusal::none && full();
    bool const closes = over && how.when_full == close;
    purews::drop_counts counts = machine.dropped();
    purews::refusal const why = closes ? call() : refused(call);
    purews::drop_counts const now = machine.dropped();
    bool const replaced = how.when_full == conflate && now.conflated != counts.conflated;
    bool const makes_room = over && how.when_full == drop_oldest && why == purews::refusal::none;
    bool const dropped = over && how.when_full == drop_newest;
    if (over && !replaced && !makes_room && !dropped) expected = purews::refusal::queue_full;
    expect(why, expected);
    check(!closes || machine.current() == purews::state::closing, "who is too slow is told to go");
    check(!makes_room || now.oldest > counts.oldest, "room is made by dropping");
    check(!makes_room || machine.queued_bytes() - payload.size() <= with_->limit.queue_bytes_max, "and enough of it");
    counts.conflated += replaced ? 1U : 0U;
    counts.newest += dropped ? 1U : 0U;
    if (makes_room) counts.oldest = now.oldest;
    check(now == counts, "each drop is counted");
    if (why != purews::refusal::none || dropped) return;
    said_message const message{"message " + test::name(op) + " " + test::describe(payload), how};
    if (!replaced) return said.push_back(message);
    // The place that it takes is that of the last of its kind: no other can be waiting.
    std::size_t i = said.size();
    while (i != 0 && !(said[i - 1].how.when_full == conflate && said[i - 1].how.key == how.key)) --i;
    check(i != 0, "a message takes the place of one with its key");
    said[i - 1] = message;
  }

  purews::role own_;
  purews::options const* with_;
  std::unique_ptr<test::exact_copy> lent_{};
  std::unique_ptr<test::exact_copy> room_{};
  std::vector<purews::bytes_view> spans_{};
  test::octets gathered_{};
  test::octets piece_{};
  test::octets begun_{};  // of a fragmented message of ours
  purews::instant stalled_since_ = purews::never;
  purews::opcode op_ = purews::opcode::binary;
  bool inside_ = false;
  bool asked_ = false;
  bool undecided_ = false;
  bool opened_ = false;
};

}  // namespace fuzz
