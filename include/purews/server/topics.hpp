// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <map>
#include <string>

#include "session.hpp"

namespace purews::inline v0 {

/// The sessions of one loop that receive what is published under one name.
struct topic {
  std::string name;
  std::vector<session*> members;
};

/// Who on one loop is subscribed to what. Publishing calls no handler, so nothing can change while it goes on.
class topic_table {
 public:
  topic_table() = default;
  topic_table(topic_table const&) = delete;
  topic_table& operator=(topic_table const&) = delete;
  ~topic_table() { PUREWS_ASSERT(topics_.empty()); }

  /// Throws only std::bad_alloc, and has done nothing then.
  void subscribe(session& who, std::string_view name);
  void unsubscribe(session& who, std::string_view name) noexcept;
  void unsubscribe_all(session& who) noexcept;

  /// Sends to every member. One whose queue is full is closed with 1013 rather than left with a hole in what it
  /// was sent. Returns how many accepted it.
  std::size_t publish(std::string_view name, prepared_message const& shared) noexcept;

  std::size_t member_count(std::string_view name) const noexcept;

 private:
  void remove(session& who, std::size_t subscription_index) noexcept;

  std::map<std::string, topic, std::less<>> topics_;
};

inline void topic_table::subscribe(session& who, std::string_view name) {
  for (auto const& mine : who.subscriptions_)
    if (mine.to->name == name) return;
  auto found = topics_.find(name);
  bool const made = found == topics_.end();
  if (made) found = topics_.emplace(std::string(name), topic{std::string(name), {}}).first;
  topic& to = found->second;
  try {
    who.subscriptions_.push_back({&to, to.members.size()});
    to.members.push_back(&who);
  } catch (std::bad_alloc const&) {
    if (!who.subscriptions_.empty() && who.subscriptions_.back().to == &to) who.subscriptions_.pop_back();
    if (made) topics_.erase(found);
    throw;
  }
}

inline void topic_table::unsubscribe(session& who, std::string_view name) noexcept {
  for (std::size_t i = 0; i < who.subscriptions_.size(); ++i) {
    if (who.subscriptions_[i].to->name != name) continue;
    remove(who, i);
    return;
  }
}

inline void topic_table::unsubscribe_all(session& who) noexcept {
  while (!who.subscriptions_.empty()) remove(who, who.subscriptions_.size() - 1);
}

inline std::size_t topic_table::publish(std::string_view name, prepared_message const& shared) noexcept {
  auto const found = topics_.find(name);
  if (found == topics_.end()) return 0;
  std::size_t accepted = 0;
  for (session* const member : found->second.members) {
    refusal const result = member->send(shared);
    if (result == refusal::none) ++accepted;
    if (result == refusal::queue_full) member->close(status_code::try_again_later, "too slow");
  }
  return accepted;
}

inline std::size_t topic_table::member_count(std::string_view name) const noexcept {
  auto const found = topics_.find(name);
  return found == topics_.end() ? 0 : found->second.members.size();
}

// The last member takes the place of the one that leaves.
inline void topic_table::remove(session& who, std::size_t subscription_index) noexcept {
  auto const leaving = who.subscriptions_[subscription_index];
  who.subscriptions_[subscription_index] = who.subscriptions_.back();
  who.subscriptions_.pop_back();
  auto& members = leaving.to->members;
  session* const moved = members.back();
  members[leaving.index] = moved;
  members.pop_back();
  for (auto& theirs : moved->subscriptions_)
    if (theirs.to == leaving.to) theirs.index = leaving.index;
  if (members.empty()) topics_.erase(topics_.find(leaving.to->name));
}

}  // namespace purews::inline v0
