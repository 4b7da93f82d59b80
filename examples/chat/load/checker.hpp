// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace chat_load {

/// Who sent it and under which id: what a message is known by before it has a number, and for ever.
struct message_name {
  std::string user, id;
};

/// A message where the store has it.
struct numbered {
  std::int64_t seq = 0;
  message_name name;
};

/// What the chat promised to many observers, compared with what it did (docs/delivery.md): what is acknowledged is
/// stored; what is stored is delivered, to all in the same order, once, without a gap. No I/O: tell it all that the
/// observers see, and at the end what the store has.
class checker {
 public:
  explicit checker(std::size_t observers) : positions_(observers) {}

  /// An observer has begun to watch the channel, which has `seq` messages already. Also after a reload.
  void begins(std::size_t observer, std::string const& channel, std::int64_t seq);
  void delivered(std::size_t observer, std::string const& channel, std::int64_t seq, message_name const& name);
  void acked(std::string const& channel, std::int64_t seq, message_name const& name);

  /// All that the store has of a channel, from `stored`'s first one on, oldest first. At the end, once.
  void ends(std::string const& channel, std::vector<numbered> const& stored);

  std::uint64_t faults() const { return faults_; }
  std::vector<std::string> const& first_faults() const { return sentences_; }  ///< at most 20

  std::uint64_t acknowledged() const { return acknowledged_; }
  std::uint64_t deliveries() const { return deliveries_; }
  std::uint64_t stored() const { return stored_; }

 private:
  struct book {
    std::unordered_map<std::string, std::int64_t> seq_of;
    std::unordered_map<std::int64_t, std::string> at;
    std::unordered_set<std::int64_t> acked;
  };
  struct position {
    std::string channel;
    std::int64_t seq = 0;
  };

  void note(std::string const& channel, std::int64_t seq, message_name const& name);
  void fault(std::string const& channel, std::string const& sentence);

  std::unordered_map<std::string, book> books_;
  std::vector<std::vector<position>> positions_;  // of each observer, in the channels that it watches
  std::vector<std::string> sentences_;
  std::uint64_t faults_ = 0, acknowledged_ = 0, deliveries_ = 0, stored_ = 0;
};

}  // namespace chat_load
