// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <purews/deflate/permessage_deflate.hpp>
#include <purews/purews.hpp>
#include <purews/server/server.hpp>

#include <optional>

#include "../common/process.hpp"

/// What the command line of the echo server says.
struct echo_settings {
  std::string host = "127.0.0.1";
  std::uint64_t port = 9001;
  std::string unix_path;
  std::string loop;
  std::uint64_t threads = 1;
  bool pin = false;
  std::uint64_t message_max = purews::limits{}.message_bytes_max;
  bool deflate = false;
  std::uint64_t window_bits = 15;
  std::uint64_t handshake_seconds = 5;
  std::uint64_t idle_seconds = 35;
};

/// Serves until it is stopped; returns the exit status.
template <class Loop>
int serve(echo_settings const& how) {
  auto const complain = [](purews::os_error what, std::string const& doing, char const* advice) {
    std::fprintf(stderr, "echo_server: cannot %s (%s): %s\n", doing.c_str(), purews::describe(what).c_str(), advice);
    return 1;
  };
  purews::server_options options;
  std::optional<purews::permessage_deflate> deflate;
  if (how.deflate) {
    purews::deflate_side const side{purews::context::takeover, static_cast<std::uint8_t>(how.window_bits)};
    options.extension = &deflate.emplace(purews::deflate_options{.most = {side, side}});
  }
  options.threads = static_cast<unsigned>(how.threads);
  options.pin = how.pin ? purews::pinning::cores : purews::pinning::none;
  options.limits.message_bytes_max = how.message_max;
  auto const whole = [](std::uint64_t s) { return purews::seconds(static_cast<std::int64_t>(s)); };
  options.timeout.handshake = whole(how.handshake_seconds);
  // Half of it in silence, the other half for the answer to a ping.
  options.timeout.ping = options.timeout.pong = purews::duration{whole(how.idle_seconds).ns / 2};

  purews::basic_server<Loop> server(options);
  if (auto const broken = server.loop_error())
    return complain(broken, "run on " + how.loop, "choose another loop with --loop");
  server.route("*", {.origins = {"*"}, .on_message = [](purews::session& s, purews::message_view m) { s.send(m); }});
  purews::listening const at = how.unix_path.empty() ? server.listen(how.host, static_cast<std::uint16_t>(how.port))
                                                     : server.listen_unix(how.unix_path);
  if (!at && how.unix_path.empty())
    return complain(at.error, "listen on " + how.host + " port " + std::to_string(how.port),
                    "choose others with --host and --port");
  if (!at) return complain(at.error, "listen on " + how.unix_path, "choose another with --unix");
  process::stopping_signals const stopping(server);
  std::printf("listening on %s\n", purews::text(at.address).c_str());
  std::fflush(stdout);
  if (auto const failed = server.run()) return complain(failed, "run", "try fewer --threads, or without --pin");
  return 0;
}

// One file for each, as far as its library is there.
int serve_on_epoll(echo_settings const& how);
int serve_on_kqueue(echo_settings const& how);
int serve_on_uring(echo_settings const& how);
int serve_on_asio(echo_settings const& how);
int serve_on_libuv(echo_settings const& how);
