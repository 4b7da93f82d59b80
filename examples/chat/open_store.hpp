// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <functional>
#include <optional>
#include <purews/loop/default_loop.hpp>

#include "store.hpp"

namespace chat {

/// How much of each channel is kept, and known when it is repeated; 0: all of it. A channel forgets the rest when
/// something is stored in it; what is too old is not shown before that either.
struct retention {
  std::int64_t messages = 0;
  std::int64_t days = 0;

  /// The time of the oldest message that is kept.
  std::int64_t oldest_ms(std::int64_t now_ms) const { return days == 0 ? INT64_MIN : now_ms - days * 86'400'000; }
};

/// What a store tells, on the loop's thread, and how much it keeps.
struct store_setup {
  std::function<void(answer)> answered;
  std::function<void(store_error const&)> report;  ///< for the operator: what is wrong apart from any request
  retention keep{};
};

template <class T>
using result = std::variant<T, store_error>;

/// What is wrong with the name of a store, if anything is.
[[nodiscard]] std::optional<store_error> store_flaw(std::string const& where);

/// Opens a store on a loop, which must live longer:
///   sqlite:FILE      created if it is not there, and checked to be whole and ours; it serves one process
///   memory:          the same without a file: at most 64 MiB, gone with the program, for tests and a first look
///   postgres://...   a database of PostgreSQL 13 or later; it is connected to when it can be reached
[[nodiscard]] result<std::unique_ptr<store>> open_store(std::string const& where, purews::default_loop& loop,
                                                        store_setup setup);

// Each in a file of its own; open_store.cpp knows which are there.
[[nodiscard]] result<std::unique_ptr<store>> open_sqlite(std::string const& file, purews::default_loop& loop,
                                                         store_setup setup);
[[nodiscard]] result<std::unique_ptr<store>> open_postgres(std::string const& url, purews::default_loop& loop,
                                                           store_setup setup);

}  // namespace chat
