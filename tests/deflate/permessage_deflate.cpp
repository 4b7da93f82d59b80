// SPDX-License-Identifier: BSL-1.0
#include "purews/deflate/permessage_deflate.hpp"

#include <thread>

#include "protocol/endpoint_harness.hpp"
#include "support.hpp"
#include "support/dies.hpp"
#include "support/page.hpp"

using namespace purews;

namespace {

std::string request_with(std::string_view extensions) {
  return "GET /chat HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" +
         std::string(extensions) + "\r\n";
}

std::string header(std::string_view value) { return "Sec-WebSocket-Extensions: " + std::string(value) + "\r\n"; }

// What a server answers to an upgrade with these headers: the value of its own header.
std::string answer_to(std::string const& headers, deflate_options const& with = {}) {
  permessage_deflate const deflate(with);
  test::bench b(role::server, {.extension = &deflate});
  b.receive(request_with(headers));
  REQUIRE(b.machine.accept() == refusal::none);
  std::string const answer = b.taken();
  REQUIRE(answer.find("HTTP/1.1 101 ") == 0);
  std::string const name = "\r\nSec-WebSocket-Extensions: ";
  std::size_t const at = answer.find(name);
  if (at == std::string::npos) return "none";
  CHECK(answer.find(name, at + 1) == std::string::npos);
  return answer.substr(at + name.size(), answer.find('\r', at + 2) - at - name.size());
}

// How a client takes an answer with these headers.
error client_takes(std::string const& headers, deflate_options const& with = {},
                   extension_use use = extension_use::negotiated) {
  permessage_deflate const deflate(with);
  options const opts{.entropy = test::sample_entropy, .extension = &deflate};
  endpoint client(role::client, opts, test::birth);
  REQUIRE(client.connect({.where = parse_uri("ws://h/"), .extension = use}) == refusal::none);
  std::string answer(test::switching);
  answer.insert(answer.size() - 2, headers);
  test::exact_copy in(test::octets_of(answer));
  client.receive(in.view(), test::birth);
  event const e = client.next();
  client.park();
  return e.what == kind::open ? error::none : e.fault;
}

// A client and a server after their handshake, and what each of them received.
struct peers {
  permessage_deflate client_deflate;
  permessage_deflate server_deflate;
  options client_options{.entropy = test::sample_entropy, .extension = &client_deflate};
  options server_options{.extension = &server_deflate};
  endpoint client{role::client, client_options, test::birth};
  endpoint server{role::server, server_options, test::birth};
  std::vector<std::string> at_client, at_server;
  std::size_t wire_bytes = 0;
  instant now = test::birth;

  explicit peers(deflate_options const& both = {}) : peers(both, both) {}
  peers(deflate_options const& c, deflate_options const& s) : client_deflate(c), server_deflate(s) {
    REQUIRE(client.connect({.where = parse_uri("ws://h/")}) == refusal::none);
    run();
    REQUIRE(client.current() == state::open);
    REQUIRE(server.current() == state::open);
  }

  // Lets everything arrive. True: something did.
  bool carry(endpoint& from, endpoint& to, std::vector<std::string>& received) {
    bytes_view spans[8];
    std::size_t const count = from.gather(spans);
    test::octets wire;
    for (std::size_t i = 0; i < count; ++i) wire.insert(wire.end(), spans[i].begin(), spans[i].end());
    from.consume_output(wire.size(), now);
    wire_bytes += wire.size();
    if (wire.empty()) return false;
    test::exact_copy lent(wire);
    to.receive(lent.view(), now);
    for (event e = to.next(); e.what != kind::none; e = to.next()) {
      if (e.what == kind::request) REQUIRE(to.accept() == refusal::none);
      if (e.what == kind::message) received.emplace_back(e.text());
      if (e.what == kind::failed) received.push_back("failed " + std::string(rule(e.fault)));
    }
    to.park();
    return true;
  }
  void run() {
    for (bool moved = true; moved;) {
      moved = carry(client, server, at_server);
      moved = carry(server, client, at_client) || moved;
    }
  }
};

}  // namespace

