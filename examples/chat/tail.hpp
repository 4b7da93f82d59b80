// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <iterator>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "store.hpp"

namespace chat {

/// The end of a channel's history: how far it was published, in the order 1, 2, 3, ..., and the messages around that
/// place which somebody still needs.
class tail {
 public:
  static constexpr std::size_t kept_messages_max = 1024;

  /// Before it begins nothing is known, and nothing is published.
  [[nodiscard]] bool has_begun() const { return !epoch_.empty(); }
  [[nodiscard]] std::string const& epoch() const { return epoch_; }
  [[nodiscard]] std::int64_t position() const { return position_; }  ///< the seq that was published last

  void begin(std::string const& epoch, std::int64_t position) { epoch_ = epoch, position_ = position; }
  void forget_all() { *this = {}; }

  /// The store has everything up to there for sure.
  void know(std::int64_t seq) { known_ = std::max(known_, seq); }
  [[nodiscard]] bool is_behind() const { return known_ > position_; }
  /// It is behind, and what comes next must be read.
  [[nodiscard]] bool lacks_next() const { return is_behind() && !kept_.contains(position_ + 1); }

  /// Keeps a message until it can be published, and while somebody may need it who is joining.
  void keep(stored_message m) {
    auto const seq = m.seq;
    kept_.emplace(seq, std::move(m));
    if (kept_.size() <= kept_messages_max) return;
    // Who needs it has to read it.
    kept_.erase(kept_.begin()->first <= position_ ? kept_.begin() : std::prev(kept_.end()));
  }
  /// What is to be published next, which counts as published then; null: it is not here.
  [[nodiscard]] stored_message const* publish_next() {
    auto const next = kept_.find(position_ + 1);
    return next == kept_.end() ? nullptr : (++position_, &next->second);
  }

  /// Whether all that was published after a number is still here, and that number was reached.
  [[nodiscard]] bool covers(std::int64_t seq) const {
    return seq <= position_ && std::distance(kept_.upper_bound(seq), kept_.upper_bound(position_)) == position_ - seq;
  }
  [[nodiscard]] std::vector<stored_message> published_after(std::int64_t seq) const {
    std::vector<stored_message> found;
    for (auto each = kept_.upper_bound(seq); each != kept_.upper_bound(position_); ++each)
      found.push_back(each->second);
    return found;
  }
  /// Nobody is joining.
  void forget_published() { kept_.erase(kept_.begin(), kept_.upper_bound(position_)); }

 private:
  std::string epoch_{};
  std::int64_t position_ = 0;
  std::int64_t known_ = 0;
  std::map<std::int64_t, stored_message> kept_{};  // by seq
};

}  // namespace chat
