// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "person.hpp"

#include <memory>

#include "purews/sim/poisoned.hpp"

namespace test {

/// What a life came to.
struct verdict {
  char const* fault = nullptr;  ///< what was wrong, as a sentence; null if nothing was
  std::uint64_t hash = 0;       ///< of all that happened
  std::uint64_t ticks = 0;
  bool opened = false;
  bool clean = false;  ///< both sides ended by a closing handshake
  std::uint64_t messages = 0;
};

/// What is drawn from the seed before a life begins. New options of the library are drawn here.
struct fate {
  /// Makes the extension of one side: null where this program has none, and then zlib is not needed.
  using extension_maker = std::shared_ptr<message_extension const> (*)(sim::dice& rolls);

  explicit fate(std::uint64_t seed, extension_maker maker) : rolls(seed) {
    bool const odd_times = rolls.happens(200);
    for (options& with : options_of) with = any_options();
    if (odd_times)
      for (options& with : options_of) draw_timeouts(with.timeout);
    for (options& with : options_of) with.entropy = sim::entropy;
    around = rolls.happens(300) ? sim::conditions::hostile(rolls.roll()) : sim::conditions::rough(rolls.roll());
    deeds = 1 + static_cast<int>(rolls.below(rolls.happens(100) ? 400 : 120));
    haste = 20 + static_cast<unsigned>(rolls.below(400));
    if (rolls.happens(200)) {
      memory_fails_from = rolls.below(rolls.happens(500) ? 8 : 60);
      memory_fails_for = rolls.happens(300) ? UINT64_MAX : 1 + rolls.below(3);
    }
    drops = rolls.happens(300);
    sim::dice of_extensions = rolls.fork();
    if (maker == nullptr || !of_extensions.happens(300)) return;
    for (std::size_t i = 0; i < 2; ++i) {
      extensions[i] = maker(of_extensions);
      options_of[i].extension = extensions[i].get();
    }
  }

  sim::dice rolls;
  options options_of[2];
  sim::conditions around;
  int deeds;       // of the applications
  unsigned haste;  // how often one of them does something, in a thousand ticks
  std::uint64_t memory_fails_from = UINT64_MAX;
  std::uint64_t memory_fails_for = 0;
  bool may_wait_forever = false;  // a deadline is turned off
  bool drops = false;             // messages are sent that may be dropped
  std::shared_ptr<message_extension const> extensions[2]{};

