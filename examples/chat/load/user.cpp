// SPDX-License-Identifier: BSL-1.0
#include "user.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace chat_load {
namespace {

numbered numbered_of(nlohmann::json const& m) { return {m.at("seq"), {m.at("user"), m.at("id")}}; }

}  // namespace

user::user(crowd& all, std::size_t number, channel& in, purews::uri where, purews::socket_address at,
           std::string device)
    : all_(all),
      number_(number),
      channel_(in),
      where_(where),
      at_(at),
      request_{.where = where_},
      name_("load-" + std::to_string(number)),
      device_(std::move(device)) {}

void user::connect() {
  purews::connect_result attempt = purews::connect_tcp(at_);
  if (!attempt) return comes_back();
  stream_.emplace(all_.loop, *this, static_cast<purews::descriptor&&>(attempt.socket), purews::role::client,
                  all_.options, all_.loop.now());
  if (stream_->machine().connect(request_) != purews::refusal::none ||
      stream_->start(purews::transport_start::connecting))
    comes_back();
}

// Full jitter, as in docs/chat.md, but shorter: this is an experiment.
void user::comes_back() {
  if (leaving_) return;
  joined_ = reading_ = false;
  std::int64_t const most = std::min<std::int64_t>(50LL << std::min(tries_++, 6), 2000);
  purews::duration const wait = purews::milliseconds(1 + static_cast<std::int64_t>(all_.random()) % most);
  later_ = all_.loop.after(wait, [this] { connect(); });
}

void user::on_end(stream&) noexcept {
  if (joined_ && !leaving_) ++all_.reconnects;
  comes_back();
}

void user::leave() {
  leaving_ = true;
  later_ = {};
  if (gone()) return;
  static_cast<void>(stream_->machine().close());
  stream_->touch();
}

void user::on_events(stream& s) noexcept {
  for (;;) {
    purews::event const e = s.machine().next();
    if (e.what == purews::kind::none) return;
    if (e.what == purews::kind::open) {
      json request = {{"type", "join"}, {"channel", channel_.name}, {"user", name_}, {"device", device_}};
      if (!epoch_.empty()) request.update({{"epoch", epoch_}, {"seq", seq_}});
      put(request);
    }
    if (e.what == purews::kind::message) take(e.text());
    if (e.what == purews::kind::failed && e.fault == purews::error::answer_status && tries_ > 20)
      all_.trouble = "the server does not take connections";
  }
}

void user::put(json const& request) {
  static_cast<void>(stream_->machine().send(request.dump()));  // what is refused is repeated after the connection
  stream_->touch();
}

void user::put(unacknowledged const& m) {
  put({{"type", "message"}, {"channel", channel_.name}, {"text", m.text}, {"id", m.id}});
}

void user::put_waiting() {
  for (unacknowledged const& m : waiting_) put(m);
  all_.repeats += waiting_.size();
}

void user::say() {
  std::string text = std::to_string(++messages_) + " ";
  text.resize(std::max(text.size(), all_.bytes), 'x');
  waiting_.push_back({device_ + "-" + std::to_string(messages_), std::move(text), all_.loop.now()});
  ++all_.sent;
  if (joined_) put(waiting_.back());
}

void user::read_history() {
  if (reading_ || history_ || !joined_) return;
  reading_ = true;
  pages_.clear();
  put({{"type", "history"}, {"channel", channel_.name}, {"before", seq_ + 1}, {"limit", 100}});
}

purews::instant user::committed(std::int64_t seq) {
  return channel_.committed.try_emplace(seq, purews::steady_now()).first->second;
}

// All receivers of a message get the same text: one of them reads it.
void user::take(std::string_view text) {
  if (text == channel_.last_text) return take_message(channel_.last);
  auto const answer = json::parse(text, nullptr, false);
  try {
    if (answer.at("type") == "message") {
      channel_.last = numbered_of(answer);
      channel_.last_text = text;
      take_message(channel_.last);
    } else {
      answered(answer);
    }
  } catch (json::exception const&) {
    all_.trouble = "this is not the chat's protocol: " + std::string(text.substr(0, 200));
  }
}

void user::answered(json const& answer) {
  std::string const type = answer.at("type");
  if (type == "history") take_history(answer);
  if (type == "ack") take_ack(answer);
  if (type == "error") take_error(answer);
  if (type == "reload") ++all_.reloads;
}

void user::take_message(numbered const& what) {
  all_.delivery.add(purews::steady_now() - committed(what.seq));
  all_.truth.delivered(number_, channel_.name, what.seq, what.name);
  seq_ = what.seq;
}

void user::take_history(json const& answer) {
  if (answer.contains("before")) {
    json const& page = answer.at("messages");
    for (auto m = page.rbegin(); m != page.rend(); ++m) pages_.push_back(numbered_of(*m));
    reading_ = answer.at("more");
    if (reading_)
      return put({{"type", "history"}, {"channel", channel_.name}, {"before", pages_.back().seq}, {"limit", 100}});
    history_.emplace(pages_.rbegin(), pages_.rend());
    return;
  }
  epoch_ = answer.at("epoch");
  if (answer.contains("after"))
    for (json const& m : answer.at("messages")) {
      numbered const each = numbered_of(m);
      all_.truth.delivered(number_, channel_.name, each.seq, each.name);
    }
  seq_ = answer.at("seq");
  all_.truth.begins(number_, channel_.name, seq_);
  tries_ = 0;
  joined_ = true;
  put_waiting();
}

void user::take_ack(json const& answer) {
  std::string const id = answer.at("id");
  std::int64_t const seq = answer.at("seq");
  static_cast<void>(committed(seq));
  all_.truth.acked(channel_.name, seq, {name_, id});
  auto const at = std::find_if(waiting_.begin(), waiting_.end(), [&](unacknowledged const& m) { return m.id == id; });
  if (at == waiting_.end()) return;
  all_.to_ack.add(purews::steady_now() - at->since);
  waiting_.erase(at);
}

void user::take_error(json const& answer) {
  std::string const code = answer.value("code", "");
  if (code != "rate_limited" && code != "store_unavailable") {
    all_.trouble = "the server answers: " + answer.dump();
    return;
  }
  if (code == "rate_limited") ++all_.too_fast;
  if (!joined_) return static_cast<void>(stream_->machine().close());  // comes back, and joins again
  std::int64_t const wait = answer.value("retry_ms", 500) + static_cast<std::int64_t>(all_.random() % 500);
  later_ = all_.loop.after(purews::milliseconds(wait), [this] {
    if (joined_) put_waiting();
  });
}

}  // namespace chat_load
