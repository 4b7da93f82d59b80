// SPDX-License-Identifier: BSL-1.0
#include "hub.hpp"

#include <algorithm>

namespace chat {

void hub::received(client_id who, request const& what, std::int64_t now_us) {
  now_us_ = now_us;
  auto const at = clients_.find(who);
  if (at == clients_.end()) return;  // already closed: this was on its way
  judge(who, at->second, std::visit([&](auto const& asked) { return handle(who, at->second, asked); }, what));
}

void hub::disconnected(client_id who) {
  auto const at = clients_.find(who);
  if (at == clients_.end()) return;
  while (!at->second.joined.empty()) part(who, at->second, std::string(at->second.joined.begin()->first));
  clients_.erase(at);
}

void hub::review() {
  for (auto& [who, each] : clients_) {
    std::vector<std::string> closed;
    for (auto const& [name, as] : each.joined)
      if (!may_(as.user, action::join, name)) closed.push_back(name);
    for (auto const& name : closed) {
      part(who, each, name);
      outputs_.push_back(to_client{who, fault{"removed", "you may not be in this channel any more", name, {}}});
    }
  }
}

void hub::held(client_id who) {
  if (auto const at = clients_.find(who); at != clients_.end()) at->second.held = true;
}

void hub::released(client_id who) {
  auto const at = clients_.find(who);
  if (at == clients_.end()) return;
  at->second.held = false;
  ask_next(at->second);
}

void hub::judge(client_id who, client& from, std::optional<fault> const& wrong) {
  if (wrong) outputs_.push_back(to_client{who, *wrong});
  auto const ending = from.behaviour.judge(wrong);
  if (!ending) return;
  outputs_.push_back(close_client{who, ending->code, ending->reason});
  disconnected(who);
}

/// Counts one more message, if it may be sent now.
std::optional<fault> hub::too_fast(client& from, std::string const& user, std::string const& channel,
                                   std::string const& id) {
  auto const wait_ms = rates_.take(from.behaviour, user, now_us_);
  if (wait_ms == 0) return std::nullopt;
  return fault{"rate_limited", "slow down, and send it again", channel, id, wait_ms};
}

// Requests.

static fault not_joined(std::string const& channel, std::string const& id = {}) {
  return {"not_joined", "join this channel first", channel, id};
}

static fault forbidden(std::string const& channel, std::string const& id = {}) {
  return {"forbidden", "you may not do this in this channel", channel, id};
}

std::optional<fault> hub::handle(client_id, client&, authenticate const&) {
  return fault{"unsupported", "this server asks nobody for a token", {}, {}};
}

std::optional<fault> hub::handle(client_id who, client& from, join const& asked) {
  auto const& name = asked.channel;
  if (!may_(asked.user, action::join, name)) return forbidden(name);
  if (from.joined.contains(name)) return fault{"already_joined", "you are in this channel", name, {}};
  if (from.joined.size() == channels_per_client_max)
    return fault{"too_many_channels", "leave another channel first", name, {}};
  if (from.reads.size() >= reads_per_client_max) return unavailable(who, name), std::nullopt;
  from.joined[name] = {asked.user, asked.device};
  ++channels_[name].members;
  auto what = join_anew(who, name);
  if (!asked.epoch.empty()) {
    what.epoch = asked.epoch;
    what.read = {read_request::from::after, 0, name, asked.seq, missed_messages_max + 1};
  }
  ask(std::move(what));
  return std::nullopt;
}

std::optional<fault> hub::handle(client_id who, client& from, leave const& asked) {
  if (from.joined.contains(asked.channel)) return part(who, from, asked.channel), std::nullopt;
  if (!asked.if_joined) return not_joined(asked.channel);
  return std::nullopt;
}

std::optional<fault> hub::handle(client_id who, client& from, message const& asked) {
  auto const as = from.joined.find(asked.channel);
  if (as == from.joined.end()) return not_joined(asked.channel, asked.id);
  if (!may_(as->second.user, action::message, asked.channel)) return forbidden(asked.channel, asked.id);
  if (auto const wrong = too_fast(from, as->second.user, asked.channel, asked.id)) return wrong;
  if (waiting_.size() == waiting_messages_max) return unavailable(who, asked.channel, asked.id), std::nullopt;
  auto id = asked.id.empty() ? id_prefix_ + "-" + std::to_string(++ids_made_) : asked.id;
  auto const& [user, device, joining] = as->second;
  waiting_.push_back({who, {asked.channel, user, device, std::move(id), asked.text}});
  return std::nullopt;
}

std::optional<fault> hub::handle(client_id who, client& from, history const& asked) {
  auto const as = from.joined.find(asked.channel);
  if (as == from.joined.end()) return not_joined(asked.channel);
  if (!may_(as->second.user, action::history, asked.channel)) return forbidden(asked.channel);
  if (from.reads.size() >= reads_per_client_max) return unavailable(who, asked.channel), std::nullopt;
  ask({job::purpose::page, who, {read_request::from::before, 0, asked.channel, asked.before, asked.limit}});
  return std::nullopt;
}

std::optional<fault> hub::handle(client_id who, client& from, typing const& asked) {
  auto const as = from.joined.find(asked.channel);
  if (as == from.joined.end()) return not_joined(asked.channel);
  auto const& user = as->second.user;
  if (!may_(user, action::typing, asked.channel)) return forbidden(asked.channel);
  if (auto const wrong = too_fast(from, user, asked.channel)) return wrong;
  outputs_.push_back(to_channel{asked.channel, somebody_types{asked.channel, user}, who});
  return std::nullopt;
}

std::optional<fault> hub::handle(client_id who, client&, ping const&) {
  outputs_.push_back(to_client{who, pong{}});
  return std::nullopt;
}

/// Takes a connection out of a channel.
void hub::part(client_id who, client& from, std::string const& name) {
  auto& in = channels_.at(name);
  auto const as = from.joined.find(name);
  if (as->second.joining == 0) {
    outputs_.push_back(unsubscribe{who, name});
    auto const user = in.present.find(as->second.user);
    if (--user->second == 0) in.present.erase(user);
    changed_[name] = 0;
  }
  from.joined.erase(as);
  --in.members;
  tidy(name);
}

void hub::unavailable(client_id who, std::string const& channel, std::string const& id) {
  fault const again{"store_unavailable", "this could not be stored or read; send it again later", channel, id};
  outputs_.push_back(to_client{who, again});
}

presence hub::present_in(std::string const& name, channel_state const& in) {
  presence what{name, {}, in.present.size()};
  for (auto each = in.present.begin(); each != in.present.end() && what.users.size() < presence::users_max; ++each)
    what.users.push_back(each->first);
  return what;
}

void hub::tell_presence() {
  for (auto const& [name, who] : std::exchange(changed_, {}))
    if (auto const* const in = find(name); in != nullptr && !in->present.empty())
      outputs_.push_back(to_channel{name, present_in(name, *in), who});
}

// Storing.

void hub::flush(std::int64_t now_ms) {
  if (!pending()) return;
  auto batch = std::make_shared<std::vector<new_message>>();
  while (!waiting_.empty() && batch->size() < batch_messages_max) {
    senders_.push_back(waiting_.front().first);
    batch->push_back(std::move(waiting_.front().second));
    waiting_.pop_front();
  }
  in_flight_ = {++last_ticket_, std::move(batch), now_ms};
  outputs_.push_back(in_flight_);
}

void hub::answered(answer from_store) {
  auto const* const error = std::get_if<store_error>(&from_store.what);
  if (error != nullptr && error->sentence != reported_) outputs_.push_back(report{error->sentence});
  reported_ = error != nullptr ? error->sentence : "";
  if (from_store.to == in_flight_.number)
    return error != nullptr ? not_stored() : stored(std::get<std::vector<receipt>>(from_store.what));
  if (from_store.to == looking_) {
    looking_ = 0;
    return error != nullptr ? void() : looked(std::get<std::vector<head>>(from_store.what));
  }
  auto const at = reading_.find(from_store.to);
  if (at == reading_.end()) return;
  job const what = std::move(at->second);
  reading_.erase(at);
  auto& in = channels_.at(what.read.channel);  // which is not forgotten while something of it is read
  --in.reading;
  error != nullptr ? not_read(what, in) : was_read(what, in, std::get<page>(from_store.what));
  tidy(what.read.channel);
  auto const who = clients_.find(what.who);
  if (what.why == job::purpose::catch_up || who == clients_.end()) return;
  who->second.reading = false;
  ask_next(who->second);
}

void hub::stored(std::vector<receipt> const& receipts) {
  auto const batch = std::exchange(in_flight_, {}).batch;
  auto const senders = std::exchange(senders_, {});
  for (std::size_t i = 0; i < receipts.size(); ++i) {
    auto const& m = (*batch)[i];
    auto const& got = receipts[i];
    outputs_.push_back(to_client{senders[i], ack{m.channel, m.id, got.seq, got.time}});
    auto* const in = find(m.channel);
    if (in == nullptr) continue;  // nobody is there any more
    if (in->end.has_begun() && in->end.epoch() != got.epoch) start_anew(m.channel, *in);
    in->end.know(got.seq);
    // A repeat is not published again; advance() sees to it that the first one was.
    if (got.what == receipt::outcome::stored) in->end.keep({m.user, m.id, m.text, got.seq, got.time});
    advance(m.channel, *in);
    tidy(m.channel);
  }
}

/// Nobody knows what became of the batch: the channels look for what is new in them.
void hub::not_stored() {
  auto const batch = std::exchange(in_flight_, {}).batch;
  auto const senders = std::exchange(senders_, {});
  for (std::size_t i = 0; i < batch->size(); ++i) {
    auto const& m = (*batch)[i];
    unavailable(senders[i], m.channel, m.id);
    if (find(m.channel) != nullptr) behind_.insert(m.channel);
  }
}

// Reading.

void hub::ask(job what) {
  auto& from = clients_.at(what.who);
  what.read.number = ++last_ticket_;
  if (what.why == job::purpose::join) from.joined.at(what.read.channel).joining = what.read.number;
  from.reads.push_back(std::move(what));
  ask_next(from);
}

/// Gives the store the next read of a client that has none with it.
void hub::ask_next(client& from) {
  while (!from.reading && !from.held && !from.reads.empty()) {
    auto what = std::move(from.reads.front());
    from.reads.pop_front();
    if (!is_wanted(what)) continue;
    from.reading = true;
    submit(std::move(what));
  }
}

/// Whether the client is still there, and still in the channel or about to join it by this very read.
bool hub::is_wanted(job const& what) const {
  auto const who = clients_.find(what.who);
  if (who == clients_.end()) return false;
  auto const as = who->second.joined.find(what.read.channel);
  return as != who->second.joined.end() && (what.why == job::purpose::page || as->second.joining == what.read.number);
}

void hub::submit(job what) {
  auto& in = channels_.at(what.read.channel);
  ++in.reading;
  what.position = in.end.position();
  outputs_.push_back(what.read);
  reading_.emplace(what.read.number, std::move(what));
}

void hub::not_read(job const& what, channel_state& in) {
  auto const& name = what.read.channel;
  if (what.why == job::purpose::catch_up) {
    in.catching_up = false;
    behind_.insert(name);
  } else if (is_wanted(what)) {
    if (what.why == job::purpose::join) {
      clients_.at(what.who).joined.erase(name);
      --in.members;
    }
    unavailable(what.who, name);
  }
}

void hub::was_read(job const& what, channel_state& in, page& found) {
  auto const& name = what.read.channel;
  bool const is_other = found.epoch != in.end.epoch() || found.newest < what.position;
  if (in.end.has_begun() && is_other) start_anew(name, in);  // the history was lost or restored
  if (what.why == job::purpose::join) return joined(what, in, found);
  if (what.why == job::purpose::page) {
    trim(found);
    if (is_wanted(what)) outputs_.push_back(to_client{what.who, history_page{what.read, std::move(found)}});
    return;
  }
  in.catching_up = false;
  if (!in.end.has_begun()) return;
  in.end.know(found.newest);
  for (auto& m : found.messages) in.end.keep(std::move(m));
  if (in.end.lacks_next()) return start_anew(name, in);
  advance(name, in);
}

/// Leaves the newest ones, and at least one.
void hub::trim(page& found) {
  std::size_t bytes = 0;
  auto oldest = found.messages.end();
  while (oldest != found.messages.begin() && (bytes += std::prev(oldest)->text.size()) <= page_bytes) --oldest;
  if (oldest == found.messages.begin()) return;
  found.messages.erase(found.messages.begin(), oldest);
  found.more = true;
}

// Joining, and the order of what is published.

void hub::joined(job const& what, channel_state& in, page& found) {
  if (!is_wanted(what)) return;
  auto const& name = what.read.channel;
  if (what.read.what == read_request::from::newest) {
    trim(found);
  } else if (!continues(what, found)) {
    outputs_.push_back(to_client{what.who, reload{name}});
    return ask(join_anew(what.who, name));
  }
  if (!in.end.has_begun()) in.end.begin(found.epoch, found.newest);
  in.end.know(found.newest);
  for (auto const& m : found.messages)
    if (m.seq > in.end.position()) in.end.keep(m);
  advance(name, in);
  enter(what, in, found);
}

/// Whether a page has all that a client has missed, and not too much.
bool hub::continues(job const& what, page const& found) {
  std::size_t bytes = 0;
  for (auto const& m : found.messages) bytes += m.text.size();
  auto const missed = found.newest - what.read.seq;
  return found.epoch == what.epoch && missed == static_cast<std::int64_t>(found.messages.size()) &&
         found.messages.size() <= missed_messages_max && bytes <= missed_bytes_max;
}

/// Publishes what is next, and asks for it if it is stored.
void hub::advance(std::string const& name, channel_state& in) {
  if (!in.end.has_begun()) return;
  while (auto const* const next = in.end.publish_next()) outputs_.push_back(to_channel{name, delivery{name, *next}});
  if (in.end.is_behind()) catch_up(name, in);
}

/// Sends a page, and what was published since it was read; then the client is one of those who get what is published.
/// Where the page is ahead of them, or something was not kept, it is read again.
void hub::enter(job const& what, channel_state& in, page& found) {
  auto const& name = what.read.channel;
  if (!in.end.covers(found.newest)) return ask(what);
  auto const since = in.end.published_after(found.newest);
  outputs_.push_back(to_client{what.who, history_page{what.read, std::move(found)}});
  for (auto const& each : since) outputs_.push_back(to_client{what.who, delivery{name, each}});
  outputs_.push_back(subscribe{what.who, name});
  auto& as = clients_.at(what.who).joined.at(name);
  as.joining = 0;
  ++in.present[as.user];
  changed_[name] = what.who;
  outputs_.push_back(to_client{what.who, present_in(name, in)});
}

void hub::catch_up() {
  for (auto const& name : std::exchange(behind_, {}))
    if (auto* const in = find(name)) catch_up(name, *in);
}

void hub::look() {
  if (looking_ != 0 || channels_.empty()) return;
  heads_request what{looking_ = ++last_ticket_, {}};
  for (auto const& [name, in] : channels_) what.channels.push_back(name);
  outputs_.push_back(std::move(what));
}

void hub::looked(std::vector<head> const& found) {
  for (auto const& each : found)
    if (auto* const in = find(each.channel))
      if (each.epoch != in->end.epoch() || each.newest != in->end.position()) catch_up(each.channel, *in);
}

/// Reads what was stored but not published: somebody else has stored it, or nobody knew that it was stored.
void hub::catch_up(std::string const& name, channel_state& in) {
  if (!in.end.has_begun() || in.catching_up) return;
  in.catching_up = true;
  read_request const after{read_request::from::after, ++last_ticket_, name, in.end.position(), missed_messages_max};
  submit({.why = job::purpose::catch_up, .read = after});
}

/// The history is not the one that was published: everybody has to load it anew.
void hub::start_anew(std::string const& name, channel_state& in) {
  in.end.forget_all();
  in.present.clear();
  for (auto const& [who, each] : clients_) {
    auto const as = each.joined.find(name);
    if (as == each.joined.end() || as->second.joining != 0) continue;
    outputs_.push_back(unsubscribe{who, name});
    outputs_.push_back(to_client{who, reload{name}});
    ask(join_anew(who, name));
  }
}

hub::job hub::join_anew(client_id who, std::string const& name) {
  return {.who = who, .read = {.channel = name, .limit = page_messages}};
}

hub::channel_state* hub::find(std::string const& name) {
  auto const at = channels_.find(name);
  return at == channels_.end() ? nullptr : &at->second;
}

/// Forgets what nobody needs who is joining, and a channel where nobody is.
void hub::tidy(std::string const& name) {
  auto& in = channels_.at(name);
  if (in.reading > 0) return;
  in.end.forget_published();
  if (in.members == 0) channels_.erase(name);
}

}  // namespace chat
