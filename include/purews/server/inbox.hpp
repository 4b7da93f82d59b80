// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <vector>

#include "../loop/callback.hpp"
#include "../loop/handover_queue.hpp"
#include "../loop/waker.hpp"

namespace purews::inline v0 {

class session;

/// Where a session is found by those who must not touch it: a place in a table, and how often the place was given away
/// before.
struct session_place {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;

  friend constexpr bool operator==(session_place, session_place) noexcept = default;
};

/// What became of a call to a session_handle.
enum class handover : std::uint8_t {
  queued,        ///< it is on its way; if the session ends before, it is dropped and counted
  stale,         ///< the session has ended
  full,          ///< too much is waiting for this loop: server_options::inbox_max
  invalid_utf8,  ///< the text is not UTF-8
  out_of_memory,
};

/// What other threads want of the sessions of one loop. It outlives its loop for as long as there are handles to it.
/// Bounded, without locks, and with one wake-up for each burst.
class session_inbox {
 public:
  using command = callback<void(session&)>;

  /// Takes at most `waiting_max` commands at a time. It begins with one reference.
  explicit session_inbox(std::uint32_t waiting_max) noexcept : waiting_max_(waiting_max) {}
  session_inbox(session_inbox const&) = delete;
  session_inbox& operator=(session_inbox const&) = delete;

  // Any thread.

  void hold() noexcept { __atomic_add_fetch(&references_, 1, __ATOMIC_RELAXED); }
  void drop() noexcept {
    if (__atomic_sub_fetch(&references_, 1, __ATOMIC_ACQ_REL) == 0) delete this;
  }

  /// Whether nobody is at `place` any more.
  bool is_stale(session_place place) const noexcept;

  /// Hands `task` over to the session at `place`. Throws only std::bad_alloc.
  handover push(session_place place, command task);
  /// The same for an answer that is expected: it is taken beyond the bound, and waits where memory has run out.
  template <class F>
  void push_answer(session_place place, F task) noexcept;

  /// Does `attempt` until memory suffices: for a thread that may wait. What throws must have changed nothing.
  template <class F>
  static void with_patience(F attempt) noexcept;

  /// Makes number() readable. Async-signal-safe.
  void wake() noexcept { waker_.wake(); }

  // The loop's thread.

  os_error error() const noexcept { return waker_.error(); }
  int number() const noexcept { return waker_.number(); }
  void clear_wake() noexcept { waker_.clear(); }

  /// Gives `who` a place. False: memory ran out, or there are 4,194,304 already.
  [[nodiscard]] bool enter(session& who, session_place& place) noexcept;
  void leave(session_place place) noexcept;

  /// Gives what was pushed before this call to `each`, with its session; says how many found none.
  template <class F>
  std::size_t run(F each) noexcept;

  /// Nobody is here any more: whatever comes is stale, and what waits is destroyed with the last handle.
  void close() noexcept;

 private:
  static constexpr std::uint32_t chunk_slots = 4096;
  static constexpr std::uint32_t chunks_max = 1024;

  struct letter {
    session_place place;
    command task;
  };

  ~session_inbox() {
    for (std::uint32_t* const chunk : chunks_) delete[] chunk;
  }

  void enqueue(letter& made);
  std::uint32_t* generation_of(std::uint32_t slot) const noexcept {
    std::uint32_t* const chunk = __atomic_load_n(&chunks_[slot / chunk_slots], __ATOMIC_ACQUIRE);
    return chunk + slot % chunk_slots;
  }

  waker waker_;
  handover_queue<letter> letters_;
  std::uint32_t references_ = 1;  // atomic
  std::int64_t waiting_ = 0;      // atomic: letters; counted after they were pushed, so that it may be too low
  std::uint32_t const waiting_max_;
  bool closed_ = false;                     // atomic
  std::uint32_t* chunks_[chunks_max] = {};  // atomic pointers to atomic generations
  std::vector<session*> sessions_;          // by slot; null: free
  std::vector<std::uint32_t> free_;
};

inline bool session_inbox::is_stale(session_place place) const noexcept {
  return __atomic_load_n(&closed_, __ATOMIC_ACQUIRE) ||
         __atomic_load_n(generation_of(place.slot), __ATOMIC_ACQUIRE) != place.generation;
}

inline handover session_inbox::push(session_place place, command task) {
  if (is_stale(place)) return handover::stale;
  if (__atomic_load_n(&waiting_, __ATOMIC_RELAXED) >= static_cast<std::int64_t>(waiting_max_)) return handover::full;
  letter made{place, static_cast<command&&>(task)};
  enqueue(made);
  return handover::queued;
}

template <class F>
void session_inbox::push_answer(session_place place, F task) noexcept {
  letter made{place, {}};
  with_patience([&] { made.task = static_cast<F&&>(task); });
  with_patience([&] { enqueue(made); });
}

template <class F>
void session_inbox::with_patience(F attempt) noexcept {
  for (;;) {
    try {
      return attempt();
    } catch (std::bad_alloc const&) {
      ::usleep(1000);
    }
  }
}

inline void session_inbox::enqueue(letter& made) {
  bool const first = letters_.push_from(made);
  __atomic_add_fetch(&waiting_, 1, __ATOMIC_RELAXED);
  if (first) waker_.wake();
  // Closed meanwhile: what nobody will read must not keep alive what it holds, this inbox perhaps.
  if (__atomic_load_n(&closed_, __ATOMIC_SEQ_CST)) letters_.clear();
}

inline bool session_inbox::enter(session& who, session_place& place) noexcept {
  if (free_.empty()) {
    auto const slot = static_cast<std::uint32_t>(sessions_.size());
    if (slot == chunk_slots * chunks_max) return false;
    if (chunks_[slot / chunk_slots] == nullptr) {
      auto* const chunk = new (std::nothrow) std::uint32_t[chunk_slots]();
      if (chunk == nullptr) return false;
      __atomic_store_n(&chunks_[slot / chunk_slots], chunk, __ATOMIC_RELEASE);
    }
    try {
      if (slot == sessions_.capacity()) sessions_.reserve(slot < 8 ? 16 : 2 * std::size_t{slot});
      free_.reserve(sessions_.capacity());  // so that leave() cannot fail
    } catch (std::bad_alloc const&) {
      return false;
    }
    sessions_.push_back(nullptr);
    free_.push_back(slot);
  }
  place.slot = free_.back();
  place.generation = *generation_of(place.slot);
  free_.pop_back();
  sessions_[place.slot] = &who;
  return true;
}

inline void session_inbox::leave(session_place place) noexcept {
  PUREWS_ASSERT(sessions_[place.slot] != nullptr && *generation_of(place.slot) == place.generation);
  __atomic_store_n(generation_of(place.slot), place.generation + 1, __ATOMIC_RELEASE);
  sessions_[place.slot] = nullptr;
  free_.push_back(place.slot);
}

template <class F>
std::size_t session_inbox::run(F each) noexcept {
  std::size_t missed = 0;
  std::size_t const taken = letters_.take([&](letter& got) {
    bool const here = *generation_of(got.place.slot) == got.place.generation;
    here ? each(*sessions_[got.place.slot], got.task) : static_cast<void>(++missed);
  });
  __atomic_sub_fetch(&waiting_, static_cast<std::int64_t>(taken), __ATOMIC_RELAXED);
  return missed;
}

inline void session_inbox::close() noexcept {
  __atomic_store_n(&closed_, true, __ATOMIC_SEQ_CST);
  letters_.clear();
}

}  // namespace purews::inline v0
