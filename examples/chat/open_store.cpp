// SPDX-License-Identifier: BSL-1.0
#include "open_store.hpp"

#include <algorithm>
#include <chrono>

namespace chat {

std::optional<store_error> store_flaw(std::string const& where) {
  if (where == "memory:" || (where.starts_with("sqlite:") && where != "sqlite:")) return std::nullopt;
  if (!where.starts_with("postgres://") && !where.starts_with("postgresql://"))
    return store_error{"there is no store '" + where.substr(0, where.find("//")) +
                       "': use --store sqlite:FILE, --store postgres://USER@HOST/DATABASE or --store memory:"};
#ifdef CHAT_POSTGRES
  return std::nullopt;
#else
  return store_error{
      "this chat_server was built without PostgreSQL: install libpq-dev and build it again, or use "
      "--store sqlite:FILE"};
#endif
}

/// Leaves out the beginning of a page that is too old.
static void leave_out(page& found, std::int64_t before_ms) {
  auto& all = found.messages;
  auto const first = std::find_if(all.begin(), all.end(), [=](auto const& m) { return m.time >= before_ms; });
  if (first == all.begin()) return;
  all.erase(all.begin(), first);
  found.more = false;
}

result<std::unique_ptr<store>> open_store(std::string const& where, purews::default_loop& loop, store_setup setup) {
  if (auto const flaw = store_flaw(where)) return *flaw;
  if (setup.keep.days > 0)
    setup.answered = [tell = std::move(setup.answered), keep = setup.keep](answer what) {
      using namespace std::chrono;
      auto const now = duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
      if (auto* const found = std::get_if<page>(&what.what)) leave_out(*found, keep.oldest_ms(now));
      tell(std::move(what));
    };
  if (where == "memory:") return open_sqlite(":memory:", loop, std::move(setup));
#ifdef CHAT_POSTGRES
  if (where.starts_with("postgres")) return open_postgres(where, loop, std::move(setup));
#endif
  return open_sqlite(where.substr(where.find(':') + 1), loop, std::move(setup));
}

}  // namespace chat
