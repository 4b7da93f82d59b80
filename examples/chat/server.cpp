// SPDX-License-Identifier: BSL-1.0
#include "server.hpp"

#include <chrono>

#include "page.hpp"

namespace chat {
namespace {

// Room to see that a text is over 16 KiB, and to answer so, before the connection pays for it.
constexpr std::size_t message_bytes_max = 256 * 1024;

constexpr purews::header_field page_headers[] = {
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
     "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cache-Control", "no-cache"},
};

std::int64_t unix_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace

server::server(store& truth)
    : hub_(truth, std::to_string(unix_ms())), io_({.limits = {.message_bytes_max = message_bytes_max}}) {
  for (auto const& file : page())
    io_.get(file.path, [&file](purews::http_exchange& exchange) {
      exchange.answer({.content_type = file.type, .headers = page_headers, .body = std::as_bytes(file.body)});
    });
  purews::websocket_route ws;  // without a list of origins: pages of this server only
  ws.on_open = [this](purews::session& s) {
    sessions_[s.id()] = &s;
    hub_.connected(s.id());
  };
  ws.on_message = [this](purews::session& s, purews::message_view m) {
    m.op == purews::opcode::text ? hub_.received(s.id(), m.text()) : hub_.received_binary(s.id());
    settle();
  };
  ws.on_close = [this](purews::session& s, purews::closing const&) {
    sessions_.erase(s.id());
    hub_.disconnected(s.id());
    settle();
  };
  io_.route("/ws", std::move(ws));
}

/// Does what the hub wants. Through the loop's queue, because publishing goes that way: so all stays in its order.
void server::settle() {
  for (auto& each : hub_.take_outputs()) {
    if (each.what == output::kind::report)
      std::fprintf(stderr, "chat_server: %s\n", each.text.c_str());
    else if (each.what == output::kind::publish)
      io_.publish(each.channel, each.text);
    else
      io_.loop().post([this, what = std::move(each)] { perform(what); });
  }
  if (!hub_.pending() || std::exchange(commit_posted_, true)) return;
  io_.loop().post([this] { commit(); });  // after everything that came in this turn
}

void server::commit() {
  commit_posted_ = false;
  hub_.commit(unix_ms());
  settle();
}

void server::perform(output const& what) {
  using enum output::kind;
  auto const at = sessions_.find(what.client);
  if (at == sessions_.end()) return;
  purews::session& to = *at->second;
  if (what.what == subscribe) to.subscribe(what.channel);
  if (what.what == unsubscribe) to.unsubscribe(what.channel);
  if (what.what == close) to.close(static_cast<purews::status_code>(what.code), what.text);
  // Rather gone than with a hole: the page comes back and catches up.
  if (what.what == send && to.send(what.text) == purews::refusal::queue_full)
    to.close(purews::status_code::try_again_later, "too slow");
}

}  // namespace chat
