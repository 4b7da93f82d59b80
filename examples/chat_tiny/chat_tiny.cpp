// SPDX-License-Identifier: BSL-1.0
// A whole chat: one page, one room, one file. Nothing is stored; see examples/chat for that.

#include <cstdio>
#include <cstdlib>
#include <purews/server.hpp>

constexpr std::string_view page = R"(<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>tiny chat</title>
<style>
  body { font: 16px system-ui; max-width: 40rem; margin: 2rem auto; padding: 0 1rem; color-scheme: light dark }
  #log { min-height: 50vh; list-style: none; padding: 0 } form { display: flex; gap: .5rem }
  input { flex: 1; font: inherit; padding: .5rem } button { font: inherit }
</style>
<h1>tiny chat</h1>
<ul id="log" role="log" aria-label="Messages"></ul>
<form><input aria-label="Message" autofocus maxlength="500"><button>Send</button></form>
<script>
  const [log, form, input] = ['#log', 'form', 'input'].map(s => document.querySelector(s));
  function show(text) {
    log.append(Object.assign(document.createElement('li'), {textContent: text}));
    scrollTo(0, 1e9);
  }
  function connect() {
    const socket = new WebSocket(`ws://${location.host}/ws`);
    socket.onmessage = e => show(e.data);
    socket.onclose = () => {
      show('... connection lost, trying again');
      setTimeout(connect, 1000 + 2000 * Math.random());
    };
    form.onsubmit = e => {
      e.preventDefault();
      if (input.value) socket.send(input.value);
      input.value = '';
    };
  }
  connect();
</script>)";

int main(int argc, char** argv) {
  purews::server server;
  server.get("/", [](purews::http_exchange& x) {
    x.answer({.content_type = "text/html; charset=utf-8", .body = purews::as_bytes(page)});
  });
  server.route("/ws", {
      .on_open = [&](purews::session& s) {
        s.subscribe("room");
        server.publish("room", "guest " + std::to_string(s.id()) + " is here");
      },
      .on_message = [&](purews::session& s, purews::message_view m) {
        if (m.op == purews::opcode::text && m.payload.size() <= 2000)
          server.publish("room", "guest " + std::to_string(s.id()) + ": " + std::string(m.text()));
        else
          s.close(purews::status_code::policy_violation, "short texts only");
      },
      .on_close = [&](purews::session& s, purews::closing const&) {
        server.publish("room", "guest " + std::to_string(s.id()) + " has left");
      },
  });
  auto const at = server.listen("127.0.0.1", static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 8081));
  if (!at) return std::fprintf(stderr, "chat_tiny: %s; name another port\n", purews::describe(at.error).c_str()), 1;
  std::printf("open http://%s\n", purews::text(at.address).c_str());
  std::fflush(stdout);
  server.run();
}
