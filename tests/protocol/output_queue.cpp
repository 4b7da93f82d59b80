// SPDX-License-Identifier: BSL-1.0
#include "purews/protocol/output_queue.hpp"

#include <memory>
#include <random>

#include "support/catch.hpp"
#include "support/dies.hpp"
#include "support/frames.hpp"

using namespace purews;
using test::octets;

namespace {

octets read(std::span<bytes_view const> spans) {
  octets all;
  for (bytes_view s : spans) all.insert(all.end(), s.begin(), s.end());
  return all;
}

// Everything that is left, in gathers of `most` spans.
octets take_all(output_queue& q, std::size_t most = 4) {
  octets all;
  std::vector<bytes_view> spans(most);
  while (std::size_t const n = q.gather(spans)) {
    octets const some = read(std::span(spans).first(n));
    all.insert(all.end(), some.begin(), some.end());
    q.consume(some.size());
  }
  return all;
}

void append(output_queue& q, octets const& frame) {
  std::byte* const at = q.allocate(frame.size());
  REQUIRE(at != nullptr);
  copy_bytes(at, frame);
}

octets data(std::size_t size, char fill = 'd') { return test::raw_frame(0x82, octets(size, std::byte(fill)), false); }
octets pong(std::string_view text) { return test::raw_frame(0x8a, test::octets_of(text), false); }
bool add_pong(output_queue& q, std::string_view text) { return q.append_pong(as_bytes(text), nullptr); }

std::vector<std::string> pong_texts(octets const& stream) {
  std::vector<std::string> result;
  for (auto const& frame : test::parse_frames(stream))
    if (frame.first == 0x8a) result.push_back(frame.text());
  return result;
}

std::vector<std::string> numbers(int from, int to) {
  std::vector<std::string> result;
  for (int i = from; i <= to; ++i) result.push_back(std::to_string(i));
  return result;
}

// Gathers everything and leaves the gather outstanding.
struct gathered {
  explicit gathered(output_queue& q, std::size_t most = 8) : spans(most) {
    spans.resize(q.gather(spans));
    content = read(spans);
  }
  bool unchanged() const { return read(spans) == content; }
  std::vector<bytes_view> spans;
  octets content;
};

}  // namespace

TEST_CASE("an empty output queue has nothing to transmit") {
  output_queue q;
  bytes_view spans[2];
  CHECK(q.empty());
  CHECK(q.gather(spans) == 0);
  CHECK(q.gather(spans) == 0);  // nothing was gathered, so that no gather is outstanding
  q.consume(0);
  CHECK(q.size() == 0);
}

TEST_CASE("output leaves in the order in which it was queued, whatever the transport takes") {
  for (std::size_t const room_size : {0U, 1U, 50U, 1000U})
    for (std::size_t const written : {1U, 2U, 7U, 1000U}) {
      test::exact_copy const room(room_size);
      output_queue q;
      if (room_size != 0) CHECK(q.lend(room.view()));
      octets expected;
      for (std::size_t i = 0; i < 40; ++i) {
        octets const frame = data(i, static_cast<char>('a' + i % 26));
        append(q, frame);
        expected = test::join(expected, frame);
      }
      CHECK(q.size() == expected.size());
      octets got;
      bytes_view spans[3];
      while (std::size_t const n = q.gather(spans)) {
        octets const some = read(std::span(spans).first(n));
        std::size_t const sent = some.size() < written ? some.size() : written;
        got.insert(got.end(), some.begin(), some.begin() + static_cast<std::ptrdiff_t>(sent));
        q.consume(sent);
        REQUIRE(q.size() == expected.size() - got.size());
      }
      CHECK(got == expected);
      if (room_size != 0) CHECK(q.lend({}));
    }
}