 private:
  options any_options() {
    static constexpr std::uint64_t messages[] = {1U << 20, 1U << 20, 70'000, 4096, 300};
    static constexpr std::size_t queues[] = {1U << 20, 1U << 20, 20'000, 3000, 1};
    static constexpr std::uint32_t lingers[] = {64U << 10, 64U << 10, 1000, 0};
    options with;
    with.limit.message_bytes_max = rolls.any_of(messages);
    with.limit.queue_bytes_max = rolls.any_of(queues);
    with.limit.queue_bytes_high = with.limit.queue_bytes_max >> rolls.below(4);
    with.limit.linger_bytes_max = rolls.any_of(lingers);
    if (rolls.happens(50)) with.limit.frame_bytes_max = rolls.below(5000);
    if (rolls.happens(50)) with.limit.fragments_max = 1 + static_cast<std::uint32_t>(rolls.below(5));
    if (rolls.happens(20)) with.limit.head_bytes_max = 50 + static_cast<std::uint32_t>(rolls.below(200));
    with.deliver = rolls.happens(300) ? delivery::pieces : delivery::whole;
    with.text = rolls.happens(300) ? outgoing_text::trusted : outgoing_text::checked;
    return with;
  }

  void draw_timeouts(timeouts& timeout) {
    for (duration* const d :
         {&timeout.handshake, &timeout.ping, &timeout.pong, &timeout.close, &timeout.write, &timeout.linger})
      *d = any_timeout(*d);
    if (rolls.happens(100)) timeout.lifetime = milliseconds(rolls.between(0, 3000));
  }

  duration any_timeout(duration usual) {
    if (rolls.happens(500)) return usual;
    if (rolls.happens(850)) return duration{rolls.between(0, 2'000'000'000)};
    may_wait_forever = true;
    return forever;
  }
};

/// Two machines and their applications from birth to death, all from one seed.
template <class Machine = endpoint>
class life {
 public:
  explicit life(std::uint64_t seed, sim::trace::sink lines = nullptr, fate::extension_maker maker = nullptr)
      : fate_(seed, maker),
        rolls_(fate_.rolls.fork()),
        machines_{{role::client, fate_.options_of[0], instant{1'000'000'000}},
                  {role::server, fate_.options_of[1], instant{1'000'000'000}}},
        world_(machines_[0], machines_[1], fate_.rolls.roll(), fate_.around, lines) {
    sim::seed_entropy(fate_.rolls.roll());
    if (fate_.extensions[0] != nullptr)
      for (sim::frame_reader& wire : wires_) wire.allow_compression();
    world_.client().watch([](void* self, bytes_view sent) { static_cast<life*>(self)->wires_[0].read(sent); }, this);
    world_.server().watch([](void* self, bytes_view sent) { static_cast<life*>(self)->wires_[1].read(sent); }, this);
  }

  verdict run() {
    sim::heap::start(fate_.memory_fails_from, fate_.memory_fails_for);
    while (!world_.ended() && fault() == nullptr) {
      live();
      must(world_.ticks() < ticks_max, "the life has too many ticks");
      must(world_.now() < instant{} + seconds(100'000), "the life lasts too long");
    }
    judge();
    verdict result{.fault = fault(), .hash = world_.log.hash(), .ticks = world_.ticks(), .messages = messages_};
    result.opened = people_[0].open && people_[1].open;
    result.clean = clean_ends_ == 2;
    return result;
  }

 private:
  static constexpr std::uint64_t ticks_max = 3'000'000;
  static constexpr std::uint64_t payload_bytes_max = 70'000;

  person& at(role who) { return people_[static_cast<int>(who)]; }
  person& other(role who) { return people_[1 - static_cast<int>(who)]; }
  Machine& machine(role who) { return machines_[static_cast<int>(who)]; }
  options const& options_at(role who) { return fate_.options_of[static_cast<int>(who)]; }
  role any_role() { return rolls_.happens(500) ? role::client : role::server; }
  void must(bool kept, char const* sentence) { people_[0].must(kept, sentence); }

  char const* fault() const {
    if (char const* const broken = world_.broken_promise()) return broken;
    for (person const& p : people_)
      if (p.wrong != nullptr) return p.wrong;
    for (sim::frame_reader const& wire : wires_)
      if (wire.fault() != nullptr) return wire.fault();
    return nullptr;
  }

  void live() {
    sim::happening h;
    sim::progress const p = world_.tick(h);
    for (role const who : {role::client, role::server})
      if (machine(who).current() == state::closing) at(who).closing = true;
    switch (p) {
      case sim::progress::reported:
        hear(h);
        break;
      case sim::progress::worked:
        if (rolls_.happens(fate_.haste)) do_something();
        if (fate_.deeds <= 0 && rolls_.happens(2)) bid_farewell();  // pings may keep it from ever being quiet
        break;
      case sim::progress::quiet:
        if (fate_.deeds > 0 && rolls_.happens(980)) return do_something();
        if (fate_.deeds <= 0 && rolls_.happens(800)) return bid_farewell();
        if (!world_.sleep()) wait_in_vain();
        break;
    }
  }

  void hear(sim::happening const& h) {
    bool const lossless = !world_.up().corrupted() && !world_.down().corrupted();
    at(h.at).hear(h.what, other(h.at), lossless);
    if (h.what.what == kind::message || (h.what.what == kind::fragment && h.what.fin)) ++messages_;
    if (h.what.what == kind::closed && h.what.clean) ++clean_ends_;
    bool const end = h.what.what == kind::closed || h.what.what == kind::failed;
    must(!end || machine(h.at).current() == state::closed, "an end was reported, but the state is not closed");
    if (!rolls_.happens(300)) return;
    sim::trace before;
    before.add(h.what.payload);
    h.what.what == kind::request ? decide(h.at) : do_something(h.at);
    sim::trace after;
    after.add(h.what.payload);
    must(before.hash() == after.hash(), "a payload changed before the following next()");
  }

  // ---- What applications do -----------------------------------------------------------------------------------------

  void do_something() { do_something(any_role()); }

  void do_something(role who) {
    if (fate_.deeds <= 0) return;
    if (!at(role::client).asked && rolls_.happens(950)) return connect();
    if (at(role::server).undecided && rolls_.happens(900)) return decide(role::server);
    if (!at(who).open && !at(who).ended && rolls_.happens(970)) return;  // most deeds need an open connection
    --fate_.deeds;
    if (world_ended_for(who)) return;
    using deed = void (life::*)(role);
    static constexpr deed deeds[] = {
        &life::send,          &life::send,          &life::send,          &life::send,          &life::send_fragment,
        &life::send_fragment, &life::send_fragment, &life::send_fragment, &life::send_prepared, &life::send_prepared,
        &life::ping,          &life::ping,          &life::mistake,       &life::close_or_abort};
    (this->*rolls_.any_of(deeds))(who);
  }

  bool world_ended_for(role who) { return who == role::client ? world_.client().ended() : world_.server().ended(); }

  // Carries out a call and checks what its refusal promises.
  template <class Call>
  refusal call(role who, std::string_view name, Call what) {
    Machine& m = machine(who);
    Machine const& c = m;
    state const before_state = c.current();
    std::size_t const before_bytes = c.queued_bytes();
    instant const before_deadline = c.deadline();
    bool const before_wants = c.wants_input();
    transport_action const before_transport = c.transport();
    std::uint64_t const before_refused = sim::heap::refused();
    refusal const result = what(m);
    world_.log.note(world_.now(), who, name, result);
    if (result == refusal::none) {
      who == role::client ? world_.client().touch() : world_.server().touch();
      return result;
    }
    if (result == refusal::queue_full && closes_when_full_) {
      at(who).closing = true;
      return result;
    }
    must(c.current() == before_state, "a refused call has changed the state");
    must(c.queued_bytes() == before_bytes, "a refused call has changed what is queued");
    must(c.deadline() == before_deadline, "a refused call has changed the deadline");
    must(c.wants_input() == before_wants, "a refused call has changed what is wanted");
    must(c.transport() == before_transport, "a refused call has changed the transport");
    must(result != refusal::out_of_memory || sim::heap::refused() != before_refused,
         "a call was refused for want of memory, but there was enough");
    must(result != refusal::not_open || before_state != state::open, "a call was refused as if the state was not open");
    must(result != refusal::queue_full || before_bytes > options_at(who).limit.queue_bytes_max,
         "a call was refused as if the queue was full");
    must(result != refusal::message_open || at(who).inside, "a call was refused as if a message was open");
    return result;
  }

  void connect() {
    static constexpr std::string_view protocols[] = {"chat", "superchat"};
    client_request request{.where = parse_uri("ws://server.example/chat?room=1")};
    if (rolls_.happens(300)) request.subprotocols = protocols;
    if (rolls_.happens(50)) request.where = parse_uri("http://server.example/");
    refusal const result = call(role::client, "connect", [&](Machine& m) { return m.connect(request); });
    at(role::client).asked = at(role::client).asked || result == refusal::none;
    must(result != refusal::invalid_uri || !request.where.valid(), "a valid URI was refused");
  }

  void decide(role who) {
    if (!at(who).undecided) return;
    if (rolls_.happens(900)) {
      static constexpr header_field cookie[] = {{"Set-Cookie", "a=b"}};
      acceptance how;
      if (rolls_.happens(300)) how.headers = cookie;
      if (call(who, "accept", [&](Machine& m) { return m.accept(how); }) == refusal::none) at(who).undecided = false;
      return;
    }
    static constexpr std::uint16_t statuses[] = {200, 403, 503, 99};
    http_answer const answer{.status = rolls_.any_of(statuses), .body = as_bytes("the answer's body")};
    auto const body = rolls_.happens(500) ? body_lifetime::call : body_lifetime::permanent;
    if (call(who, "answer", [&](Machine& m) { return m.answer(answer, body); }) == refusal::none)
      at(who).undecided = false;
  }

  std::vector<std::byte> any_payload(opcode op, role who) {
    static constexpr std::uint64_t sizes[] = {1, 10, 126, 130, 600, 600, 3000};
    std::uint64_t size = rolls_.below(rolls_.any_of(sizes));
    if (rolls_.happens(20)) size = rolls_.below(payload_bytes_max);
    // Usually no more than the peer allows: that ends a life.
    std::uint64_t const limit = options_at(who == role::client ? role::server : role::client).limit.message_bytes_max;
    if (size > limit && rolls_.happens(900)) size = limit;
    std::vector<std::byte> payload(static_cast<std::size_t>(size));
    rolls_.fill(payload);
    if (op != opcode::text) return payload;
    for (std::byte& b : payload) b = static_cast<std::byte>('a' + std::to_integer<unsigned>(b) % 26);
    for (std::size_t i = 0; i + 3 <= payload.size(); i += 1 + static_cast<std::size_t>(rolls_.below(300)))
      copy_bytes(payload.data() + i, as_bytes("\xE2\x82\xAC"));
    // The last of these may have cut the one before: only whole ones are text.
    if (!is_valid_utf8(payload)) payload.assign(payload.size(), std::byte{'x'});
    return payload;
  }

  // What becomes of a message if the queue is full, and whether it is compressed.
  send_options any_manner() {
    static constexpr overflow policies[] = {overflow::refuse,      overflow::refuse,   overflow::refuse,
                                            overflow::drop_oldest, overflow::conflate, overflow::conflate,
                                            overflow::drop_newest, overflow::close};
    send_options how;
    if (fate_.drops) how.when_full = rolls_.any_of(policies);
    if (fate_.drops) how.key = rolls_.below(3);
    if (fate_.extensions[0] != nullptr) how.compress = static_cast<compression>(rolls_.below(3));
    return how;
  }

  opcode any_opcode() { return rolls_.happens(500) ? opcode::text : opcode::binary; }

  template <class Call>
  void send(role who, std::string_view name, person::message said, send_options const& how, Call what) {
    if (how.when_full == overflow::conflate) said.conflates = how.key + 1;
    drop_counts const before = machine(who).dropped();
    closes_when_full_ = how.when_full == overflow::close;
    refusal const result = call(who, name, what);
    closes_when_full_ = false;
    if (result == refusal::none) at(who).say(said, before, machine(who).dropped());
    must(result == refusal::none || before == machine(who).dropped(), "a refused call has dropped messages");
  }

  void send(role who) {
    if (at(who).inside && rolls_.happens(800)) return send_fragment(who);
    person::message said{.op = any_opcode()};
    std::vector<std::byte> const payload = any_payload(said.op, who);
    said.add(payload);
    send_options const how = any_manner();
    send(who, "send", said, how, [&](Machine& m) { return m.send(said.op, payload, how); });
  }

  void send_prepared(role who) {
    person::message said{.op = any_opcode()};
    std::vector<std::byte> const payload = any_payload(said.op, who);
    said.add(payload);
    prepared_message const shared(said.op, payload);
    if (!shared) return;
    send_options const how = any_manner();
    send(who, "send, prepared", said, how, [&](Machine& m) { return m.send(shared, how); });
  }

  // The next fragment of a message, which was drawn whole.
  void send_fragment(role who) {
    person& p = at(who);
    if (!p.inside) {
      p.being_said = {.op = any_opcode()};
      p.to_be_said = any_payload(p.being_said.op, who);
    }
    bool const last = rolls_.happens(500);
    std::size_t const size =
        last ? p.to_be_said.size() : static_cast<std::size_t>(rolls_.below(p.to_be_said.size() + 1));
    bytes_view const piece = bytes_view(p.to_be_said).first(size);
    refusal const result = call(who, last ? "send_fragment, last" : "send_fragment", [&](Machine& m) {
      return m.send_fragment(p.being_said.op, piece, last ? fragment::last : fragment::more);
    });
    if (result != refusal::none) return;
    p.being_said.add(piece);
    p.to_be_said.erase(p.to_be_said.begin(), p.to_be_said.begin() + static_cast<std::ptrdiff_t>(size));
    p.inside = !last;
    if (last) p.said.push_back(p.being_said);
  }

  // More than a queue of pongs keeps, now and then.
  void ping(role who) {
    for (std::uint64_t n = rolls_.happens(100) ? rolls_.below(40) : 1; n > 0; --n) ping_once(who);
  }

  void ping_once(role who) {
    std::byte payload[125];
    std::size_t const size = 1 + static_cast<std::size_t>(rolls_.below(125));
    rolls_.fill({payload, size});
    person::message said;
    said.add({payload, size});
    if (call(who, "ping", [&](Machine& m) { return m.ping({payload, size}); }) != refusal::none) return;
    at(who).pings.push_back(said);
    at(who).awaited_pongs.push_back(said);
  }

  // Calls that must be refused whatever the state is.
  void mistake(role who) {
    std::byte const long_ping[126]{};
    std::string const long_reason(124, 'r');
    bool const checked = options_at(who).text == outgoing_text::checked;
    auto const refused = [&](std::string_view name, auto what) {
      must(call(who, name, what) != refusal::none, "a mistake was not refused");
    };
    switch (rolls_.below(7)) {
      case 0:
        return refused("a long ping", [&](Machine& m) { return m.ping(long_ping); });
      case 1:
        return refused("an invalid close", [](Machine& m) { return m.close(static_cast<status_code>(1006), ""); });
      case 2:
        return refused("a long reason", [&](Machine& m) { return m.close(status_code::normal, long_reason); });
      case 3:
        return refused("an invalid reason", [](Machine& m) { return m.close(status_code::normal, "\xFF"); });
      case 4:
        if (checked) refused("an invalid text", [](Machine& m) { return m.send("\xC3"); });
        return;
      case 5:
        if (at(who).asked)
          refused("connect again", [](Machine& m) { return m.connect({.where = parse_uri("ws://server/")}); });
        return;
      default:
        if (!at(who).undecided) refused("accept nothing", [](Machine& m) { return m.accept(); });
        return;
    }
  }

  void close_or_abort(role who) {
    if (rolls_.happens(300)) close(who);
    if (rolls_.happens(20)) abort(who);
  }

  void close(role who) {
    static constexpr std::uint16_t codes[] = {1000, 1001, 1005, 3000, 4999};
    auto const code = static_cast<status_code>(rolls_.any_of(codes));
    std::string_view const reason = code == status_code::no_status_received ? "" : "farewell";
    if (call(who, "close", [&](Machine& m) { return m.close(code, reason); }) != refusal::none) return;
    at(who).bade_farewell = true;
    at(who).farewell = code;
  }

  void abort(role who) {
    machine(who).abort();
    world_.log.note(world_.now(), who, "abort", refusal::none);
    at(who).aborted = !at(who).ended;
    at(who).undecided = false;
    must(machine(who).transport() == transport_action::close, "abort() did not end the transport");
  }

  // ---- The end ------------------------------------------------------------------------------------------------------

  // The applications have done what they wanted, and now one of them ends it.
  void bid_farewell() {
    role const who = any_role();
    // Who has said farewell waits: from here on the machines and their deadlines must do the rest.
    if (world_ended_for(who) || at(who).ended || at(who).bade_farewell) return;
    if (who == role::client && !at(who).asked) return rolls_.happens(500) ? connect() : abort(who);
    if (at(who).undecided) return decide(who);
    rolls_.happens(30) ? abort(who) : close(who);
  }

  // Nothing will ever happen any more, and no deadline ends it: the applications do.
  void wait_in_vain() {
    if (fate_.deeds > 0) return;  // not yet
    for (role const who : {role::client, role::server}) {
      if (world_ended_for(who)) continue;
      bool const waits = who == role::client && !at(who).asked;
      bool const decides = at(who).undecided;
      must(fate_.may_wait_forever || waits || decides, "the life does not end, though all deadlines are set");
      if (fate_.may_wait_forever) abort(who);
    }
  }

  void judge() {
    if (fault() != nullptr) return;
    for (role const who : {role::client, role::server}) {
      int const terminals = who == role::client ? world_.client().terminals() : world_.server().terminals();
      must(terminals == (at(who).aborted ? 0 : 1), "the connection did not end with exactly one terminal event");
      must(wires_[static_cast<int>(who)].frames(opcode::close) <= 1, "there are two Close frames");
    }
    std::uint64_t bound = 0;
    for (options const& with : fate_.options_of)
      bound += (with.extension != nullptr ? 4U << 20 : 0) + 2 * with.limit.message_bytes_max +
               with.limit.queue_bytes_max + payload_bytes_max + with.limit.head_bytes_max + (256U << 10);
    must(sim::heap::most_used() <= bound, "the machines used more memory than their limits allow");
  }

  fate fate_;
  sim::dice rolls_;
  Machine machines_[2];
  sim::world<Machine, Machine> world_;
  sim::frame_reader wires_[2] = {sim::frame_reader(role::client), sim::frame_reader(role::server)};
  person people_[2];
  bool closes_when_full_ = false;  // the call that is made now
  int clean_ends_ = 0;
  std::uint64_t messages_ = 0;
};

/// Lives a life, and checks that it leaves no memory behind.
template <class Machine = sim::poisoned<endpoint>>
verdict live(std::uint64_t seed, sim::trace::sink lines = nullptr, fate::extension_maker maker = nullptr) {
  std::size_t const before = sim::heap::used();
  verdict result;
  {
    life<Machine> one(seed, lines, maker);
    result = one.run();
  }
  if (result.fault == nullptr && sim::heap::used() != before) result.fault = "the machines kept memory";
  return result;
}

}  // namespace test
