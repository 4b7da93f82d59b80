// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
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
};

struct stored_message {
  std::string user, id, text;
  std::int64_t seq = 0;
  std::int64_t time = 0;
};

/// The end of a channel's past. The numbers of two epochs have nothing to do with each other.
struct past {
  std::string epoch;
  std::vector<stored_message> messages;  ///< oldest first
};

/// One sentence for the operator: what is wrong, and what to do.
struct store_error {
  std::string sentence;
};

template <class T>
using result = std::variant<T, store_error>;

/// The truth of the chat: what it acknowledged is there after a crash. One thread uses it.
class store {
 public:
  virtual ~store() = default;

  /// Keeps all messages or none. When it returns receipts (one per message, in their order) they are durable.
  /// A repeat, also within the batch, gets its first seq and time, and uses no number up.
  [[nodiscard]] virtual result<std::vector<receipt>> append(std::span<new_message const> batch,
                                                            std::int64_t now_ms) = 0;

  /// Reads the last `count` messages of a channel; an unknown channel comes into being, with a new epoch.
  [[nodiscard]] virtual result<past> history(std::string const& channel, std::size_t count) = 0;
};

/// Opens `sqlite:FILE`, created if it is not there and checked to be whole and ours (it serves one process), or
/// `memory:`, the same without a file: at most 64 MiB, gone with the program, for tests and a first look.
[[nodiscard]] result<std::unique_ptr<store>> open_store(std::string const& where);

}  // namespace chat
