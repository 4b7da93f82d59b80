// SPDX-License-Identifier: BSL-1.0
// Operations of an io_uring that fail. One that is to fail from the start is submitted as one that does nothing, and
// its completion is given the error; one that goes on is cancelled, and its last completion is given the error.
#include <liburing.h>

#include "faults.hpp"
#include "purews/loop/uring_ring.hpp"

namespace faults {
namespace {

/// The operation that fails, by what the library knows it by. Of this thread, as rings are.
struct doomed {
  std::uint64_t data = 0;
  bool goes_on = false;  ///< is to be cancelled
};
thread_local doomed strikes;
/// Up to where completions were counted, and in which ring.
thread_local io_uring const* looked_at = nullptr;
thread_local unsigned looked_until = 0;

int countable(io_uring_sqe const& asks) {
  switch (asks.opcode) {
    case IORING_OP_ACCEPT:
      return static_cast<int>(call::ring_accept);
    case IORING_OP_RECV:
      return static_cast<int>(call::ring_recv);
    case IORING_OP_SEND:
      return static_cast<int>(call::ring_send);
    case IORING_OP_SENDMSG:
      return static_cast<int>(call::ring_sendmsg);
    case IORING_OP_POLL_ADD:
      return static_cast<int>(call::ring_poll);
    case IORING_OP_ASYNC_CANCEL:
      return static_cast<int>(call::ring_cancel);
  }
  return -1;
}

/// Looks at what is about to be submitted.
void before(io_uring* ring) {
  for (unsigned at = ring->sq.sqe_head; at != ring->sq.sqe_tail; ++at) {
    io_uring_sqe& asks = ring->sq.sqes[at & ring->sq.ring_mask];
    int const which = countable(asks);
    if (which < 0 || !fails(static_cast<call>(which))) continue;
    strikes = {asks.user_data};
    unsigned const flags = asks.flags & IOSQE_CQE_SKIP_SUCCESS;  // of a cancellation nobody wants to know
    io_uring_prep_nop(&asks);
    asks.flags = static_cast<__u8>(flags);
    asks.user_data = strikes.data;
  }
  if (!strikes.goes_on) return;
  if (io_uring_sqe* const ends = io_uring_get_sqe(ring)) {
    io_uring_prep_cancel64(ends, strikes.data, 0);
    ends->flags |= IOSQE_CQE_SKIP_SUCCESS;
    strikes.goes_on = false;
  }
}

/// Looks at what has completed.
int after(io_uring* ring, int result) {
  unsigned const tail = *ring->cq.ktail;
  if (looked_at != ring) looked_until = *ring->cq.khead;
  looked_at = ring;
  for (; looked_until != tail; ++looked_until) {
    io_uring_cqe& done = ring->cq.cqes[looked_until & ring->cq.ring_mask];
    using operation = purews::uring_target::operation;
    auto const what = static_cast<operation>(done.user_data & 15);
    bool const goes_on = (done.flags & IORING_CQE_F_MORE) != 0;
    if (goes_on && fails(what == operation::accept ? call::ring_accept_more : call::ring_recv_more))
      strikes = {done.user_data, true};
    if (strikes.data == 0 || done.user_data != strikes.data || goes_on || done.res > 0) continue;
    done.res = -now.code;
    strikes.data = 0;
  }
  return result;
}

}  // namespace
}  // namespace faults

extern "C" {
int __real_io_uring_queue_init_params(unsigned, io_uring*, io_uring_params*);
io_uring_probe* __real_io_uring_get_probe_ring(io_uring*);
int __real_io_uring_register_buf_ring(io_uring*, io_uring_buf_reg*, unsigned);
int __real_io_uring_submit(io_uring*);
int __real_io_uring_submit_and_get_events(io_uring*);
int __real_io_uring_submit_and_wait(io_uring*, unsigned);
int __real_io_uring_submit_and_wait_timeout(io_uring*, io_uring_cqe**, unsigned, __kernel_timespec*, sigset_t*);

int __wrap_io_uring_queue_init_params(unsigned entries, io_uring* ring, io_uring_params* how) {
  if (faults::fails(faults::call::uring_setup)) return -faults::now.code;
  return __real_io_uring_queue_init_params(entries, ring, how);
}
io_uring_probe* __wrap_io_uring_get_probe_ring(io_uring* ring) {
  return faults::fails(faults::call::uring_probe) ? nullptr : __real_io_uring_get_probe_ring(ring);
}
int __wrap_io_uring_register_buf_ring(io_uring* ring, io_uring_buf_reg* where, unsigned flags) {
  if (faults::fails(faults::call::uring_buffers)) return -faults::now.code;
  return __real_io_uring_register_buf_ring(ring, where, flags);
}
int __wrap_io_uring_submit(io_uring* ring) {
  if (faults::fails(faults::call::uring_submit)) return -faults::now.code;
  faults::before(ring);
  return faults::after(ring, __real_io_uring_submit(ring));
}
int __wrap_io_uring_submit_and_get_events(io_uring* ring) {
  if (faults::fails(faults::call::uring_look)) return -faults::now.code;
  faults::before(ring);
  return faults::after(ring, __real_io_uring_submit_and_get_events(ring));
}
int __wrap_io_uring_submit_and_wait(io_uring* ring, unsigned count) {
  if (faults::fails(faults::call::uring_wait)) return -faults::now.code;
  faults::before(ring);
  return faults::after(ring, __real_io_uring_submit_and_wait(ring, count));
}
int __wrap_io_uring_submit_and_wait_timeout(io_uring* ring, io_uring_cqe** out, unsigned count,
                                            __kernel_timespec* limit, sigset_t* mask) {
  if (faults::fails(faults::call::uring_wait_timeout)) return -faults::now.code;
  faults::before(ring);
  return faults::after(ring, __real_io_uring_submit_and_wait_timeout(ring, out, count, limit, mask));
}
}
