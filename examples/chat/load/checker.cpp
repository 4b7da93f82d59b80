// SPDX-License-Identifier: BSL-1.0
#include "checker.hpp"

namespace chat_load {
namespace {

std::string text(std::int64_t number) { return std::to_string(number); }

// Names have no control characters, so that this is unambiguous.
std::string key_of(message_name const& name) { return name.user + '\n' + name.id; }

std::string readable(std::string key) {
  key.replace(key.find('\n'), 1, "'s ");
  return key;
}

}  // namespace

void checker::fault(std::string const& channel, std::string const& sentence) {
  if (++faults_ <= 20) sentences_.push_back(channel + ": " + sentence);
}

// One number is one message, and one message is one number, whoever says so.
void checker::note(std::string const& channel, std::int64_t seq, message_name const& name) {
  book& known = books_[channel];
  std::string key = key_of(name);
  auto const [message, unseen] = known.at.try_emplace(seq, key);
  if (!unseen && message->second != key)
    fault(channel, text(seq) + " is both " + readable(message->second) + " and " + readable(key));
  auto const [number, unnamed] = known.seq_of.try_emplace(std::move(key), seq);
  if (!unnamed && number->second != seq)
    fault(channel, readable(number->first) + " is both " + text(number->second) + " and " + text(seq));
}

void checker::begins(std::size_t observer, std::string const& channel, std::int64_t seq) {
  for (position& p : positions_[observer])
    if (p.channel == channel) {
      p.seq = seq;
      return;
    }
  positions_[observer].push_back({channel, seq});
}

void checker::delivered(std::size_t observer, std::string const& channel, std::int64_t seq, message_name const& name) {
  ++deliveries_;
  note(channel, seq, name);
  for (position& p : positions_[observer]) {
    if (p.channel != channel) continue;
    if (seq != p.seq + 1)
      fault(channel, "observer " + std::to_string(observer) + " got " + text(seq) + " after " + text(p.seq));
    if (seq > p.seq) p.seq = seq;
    return;
  }
  fault(channel, "observer " + std::to_string(observer) + " got " + text(seq) + " without having joined");
}

void checker::acked(std::string const& channel, std::int64_t seq, message_name const& name) {
  note(channel, seq, name);
  if (books_[channel].acked.insert(seq).second) ++acknowledged_;  // a repeat is acknowledged again
}

void checker::ends(std::string const& channel, std::vector<numbered> const& stored) {
  stored_ += stored.size();
  for (std::size_t i = 0; i < stored.size(); ++i) {
    note(channel, stored[i].seq, stored[i].name);
    if (i > 0 && stored[i].seq != stored[i - 1].seq + 1)
      fault(channel, "the store has " + text(stored[i].seq) + " after " + text(stored[i - 1].seq));
  }
  std::int64_t const last = stored.empty() ? 0 : stored.back().seq;
  std::int64_t const first = stored.empty() ? 1 : stored.front().seq;
  for (auto const& [seq, key] : books_[channel].at)
    if (seq > last || seq < first)
      fault(channel, text(seq) + " was " + (books_[channel].acked.contains(seq) ? "acknowledged" : "delivered") + " (" +
                         readable(key) + "), and is not stored");
  for (std::size_t observer = 0; observer < positions_.size(); ++observer)
    for (position const& p : positions_[observer])
      if (p.channel == channel && p.seq < last)
        fault(channel, "observer " + std::to_string(observer) + " got nothing after " + text(p.seq) +
                           ", and the last one is " + text(last));
}

}  // namespace chat_load