TEST_CASE("frames are encoded into lent room, and beyond it while that is full") {
  test::exact_copy const room(20);
  output_queue q;
  CHECK(q.lend(room.view()));
  CHECK(q.allocate(12) == room.view().data());
  CHECK(q.allocate(8) == room.view().data() + 12);
  std::byte* const beyond = q.allocate(1);
  CHECK((beyond < room.view().data() || beyond >= room.view().data() + 20));
  *beyond = std::byte{7};
  CHECK(q.size() == 21);
  // Not into the room behind its back, although it would fit after a partial write: order comes first.
  bytes_view spans[4];
  CHECK(q.gather(spans) == 2);
  q.consume(20);
  std::byte* const next = q.allocate(1);
  CHECK((next < room.view().data() || next >= room.view().data() + 20));
  *next = std::byte{8};
  CHECK(take_all(q) == test::hex("07 08"));
  // When all is sent, the room is there again.
  CHECK(q.allocate(20) == room.view().data());
  take_all(q);
  CHECK(q.lend({}));
}

TEST_CASE("at the end of a loan what is unsent is copied, and stays first") {
  output_queue q;
  octets expected;
  {
    test::exact_copy const room(30);
    CHECK(q.lend(room.view()));
    append(q, data(10, 'a'));
    append(q, data(10, 'b'));
    append(q, data(10, 'c'));  // does not fit
    expected = test::join(data(10, 'a'), data(10, 'b'), data(10, 'c'));
    bytes_view spans[4];
    CHECK(q.gather(spans) == 2);
    q.consume(5);
    expected.erase(expected.begin(), expected.begin() + 5);
    CHECK(q.lend({}));
  }
  CHECK(q.size() == expected.size());
  append(q, data(3, 'd'));
  CHECK(take_all(q) == test::join(expected, data(3, 'd')));
}

TEST_CASE("a loan that left nothing behind leaves no trace") {
  output_queue q;
  for (int i = 0; i < 3; ++i) {
    test::exact_copy const room(64);
    CHECK(q.lend(room.view()));
    append(q, data(8));
    CHECK(take_all(q) == data(8));
    CHECK(q.lend({}));
  }
  CHECK(q.lend({}));  // the end of no loan is nothing
  CHECK(q.empty());
}

TEST_CASE("misuse of the output queue ends the program") {
  test::exact_copy const room(64);
  bytes_view spans[2];
  auto const queue_and = [&](auto f) {
    return dies([&] {
      output_queue q;
      append(q, data(8));
      append(q, data(8));
      f(q);
    });
  };
  CHECK(queue_and([&](output_queue& q) {  // two loans at a time
    static_cast<void>(q.lend(room.view()));
    static_cast<void>(q.lend(room.view()));
  }));
  CHECK(queue_and([&](output_queue& q) {  // two gathers
    q.gather(spans);
    q.gather(spans);
  }));
  CHECK(queue_and([&](output_queue& q) {  // the end of a loan during a gather
    q.gather(spans);
    static_cast<void>(q.lend({}));
  }));
  CHECK(queue_and([&](output_queue& q) {  // more than was queued
    q.gather(spans);
    q.consume(21);
  }));
  CHECK(queue_and([&](output_queue& q) { q.consume(1); }));  // nothing was gathered
  CHECK(queue_and([&](output_queue& q) {                     // a second consumption of one gather
    q.gather(spans);
    q.consume(1);
    q.consume(1);
  }));
  CHECK(queue_and([&](output_queue& q) {  // more than was gathered, though it is queued by now
    q.gather(spans);
    append(q, data(8));
    q.consume(21);
  }));
  CHECK(queue_and([&](output_queue& q) {  // a ping too long to be remembered
    for (std::size_t i = 0; i < output_queue::pongs_max; ++i) add_pong(q, "p");
    static_cast<void>(q.append_pong(octets(126), nullptr));
  }));
  CHECK_FALSE(queue_and([&](output_queue& q) {
    q.gather(spans);
    q.consume(0);
    static_cast<void>(q.lend(room.view()));
    q.gather(spans);
    q.consume(20);
    static_cast<void>(q.lend({}));
  }));
}

TEST_CASE("what is queued during a gather does not touch what was gathered") {
  test::exact_copy const room(40);
  for (bool const lent : {false, true}) {
    output_queue q;
    if (lent) CHECK(q.lend(room.view()));
    append(q, data(8, 'a'));
    gathered const outstanding(q);
    append(q, data(8, 'b'));
    append(q, data(2000, 'c'));
    CHECK(add_pong(q, "p"));
    CHECK(outstanding.unchanged());
    q.consume(10);
    octets const rest = take_all(q);
    CHECK(rest.size() == data(8).size() + data(2000).size() + pong("p").size());
    CHECK(test::parse_frames(rest).size() == 3);
    if (lent) CHECK(q.lend({}));
  }
}

