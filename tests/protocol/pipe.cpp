// SPDX-License-Identifier: BSL-1.0
#include "purews/protocol/pipe.hpp"

#include "support/catch.hpp"
#include "support/dies.hpp"
#include "support/hex.hpp"
#include "support/names.hpp"

using namespace purews;
using machine = purews::pipe;  // pipe() and close() are also functions of the system

namespace {

constexpr transport_action keep = transport_action::keep;
constexpr transport_action shut_write = transport_action::shut_write;
constexpr transport_action closes = transport_action::close;

constexpr instant birth{1'000'000'000};
constexpr limits limit{};
constexpr timeouts timeout{};

instant after(duration d) { return birth + d; }

void queue(machine& p, std::size_t size) {
  std::byte* const at = p.out.allocate(size);
  REQUIRE(at != nullptr);
  for (std::size_t i = 0; i < size; ++i) at[i] = std::byte{'x'};
}

void consume(machine& p, std::size_t n, instant t) {
  p.out.consume(n);
  p.note_sent(n, t);
}

// The transport takes at most n bytes.
std::size_t transmit(machine& p, std::size_t n, instant t) {
  bytes_view spans[4];
  std::size_t all = 0;
  for (std::size_t i = p.gather(spans); i-- != 0;) all += spans[i].size();
  std::size_t const sent = all < n ? all : n;
  consume(p, sent, t);
  return sent;
}

}  // namespace

TEST_CASE("a pipe at rest keeps its transport and has no deadline") {
  machine p(birth);
  CHECK(p.now() == birth);
  CHECK(p.transport() == keep);
  CHECK(p.deadline(timeout) == never);
  CHECK(p.advance(after(seconds(1000)), timeout) == error::none);
  CHECK(p.transport() == keep);
  CHECK_FALSE(p.finishing());
}

TEST_CASE("a pipe knows the time that it was last told") {
  machine p(birth);
  test::exact_copy const one(1);
  p.receive(one.view(), after(seconds(1)), limit);
  CHECK(p.now() == after(seconds(1)));
  consume(p, 0, after(seconds(2)));
  CHECK(p.now() == after(seconds(2)));
  static_cast<void>(p.advance(after(seconds(3)), timeout));
  CHECK(p.now() == after(seconds(3)));
  p.in.drop(1);
  p.receive_eof(after(seconds(4)));
  CHECK(p.now() == after(seconds(4)));
  CHECK(p.eof());
}

TEST_CASE("how a pipe ends, after its last byte of output") {
  struct row {
    ending how;
    transport_action queued, sent, sent_and_eof;
  };
  for (row const& r : {row{ending::none, keep, keep, keep}, row{ending::shut_first, keep, shut_write, closes},
                       row{ending::await_peer, keep, keep, closes}, row{ending::at_once, closes, closes, closes}}) {
    for (bool const eof_first : {false, true}) {
      machine p(birth);
      queue(p, 10);
      if (eof_first) p.receive_eof(birth);
      p.finish(r.how);
      CHECK(p.transport() == r.queued);
      if (r.how == ending::at_once) {
        bytes_view spans[1];
        CHECK(p.gather(spans) == 0);
        continue;
      }
      transmit(p, 9, birth);
      CHECK(p.transport() == r.queued);
      transmit(p, 1, birth);
      CHECK(p.transport() == (eof_first ? r.sent_and_eof : r.sent));
      if (!eof_first) p.receive_eof(birth);
      CHECK(p.transport() == r.sent_and_eof);
    }
  }
}

TEST_CASE("an ending can only become more urgent") {
  machine p(birth);
  p.finish(ending::await_peer);
  p.finish(ending::shut_first);
  CHECK(p.transport() == keep);
  p.finish(ending::at_once);
  p.finish(ending::none);
  CHECK(p.transport() == closes);
}

TEST_CASE("7.1.7: what comes after the end is discarded, up to the linger limit") {
  machine p(birth);
  p.finish(ending::shut_first);
  test::exact_copy const much(limit.linger_bytes_max);
  p.receive(much.view(), birth, limit);
  CHECK(p.in.empty());
  CHECK(p.transport() == shut_write);
  p.receive(much.view().first(1), birth, limit);
  CHECK(p.transport() == closes);
}

TEST_CASE("7.1.7: the linger begins when the last output has left: a flood before it does not destroy it") {
  machine p(birth);
  queue(p, 4);
  p.finish(ending::shut_first);
  test::exact_copy const much(limit.linger_bytes_max);
  for (int i = 0; i < 3; ++i) p.receive(much.view(), birth, limit);
  CHECK(p.transport() == keep);
  CHECK(transmit(p, 4, birth) == 4);
  CHECK(p.transport() == shut_write);
  for (int i = 0; i < 2; ++i) p.receive(much.view(), birth, limit);
  CHECK(p.transport() == closes);
}

TEST_CASE("7.1.7: the linger ends in time") {
  for (ending const how : {ending::shut_first, ending::await_peer}) {
    duration const patience = how == ending::shut_first ? timeout.linger : timeout.close;
    machine p(birth);
    queue(p, 4);
    p.finish(how);
    CHECK(transmit(p, 4, after(seconds(2))) == 4);
    CHECK(p.deadline(timeout) == after(seconds(2)) + patience);
    CHECK(p.advance(after(seconds(2)) + patience + duration{-1}, timeout) == error::none);
    CHECK(p.transport() != closes);
    CHECK(p.advance(after(seconds(2)) + patience, timeout) == error::none);
    CHECK(p.transport() == closes);
    CHECK(p.deadline(timeout) == never);
    CHECK(p.advance(after(seconds(99)), timeout) == error::none);
  }
}

TEST_CASE("7.1.7: once begun, the linger is not prolonged by a call that sends nothing") {
  machine p(birth);
  queue(p, 4);
  p.finish(ending::shut_first);
  transmit(p, 4, birth);
  transmit(p, 0, after(timeout.linger));
  CHECK(p.deadline(timeout) == birth + timeout.linger);
}

TEST_CASE("a pipe that ends without output asks to be told the time") {
  machine p(birth);
  p.finish(ending::shut_first);
  CHECK(p.deadline(timeout) == birth);
  CHECK(p.advance(after(seconds(1)), timeout) == error::none);
  CHECK(p.deadline(timeout) == after(seconds(1)) + timeout.linger);
}

TEST_CASE("a peer that takes no output for too long is noticed, once") {
  machine p(birth);
  queue(p, 10);
  CHECK(p.deadline(timeout) == birth);  // it asks to be told the time
  CHECK(p.advance(birth, timeout) == error::none);
  CHECK(p.deadline(timeout) == birth + timeout.write);
  transmit(p, 0, after(seconds(3)));  // nothing was taken: the clock runs on
  CHECK(p.deadline(timeout) == birth + timeout.write);
  transmit(p, 1, after(seconds(4)));  // any byte is progress
  CHECK(p.deadline(timeout) == after(seconds(4)) + timeout.write);
  queue(p, 10);  // more output is none
  CHECK(p.deadline(timeout) == after(seconds(4)) + timeout.write);
  CHECK(p.advance(after(seconds(4)) + timeout.write + duration{-1}, timeout) == error::none);
  CHECK(p.advance(after(seconds(4)) + timeout.write, timeout) == error::write_timeout);
  CHECK(p.transport() == closes);
  CHECK(p.advance(after(seconds(99)), timeout) == error::none);
  CHECK(p.deadline(timeout) == never);
}

TEST_CASE("output that has left in time leaves no deadline behind") {
  machine p(birth);
  queue(p, 10);
  CHECK(p.advance(birth, timeout) == error::none);
  transmit(p, 10, after(seconds(1)));
  CHECK(p.deadline(timeout) == never);
  queue(p, 10);
  CHECK(p.advance(after(seconds(60)), timeout) == error::none);  // its time begins now
  CHECK(p.deadline(timeout) == after(seconds(60)) + timeout.write);
}

TEST_CASE("deadlines that are turned off never come") {
  timeouts off{.close = forever, .write = forever, .linger = forever};
  machine p(birth);
  queue(p, 10);
  CHECK(p.advance(birth, off) == error::none);
  CHECK(p.deadline(off) == never);
  CHECK(p.advance(instant{INT64_MAX - 1}, off) == error::none);
  p.finish(ending::shut_first);
  transmit(p, 10, instant{INT64_MAX - 1});
  CHECK(p.deadline(off) == never);
  CHECK(p.transport() == shut_write);
}

TEST_CASE("5: to receive after the end of the stream, or before the last input is used up, is a bug of the caller") {
  test::exact_copy const one(1);
  CHECK(dies([&] {
    machine p(birth);
    p.receive_eof(birth);
    p.receive(one.view(), birth, limit);
  }));
  CHECK(dies([&] {
    machine p(birth);
    p.receive(one.view(), birth, limit);
    p.receive(one.view(), birth, limit);
  }));
  CHECK_FALSE(dies([&] {
    machine p(birth);
    p.receive(one.view(), birth, limit);
    p.park();
    p.receive(one.view(), birth, limit);
    p.park();
    p.receive_eof(birth);
  }));
}
