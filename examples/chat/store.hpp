// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace chat {

/// What a sender wants to be kept. (channel, user, device, id) names it for ever: a repeat is the same message.
struct new_message {
  std::string channel, user, device, id, text;
};

/// What became of a new_message: a number of its own, or the one that it already had.
struct receipt {
  enum class outcome { stored, duplicate } what = outcome::stored;
  std::int64_t seq = 0;   ///< 1, 2, 3, ... in its channel, without gaps
  std::int64_t time = 0;  ///< milliseconds since 1970
  std::string epoch{};    ///< of its channel
};

struct stored_message {
  std::string user, id, text;
  std::int64_t seq = 0;
  std::int64_t time = 0;
};

/// A part of a channel's past, as it was at one moment. The numbers of two epochs have nothing to do with each other.
struct page {
  std::string epoch{};
  std::int64_t newest = 0;                 ///< the last seq that was given in this channel, 0 for none
  std::vector<stored_message> messages{};  ///< oldest first
  bool more = false;                       ///< of newest and before: whether there are still older ones
};

/// How far a channel is. An unknown one has no epoch.
struct head {
  std::string channel{};
  std::string epoch{};
  std::int64_t newest = 0;
};

/// One sentence for the operator: what is wrong, and what to do.
struct store_error {
  std::string sentence;
};

using ticket = std::uint64_t;  ///< tells the answers apart; chosen by who asks

/// Keep all messages or none. The answer, a receipt for each in their order, means that they are durable. A repeat,
/// also within the batch, gets its first seq and time, and uses no number up.
struct append_request {
  ticket number;
  std::shared_ptr<std::vector<new_message> const> batch;  // shared between threads, and never changed
  std::int64_t now_ms;
};

/// Read up to `limit` messages of a channel: its last ones, those right before `seq`, or those right after it. An
/// unknown channel comes into being, with a new epoch.
struct read_request {
  enum class from { newest, before, after } what = from::newest;
  ticket number = 0;
  std::string channel{};
  std::int64_t seq = 0;
  std::size_t limit = 0;
};

/// Tell how far these channels are, in their order: the cheap way to see whether somebody else has stored something.
struct heads_request {
  ticket number = 0;
  std::vector<std::string> channels{};
};

/// Receipts, a page or heads, as was asked for. After an error nobody knows whether a batch was stored or not: its
/// senders have to repeat it.
struct answer {
  ticket to = 0;
  std::variant<std::vector<receipt>, page, std::vector<head>, store_error> what;
};

/// The truth of the chat: what it acknowledged is there after a crash. It works beside the loop, and each request gets
/// one answer, on the loop's thread, never from inside submit().
class store {
 public:
  virtual ~store() = default;
  virtual void submit(append_request what) = 0;
  virtual void submit(read_request what) = 0;
  virtual void submit(heads_request what) = 0;
  virtual bool ready() const { return true; }    ///< whether it can be reached, as far as is known
  virtual bool shared() const { return false; }  ///< whether others may store in it, too
};

}  // namespace chat
