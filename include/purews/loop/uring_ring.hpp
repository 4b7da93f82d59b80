// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <fcntl.h>
#include <liburing.h>
#include <poll.h>

#include "os_error.hpp"
#include "source.hpp"

namespace purews::inline v0 {

/// What completions are for. It lives on the heap until the last of its operations is complete, whatever becomes of the
/// stream or listener that made it: the kernel knows it by its address, of which four bits say which operation it was.
class alignas(16) uring_target : private mark_link {
 public:
  /// What a target may have under way, one of each at a time.
  enum class operation : unsigned { receive, send, poll, accept };

  uring_target(uring_target const&) = delete;
  uring_target& operator=(uring_target const&) = delete;

  bool under_way(operation which) const noexcept { return (under_way_ & bit(which)) != 0; }
  bool at_rest() const noexcept { return under_way_ == 0; }

 protected:
  uring_target() noexcept = default;
  virtual ~uring_target() = default;

  /// One operation has come this far; whether it goes on says under_way(). `flags` are those of the completion.
  virtual void on_completion(operation which, int result, unsigned flags) noexcept = 0;

 private:
  friend class uring_ring;
  friend class uring_pin;

  static constexpr unsigned bit(operation which) noexcept { return 1U << static_cast<unsigned>(which); }

  std::uint8_t under_way_ = 0;
  std::uint8_t pins_ = 0;
  bool abandoned_ = false;
};

/// One io_uring: its queues, and who waits for what in them. Submissions are collected until the next submit() or
/// wait(). It is made on any thread, and belongs to the one that calls enable() first. Linux 6.0 and later.
class uring_ring {
 public:
  using operation = uring_target::operation;

  uring_ring() noexcept;
  uring_ring(uring_ring const&) = delete;
  uring_ring& operator=(uring_ring const&) = delete;
  /// Nothing in it may be under way for a stream or a listener that still exists.
  ~uring_ring();

  os_error error() const noexcept { return error_; }
  int number() const noexcept { return ring_.ring_fd; }
  io_uring& native() noexcept { return ring_; }

  /// Lets the kernel take submissions, from this thread alone. Before that nothing is under way.
  void enable() noexcept;
  bool enabled() const noexcept { return enabled_; }

  /// An entry for an operation, to be filled in by one of liburing's prep functions, and then told to begin().
  /// Preconditions: enabled; this thread runs the ring.
  io_uring_sqe& entry() noexcept;
  void begin(io_uring_sqe& filled, uring_target& target, operation which) noexcept;
  /// The same, for an operation of which only wait() wants to know: `sign` is below 16, and 0 means nobody.
  static void begin(io_uring_sqe& filled, unsigned sign) noexcept { io_uring_sqe_set_data64(&filled, sign); }

  /// Asks for the end of an operation; it still completes. With cancel_now() it has when that returns, so that the
  /// kernel has let go of its descriptor; all operations of the target are meant then, and what was collected is
  /// submitted.
  void cancel(uring_target& target, operation which) noexcept;
  void cancel_now(uring_target& target) noexcept;

  /// Gives up a target: it is deleted, now or after its last completion.
  void abandon(uring_target& target) noexcept;

  /// Gives what was collected to the kernel. Operations that need not wait complete in here.
  void submit() noexcept;
  /// The same, and lets complete what can.
  void submit_and_look() noexcept;
  /// The same, and waits for a completion, for at most so many milliseconds; -1: no limit.
  void submit_and_wait(std::int64_t milliseconds) noexcept;
  bool has_collected() const noexcept { return io_uring_sq_ready(&ring_) != 0; }

  /// Whether a completion of that sign waits.
  bool has_sign(unsigned sign) const noexcept;
  /// Whether one was passed over by serve() since this was asked.
  bool take_passed(unsigned sign) noexcept;

  /// Delivers what has completed until now.
  void serve() noexcept;
  /// The same, but stops before a completion of that sign, and leaves it to has_sign().
  void serve_until(unsigned sign) noexcept;

  /// Takes the completion of one operation ahead of the others. False: it is not complete. Precondition: it goes on no
  /// more when it is.
  bool take(uring_target& target, operation which, int& result) noexcept;

  unsigned long long submissions() const noexcept { return submissions_; }  ///< system calls, for measurements

 private:
  static constexpr unsigned entries = 512;
  static constexpr unsigned completions = 4096;
  static constexpr std::uint64_t operation_mask = 15;