TEST_CASE("a large shared frame is sent by reference, and kept until it has left") {
  output_queue q;
  std::byte const* where = nullptr;
  {
    prepared_message const shared(opcode::binary, octets(5000, std::byte{'s'}));
    where = shared.frame().data();
    CHECK(q.append(shared));
    CHECK(q.append(shared));
  }
  bytes_view spans[4];
  REQUIRE(q.gather(spans) == 2);
  CHECK(spans[0].data() == where);
  CHECK(spans[1].data() == where);
  q.consume(5004 + 4);
  REQUIRE(q.gather(spans) == 1);
  CHECK(spans[0].data() == where + 4);
  q.consume(0);
  CHECK(take_all(q) == octets(5000, std::byte{'s'}));
}

TEST_CASE("a shared frame of up to 4 KiB is copied into lent room, a larger one is sent by reference") {
  std::vector<std::byte> room(16'384);
  output_queue q;
  CHECK(q.lend(room));
  CHECK(q.append(prepared_message(opcode::binary, octets(2000))));
  CHECK(q.append(prepared_message(opcode::binary, octets(4096 - 4))));
  prepared_message const large(opcode::binary, octets(4096 - 3));
  CHECK(q.append(large));
  bytes_view spans[4];
  REQUIRE(q.gather(spans) == 2);
  CHECK(spans[0].data() == room.data());
  CHECK(spans[0].size() == 2004 + 4096);
  CHECK(spans[1].data() == large.frame().data());
  q.consume(spans[0].size() + spans[1].size());
  CHECK(q.lend({}));
}

TEST_CASE("room of more than 4 GiB may be lent") {
  // No byte of it is touched but the first ones, which are all that there is.
  std::byte first[64]{};
  output_queue q;
  CHECK(q.lend({first, static_cast<std::size_t>((std::uint64_t{1} << 32) + 16)}));
  if (sizeof(std::size_t) > 4) CHECK(q.allocate(64) == first);
  take_all(q);
  CHECK(q.lend({}));
}

TEST_CASE("a shared frame that was not sent is given back with the queue") {
  prepared_message const shared(opcode::text, octets(3000, std::byte{'s'}));
  for (std::size_t const sent : {0U, 1U, 3000U}) {
    output_queue q;
    CHECK(q.append(shared));
    append(q, data(100));
    bytes_view spans[1];
    CHECK(q.gather(spans) == 1);
    q.consume(sent);
  }
  CHECK(shared.payload().size() == 3000);
}

TEST_CASE("small shared frames and own ones keep their order with referenced ones") {
  output_queue q;
  octets expected;
  for (std::size_t const size : {10U, 1020U, 1021U, 3U, 70000U, 1U}) {
    prepared_message const shared(opcode::text, octets(size, std::byte{'s'}));
    CHECK(q.append(shared));
    append(q, data(size, 'o'));
    expected = test::join(expected, octets(shared.frame().begin(), shared.frame().end()), data(size, 'o'));
  }
  CHECK(q.size() == expected.size());
  CHECK(take_all(q, 2) == expected);
}

TEST_CASE("bytes of static storage are sent by reference") {
  static constexpr std::string_view text = "HTTP/1.1 400 Bad Request";
  output_queue q;
  CHECK(q.append_static(as_bytes(text)));
  CHECK(q.append_static({}));
  bytes_view spans[2];
  REQUIRE(q.gather(spans) == 1);
  CHECK(as_text(spans[0]).data() == text.data());
  q.consume(text.size());
  CHECK(q.empty());
}

TEST_CASE("5.5.3: pongs go out in order, masked or not", "[hazard-15]") {
  output_queue q;
  masking_key const key{{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}}};
  CHECK(add_pong(q, ""));
  CHECK(q.append_pong(octets(125, std::byte{'x'}), nullptr));
  CHECK(q.append_pong(octets(125, std::byte{'y'}), &key));
  octets const stream = take_all(q);
  CHECK(stream.size() == 2 + 127 + 131);
  auto const frames = test::parse_frames(stream);
  REQUIRE(frames.size() == 3);
  CHECK(frames[1].text() == std::string(125, 'x'));
  CHECK(frames[2].text() == std::string(125, 'y'));
  CHECK(frames[2].key == octets(key.octets, key.octets + 4));
}

