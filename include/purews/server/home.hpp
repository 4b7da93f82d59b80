// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <string>

#include "counters.hpp"
#include "session_handle.hpp"
#include "topics.hpp"
#include "work_pool.hpp"

namespace purews::inline v0 {

/// What all sessions of one loop have in common.
struct session_home {
  /// Without a `pool`, session::work() must not be called.
  explicit session_home(std::uint32_t inbox_max, work_pool* pool = nullptr)
      : inbox(*new session_inbox(inbox_max)), workers(pool) {}
  session_home(session_home const&) = delete;
  session_home& operator=(session_home const&) = delete;
  ~session_home() {
    inbox.close();
    inbox.drop();
  }

  topic_table topics;
  counter_set counters;
  session_inbox& inbox;
  work_pool* const workers;
};

/// The answers of a session's work, in the order in which it was asked for.
struct session::work_line {
  struct early {
    std::uint32_t ticket;
    session_inbox::command done;
  };

  std::uint32_t asked = 0;
  std::uint32_t due = 0;
  std::vector<early> waiting;  // for those that were asked for before
};

inline session::~session() {
  leave();
  delete works_;
}

inline void session::leave() noexcept {
  home_.topics.unsubscribe_all(*this);
  if (entered_) home_.inbox.leave(place_);
  entered_ = false;
}

inline void session::subscribe(std::string_view name) { home_.topics.subscribe(*this, name); }
inline void session::unsubscribe(std::string_view name) { home_.topics.unsubscribe(*this, name); }

inline void session::count_sent(std::size_t size, refusal result) noexcept {
  if (result != refusal::none) return home_.counters.add(&server_counters::sends_refused);
  home_.counters.add(&server_counters::messages_sent);
  home_.counters.add(&server_counters::bytes_sent, size);
}

inline bool session::enter() {
  if (!entered_) entered_ = current() != state::closed && home_.inbox.enter(*this, place_);
  return entered_;
}

inline session_handle session::handle() { return enter() ? session_handle(home_.inbox, place_) : session_handle(); }

template <class Work, class Done>
refusal session::work(Work work, Done done) {
  PUREWS_ASSERT(home_.workers != nullptr);
  if (!enter()) return refusal::not_open;
  if (works_ == nullptr) works_ = new work_line;
  // So that an answer that comes too early can be kept.
  std::size_t const owed = works_->asked - works_->due + std::size_t{1};
  if (owed > works_->waiting.capacity()) works_->waiting.reserve(2 * owed);
  callback<void()> job = [to = handle(), ticket = works_->asked, work = static_cast<Work&&>(work),
                          done = static_cast<Done&&>(done)]() mutable {
    auto const answer = [&](auto last) {
      session_inbox::command ready;
      session_inbox::with_patience([&] { ready = static_cast<decltype(last)&&>(last); });
      to.inbox_->push_answer(to.place_, [ticket, ready = static_cast<session_inbox::command&&>(ready)](
                                            session& s) mutable { s.finish_work(ticket, ready); });
    };
    if constexpr (std::is_void_v<decltype(work())>) {
      work();
      answer(static_cast<Done&&>(done));
    } else {
      answer([result = work(), done = static_cast<Done&&>(done)](session& s) mutable {
        done(s, static_cast<decltype(result)&&>(result));
      });
    }
  };
  if (!home_.workers->push(job)) return refusal::queue_full;
  ++works_->asked;
  return refusal::none;
}

inline void session::finish_work(std::uint32_t ticket, session_inbox::command& done) {
  works_->waiting.push_back({ticket, static_cast<session_inbox::command&&>(done)});
  for (std::size_t i = 0; i < works_->waiting.size();) {
    if (works_->waiting[i].ticket != works_->due) {
      ++i;
      continue;
    }
    session_inbox::command next = static_cast<session_inbox::command&&>(works_->waiting[i].done);
    works_->waiting.erase(works_->waiting.begin() + static_cast<std::ptrdiff_t>(i));
    ++works_->due;
    i = 0;
    if (entered_) next(*this);
  }
}

}  // namespace purews::inline v0