  static std::uint64_t data_of(uring_target& target, operation which) noexcept {
    return reinterpret_cast<std::uintptr_t>(&target) | static_cast<unsigned>(which);
  }
  static int checked(int result) noexcept;
  os_error open() noexcept;
  void close() noexcept;
  io_uring_cqe* first() noexcept;
  void deliver(io_uring_cqe const& from) noexcept;
  void release(uring_target& target) noexcept;

  friend class uring_pin;

  io_uring ring_{};
  os_error error_;
  bool enabled_ = false;
  std::uint16_t passed_ = 0;  // signs
  unsigned long long submissions_ = 0;
  mark_link abandoned_;
};

/// Keeps a target from being deleted while something runs that may give it up.
class uring_pin {
 public:
  uring_pin(uring_ring& ring, uring_target& target) noexcept : ring_(ring), target_(target) { ++target_.pins_; }
  uring_pin(uring_pin const&) = delete;
  uring_pin& operator=(uring_pin const&) = delete;
  ~uring_pin() {
    --target_.pins_;
    ring_.release(target_);
  }

 private:
  uring_ring& ring_;
  uring_target& target_;
};

inline uring_ring::uring_ring() noexcept {
  ring_.ring_fd = -1;
  error_ = open();
}

inline uring_ring::~uring_ring() {
  close();
  while (!abandoned_.alone()) {
    auto* const left = static_cast<uring_target*>(abandoned_.next);
    static_cast<mark_link*>(left)->leave();
    delete left;
  }
}

/// The kernel would end what is left by itself, but later, and interrupt this thread for it.
inline void uring_ring::close() noexcept {
  if (ring_.ring_fd < 0) return;
  if (io_uring_sqe* const asks = enabled_ ? io_uring_get_sqe(&ring_) : nullptr) {
    io_uring_prep_cancel64(asks, 0, IORING_ASYNC_CANCEL_ANY);
    begin(*asks, 0);
    io_uring_submit_and_get_events(&ring_);  // in vain, if another thread has run the loop
  }
  serve();  // sockets that were accepted would stay open
  io_uring_queue_exit(&ring_);
}

/// DEFER_TASKRUN (6.1) completes operations only when the loop looks, a batch at a time. It wants a single thread,
/// which is not known yet: hence the ring begins disabled.
inline os_error uring_ring::open() noexcept {
  constexpr unsigned always = IORING_SETUP_R_DISABLED | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_SUBMIT_ALL |
                              IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE;
  int result = 0;
  for (unsigned const runs :
       {unsigned{IORING_SETUP_DEFER_TASKRUN}, IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG}) {
    io_uring_params how{};
    how.flags = always | runs;
    how.cq_entries = completions;
    result = io_uring_queue_init_params(entries, &ring_, &how);
    if (result != -EINVAL) break;
  }
  if (result < 0) {
    ring_.ring_fd = -1;
    // EINVAL is about the flags: they are newer than the kernel.
    return {result == -EINVAL ? EOPNOTSUPP : -result, "io_uring_setup", os_error_kind::system};
  }
  ::fcntl(ring_.ring_fd, F_SETFD, FD_CLOEXEC);
  io_uring_ring_dontfork(&ring_);  // a child that used it would write into the parent's queues
  // recv and accept that go on cannot be asked for; SEND_ZC came with the same kernel.
  io_uring_probe* const known = io_uring_get_probe_ring(&ring_);
  bool const recent = known != nullptr && io_uring_opcode_supported(known, IORING_OP_SEND_ZC) != 0;
  io_uring_free_probe(known);
  return recent ? os_error{} : os_error{EOPNOTSUPP, "io_uring multishot recv", os_error_kind::system};
}

/// A ring that is used by a second thread would never submit anything again.
inline int uring_ring::checked(int result) noexcept {
  PUREWS_ASSERT(result != -EEXIST && result != -EBADFD);
  return result;
}

inline void uring_ring::enable() noexcept {
  if (enabled_) return;
  // liburing 2.3 declares io_uring_enable_rings(), but does not have it.
  checked(io_uring_register(static_cast<unsigned>(ring_.ring_fd), IORING_REGISTER_ENABLE_RINGS, nullptr, 0));
  enabled_ = true;
}

inline io_uring_sqe& uring_ring::entry() noexcept {
  PUREWS_ASSERT(enabled_);
  for (;;) {
    if (io_uring_sqe* const free = io_uring_get_sqe(&ring_)) return *free;
    submit();
  }
}

inline void uring_ring::begin(io_uring_sqe& filled, uring_target& target, operation which) noexcept {
  PUREWS_ASSERT(!target.under_way(which));
  target.under_way_ |= static_cast<std::uint8_t>(uring_target::bit(which));
  io_uring_sqe_set_data64(&filled, data_of(target, which));
}

inline void uring_ring::cancel(uring_target& target, operation which) noexcept {
  io_uring_sqe& asks = entry();
  io_uring_prep_cancel64(&asks, data_of(target, which), 0);
  asks.flags |= IOSQE_CQE_SKIP_SUCCESS;
  begin(asks, 0);
}

inline void uring_ring::cancel_now(uring_target& target) noexcept {
  if (target.at_rest()) return;
  for (operation const which : {operation::receive, operation::poll, operation::accept}) {
    if (target.under_way(which)) cancel(target, which);
  }
  submit_and_look();
}

inline void uring_ring::abandon(uring_target& target) noexcept {
  target.abandoned_ = true;
  static_cast<mark_link&>(target).join(abandoned_);
  release(target);
}

inline void uring_ring::release(uring_target& target) noexcept {
  if (!target.abandoned_ || target.under_way_ != 0 || target.pins_ != 0) return;
  static_cast<mark_link&>(target).leave();
  delete &target;
}

/// The kernel may take only a part when it is short of memory; nothing may be left here, since a descriptor in it may
/// be closed next.
inline void uring_ring::submit() noexcept {
  while (has_collected()) {
    ++submissions_;
    int const taken = checked(io_uring_submit(&ring_));
    if (taken == -EBUSY) io_uring_get_events(&ring_);
  }
}

inline void uring_ring::submit_and_look() noexcept {
  ++submissions_;
  checked(io_uring_submit_and_get_events(&ring_));
  submit();
}

inline void uring_ring::submit_and_wait(std::int64_t milliseconds) noexcept {
  if (milliseconds == 0) return submit_and_look();
  ++submissions_;
  if (milliseconds < 0) {
    checked(io_uring_submit_and_wait(&ring_, 1));
  } else {
    __kernel_timespec limit{milliseconds / 1000, milliseconds % 1000 * 1'000'000};
    io_uring_cqe* one = nullptr;
    checked(io_uring_submit_and_wait_timeout(&ring_, &one, 1, &limit, nullptr));
  }
  submit();
}

inline bool uring_ring::take_passed(unsigned sign) noexcept {
  unsigned const before = passed_;
  passed_ = static_cast<std::uint16_t>(before & ~(1U << sign));
  return passed_ != before;
}

inline bool uring_ring::has_sign(unsigned sign) const noexcept {
  unsigned head = 0;
  io_uring_cqe* each = nullptr;
  io_uring_for_each_cqe(&ring_, head, each) {
    if (each->user_data == sign) return true;
  }
  return false;
}

inline io_uring_cqe* uring_ring::first() noexcept {
  io_uring_cqe* out = nullptr;
  return io_uring_peek_cqe(&ring_, &out) == 0 ? out : nullptr;
}

inline void uring_ring::serve() noexcept {
  for (unsigned left = io_uring_cq_ready(&ring_); left > 0; --left) {
    io_uring_cqe const* const next = first();
    if (next == nullptr) return;
    deliver(*next);
  }
}

inline void uring_ring::serve_until(unsigned sign) noexcept {
  for (unsigned left = io_uring_cq_ready(&ring_); left > 0; --left) {
    io_uring_cqe const* const next = first();
    if (next == nullptr || next->user_data == sign) return;
    deliver(*next);
  }
}

/// Takes the completion out of the queue first: what is called may look into it.
inline void uring_ring::deliver(io_uring_cqe const& from) noexcept {
  std::uint64_t const data = from.user_data;
  int const result = from.res;
  unsigned const flags = from.flags;
  io_uring_cq_advance(&ring_, 1);
  if (data <= operation_mask) {
    passed_ = static_cast<std::uint16_t>(passed_ | 1U << data);
    return;
  }
  auto* const target = reinterpret_cast<uring_target*>(data & ~operation_mask);
  auto const which = static_cast<operation>(data & operation_mask);
  uring_pin const pin(*this, *target);
  if ((flags & IORING_CQE_F_MORE) == 0) target->under_way_ &= static_cast<std::uint8_t>(~uring_target::bit(which));
  target->on_completion(which, result, flags);
}

inline bool uring_ring::take(uring_target& target, operation which, int& result) noexcept {
  unsigned head = 0;
  io_uring_cqe* each = nullptr;
  io_uring_for_each_cqe(&ring_, head, each) {
    if (each->user_data != data_of(target, which)) continue;
    each->user_data = 0;  // the queue is ours to write to until it is advanced
    result = each->res;
    target.under_way_ &= static_cast<std::uint8_t>(~uring_target::bit(which));
    return true;
  }
  return false;
}

}  // namespace purews::inline v0