TEST_CASE("5.5.3: F-23: of many pings the first 16 and the newest are answered, wherever their pongs wait",
          "[hazard-29]") {
  for (int const pings : {1, 15, 16, 17, 18, 100, 1000})
    for (std::size_t const room_size : {0U, 5U, 20U, 100000U})
      for (bool const end_loan : {false, true}) {
        CAPTURE(pings, room_size, end_loan);
        test::exact_copy const room(room_size);
        output_queue q;
        if (room_size != 0) CHECK(q.lend(room.view()));
        for (int i = 1; i <= pings; ++i) CHECK(add_pong(q, std::to_string(i)));
        CHECK(q.size() <= 16 * 6);
        if (room_size != 0 && end_loan) CHECK(q.lend({}));
        auto expected = numbers(1, pings < 16 ? pings : 16);
        if (pings > 16) expected.push_back(std::to_string(pings));
        CHECK(pong_texts(take_all(q)) == expected);
        // It begins anew when all have left.
        CHECK(add_pong(q, "again"));
        CHECK(pong_texts(take_all(q)) == std::vector<std::string>{"again"});
        if (room_size != 0 && !end_loan) CHECK(q.lend({}));
      }
}

TEST_CASE("5.5.3: F-23: the 16 are counted over loans of output room", "[hazard-29]") {
  output_queue q;
  int ping = 0;
  for (int batch = 0; batch < 50; ++batch) {
    test::exact_copy const room(64);
    CHECK(q.lend(room.view()));
    for (int i = 0; i < 20; ++i) CHECK(add_pong(q, std::to_string(++ping)));
    CHECK(q.lend({}));
    REQUIRE(q.size() <= 16 * 6);
  }
  auto expected = numbers(1, 16);
  expected.push_back("1000");
  CHECK(pong_texts(take_all(q)) == expected);
}

TEST_CASE("5.5.3: F-23: the 16 that a loan left behind count until they have left") {
  output_queue q;
  test::exact_copy const room(200);
  CHECK(q.lend(room.view()));
  for (int i = 1; i <= 16; ++i) CHECK(add_pong(q, std::to_string(i)));
  CHECK(q.lend({}));
  bytes_view spans[1];
  CHECK(q.gather(spans) == 1);
  octets sent(spans[0].begin(), spans[0].begin() + 1);
  q.consume(1);
  for (int i = 17; i <= 30; ++i) CHECK(add_pong(q, std::to_string(i)));
  auto expected = numbers(1, 16);
  expected.push_back("30");
  CHECK(pong_texts(test::join(sent, take_all(q))) == expected);
}

TEST_CASE("5.5.3: the pong for a remembered ping is not overtaken by those after it") {
  test::exact_copy const room(1000);
  output_queue q;
  CHECK(q.lend(room.view()));
  for (int i = 1; i <= 10; ++i) CHECK(add_pong(q, std::to_string(i)));
  append(q, data(996 - q.size()));                                       // the room is full ...
  for (int i = 11; i <= 17; ++i) CHECK(add_pong(q, std::to_string(i)));  // ... so that these wait elsewhere
  bytes_view spans[1];
  CHECK(q.gather(spans) == 1);
  q.consume(spans[0].size());
  CHECK(add_pong(q, "18"));
  auto expected = numbers(11, 16);
  expected.push_back("18");
  CHECK(pong_texts(take_all(q)) == expected);
  CHECK(q.lend({}));
}