TEST_CASE("7692 7.1 N-01, N-02, N-10, N-12, N-14: a server takes the first acceptable offer") {
  CHECK(answer_to("") == "none");
  CHECK(answer_to(header("permessage-deflate")) == "permessage-deflate");
  CHECK(answer_to(header("x-webkit-deflate-frame, foo; a=b, PerMessage-Deflate")) == "permessage-deflate");
  CHECK(answer_to(header("foo")) == "none");
  CHECK(answer_to(header("permessage-deflate; client_max_window_bits")) == "permessage-deflate");
  for (char const* const bad : {"; x=1", "; server_max_window_bits=16", "; server_max_window_bits",
                                "; server_no_context_takeover; server_no_context_takeover"}) {
    CHECK(answer_to(header("permessage-deflate" + std::string(bad))) == "none");
    CHECK(answer_to(header("permessage-deflate" + std::string(bad) + ", permessage-deflate")) == "permessage-deflate");
  }
  CHECK(answer_to(header("permessage-deflate; server_max_window_bits=8, permessage-deflate")) ==
        "permessage-deflate; server_max_window_bits=8");
  CHECK(answer_to(header("foo") + header("permessage-deflate; x") +
                  header("permessage-deflate; server_max_window_bits=10")) ==
        "permessage-deflate; server_max_window_bits=10");
}

TEST_CASE("7692 7.1 N-20, K-05: a client takes only an answer to its offer") {
  CHECK(client_takes("") == error::none);
  CHECK(client_takes(header("permessage-deflate")) == error::none);
  CHECK(client_takes(header("permessage-deflate; client_max_window_bits=8; server_max_window_bits=8")) == error::none);
  for (char const* const bad :
       {"permessage-deflate, permessage-deflate", "foo", "permessage-deflate; x", "permessage-deflate, foo", "",
        "permessage-deflate; client_max_window_bits", "permessage-deflate; server_max_window_bits=16", ",",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover", "permessage-deflate;",
        "permessage-deflate, ="}) {
    CAPTURE(bad);
    CHECK(client_takes(header(bad)) == error::answer_extension);
    CHECK(permessage_deflate().confirm(bad).fault == error::answer_extension);
  }
  CHECK(client_takes(header("permessage-deflate") + header("permessage-deflate")) == error::answer_extension);
  CHECK(client_takes(header("permessage-deflate"), {}, extension_use::none) == error::answer_extension);
  CHECK(client_takes("", {}, extension_use::none) == error::none);
  CHECK(client_takes(header("permessage-deflate"), {.most = {.server = {context::no_takeover, 15}}}) ==
        error::answer_extension);
}

TEST_CASE("9.1: an upgrade may be accepted without the extension that was offered") {
  permessage_deflate const deflate;
  test::bench b(role::server, {.extension = &deflate});
  b.receive(request_with(header("permessage-deflate")));
  REQUIRE(b.machine.accept({.extension = extension_use::none}) == refusal::none);
  CHECK(b.taken().find("Extensions") == std::string::npos);
  b.receive(test::frame_text(role::server, 0xC1, "x"));
  CHECK(b.events().back() == "failed 1002 reserved_bit");
}

