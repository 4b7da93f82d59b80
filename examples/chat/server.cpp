// SPDX-License-Identifier: BSL-1.0
#include "server.hpp"

#include <chrono>

#include "page.hpp"

namespace chat {
namespace {

// A text of 16 KiB has room in it, also with every character escaped that may have to be.
constexpr std::size_t message_bytes_max = 64 * 1024;

// Nothing is read from the store for a client for whom more than that waits to be sent.
constexpr std::size_t held_bytes_min = 256 * 1024;

constexpr auto slow_consumer = static_cast<purews::status_code>(4008);

constexpr auto presence_delay = purews::milliseconds(250);
constexpr auto catch_up_delay = purews::seconds(1);
constexpr std::int64_t look_delay_ms[] = {750, 1250};  // so that many servers do not look at the same moment
constexpr auto check_time_max = purews::seconds(10);
constexpr auto release_delay = purews::milliseconds(50);
constexpr auto overdue_delay = purews::seconds(1);

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

std::string subprotocols_text() {
  std::string names;
  for (auto const& kind : formats()) names += (names.empty() ? "" : ", ") + std::string(kind.subprotocol);
  return "This chat speaks the subprotocols " + names + ".\n";
}

purews::opcode opcode_of(format const& how) { return how.is_binary() ? purews::opcode::binary : purews::opcode::text; }

fault wrong_kind(format const& how) {
  return {"unsupported", how.is_binary() ? "send binary messages" : "send text messages", {}, {}};
}

/// What an event may take the place of if that still waits to be sent; empty: of nothing.
std::string replaced_by(event const& what) {
  if (auto const* const here = std::get_if<presence>(&what)) return "presence\n" + here->channel;
  if (auto const* const who = std::get_if<somebody_types>(&what)) return "typing\n" + who->channel + '\n' + who->user;
  return {};
}

std::int64_t now_us() { return purews::steady_now().ns / 1000; }
gate::moment now() { return {now_us(), unix_ms()}; }

/// The elements of a header line, or of several.
std::vector<std::string_view> elements(purews::http_request const& request, std::string_view header) {
  std::vector<std::string_view> all;
  purews::header_list list(request, header);
  for (auto each = list.next(); !each.empty(); each = list.next()) all.push_back(each);
  return all;
}

}  // namespace

server::server(server_setup setup)
    : hub_(std::to_string(unix_ms()), setup.allowed, std::move(setup.may)),
      gate_(std::move(setup.verify)),
      admission_(setup.per_address, std::move(setup.proxies)),
      io_({.limits = {.message_bytes_max = message_bytes_max}}) {
  for (auto const& file : page_files())
    io_.get(file.path, [&file](purews::http_exchange& exchange) {
      exchange.answer({.content_type = file.type, .headers = page_headers, .body = std::as_bytes(file.body)});
    });
  io_.get("/healthz", [](purews::http_exchange& exchange) { exchange.answer(200, "The chat is alive.\n"); });
  io_.get("/readyz", [this](purews::http_exchange& exchange) {
    bool const good = io_.ready() && store_->ready();
    exchange.answer(good ? 200 : 503, good ? "The chat is ready.\n" : "The chat goes away, or has no store.\n");
  });
  purews::websocket_route ws;
  for (auto const& kind : formats()) ws.subprotocols.emplace_back(kind.subprotocol);
  ws.origins = std::move(setup.origins);
  ws.on_upgrade = [this](purews::upgrade& asked) { arrive(asked); };
  ws.on_open = [this](purews::session& s) {
    connections_[s.id()] = {&s, make_format(s.subprotocol())};
    hub_.connected(s.id());
    gate_.connected(s.id(), now());
    if (auto& token = s.data<arrival>().token; !token.empty()) ask(s.id(), authenticate{std::exchange(token, {})});
    settle();
  };
  ws.on_message = [this](purews::session& s, purews::message_view m) { received(s, m); };
  ws.on_close = [this](purews::session& s, purews::closing const&) {
    gate_.disconnected(s.id());
    hub_.disconnected(s.id());
    settle();
    connections_.erase(s.id());
  };
  io_.route<arrival>("/ws", std::move(ws));
}

server::~server() {
  ended_ = true;  // who is still connected asks nothing of the store any more
}

std::optional<store_error> server::open(std::string const& where, retention keep) {
  store_setup const setup{
      .answered =
          [this](answer what) {
            hub_.answered(std::move(what));
            settle();
          },
      .report =
          [this](store_error const& what) {
            trouble_ = what;
            if (!checking_) perform(report{what.sentence});
          },
      .keep = keep,
  };
  auto opened = open_store(where, io_.loop(), setup);
  if (auto const* const error = std::get_if<store_error>(&opened)) return *error;
  store_ = std::move(std::get<0>(opened));
  if (store_->shared()) look_later();
  return std::nullopt;
}

std::optional<store_error> server::check() {
  checking_ = true;
  auto const end = purews::steady_now() + check_time_max;
  while (!store_->ready() && purews::steady_now() < end) {
    io_.loop().run_once(purews::milliseconds(100));
    if (trouble_) return trouble_;
  }
  return store_->ready() ? std::nullopt : std::optional(store_error{"the store does not answer"});
}

void server::arrive(purews::upgrade& asked) {
  constexpr std::string_view mark = "bearer.";
  // Who asks for subprotocols ends the connection if it gets none; so it is told which there are.
  auto const offered = elements(asked.request(), "Sec-WebSocket-Protocol");
  if (!offered.empty() && asked.chosen().empty()) return asked.reject(400, subprotocols_text());
  for (auto const each : offered)
    if (each.starts_with(mark)) asked.data<arrival>().token = each.substr(mark.size());
  admit(asked);
}

void server::admit(purews::upgrade& asked) {
  auto const peer = ip_of(asked.peer());
  if (!peer) return;
  auto const who = admission_.client_of(*peer, elements(asked.request(), "X-Forwarded-For"));
  auto got = admission_.enter(who, now_us());
  if (auto* const place = std::get_if<admission::place>(&got)) {
    asked.data<arrival>().place = std::move(*place);
    return;
  }
  auto const seconds = std::to_string(std::get<admission::refused>(got).retry_s);
  purews::header_field const later[] = {{"Retry-After", seconds}};
  // Not 503: that would be about this server, and a proxy would try the next one.
  asked.reject({.status = 429, .headers = later, .body = purews::as_bytes("Too many connections of this address.")});
}

void server::received(purews::session& from, purews::message_view const& m) {
  auto const id = from.id();
  auto& to = connections_.at(id);
  bool const known = gate_.knows(id);
  auto const in = m.op == opcode_of(*to.speaks) ? to.speaks->read(m.text()) : format::incoming{wrong_kind(*to.speaks)};
  // A format's own business has to wait as well: what a stranger opens is not open.
  if (!known && !in.reply.empty()) to.speaks = make_format(from.subprotocol());
  if (in.asked || !known) ask(id, in.asked.value_or(ping{}));
  if (known && !in.reply.empty()) send(to, in.reply);
}

void server::ask(client_id who, request what) {
  if (auto const passed = gate_.pass(who, std::move(what), now())) hub_.received(who, *passed, now_us());
  settle();
}

void server::end_overdue() {
  gate_.end_overdue(now());
  settle();
}

/// Does what the hub wants, and sees to what it wants done later.
void server::settle() {
  if (ended_) return;
  for (auto const& each : gate_.take_outputs()) std::visit([this](auto const& what) { perform(what); }, each);
  for (auto& each : hub_.take_outputs()) std::visit([this](auto& what) { perform(what); }, each);
  if (hub_.presence_changed()) start(presence_, presence_delay, &server::tell_presence);
  if (hub_.is_behind()) start(behind_, catch_up_delay, &server::catch_up);
  if (gate_.is_waiting()) start(overdue_, overdue_delay, &server::end_overdue);
  if (!held_.empty()) start(releasing_, release_delay, &server::release_held);
  if (!hub_.pending() || std::exchange(flush_posted_, true)) return;
  io_.loop().post([this] { flush(); });  // after everything that came in this turn
}

void server::start(timer& which, purews::duration delay, void (server::*what)()) {
  if (!which.armed()) which = io_.loop().after(delay, [this, what] { (this->*what)(); });
}

void server::look_later() {
  std::uniform_int_distribution delay(look_delay_ms[0], look_delay_ms[1]);
  start(looking_, purews::milliseconds(delay(random_)), &server::look);
}

void server::flush() {
  flush_posted_ = false;
  hub_.flush(unix_ms());
  settle();
}

void server::send(connection const& to, std::string const& written) {
  // Rather gone than with a hole: the client comes back and resumes.
  if (to.io->send(opcode_of(*to.speaks), purews::as_bytes(written)) == purews::refusal::queue_full)
    to.io->close(slow_consumer, "too slow");
}

void server::perform(to_client const& what) {
  auto const at = connections_.find(what.client);
  if (at == connections_.end()) return;
  auto const& to = at->second;
  send(to, to.speaks->write(what.what));
  if (to.io->queued_bytes() > held_bytes_min && held_.insert(what.client).second) hub_.held(what.client);
}

void server::perform(to_channel const& what) {
  auto const at = members_.find(what.channel);
  if (at == members_.end()) return;
  auto const replaced = replaced_by(what.what);
  purews::send_options how;
  if (!replaced.empty()) how = {.when_full = purews::overflow::conflate, .key = std::hash<std::string>()(replaced)};
  std::map<format::way, purews::prepared_message> written;  // once for all who speak alike
  for (auto const& [client, to] : at->second) {
    if (client == what.but) continue;
    auto const way = to->speaks->way_of(what.channel);
    auto text = written.find(way);
    if (text == written.end()) {
      auto const payload = to->speaks->write(what.what);
      text = written.try_emplace(way, opcode_of(*to->speaks), purews::as_bytes(payload)).first;
    }
    if (to->io->send(text->second, how) == purews::refusal::queue_full && replaced.empty())
      to->io->close(slow_consumer, "too slow");
  }
}

void server::perform(subscribe const& what) {
  if (auto const at = connections_.find(what.client); at != connections_.end())
    members_[what.channel].emplace(what.client, &at->second);
}

void server::perform(unsubscribe const& what) {
  auto const at = members_.find(what.channel);
  if (at == members_.end()) return;
  at->second.erase(what.client);
  if (at->second.empty()) members_.erase(at);
}

void server::perform(close_client const& what) {
  hub_.disconnected(what.client);
  if (auto const at = connections_.find(what.client); at != connections_.end())
    at->second.io->close(static_cast<purews::status_code>(what.code), what.reason);
}

void server::perform(report const& what) { std::fprintf(stderr, "chat_server: %s\n", what.sentence.c_str()); }

void server::release_held() {
  for (auto each = held_.begin(); each != held_.end();) {
    auto const at = connections_.find(*each);
    bool const still = at != connections_.end() && at->second.io->queued_bytes() > held_bytes_min / 4;
    if (!still) hub_.released(*each);
    each = still ? std::next(each) : held_.erase(each);
  }
  settle();
}

}  // namespace chat