TEST_CASE("5.4: F-27: a pong overtakes queued frames, but none that is begun, gathered or in lent room") {
  SECTION("queued on the heap: overtaken") {
    output_queue q;
    append(q, data(100));
    CHECK(add_pong(q, "p"));
    CHECK(take_all(q) == test::join(pong("p"), data(100)));
  }
  SECTION("begun: not overtaken") {
    output_queue q;
    append(q, data(100));
    bytes_view spans[1];
    CHECK(q.gather(spans) == 1);
    q.consume(1);
    CHECK(add_pong(q, "p"));
    octets begun = data(100);
    begun.erase(begun.begin());
    CHECK(take_all(q) == test::join(begun, pong("p")));
  }
  SECTION("begun shared frame, with another behind it: between the two") {
    prepared_message const shared(opcode::binary, octets(2000, std::byte{'s'}));
    octets const frame(shared.frame().begin(), shared.frame().end());
    output_queue q;
    CHECK(q.append(shared));
    CHECK(q.append(shared));
    bytes_view spans[1];
    CHECK(q.gather(spans) == 1);
    q.consume(3);
    CHECK(add_pong(q, "p"));
    CHECK(take_all(q) == test::join(octets(frame.begin() + 3, frame.end()), pong("p"), frame));
  }
  SECTION("gathered: not overtaken") {
    output_queue q;
    append(q, data(100));
    gathered const outstanding(q);
    CHECK(add_pong(q, "p"));
    CHECK(outstanding.unchanged());
    q.consume(0);
    CHECK(take_all(q) == test::join(data(100), pong("p")));
  }
  SECTION("in lent room: not overtaken, nor after the end of the loan") {
    output_queue q;
    test::exact_copy const room(110);
    CHECK(q.lend(room.view()));
    append(q, data(100));
    append(q, data(50, 'e'));
    CHECK(add_pong(q, "p"));
    CHECK(q.lend({}));
    CHECK(add_pong(q, "q"));
    CHECK(take_all(q) == test::join(data(100), pong("p"), pong("q"), data(50, 'e')));
  }
  SECTION("pinned: not overtaken") {
    output_queue q;
    append(q, test::octets_of("HTTP/1.1 101 and so on"));
    q.pin();
    CHECK(add_pong(q, "p"));
    append(q, data(3));
    CHECK(take_all(q) == test::join(test::octets_of("HTTP/1.1 101 and so on"), pong("p"), data(3)));
  }
}

TEST_CASE("pongs that come while pongs and data are gathered wait behind both", "[hazard-15]") {
  output_queue q;
  append(q, data(100));
  CHECK(add_pong(q, "1"));  // before the data
  gathered const outstanding(q);
  REQUIRE(outstanding.spans.size() == 2);
  CHECK(add_pong(q, "2"));
  CHECK(add_pong(q, "3"));
  CHECK(outstanding.unchanged());
  SECTION("all of it was sent") {
    q.consume(outstanding.content.size());
    CHECK(take_all(q) == test::join(pong("2"), pong("3")));
  }
  SECTION("part of it was sent") {
    q.consume(5);
    CHECK(add_pong(q, "4"));
    octets begun = data(100);
    begun.erase(begun.begin(), begun.begin() + 2);
    CHECK(take_all(q) == test::join(begun, pong("2"), pong("3"), pong("4")));
  }
  SECTION("none of it was sent") {
    q.consume(0);
    CHECK(take_all(q) == test::join(pong("1"), data(100), pong("2"), pong("3")));
  }
  SECTION("they count to the 16") {
    for (int i = 4; i <= 30; ++i) CHECK(add_pong(q, std::to_string(i)));
    CHECK(outstanding.unchanged());
    q.consume(outstanding.content.size());
    auto expected = numbers(2, 16);
    expected.push_back("30");
    CHECK(pong_texts(take_all(q)) == expected);
  }
}

namespace {

// What must hold whatever happens, in terms of the queue's output alone.
class model {
 public:
  explicit model(unsigned seed) : random_(seed) {}

  void run(int steps) {
    for (int i = 0; i < steps; ++i) step();
    if (outstanding_) finish_gather();
    if (room_) end_loan();
    spans_max_ = 5;
    while (gather()) finish_gather();
    check_stream();
  }

 private:
  unsigned below(unsigned n) { return static_cast<unsigned>(random_() % n); }

  void step() {
    switch (below(10)) {
      case 0:
      case 1:
        add_data();
        break;
      case 2:
        add_shared();
        break;
      case 3:
      case 4:
        add_pongs(1 + below(4));
        break;
      case 5:
        if (below(20) == 0) add_pongs(40);
        break;
      case 6:
        if (!room_) {
          room_ = std::make_unique<test::exact_copy>(1 + below(600));
          REQUIRE(q_.lend(room_->view()));
        } else if (!outstanding_) {
          end_loan();
        }
        break;
      default:
        if (outstanding_) {
          finish_gather();
        } else {
          spans_max_ = below(5);
          gather();
        }
    }
    REQUIRE(q_.size() == queued_ - stream_.size());
    REQUIRE(q_.empty() == (q_.size() == 0));
  }

