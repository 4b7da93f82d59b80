// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <optional>

#include "stream.hpp"
#include "uring_buffers.hpp"
#include "uring_held.hpp"

namespace purews::inline v0 {

/// One non-blocking socket and its machine on a ring. What it promises, to its owner and to who calls it, is what
/// readiness_stream promises; receive_room() is not asked, since what has arrived is in a buffer of the ring already.
///
/// Input comes by one operation that goes on, output goes by one operation at a time. While the machine wants no
/// input the first is cancelled, and what had arrived before that is kept here.
template <class Loop, byte_machine Machine, class Owner>
class uring_stream final : public loop_source {
 public:
  /// Takes a prepared socket and makes the machine from `arguments`. Nothing happens before start().
  template <class... A>
  uring_stream(Loop& loop, Owner& owner, descriptor socket, A&&... arguments)
      : loop_source(socket.number()),
        loop_(loop),
        owner_(owner),
        target_(new target(loop, *this, static_cast<A&&>(arguments)...)) {
    static_cast<void>(socket.release());  // not before there is no more memory to run out of
  }
  ~uring_stream();

  /// Registers with the loop; at the end of its turn, or in the next, the machine's first output is sent. With
  /// `connecting`, waits for the connection first. After an error nothing will be called. Once.
  [[nodiscard]] os_error start(transport_start from = transport_start::connected) noexcept;

  Machine& machine() noexcept { return *target_->machine; }
  Loop& loop() const noexcept { return loop_; }
  Owner& owner() const noexcept { return owner_; }

  /// As in readiness_stream.
  void touch() noexcept {
    if (attached() && !busy_) loop_.mark(*this);
  }
  void send_now() noexcept;
  void abort() noexcept {
    if (!attached()) return;
    aborting_ = true;
    touch();
  }
  bool ended() const noexcept { return ended_; }
  os_error failure() const noexcept { return {failure_, operation_, os_error_kind::system}; }

 private:
  using operation = uring_target::operation;

  /// What outlives the stream as long as the kernel may look at it.
  struct target final : uring_target {
    template <class... A>
    target(Loop& l, uring_stream& s, A&&... arguments)
        : loop(l), stream(&s), machine(std::in_place, static_cast<A&&>(arguments)...) {}
    void on_completion(operation which, int result, unsigned flags) noexcept override;

    /// Ends the loan; or, without a machine, only takes the room back. Precondition: no send is under way.
    void end_loan() noexcept {
      if (room.empty()) return;
      if (machine) machine->lend_output({});
      loop.poller().rooms().give_back(room);
      room = {};
    }

    Loop& loop;
    uring_stream* stream;
    bytes room{};              ///< lent to the machine
    std::size_t gathered = 0;  ///< bytes of the send that is under way
    std::optional<Machine> machine;
  };

  void on_ready(interest) noexcept override {}
  void on_timer() noexcept override;
  void on_marked() noexcept override { settle(); }

  void on_received(int result, unsigned flags) noexcept;
  void on_sent(int result) noexcept {
    consume(target_->gathered, result > 0 ? static_cast<std::size_t>(result) : 0, result < 0 ? -result : 0);
    target_->end_loan();
    settle();
  }
  void on_polled(int result) noexcept;

  void take(bytes received) noexcept;
  void take_held() noexcept;
  void input_ended(int code) noexcept;
  void end_of_input() noexcept {
    eof_ = true;
    machine().receive_eof(loop_.now());
    notify();
  }
  void notify() noexcept {
    busy_ = true;
    owner_.on_events(*this);
    busy_ = false;
  }
  void broke(int code, char const* what) noexcept {
    broken_ = true;
    if (failure_ != 0) return;
    failure_ = static_cast<std::uint16_t>(code);
    operation_ = what;
  }

  bool settle() noexcept;
  bool obey() noexcept;
  bool flush() noexcept;
  void consume(std::size_t total, std::size_t sent, int error) noexcept;
  bool complete_send() noexcept;
  void ask() noexcept;
  void let_go() noexcept;
  bool end() noexcept;

  bool sending() const noexcept { return target_->under_way(operation::send); }
  bool wants_read() noexcept { return !connecting_ && !eof_ && !aborting_ && machine().wants_input(); }
  bool may_send() const noexcept { return !connecting_ && !blocked_ && !broken_ && !aborting_; }