TEST_CASE("7692 6 and 7.2: messages of every size arrive, with every window and context, and mostly smaller",
          "[hazard-42][hazard-43]") {
  std::mt19937 random(3);
  for (std::uint8_t const bits : std::initializer_list<std::uint8_t>{8, 9, 11, 15})
    for (context const history : {context::takeover, context::no_takeover}) {
      deflate_side const side{history, bits};
      peers p({.most = {side, side}});
      std::vector<std::string> sent;
      std::size_t plain_bytes = 0;
      for (int i = 0; i < 200; ++i) {
        sent.push_back(test::some_text(random, random() % (i % 20 == 0 ? 20'000 : 400)));
        plain_bytes += 2 * sent.back().size();
        compression const how = i % 5 == 0 ? compression::off : i % 7 == 0 ? compression::on : compression::automatic;
        REQUIRE(p.client.send(sent.back(), {.compress = how}) == refusal::none);
        if (i % 3 == 0) {
          REQUIRE(p.server.send(prepared_message(opcode::text, as_bytes(sent.back())), {.compress = how}) ==
                  refusal::none);
        } else if (i % 3 == 1) {
          std::size_t const cut = random() % (sent.back().size() + 1);
          bytes_view const text = as_bytes(sent.back());
          REQUIRE(p.server.send_fragment(opcode::binary, text.first(cut), fragment::more, how) == refusal::none);
          REQUIRE(p.server.send_fragment(opcode::binary, text.subspan(cut), fragment::last, how) == refusal::none);
        } else {
          REQUIRE(p.server.send(sent.back(), {.compress = how}) == refusal::none);
        }
        if (i % 9 == 0) {
          // Idle for a while: everything that can be rebuilt is given back.
          p.run();
          REQUIRE(p.client.send("compressed", {.compress = compression::on}) == refusal::none);
          sent.push_back("compressed");
          REQUIRE(p.server.send("compressed") == refusal::none);
          p.run();
          p.now = p.now + seconds(11);
          p.client.advance(p.now);
          p.server.advance(p.now);
          CHECK(p.client_deflate.pool().kept_deflaters() == 1);
          CHECK(p.server_deflate.pool().kept_inflaters() == 1);
        }
        if (i % 4 == 0) p.run();
      }
      p.run();
      CHECK(p.at_client == sent);
      CHECK(p.at_server == sent);
      CHECK(p.wire_bytes < plain_bytes);
    }
}

TEST_CASE("a shared message is compressed once, and later messages may refer to it", "[hazard-46]") {
  permessage_deflate const deflate;
  options const with{.extension = &deflate};
  std::string const text = "A text that is long enough to be compressed, and that says the same thing the same way.";
  prepared_message const shared(opcode::text, as_bytes(text));
  CHECK_FALSE(shared.variant(15));
  std::vector<std::string> wires;
  for (int i = 0; i < 3; ++i) {
    connection c(role::server, with, test::birth);
    REQUIRE(c.use(*deflate.make_codec(role::server, {})) == refusal::none);
    test::machine_driver<connection> loop(c);
    if (i != 0)
      REQUIRE(c.send("something else that fills the history of this connection, and of no other one") == refusal::none);
    loop.flush();
    loop.output.clear();
    REQUIRE(c.send(shared) == refusal::none);
    loop.flush();
    wires.push_back(test::text_of(loop.output));
    CHECK(shared.variant(15));
    CHECK(shared.variant(15).rsv() == 4);
    loop.output.clear();
    REQUIRE(c.send(text) == refusal::none);
    loop.flush();
    // With a compressor at work it knows the text from the shared frame; a new one begins without history.
    if (i != 0) CHECK(loop.output.size() < 16);
  }
  CHECK(wires[0] == wires[1]);
  CHECK(wires[0] == wires[2]);
  CHECK(wires[0].size() < text.size());
}

TEST_CASE("one extension, its pool and a shared message serve connections of several threads", "[hazard-43]") {
  constexpr unsigned threads_count = 4;
  permessage_deflate const deflate({.kept_max = 2});
  options const with{.entropy = test::zero_entropy, .extension = &deflate};
  std::vector<prepared_message> broadcasts;
  std::mt19937 random(3);
  for (int i = 0; i < 40; ++i) broadcasts.emplace_back(opcode::text, as_bytes(test::some_text(random, 300)));
  std::vector<int> wrong(threads_count);
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < threads_count; ++t)
    threads.emplace_back([t, &deflate, &with, &broadcasts, &wrong] {
      for (std::uint8_t const bits : {std::uint8_t{15}, std::uint8_t{10}}) {
        connection server(role::server, with, test::birth);
        connection client(role::client, with, test::birth);
        deflate_parameters const agreed{{context::takeover, bits}, {context::takeover, bits}};
        wrong[t] += server.use(*deflate.make_codec(role::server, agreed)) != refusal::none;
        wrong[t] += client.use(*deflate.make_codec(role::client, agreed)) != refusal::none;
        for (prepared_message const& shared : broadcasts) {
          wrong[t] += server.send(shared) != refusal::none;
          wrong[t] += server.send(opcode::binary, shared.payload().first(100)) != refusal::none;
          bytes_view spans[8];
          test::octets wire;
          for (bytes_view const span : std::span(spans).first(server.gather(spans)))
            wire.insert(wire.end(), span.begin(), span.end());
          server.consume_output(wire.size(), test::birth);
          client.receive(wire, test::birth);
          wrong[t] += client.next().text() != as_text(shared.payload());
          wrong[t] += client.next().text() != as_text(shared.payload()).substr(0, 100);
          client.park();
        }
      }
    });
  for (std::thread& t : threads) t.join();
  CHECK(wrong == std::vector<int>(threads_count));
  for (prepared_message const& shared : broadcasts) {
    CHECK(shared.variant(15).rsv() == 4);
    CHECK(shared.variant(10).rsv() == 4);
  }
}

TEST_CASE("7692 8: a message may be left uncompressed, and short ones are", "[hazard-46]") {
  permessage_deflate const deflate;
  options const with{.extension = &deflate};
  connection c(role::server, with, test::birth);
  REQUIRE(c.use(*deflate.make_codec(role::server, {})) == refusal::none);
  test::machine_driver<connection> loop(c);
  std::string const text(100, 'x');
  auto const first_byte = [&](std::string_view what, compression how) {
    REQUIRE(c.send(what, {.compress = how}) == refusal::none);
    loop.flush();
    unsigned const first = std::to_integer<unsigned>(loop.output.at(0));
    loop.output.clear();
    return first;
  };
  CHECK(first_byte(text, compression::automatic) == 0xC1);
  CHECK(first_byte(text, compression::off) == 0x81);
  CHECK(first_byte(text.substr(0, 64), compression::automatic) == 0xC1);
  CHECK(first_byte(text.substr(0, 63), compression::automatic) == 0x81);
  CHECK(first_byte("x", compression::on) == 0xC1);
  CHECK(first_byte("", compression::on) == 0xC1);
}

TEST_CASE("7692 7.2.2 D-38, D-39: what a message may become is bounded, in every way of cutting it",
          "[hazard-35][hazard-36]") {
  permessage_deflate const deflate;
  auto const packed = [](std::size_t size) {
    deflater machine;
    REQUIRE(machine.begin(15, {}));
    auto const made = machine.encode(as_bytes(std::string(size, 'a')), fragment::last);
    return test::octets(made.payload.begin(), made.payload.end());
  };
  auto const outcome_of = [&](limits const& limit, test::octets const& wire, std::size_t step) {
    options const with{.limit = limit, .extension = &deflate};
    connection c(role::server, with, test::birth);
    REQUIRE(c.use(*deflate.make_codec(role::server, {})) == refusal::none);
    test::machine_driver<connection> loop(c);
    for (std::size_t at = 0; at < wire.size(); at += step)
      loop.receive(std::span(wire).subspan(at, wire.size() - at < step ? wire.size() - at : step));
    return loop.events.empty() ? std::string("nothing") : loop.events.back();
  };
  auto const frame = [](test::octets const& payload) { return test::peer_frame(role::server, 0xC2, payload); };
  for (std::size_t const step : {std::size_t{1'000'000}, std::size_t{1}, std::size_t{7}}) {
    limits limit{.message_bytes_max = 50'000};
    CHECK(outcome_of(limit, frame(packed(50'000)), step).find("message binary") == 0);
    CHECK(outcome_of(limit, frame(packed(50'001)), step) == "failed 1009 message_too_big");
    CHECK(outcome_of(limit, frame(packed(5'000'000)), step) == "failed 1009 message_too_big");
    // The ratio counts what a frame announces; the first 64 KiB are free.
    limit = {.inflate_ratio_max = 100};
    CHECK(outcome_of(limit, frame(packed(65'536)), step).find("message binary") == 0);
    CHECK(outcome_of(limit, frame(packed(65'537)), step) == "failed 1008 inflate_ratio");
    // Blocks that carry nothing.
    limit = {.message_bytes_max = 1000};
    test::octets const nothing = test::join(test::repeated(300, test::hex("000000ffff")), test::hex("00"));
    CHECK(outcome_of(limit, frame(nothing), step) == "failed 1009 compressed_too_big");
    CHECK(outcome_of({}, frame(nothing), step) == "message binary ");
  }
}

TEST_CASE("7692 7.2.2: in pieces comes all that the input tells so far, however much room there was") {
  // Long repeats: a few bits of the input make more than the room that is tried.
  std::string text;
  for (std::size_t i = 1; i < 40; ++i) text += std::string(i * 37, static_cast<char>('a' + i % 7));
  deflater machine;
  REQUIRE(machine.begin(15, {}));
  auto const made = machine.encode(as_bytes(text), fragment::last);
  test::octets const packed(made.payload.begin(), made.payload.end());
  test::octets const wire = test::peer_frame(role::server, 0xC1, packed);
  std::size_t const head = wire.size() - packed.size();
  permessage_deflate const deflate;
  options const with{.deliver = delivery::pieces, .extension = &deflate};
  for (std::size_t cut = 1; cut < packed.size(); ++cut) {
    CAPTURE(cut);
    test::plain_inflate oracle(15);
    std::string const told = oracle.beginning(test::octets(packed.begin(), packed.begin() + static_cast<int>(cut)));
    connection c(role::server, with, test::birth);
    REQUIRE(c.use(*deflate.make_codec(role::server, {})) == refusal::none);
    test::exact_copy in(test::octets(wire.begin(), wire.begin() + static_cast<int>(head + cut)));
    c.receive(in.view(), test::birth);
    std::string came;
    for (event e = c.next(); e.what != kind::none; e = c.next()) came += e.text();
    c.park();
    CHECK(came == told);
  }
}

TEST_CASE("8.1 U-04, U-05: compressed text is checked as it is inflated, however it is cut") {
  permessage_deflate const deflate;
  options const with{.extension = &deflate};
  // Each part is a fragment, compressed by the same compressor.
  auto const outcome_of = [&](std::vector<std::string> const& parts, std::size_t step) {
    deflater machine;
    REQUIRE(machine.begin(15, {}));
    test::octets wire;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      bool const last = i + 1 == parts.size();
      auto const made = machine.encode(as_bytes(parts[i]), last ? fragment::last : fragment::more);
      unsigned const first = (last ? 0x80U : 0U) + (i == 0 ? 0x41U : 0U);
      wire = test::join(wire, test::peer_frame(role::server, first, as_text(made.payload)));
    }
    connection c(role::server, with, test::birth);
    REQUIRE(c.use(*deflate.make_codec(role::server, {})) == refusal::none);
    test::machine_driver<connection> loop(c);
    for (std::size_t at = 0; at < wire.size(); at += step)
      loop.receive(std::span(wire).subspan(at, wire.size() - at < step ? wire.size() - at : step));
    return loop.events.empty() ? std::string("nothing") : loop.events.back();
  };
  for (std::size_t const step : {std::size_t{1}, std::size_t{3}, std::size_t{10'000}}) {
    CHECK(outcome_of({"caf\xC3\xA9"}, step) == "message text 636166c3a9");
    CHECK(outcome_of({"caf\xC3", "\xA9"}, step) == "message text 636166c3a9");
    CHECK(outcome_of({"caf\xE9."}, step) == "failed 1007 invalid_utf8");
    CHECK(outcome_of({"caf\xC3", "."}, step) == "failed 1007 invalid_utf8");
    CHECK(outcome_of({"caf", "\xC3"}, step) == "failed 1007 invalid_utf8");
    CHECK(outcome_of({std::string(5000, 'a') + "\xFF", "and no end"}, step) == "failed 1007 invalid_utf8");
  }
}

TEST_CASE("7692 8 D-44: a limit that is passed inside of a message fails the connection and frees what it had") {
  permessage_deflate const deflate;
  options const with{.limit = {.message_bytes_max = 100}, .extension = &deflate};
  deflater machine;
  REQUIRE(machine.begin(15, {}));
  connection c(role::server, with, test::birth);
  REQUIRE(c.use(*deflate.make_codec(role::server, {})) == refusal::none);
  test::machine_driver<connection> loop(c);
  REQUIRE(c.send(std::string(80, 'x')) == refusal::none);
  CHECK(deflate.pool().kept_deflaters() + deflate.pool().kept_inflaters() == 0);
  auto const made = machine.encode(as_bytes(std::string(101, 'a')), fragment::more);
  loop.receive(test::peer_frame(role::server, 0x41, as_text(made.payload)));
  CHECK(loop.events.back() == "failed 1009 message_too_big");
  CHECK(deflate.pool().kept_deflaters() == 1);
  CHECK(deflate.pool().kept_inflaters() == 1);
  loop.receive(test::peer_frame(role::server, 0x81, "more"));
  CHECK(loop.events.size() == 1);
}

TEST_CASE("a codec that is out of its contract is misused; impossible options too") {
  for (int const level : {0, 10}) {
    CHECK(dies([level] { permessage_deflate({.effort = {.level = level}}); }));
    CHECK(dies([level] { permessage_deflate({.effort = {.memory_level = level}}); }));
  }
  CHECK(dies([] { permessage_deflate({.most = {.server = {context::takeover, 7}}}); }));
  CHECK(dies([] { permessage_deflate({.most = {.client = {context::takeover, 16}}}); }));
}

TEST_CASE("docs/limits.md and docs/compression.md have the defaults of deflate_options") {
  constexpr deflate_options with;
  CHECK(test::has_row(test::page("docs/limits.md"), "message_bytes_min", test::size(with.message_bytes_min)));
  CHECK(test::has_row(test::page("docs/limits.md"), "kept_max", test::count(with.kept_max)));
  std::string const page = test::page("docs/compression.md");
  CHECK(with.most == deflate_parameters{{context::takeover, 15}, {context::takeover, 15}});
  CHECK(page.find("\n| `most.server`, `most.client` | takeover, 15 bits |") != std::string::npos);
  CHECK(test::has_row(page, "effort.level", test::count(static_cast<unsigned>(with.effort.level))));
  CHECK(test::has_row(page, "effort.memory_level", test::count(static_cast<unsigned>(with.effort.memory_level))));
  CHECK(test::has_row(page, "message_bytes_min", test::count(with.message_bytes_min)));
  CHECK(test::has_row(page, "kept_max", test::count(with.kept_max)));
}

TEST_CASE("7692 7.2.2: what is wrong first in the text is reported, however the input was cut") {
  struct wrong {
    char const* packed;  // inflates to text in which something is wrong, and ends or goes on wrongly
    error what;
  };
  static constexpr wrong list[] = {
      {"00 0200fdff 61ff 07", error::invalid_utf8},                      // a byte 0xFF, then no DEFLATE
      {"00 0200fdff 6161 07", error::deflate_data},                      // text, then no DEFLATE
      {"00 0c00f3ff 616161616161616161ff6161 00", error::invalid_utf8},  // a byte 0xFF, then more than 10 bytes
      {"00 0c00f3ff 616161616161616161616161 07", error::message_too_big},
      {"00 0c00f3ff 61616161616161616161ff61 00", error::message_too_big},    // more than 10 bytes, the next is 0xFF
      {"00 0d00f2ff 6161616161616161616161ff61 00", error::message_too_big},  // or the one after that
  };
  permessage_deflate const deflate;
  for (wrong const& w : list) {
    options const with{.limit = {.message_bytes_max = 10}};
    test::octets const in = test::peer_frame(role::server, 0xC1, test::hex(w.packed));
    for (std::size_t step = 1; step <= in.size(); ++step) {
      CAPTURE(w.packed, step);
      connection machine(role::server, with, test::birth);
      REQUIRE(machine.use(*deflate.make_codec(role::server, {})) == refusal::none);
      test::machine_driver<connection> loop(machine);
      for (std::size_t at = 0; at < in.size(); at += step)
        loop.receive(std::span(in).subspan(at, in.size() - at < step ? in.size() - at : step));
      REQUIRE(loop.events.size() == 1);
      CHECK(loop.events[0] ==
            "failed " + std::to_string(static_cast<int>(status_for(w.what))) + " " + test::name(w.what));
    }
  }
}

TEST_CASE("a connection that is aborted while the rest of a compressed message waits has nothing left to send") {
  permessage_deflate const deflate;
  options const with{.extension = &deflate};
  connection c(role::server, with, test::birth);
  REQUIRE(c.use(*deflate.make_codec(role::server, {})) == refusal::none);
  REQUIRE(c.send_fragment(opcode::text, as_bytes("sent at once"), fragment::more) == refusal::none);
  REQUIRE(c.send_fragment(opcode::text, as_bytes("waits"), fragment::more) == refusal::none);
  c.abort();
  bytes_view spans[4];
  CHECK(c.gather(spans) == 0);
  CHECK(c.transport() == transport_action::close);
}

TEST_CASE("7692 7.2.1: a compressor is not given back inside of a message") {
  permessage_deflate const deflate;
  message_codec* const codec = deflate.make_codec(role::server, {});
  REQUIRE(codec != nullptr);
  for (fragment const position : {fragment::more, fragment::last}) {
    REQUIRE(codec->encode(as_bytes("part"), position).done);
    codec->settle(position);
    codec->trim();
    CHECK(deflate.pool().kept_deflaters() == (position == fragment::last ? 1U : 0U));
  }
  codec->destroy();
}

TEST_CASE("7692 7.2.2: what a compressed frame needs at its end is not written behind it", "[hazard-37]") {
  permessage_deflate const deflate;
  options const with{.entropy = test::zero_entropy, .extension = &deflate};
  for (role const own : {role::server, role::client}) {
    // Two frames in a block of their exact size: four bytes written behind the first would break the second, and
    // behind the second, or the first when it is alone, they are outside of the block.
    test::octets const frame = test::peer_frame(own, 0xC1, test::hex("f248cdc9c90700"));
    test::octets const next = test::peer_frame(own, 0xC1, test::hex("f200110000"));
    connection c(own, with, test::birth);
    REQUIRE(c.use(*deflate.make_codec(own, {})) == refusal::none);
    test::machine_driver<connection> loop(c);
    loop.receive(frame);
    loop.receive(test::join(next, next));
    CHECK(loop.events == std::vector<std::string>(3, "message text 48656c6c6f"));
  }
}