  octets next_frame(std::size_t size) {
    octets payload = test::octets_of(std::to_string(data_count_++) + ":");
    while (payload.size() < size) payload.push_back(static_cast<std::byte>('a' + payload.size() % 26));
    return payload;
  }

  void add_data() {
    octets const frame = test::raw_frame(0x82, next_frame(below(8) == 0 ? below(5000) : below(100)), false);
    append(q_, frame);
    queued_ += frame.size();
  }
  void add_shared() {
    octets const payload = next_frame(below(4000));
    prepared_message const shared(opcode::binary, payload);
    REQUIRE(q_.append(shared));
    queued_ += shared.frame().size();
  }
  void add_pongs(unsigned n) {
    for (unsigned i = 0; i < n; ++i) {
      std::size_t const before = q_.size();
      octets ping = test::octets_of(std::to_string(ping_count_++) + ":");
      ping.resize(below(3) == 0 ? 125 : ping.size());
      REQUIRE(q_.append_pong(ping, nullptr));
      bool const remembered = q_.size() == before;  // its pong is queued later, if ever
      queued_ += q_.size() - before;
      not_before_.push_back(remembered ? 0 : stream_.size() + gathered_.size());
    }
  }

  void end_loan() {
    REQUIRE(q_.lend({}));
    room_.reset();
  }

  bool gather() {
    spans_.resize(spans_max_);
    spans_.resize(q_.gather(spans_));
    for (bytes_view s : spans_) REQUIRE_FALSE(s.empty());
    gathered_ = read(spans_);
    if (spans_.size() < spans_max_) REQUIRE(gathered_.size() == q_.size());
    outstanding_ = !spans_.empty();
    return outstanding_;
  }

  void finish_gather() {
    REQUIRE(read(spans_) == gathered_);
    std::size_t const all = gathered_.size();
    std::size_t const sent = below(3) == 0 ? all : below(3) == 0 ? 0 : below(static_cast<unsigned>(all) + 1);
    stream_.insert(stream_.end(), gathered_.begin(), gathered_.begin() + static_cast<std::ptrdiff_t>(sent));
    std::size_t const before = q_.size();
    q_.consume(sent);
    queued_ += q_.size() - (before - sent);  // the pong for the newest ping may come now
    outstanding_ = false;
    gathered_.clear();
  }

  void check_stream() {
    REQUIRE(q_.empty());
    REQUIRE(stream_.size() == queued_);
    int data_seen = 0;
    int last_ping = -1;
    for (auto const& frame : test::parse_frames(stream_)) {
      if (frame.first == 0x82) {
        REQUIRE(std::stoi(frame.text()) == data_seen);
        ++data_seen;
        continue;
      }
      REQUIRE(frame.first == 0x8a);
      int const ping = std::stoi(frame.text());
      REQUIRE(ping > last_ping);
      last_ping = ping;
      REQUIRE(frame.at >= not_before_.at(static_cast<std::size_t>(ping)));
    }
    REQUIRE(data_seen == data_count_);
    REQUIRE(last_ping == ping_count_ - 1);  // the newest is always answered
  }

  std::mt19937 random_;
  output_queue q_;
  std::unique_ptr<test::exact_copy> room_;
  std::vector<bytes_view> spans_;
  std::size_t spans_max_ = 4;
  bool outstanding_ = false;
  octets gathered_;
  octets stream_;
  std::size_t queued_ = 0;
  int data_count_ = 0;
  int ping_count_ = 0;
  std::vector<std::size_t> not_before_;  // for each ping, the end of what was sent or gathered when it came
};

}  // namespace

TEST_CASE("5.4: F-63: random use of the output queue keeps its promises", "[hazard-05][hazard-15]") {
  for (unsigned seed = 0; seed < 300; ++seed) {
    CAPTURE(seed);
    model(seed).run(400);
  }
}

