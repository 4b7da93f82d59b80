// SPDX-License-Identifier: BSL-1.0
#include "purews/sim/heap.hpp"

#include "purews/sim/dice.hpp"
#include "purews/sim/frame_reader.hpp"
#include "purews/sim/link.hpp"
#include "purews/sim/trace.hpp"

#include "support/catch.hpp"
#include "support/dies.hpp"
#include "support/frames.hpp"

using namespace purews;
using test::octets;

namespace {

std::vector<std::string> lines;
void keep_line(std::string_view line) { lines.emplace_back(line); }

// Sends `data` through a link in pieces of at most `size_max`, and reads it at once with `room` bytes of room.
octets carry(sim::link& way, octets const& data, std::size_t size_max, std::size_t room) {
  octets got;
  instant now{1'000'000'000};
  bytes_view rest = data;
  for (int i = 0; i < 1'000'000 && !way.ended(now) && !way.broken(); ++i) {
    std::size_t size = rest.size() < size_max ? rest.size() : size_max;
    if (size > way.room()) size = way.room();
    way.send(rest.first(size), now);
    rest = rest.subspan(size);
    if (rest.empty()) way.shut(now);
    if (way.arrival() > now && way.arrival() != never) now = way.arrival();
    octets in(room);
    in.resize(way.take(in, now));
    got.insert(got.end(), in.begin(), in.end());
  }
  return got;
}

octets any_bytes(std::size_t size) {
  octets data(size);
  sim::dice(size).fill(data);
  return data;
}

}  // namespace

TEST_CASE("dice: the numbers are those of splitmix64") {
  sim::dice rolls(1234567);  // the numbers that its author's program gives
  CHECK(rolls.roll() == 6457827717110365317U);
  CHECK(rolls.roll() == 3203168211198807973U);
  CHECK(rolls.roll() == 9817491932198370423U);
  CHECK(rolls.roll() == 4593380528125082431U);
  CHECK(rolls.roll() == 16408922859458223821U);
}

TEST_CASE("dice: every number of a range comes, and no other") {
  sim::dice rolls(1);
  int seen[10] = {};
  for (int i = 0; i < 1000; ++i) ++seen[rolls.below(10)];
  for (int const n : seen) CHECK((n > 50 && n < 150));
  bool low = false;
  bool high = false;
  for (int i = 0; i < 100; ++i) {
    std::int64_t const n = rolls.between(-1, 1);
    REQUIRE((n >= -1 && n <= 1));
    low = low || n == -1;
    high = high || n == 1;
  }
  CHECK((low && high));
  int happened = 0;
  for (int i = 0; i < 1000; ++i) {
    CHECK(!rolls.happens(0));
    CHECK(rolls.happens(1000));
    happened += rolls.happens(250) ? 1 : 0;
  }
  CHECK((happened > 200 && happened < 300));
  CHECK(dies([] { sim::dice(0).below(0); }));
  CHECK(dies([] { sim::dice(0).between(1, 0); }));
}

TEST_CASE("dice: a fork does not depend on what follows, and entropy follows from its seed") {
  sim::dice a(5);
  sim::dice b(5);
  sim::dice from_a = a.fork();
  sim::dice from_b = b.fork();
  a.roll();
  CHECK(from_a.roll() == from_b.roll());
  CHECK(a.roll() != b.roll());

  octets first(37);
  octets second(37);
  sim::seed_entropy(3);
  sim::entropy(first);
  sim::seed_entropy(3);
  sim::entropy(second);
  CHECK(first == second);
  sim::entropy(second);
  CHECK(first != second);
}

TEST_CASE("trace: the hash knows content, sizes and order; lines are written on request") {
  auto const hash = [](auto... parts) {
    sim::trace log;
    (log.add(parts), ...);
    return log.hash();
  };
  CHECK(hash(as_bytes("abc"), as_bytes("d")) == hash(as_bytes("abc"), as_bytes("d")));
  CHECK(hash(as_bytes("abc"), as_bytes("d")) != hash(as_bytes("ab"), as_bytes("cd")));
  CHECK(hash(as_bytes("abcdefghijk")) != hash(as_bytes("abcdefghijl")));
  CHECK(hash(std::uint64_t{1}, std::uint64_t{2}) != hash(std::uint64_t{2}, std::uint64_t{1}));
  CHECK(hash(as_bytes("abcdefgh")) == 0xBDE1'3E15'01D2'7341U);  // the same with either byte order

  lines.clear();
  sim::trace log(keep_line);
  log.note(instant{1'002'003'000}, role::client, "reads", 17);
  log.note(instant{61'000'000'000}, role::server, "close", refusal::not_open);
  octets text = test::octets_of("hi");
  log.note(instant{}, role::server, event{.what = kind::message, .op = opcode::text, .payload = text});
  log.note(instant{}, role::client,
           event{.what = kind::failed, .fault = error::masked_frame, .code = status_code::protocol_error});
  log.note(instant{}, role::client, event{.what = kind::closed, .clean = true, .code = status_code::normal});
  CHECK(lines == std::vector<std::string>{
                     "1.002003  client reads 17",
                     "61.000000  server close: refused: the connection is not open",
                     "0.000000  server event message text, 2 bytes: 68 69",
                     "0.000000  client event failed 1002: a server's frame was masked (RFC 6455 5.1)",
                     "0.000000  client event closed cleanly 1000",
                 });
  sim::trace silent;
  silent.note(instant{1'002'003'000}, role::client, "reads", 17);
  CHECK(silent.hash() != sim::trace().hash());
}

TEST_CASE("link: whatever a rough network does, all bytes arrive in order") {
  octets const data = any_bytes(3000);
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    sim::dice rolls(seed);
    sim::network const how = sim::network::rough(rolls);
    sim::link way(rolls.fork(), how);
    auto const size = 1 + static_cast<std::size_t>(rolls.below(500));
    CAPTURE(seed);
    CHECK(carry(way, data, size, static_cast<std::size_t>(1 + seed)) == data);
    CHECK(!way.corrupted());
  }
}

TEST_CASE("link: bytes arrive late, in pieces, and no more than it has room for") {
  instant const now{};
  sim::link way(sim::dice(1),
                {.capacity = 100, .piece_bytes_max = 3, .delay_min = milliseconds(5), .delay_max = milliseconds(50)});
  CHECK(way.arrival() == never);
  CHECK(way.room() == 100);
  way.send(any_bytes(90), now);
  CHECK(way.room() == 10);
  CHECK(way.readable(now) == 0);
  instant const first = way.arrival();
  CHECK((first >= now + milliseconds(5) && first <= now + milliseconds(50)));
  std::size_t const readable = way.readable(first);
  CHECK((readable >= 2 && readable <= 90));
  octets room(2);
  CHECK(way.take(room, first) == 2);
  CHECK(way.room() == 12);
  CHECK(dies([&] { way.send(any_bytes(13), now); }));
}

TEST_CASE("link: it ends and breaks where it is told to") {
  octets const data = any_bytes(500);
  sim::link ends(sim::dice(1), {.ends_after = 120});
  CHECK(carry(ends, data, 50, 1000) == octets(data.begin(), data.begin() + 120));
  CHECK(!ends.broken());

  sim::link breaks(sim::dice(1), {.resets_after = 120});
  octets const got = carry(breaks, data, 50, 1000);
  CHECK(breaks.broken());
  CHECK(got == octets(data.begin(), data.begin() + 100));  // what was under way is lost

  sim::link left(sim::dice(1), {});
  left.leave();
  CHECK(!left.broken());  // nothing was unread
  left.send(data, instant{});
  CHECK(left.broken());
  sim::link unread(sim::dice(1), {});
  unread.send(data, instant{});
  unread.leave();
  CHECK(unread.broken());
}

TEST_CASE("link: corruption turns bits, and says so") {
  octets const data = any_bytes(500);
  sim::link way(sim::dice(1), {.corruptions = 1000});
  octets const got = carry(way, data, 50, 1000);
  REQUIRE(got.size() == data.size());
  CHECK(way.corrupted());
  int turned = 0;
  for (std::size_t i = 0; i < data.size(); ++i)
    for (unsigned bit = 0; bit < 8; ++bit) turned += std::to_integer<int>((got[i] ^ data[i]) >> bit & std::byte{1});
  CHECK(turned == 10);  // one for each piece
}

TEST_CASE("frame reader: it counts frames, and names the first rule that is broken") {
  std::string const head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
  auto const fault = [&](role sender, std::string_view frames) {
    octets all = test::octets_of(head);
    octets const more = test::hex(frames);
    all.insert(all.end(), more.begin(), more.end());
    sim::frame_reader whole(sender);
    whole.read(all);
    sim::frame_reader cut(sender);
    for (std::byte const b : all) cut.read({&b, 1});
    std::string const found = whole.fault() != nullptr ? whole.fault() : "";
    CHECK(found == (cut.fault() != nullptr ? cut.fault() : ""));
    CHECK(whole.between_frames() == cut.between_frames());
    return found;
  };
  CHECK(fault(role::server, "8103616263 0103616263 8000 890161 8802 03e8") == "");
  CHECK(fault(role::client, "818301020304 616263 88 80 00000000") == "");
  CHECK(fault(role::server, "8800 8100") == "there is a frame behind the Close frame");
  CHECK(fault(role::server, "8800 8800") == "there is a frame behind the Close frame");
  CHECK(fault(role::server, "c100") == "a reserved bit is set");
  CHECK(fault(role::server, "8300") == "an opcode is reserved");
  CHECK(fault(role::server, "8b00") == "an opcode is reserved");
  CHECK(fault(role::server, "0900") == "a control frame is fragmented");
  CHECK(fault(role::server, "0100 8100") == "a message begins inside another");
  CHECK(fault(role::server, "8000") == "a continuation continues nothing");
  CHECK(fault(role::server, "8100 8000") == "a continuation continues nothing");
  CHECK(fault(role::server, "8180 00000000") == "a server masks");
  CHECK(fault(role::client, "8100") == "a client does not mask");
  CHECK(fault(role::server, "897e0080") == "a control frame is longer than 125 bytes");
  CHECK(fault(role::server, "827e007d") == "a length is not in its shortest form");
  CHECK(fault(role::server, "827f000000000000ffff") == "a length is not in its shortest form");
  CHECK(fault(role::server, "827f8000000000000000") == "a length is not in its shortest form");

  sim::frame_reader compressed(role::server);
  compressed.allow_compression();
  compressed.read(test::octets_of(head + "\xC1\x01x"));
  CHECK(compressed.fault() == nullptr);
  compressed.read(test::hex("c900"));
  CHECK(compressed.fault() != nullptr);
  sim::frame_reader answered(role::server);
  answered.read(as_bytes("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nthe body"));
  CHECK(answered.fault() == nullptr);
  CHECK(answered.frames(opcode::text) == 0);
  sim::frame_reader closing(role::server);
  closing.read(as_bytes(head));
  closing.read(test::hex("8800 8802"));
  CHECK(closing.frames(opcode::close) == 2);
  CHECK(!closing.between_frames());
}

TEST_CASE("heap: it counts the blocks of the machines, and runs out when it is told to") {
  if (!sim::heap::counts) return;
  std::size_t const before = sim::heap::used();
  std::size_t const blocks = sim::heap::blocks();
  sim::heap::start();
  void* a = allocate_bytes(100);
  CHECK(sim::heap::used() == before + 100);
  a = reallocate_bytes(a, 300);
  CHECK(sim::heap::used() == before + 300);
  CHECK(sim::heap::blocks() == blocks + 1);
  CHECK(sim::heap::most_used() == before + 400);  // as if the block could not grow where it was
  free_bytes(a);
  free_bytes(nullptr);
  CHECK(sim::heap::used() == before);
  CHECK(sim::heap::calls() == 2);

  sim::heap::start(1, 2);
  a = allocate_bytes(8);
  CHECK(a != nullptr);
  CHECK(reallocate_bytes(a, 16) == nullptr);
  CHECK(allocate_bytes(8) == nullptr);
  CHECK(sim::heap::refused() == 2);
  void* const b = allocate_bytes(8);
  CHECK(b != nullptr);
  free_bytes(a);
  free_bytes(b);
  sim::heap::start();
}
