// SPDX-License-Identifier: BSL-1.0
// A chat for the browser: the page, the channels and their history, in one program.

#include "../common/command_line.hpp"
#include "../common/process.hpp"
#include "origins.hpp"
#include "server.hpp"

namespace {

/// What the command line says.
struct choices {
  std::string host = "127.0.0.1";
  std::uint64_t port = 8080;
  std::string where = "sqlite:chat.db";
  std::uint64_t keep = 0, keep_days = 0;
  std::uint64_t rate = 20;
  std::vector<std::string> origins{};
  std::uint64_t ip_connections = 64;
  std::uint64_t ip_rate = 10;
  std::vector<std::string> proxies{};
  std::string key{}, issuer{}, audience{};
  bool check = false;
};

/// Says what is wrong with them, if anything is.
std::optional<std::string> apply(choices const& c, chat::server_setup& to) {
  if (auto const flaw = chat::store_flaw(c.where)) return flaw->sentence;
  if (auto const flaw = chat::origins_flaw(c.origins)) return flaw;
  to.origins = c.origins;
  for (auto const& each : c.proxies) {
    auto const parsed = chat::parse_network(each);
    if (auto const* const flaw = std::get_if<std::string>(&parsed)) return "--trusted-proxy: " + *flaw;
    to.proxies.push_back(std::get<chat::network>(parsed));
  }
  if (c.key.empty() && !(c.issuer + c.audience).empty()) return "--auth-issuer and --auth-audience need --auth-jwt-key";
  if (!c.key.empty()) {
    auto opened = chat::token_verifier::open(c.key, c.issuer, c.audience);
    if (auto const* const flaw = std::get_if<std::string>(&opened)) return "--auth-jwt-key: " + *flaw;
    to.verify = [by = std::get<chat::token_verifier>(std::move(opened))](std::string_view token, std::int64_t now_ms) {
      return by.verify(token, now_ms);
    };
  }
  auto const of_rate = [](std::uint64_t per_second, int burst) {
    auto const number = static_cast<std::int64_t>(per_second);
    return chat::rate{.per_second = number, .burst = burst * number};
  };
  to.allowed = of_rate(c.rate, 2);
  to.per_address = {static_cast<std::size_t>(c.ip_connections), of_rate(c.ip_rate, 3)};
  return std::nullopt;
}

}  // namespace

int main(int argc, char** argv) {
  auto const fail = [](int status, std::string const& sentence) {
    std::fprintf(stderr, "chat_server: %s\n", sentence.c_str());
    return status;
  };
  choices c;
  command_line::program const program{"chat_server", "A chat for the browser, with its page, channels and history."};
  command_line::flag const flags[] = {
      {"--host", "HOST", &c.host, "address to listen on (127.0.0.1)"},
      {"--port", "PORT", command_line::number{&c.port, 0, 65535}, "port, 0 for any free one (8080)"},
      {"--store", "STORE", &c.where, "sqlite:FILE, postgres://..., or memory: which forgets all (sqlite:chat.db)"},
      {"--keep", "N", command_line::number{&c.keep, 0, INT64_MAX}, "messages of each channel to keep, 0 for all (0)"},
      {"--keep-days", "N", command_line::number{&c.keep_days, 0, 36'500}, "days to keep messages, 0 for ever (0)"},
      {"--rate", "N", command_line::number{&c.rate, 0, 1'000'000}, "messages a second of each user, 0 for any (20)"},
      {"--origin", "ORIGIN", command_line::list{&c.origins},
       "of pages that may connect: https://chat.example (this server's)"},
      {"--ip-connections", "N", command_line::number{&c.ip_connections, 0, 1'000'000},
       "connections of an address, 0 for any (64)"},
      {"--ip-rate", "N", command_line::number{&c.ip_rate, 0, 1'000'000}, "new ones of it a second, 0 for any (10)"},
      {"--trusted-proxy", "NETWORK", command_line::list{&c.proxies},
       "ADDRESS[/BITS] whose X-Forwarded-For is believed (nobody's)"},
      {"--auth-jwt-key", "FILE", &c.key,
       "public key (PEM, RS256) or secret (HS256) of the tokens that all need (nobody does)"},
      {"--auth-issuer", "TEXT", &c.issuer, "whose tokens they must be (anybody's)"},
      {"--auth-audience", "TEXT", &c.audience, "for whom they must be (anybody)"},
      {"--check-config", "", &c.check, "say whether the store can be used and the port is free, and end"},
  };
  auto const outcome = command_line::parse(argc, argv, program, flags);
  if (outcome != command_line::outcome::run) return outcome == command_line::outcome::help ? 0 : 2;
  chat::server_setup setup;
  if (auto const flaw = apply(c, setup)) return fail(2, *flaw);
  process::raise_descriptor_limit();

  chat::server server(std::move(setup));
  chat::retention const keep{static_cast<std::int64_t>(c.keep), static_cast<std::int64_t>(c.keep_days)};
  if (auto const error = server.open(c.where, keep)) return fail(1, error->sentence);
  if (c.where == "memory:" && !c.check)
    std::fputs("chat_server: memory: keeps nothing when the program ends\n", stderr);
  auto const at = server.listen(c.host, static_cast<std::uint16_t>(c.port));
  if (!at)
    return fail(1, "cannot listen on " + c.host + " port " + std::to_string(c.port) + " (" +
                       describe(at.error).c_str() + "): choose another with --port or --host");
  if (c.check) {
    if (auto const error = server.check()) return fail(1, error->sentence);
    std::printf("the store works, and %s is free\n", text(at.address).c_str());
    return 0;
  }
  process::stopping_signals const stopping(server);
  std::printf("listening on http://%s\n", text(at.address).c_str());
  std::fflush(stdout);
  server.run();
}