TEST_CASE("5.5.3: a queue that nobody empties is bounded against pings", "[hazard-29]") {
  output_queue q;
  append(q, data(1000));
  for (int i = 0; i < 100'000; ++i) REQUIRE(q.append_pong(octets(125, std::byte{'p'}), nullptr));
  CHECK(q.size() == data(1000).size() + 16 * 127);
  CHECK(pong_texts(take_all(q)).size() == 17);
}

TEST_CASE("5.4 F-27: a pong waits for the end of the frame that is being sent, wherever that was cut") {
  octets const frames[] = {data(3, 'a'), data(0), data(200, 'b'), pong("ours"), data(7, 'c')};
  octets all;
  for (octets const& frame : frames) all = test::join(all, frame);
  for (std::size_t sent = 0; sent < all.size(); ++sent) {
    output_queue q;
    for (octets const& frame : frames) append(q, frame);
    bytes_view spans[4];
    REQUIRE(q.gather(spans) == 1);
    q.consume(sent);
    REQUIRE(add_pong(q, "one"));
    REQUIRE(add_pong(q, "two"));
    append(q, data(2, 'd'));
    octets expected;
    bool answered = false;
    for (octets const& frame : frames) {
      if (!answered && expected.size() >= sent) {
        expected = test::join(expected, pong("one"), pong("two"));
        answered = true;
      }
      expected = test::join(expected, frame);
    }
    if (!answered) expected = test::join(expected, pong("one"), pong("two"));
    expected = test::join(expected, data(2, 'd'));
    octets const got = take_all(q, 1);
    CAPTURE(sent);
    REQUIRE(got == octets(expected.begin() + static_cast<std::ptrdiff_t>(sent), expected.end()));
    REQUIRE(q.size() == 0);
  }
}

TEST_CASE("5.4 F-27: pongs between frames keep everything in order while the transport takes little at a time") {
  std::mt19937 random(27);
  for (int life = 0; life < 300; ++life) {
    output_queue q;
    octets got, data_sent;
    int pongs = 0;
    auto const take = [&](std::size_t most) {
      bytes_view spans[2];
      octets const some = read(std::span(spans).first(q.gather(spans)));
      std::size_t const n = some.size() < most ? some.size() : most;
      got.insert(got.end(), some.begin(), some.begin() + static_cast<std::ptrdiff_t>(n));
      q.consume(n);
    };
    for (int i = 0; i < 60; ++i) {
      octets const frame = data(random() % 150, static_cast<char>('a' + i % 26));
      append(q, frame);
      data_sent = test::join(data_sent, frame);
      if (random() % 3 != 0) take(random() % 100);
      if (random() % 4 == 0 && pongs < 16) REQUIRE(add_pong(q, std::to_string(++pongs)));
    }
    while (!q.empty()) take(1 + random() % 50);
    octets data_got;
    for (auto const& frame : test::parse_frames(got))
      if (frame.first == 0x82) data_got = test::join(data_got, test::raw_frame(0x82, frame.payload, false));
    CHECK(data_got == data_sent);
    CHECK(pong_texts(got) == numbers(1, pongs));
  }
}

TEST_CASE("5.4 F-27: a pong waits for the end of what is no frame, or not a whole one") {
  for (std::string_view const begun : {"GET / HTTP/1.1", "\x82\x7F\x01\x02", "\x82\x10 0123"}) {
    output_queue q;
    CHECK(q.append_static(as_bytes(begun)));
    bytes_view spans[1];
    CHECK(q.gather(spans) == 1);
    q.consume(3);
    CHECK(add_pong(q, "p"));
    CHECK(take_all(q) == test::join(test::octets_of(begun.substr(3)), pong("p")));
  }
}

TEST_CASE("5.4 F-27: a pong goes between two frames that were queued by reference in one piece") {
  octets const frames = test::join(data(5, 'a'), data(7, 'b'));
  output_queue q;
  CHECK(q.append_static(frames));
  append(q, data(3, 'c'));
  bytes_view spans[2];
  CHECK(q.gather(spans) == 2);
  q.consume(4);
  CHECK(add_pong(q, "p"));
  CHECK(q.size() == frames.size() - 4 + pong("p").size() + data(3).size());
  octets const begun(frames.begin() + 4, frames.begin() + 7);
  CHECK(take_all(q) == test::join(begun, pong("p"), data(7, 'b'), data(3, 'c')));
}
