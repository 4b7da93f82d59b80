// SPDX-License-Identifier: BSL-1.0
#include "purews/server/session.hpp"

#include "fake_session.hpp"

using namespace purews;

namespace {

struct counted {
  counted() { ++alive; }
  counted(counted const&) = delete;
  ~counted() { --alive; }
  std::string text = "made";
  static inline int alive = 0;
};

}  // namespace

TEST_CASE("session_data makes one object of the route's type and destroys it once") {
  {
    session_data data;
    CHECK(counted::alive == 0);
    data.emplace<counted>();
    CHECK(counted::alive == 1);
    CHECK(data.as<counted>().text == "made");
    data.as<counted>().text = "changed";
    CHECK(data.as<counted>().text == "changed");
  }
  CHECK(counted::alive == 0);
}

TEST_CASE("session_data refuses a second object, another type, and no object at all") {
  CHECK(dies([] {
    session_data data;
    data.emplace<counted>();
    data.emplace<counted>();
  }));
  CHECK(dies([] {
    session_data data;
    data.emplace<counted>();
    data.as<std::string>();
  }));
  CHECK(dies([] { session_data().as<counted>(); }));
}

TEST_CASE("5.6: a session sends texts, binary and shared messages, and tells its stream each time") {
  session_home home(16);
  test::fake_session s(home, 7);
  CHECK(s.id() == 7);
  CHECK(s.current() == state::open);

  std::byte echoed[] = {std::byte{'e'}};
  CHECK(s.send("text") == refusal::none);
  CHECK(s.send(opcode::binary, as_bytes("binary")) == refusal::none);
  CHECK(s.send(message_view{opcode::text, echoed}) == refusal::none);
  CHECK(s.send(prepared_message(opcode::text, as_bytes("shared"))) == refusal::none);
  CHECK(s.send_fragment(opcode::text, as_bytes("frag"), fragment::more) == refusal::none);
  CHECK(s.send_fragment(opcode::text, as_bytes("ment"), fragment::last) == refusal::none);
  CHECK(s.ping(as_bytes("ping")) == refusal::none);
  CHECK(s.touches == 7);
  CHECK(s.queued_bytes() == (2 + 4) + (2 + 6) + (2 + 1) + (2 + 6) + (2 + 4) + (2 + 4) + (2 + 4));

  auto const frames = s.sent();
  REQUIRE(frames.size() == 7);
  CHECK(frames[0].first == 0x81);
  CHECK(frames[1].first == 0x82);
  CHECK(frames[2].text() == "e");
  CHECK(frames[3].text() == "shared");
  CHECK(frames[4].first == 0x01);
  CHECK(frames[5].first == 0x80);
  CHECK(frames[6].first == 0x89);
  CHECK(s.queued_bytes() == 0);
}

TEST_CASE("a session passes on the refusals of its connection, and nothing is sent then") {
  session_home home(16);
  test::fake_session s(home, 1, {.queue_bytes_max = 100});
  CHECK(s.send("\xC0") == refusal::invalid_utf8);
  CHECK(s.ping(as_bytes(std::string(126, 'p'))) == refusal::payload_too_long);
  CHECK(s.close(status_code::abnormal) == refusal::invalid_code);
  CHECK(s.close(status_code::normal, std::string(124, 'r')) == refusal::reason_too_long);
  CHECK(s.send_fragment(opcode::text, as_bytes("a"), fragment::more) == refusal::none);
  CHECK(s.send("b") == refusal::message_open);
  CHECK(s.send_fragment(opcode::text, as_bytes("c"), fragment::last) == refusal::none);
  CHECK(s.sent_texts() == std::vector<std::string>{"a", "c"});

  // One message may pass the mark, the next is refused.
  CHECK(s.send(std::string(1000, 'x')) == refusal::none);
  CHECK(s.send("y") == refusal::queue_full);
  CHECK(s.sent().size() == 1);
  CHECK(s.send("z") == refusal::none);
  s.sent();

  // With a socket that takes it, a turn may queue more than the mark.
  s.reads = true;
  for (int i = 0; i < 10; ++i) CHECK(s.send(std::string(60, 'x')) == refusal::none);
  CHECK(s.sent().size() == 10);

  CHECK(s.close() == refusal::none);
  CHECK(s.current() == state::closing);
  CHECK(s.send("too late") == refusal::not_open);
  CHECK(s.close() == refusal::not_open);
  CHECK(s.sent().size() == 1);
}
