// SPDX-License-Identifier: BSL-1.0
#include "hub.hpp"

namespace chat {

using kind = output::kind;

void hub::received(client_id who, std::string_view text) {
  auto const at = clients_.find(who);
  if (at == clients_.end()) return;  // already closed: this was on its way
  auto const handled = [&](auto const& request) { return handle(who, at->second, request); };
  judge(who, at->second, std::visit(handled, parse(text)));
}

void hub::received_binary(client_id who) {
  if (auto const at = clients_.find(who); at != clients_.end())
    judge(who, at->second, fault{"unsupported", "this chat speaks text messages only", {}, {}});
}

void hub::disconnected(client_id who) {
  auto const at = clients_.find(who);
  if (at == clients_.end()) return;
  for (auto const& [channel, as] : at->second.joined) part(at->second, channel);
  clients_.erase(at);
}

void hub::judge(client_id who, client& from, std::optional<fault> const& wrong) {
  if (!wrong) {
    from.invalid_in_a_row = 0;
    return;
  }
  emit(kind::send, who, {}, error_text(*wrong));
  if (++from.invalid_in_a_row < invalid_in_a_row_max) return;
  emit(kind::close, who, {}, "10 invalid messages in a row", 1008);
  disconnected(who);
}

std::optional<fault> hub::handle(client_id who, client& from, join const& request) {
  auto const& channel = request.channel;
  if (from.joined.contains(channel)) return fault{"already_joined", "you are in this channel", channel, {}};
  if (from.joined.size() == channels_per_client_max)
    return fault{"too_many_channels", "leave another channel first", channel, {}};

  auto read = store_.history(channel, history_messages);
  if (auto const* const error = std::get_if<store_error>(&read)) {
    emit(kind::report, 0, {}, error->sentence);
    unavailable(who, channel, {});
    return std::nullopt;
  }
  auto& last = std::get<past>(read);
  std::size_t bytes = 0;
  auto oldest = last.messages.end();
  while (oldest != last.messages.begin() && (bytes += std::prev(oldest)->text.size()) <= history_bytes) --oldest;
  last.messages.erase(last.messages.begin(), oldest);

  // What waits in the batch is not in this history: it is published after the commit, also to this client.
  from.joined[channel] = {request.user, request.device};
  ++present_[channel][request.user];
  changed_.insert(channel);
  emit(kind::subscribe, who, channel, {});
  emit(kind::send, who, {}, history_text(channel, last));
  return std::nullopt;
}

std::optional<fault> hub::handle(client_id who, client& from, leave const& request) {
  if (!from.joined.contains(request.channel))
    return fault{"not_joined", "you are not in this channel", request.channel, {}};
  emit(kind::unsubscribe, who, request.channel, {});
  part(from, request.channel);
  from.joined.erase(request.channel);
  return std::nullopt;
}

std::optional<fault> hub::handle(client_id who, client& from, message const& request) {
  auto const as = from.joined.find(request.channel);
  if (as == from.joined.end()) return fault{"not_joined", "join this channel first", request.channel, request.id};
  auto id = request.id.empty() ? id_prefix_ + "-" + std::to_string(++ids_made_) : request.id;
  batch_.push_back({request.channel, as->second.user, as->second.device, std::move(id), request.text});
  senders_.push_back(who);
  return std::nullopt;
}

/// Takes one connection's user off a channel's list.
void hub::part(client const& from, std::string const& channel) {
  auto& users = present_[channel];
  auto const user = users.find(from.joined.at(channel).user);
  if (--user->second == 0) users.erase(user);
  changed_.insert(channel);
}

void hub::commit(std::int64_t now_ms) {
  auto const batch = std::exchange(batch_, {});
  auto const senders = std::exchange(senders_, {});
  auto const stored = batch.empty() ? std::vector<receipt>() : store_.append(batch, now_ms);
  auto const* const error = std::get_if<store_error>(&stored);
  if (error != nullptr) emit(kind::report, 0, {}, error->sentence);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    auto const& m = batch[i];
    if (error != nullptr) {
      unavailable(senders[i], m.channel, m.id);
      continue;
    }
    auto const& got = std::get<0>(stored)[i];
    emit(kind::send, senders[i], {}, ack_text(m.channel, m.id, got));
    if (got.what == receipt::outcome::stored)
      emit(kind::publish, 0, m.channel, message_text(m.channel, {m.user, m.id, m.text, got.seq, got.time}));
  }
  for (auto const& channel : std::exchange(changed_, {})) {
    std::vector<std::string> users;
    for (auto const& [user, connections] : present_[channel]) users.push_back(user);
    if (users.empty())
      present_.erase(channel);  // and nobody is there to be told
    else
      emit(kind::publish, 0, channel, presence_text(channel, users));
  }
}

void hub::unavailable(client_id who, std::string const& channel, std::string const& id) {
  fault const again{"store_unavailable", "this could not be stored or read; send it again later", channel, id};
  emit(kind::send, who, {}, error_text(again));
}

}  // namespace chat