  bool connecting_ : 1 = false;
  bool busy_ : 1 = false;        ///< in the owner's hands
  bool cancelling_ : 1 = false;  ///< receiving is to end
  bool blocked_ : 1 = false;     ///< the socket takes no more: waits until it is writable
  bool eof_ : 1 = false;         ///< the machine was told of the end
  bool broken_ : 1 = false;      ///< nothing can be sent any more
  bool shut_ : 1 = false;        ///< shutdown() was called
  bool aborting_ : 1 = false;
  bool ended_ : 1 = false;
  std::uint16_t failure_ = 0;
  char const* operation_ = "connect";
  Loop& loop_;
  Owner& owner_;
  target* target_;
  uring_held held_;
};

template <class Loop, byte_machine Machine, class Owner>
uring_stream<Loop, Machine, Owner>::~uring_stream() {
  PUREWS_ASSERT(!busy_);
  loop_.detach(*this);
  let_go();
  target_->stream = nullptr;
  if (!sending()) target_->machine.reset();
  loop_.poller().ring().abandon(*target_);
}

template <class Loop, byte_machine Machine, class Owner>
os_error uring_stream<Loop, Machine, Owner>::start(transport_start from) noexcept {
  PUREWS_ASSERT(!attached() && !ended_);
  if (os_error const e = loop_.attach(*this)) return e;
  connecting_ = from == transport_start::connecting;
  loop_.mark(*this);
  return {};
}

/// By calls of its own: the room that it is to make in the machine's queue is needed before the turn ends.
template <class Loop, byte_machine Machine, class Owner>
void uring_stream<Loop, Machine, Owner>::send_now() noexcept {
  if (!attached()) return;
  touch();
  if (!complete_send()) return;
  bytes_view spans[send_spans_max];
  while (may_send()) {
    std::size_t const count = machine().gather(spans);
    if (count == 0) return;
    std::size_t total = 0;
    for (std::size_t k = 0; k < count; ++k) total += spans[k].size();
    io_result const sent = send_spans(number(), {spans, count});
    consume(total, sent.count, sent.error);
  }
}

template <class Loop, byte_machine Machine, class Owner>
void uring_stream<Loop, Machine, Owner>::target::on_completion(operation which, int result, unsigned flags) noexcept {
  bool const listens = stream != nullptr && !stream->ended_;
  if (which == operation::receive) {
    if (listens) return stream->on_received(result, flags);
    if ((flags & IORING_CQE_F_BUFFER) != 0) loop.poller().buffers().give_back(flags);
  } else if (which == operation::send) {
    if (listens) return stream->on_sent(result);
    if (machine) machine->consume_output(result > 0 ? static_cast<std::size_t>(result) : 0, loop.now());
    end_loan();
    if (stream == nullptr) machine.reset();
  } else if (listens) {
    stream->on_polled(result);
  }
}

/// Looks for input before it advances: what has arrived may be what the deadline asks for.
template <class Loop, byte_machine Machine, class Owner>
void uring_stream<Loop, Machine, Owner>::on_timer() noexcept {
  if (machine().deadline() <= loop_.now() && wants_read()) {
    target* const kept = target_;
    uring_pin const pin(loop_.poller().ring(), *kept);
    loop_.poller().look();
    if (kept->stream == nullptr || ended_) return;
  }
  if (machine().deadline() > loop_.now()) return loop_.arm_earlier(*this, machine().deadline());
  machine().advance(loop_.now());
  notify();
  settle();
}

template <class Loop, byte_machine Machine, class Owner>
void uring_stream<Loop, Machine, Owner>::on_received(int result, unsigned flags) noexcept {
  uring_buffers& buffers = loop_.poller().buffers();
  if (!target_->under_way(operation::receive)) cancelling_ = false;
  if (result > 0) {
    bytes const received = buffers.filled(flags, result);
    bool const now = held_.empty() && wants_read();
    if (now) {
      take(received);
    } else if (!eof_ && !held_.add(received)) {
      broke(ENOMEM, "recv");
      aborting_ = true;
    }
    buffers.give_back(flags);
    if (!now && !aborting_) return;
  } else {
    if ((flags & IORING_CQE_F_BUFFER) != 0) buffers.give_back(flags);
    if (result == -ENOBUFS) buffers.grow();
    if (result != -ENOBUFS && result != -ECANCELED && result != -EINTR) input_ended(-result);
  }
  settle();
}

/// The socket is writable, or broken; or the kernel could not wait for that, and sending is tried again.
template <class Loop, byte_machine Machine, class Owner>
void uring_stream<Loop, Machine, Owner>::on_polled(int result) noexcept {
  blocked_ = false;
  if (connecting_) {
    if (int const code = result < 0 ? -result : connect_outcome(number())) {
      broke(code, "connect");
      end_of_input();
    } else {
      connecting_ = false;
      notify();
    }
  }
  settle();
}

template <class Loop, byte_machine Machine, class Owner>
void uring_stream<Loop, Machine, Owner>::take(bytes received) noexcept {
  if (may_send() && !sending() && target_->room.empty()) {
    target_->room = loop_.poller().rooms().take();
    if (!target_->room.empty()) machine().lend_output(target_->room);
  }
  machine().receive(received, loop_.now());
  notify();
}

/// What came while no input was wanted: as much at once as a buffer of the ring would have held, and then the end.
template <class Loop, byte_machine Machine, class Owner>
void uring_stream<Loop, Machine, Owner>::take_held() noexcept {
  if (bytes const oldest = held_.first(uring_buffers::buffer_bytes); !oldest.empty()) {
    take(oldest);
    return held_.drop(oldest.size());
  }
  int const code = held_.end_code();
  held_.clear();
  input_ended(code);
}

/// The input has ended by itself, or by an error.
template <class Loop, byte_machine Machine, class Owner>
void uring_stream<Loop, Machine, Owner>::input_ended(int code) noexcept {
  if (!held_.empty()) return held_.end(code);
  if (code != 0) broke(code, "recv");
  if (!eof_) end_of_input();
}

// ---- Output, and what the machine wants --------------------------------------------------------------------------

/// Does what the machine wants after something has happened to it. False: the stream has ended and may be destroyed.
template <class Loop, byte_machine Machine, class Owner>
bool uring_stream<Loop, Machine, Owner>::settle() noexcept {
  loop_.unmark(*this);
  if (!obey()) return false;
  while (!held_.empty() && wants_read()) {
    take_held();
    if (!obey()) return false;
  }
  ask();
  loop_.arm_earlier(*this, machine().deadline());
  if constexpr (requires { owner_.on_settled(*this); }) {
    if (!sending()) owner_.on_settled(*this);  // what is being sent is not known to have to stay
  }
  return true;
}

template <class Loop, byte_machine Machine, class Owner>
bool uring_stream<Loop, Machine, Owner>::obey() noexcept {
  bool const sent_all = flush();
  if (!sending()) target_->end_loan();
  // With input wanted, what came before the transport broke is read first; then receiving tells of the end.
  if (broken_ && !eof_ && !machine().wants_input()) end_of_input();
  if (aborting_ || (broken_ && eof_)) return end();
  transport_action const wish = machine().transport();
  if (wish == transport_action::close) return end();
  if (wish == transport_action::shut_write && sent_all && !shut_) {
    ::shutdown(number(), SHUT_WR);
    shut_ = true;
  }
  return true;
}

/// Lets the ring send what there is, unless it is sending. True: nothing is left.
template <class Loop, byte_machine Machine, class Owner>
bool uring_stream<Loop, Machine, Owner>::flush() noexcept {
  if (!may_send() || sending()) return false;
  bytes_view spans[send_spans_max];
  std::size_t const count = machine().gather(spans);
  if (count == 0) return true;
  target_->gathered = 0;
  for (std::size_t k = 0; k < count; ++k) target_->gathered += spans[k].size();
  loop_.poller().send(number(), {spans, count}, *target_);
  return false;
}

template <class Loop, byte_machine Machine, class Owner>
void uring_stream<Loop, Machine, Owner>::consume(std::size_t total, std::size_t sent, int error) noexcept {
  machine().consume_output(sent, loop_.now());
  if (error != 0 && error != EAGAIN && error != EWOULDBLOCK && error != EINTR) {
    broke(error, "send");
    ::shutdown(number(), SHUT_WR);  // a peer that is still there (ENOBUFS) would wait for what was lost
  }
  blocked_ = !broken_ && sent < total;
}

/// Takes in the send that is under way, which is over as soon as it is submitted. False: it is not.
template <class Loop, byte_machine Machine, class Owner>
bool uring_stream<Loop, Machine, Owner>::complete_send() noexcept {
  if (!sending()) return true;
  uring_ring& ring = loop_.poller().ring();
  ring.submit();
  int result = 0;
  if (!ring.take(*target_, operation::send, result)) return false;
  consume(target_->gathered, result > 0 ? static_cast<std::size_t>(result) : 0, result < 0 ? -result : 0);
  return true;
}

/// Lets the ring wait for what is wanted, and for nothing else.
template <class Loop, byte_machine Machine, class Owner>
void uring_stream<Loop, Machine, Owner>::ask() noexcept {
  uring_ring& ring = loop_.poller().ring();
  bool const receiving = target_->under_way(operation::receive);
  bool const wants = wants_read();
  if (wants && !receiving) {
    io_uring_sqe& asks = ring.entry();
    io_uring_prep_recv_multishot(&asks, number(), nullptr, 0, 0);
    asks.flags |= IOSQE_BUFFER_SELECT;
    asks.buf_group = uring_buffers::group;
    ring.begin(asks, *target_, operation::receive);
  } else if (!wants && receiving && !cancelling_) {
    ring.cancel(*target_, operation::receive);
    cancelling_ = true;
  }
  if ((connecting_ || (blocked_ && !broken_)) && !target_->under_way(operation::poll)) {
    io_uring_sqe& asks = ring.entry();
    io_uring_prep_poll_add(&asks, number(), POLLOUT);
    ring.begin(asks, *target_, operation::poll);
  }
}

/// Closes the socket. What is under way would keep it open.
template <class Loop, byte_machine Machine, class Owner>
void uring_stream<Loop, Machine, Owner>::let_go() noexcept {
  if (number() < 0) return;
  loop_.poller().ring().cancel_now(*target_);
  if (complete_send()) target_->end_loan();
  descriptor const closes(take_number());
}

template <class Loop, byte_machine Machine, class Owner>
bool uring_stream<Loop, Machine, Owner>::end() noexcept {
  loop_.detach(*this);
  let_go();
  ended_ = true;
  owner_.on_end(*this);  // the last act: the stream may not exist any more
  return false;
}

}  // namespace purews::inline v0
