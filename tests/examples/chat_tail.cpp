// SPDX-License-Identifier: BSL-1.0
#include "chat/tail.hpp"

#include "chat/conduct.hpp"
#include "support/catch.hpp"

using namespace chat;

namespace {

stored_message numbered(std::int64_t seq) { return {"u", std::to_string(seq), "t", seq, 0}; }

std::vector<std::int64_t> publish_all(tail& from) {
  std::vector<std::int64_t> seqs;
  while (auto const* const next = from.publish_next()) seqs.push_back(next->seq);
  return seqs;
}

using seqs = std::vector<std::int64_t>;

}  // namespace

TEST_CASE("chat: a tail publishes each number once, in order, and waits for the one that is missing") {
  tail end;
  CHECK_FALSE(end.has_begun());
  end.begin("e", 7);
  CHECK(end.has_begun());
  CHECK(end.position() == 7);
  for (std::int64_t const seq : {10, 8, 8, 7}) end.keep(numbered(seq));
  CHECK(publish_all(end) == seqs{8});
  end.know(10);
  CHECK(end.is_behind());
  CHECK(end.lacks_next());
  end.keep(numbered(9));
  CHECK_FALSE(end.lacks_next());
  CHECK(publish_all(end) == seqs{9, 10});
  CHECK_FALSE(end.is_behind());
  end.forget_all();
  CHECK_FALSE(end.has_begun());
  CHECK_FALSE(end.is_behind());
}

TEST_CASE("chat: a tail knows whether it has all that was published after a number") {
  tail end;
  end.begin("e", 3);
  for (std::int64_t seq = 4; seq <= 6; ++seq) end.keep(numbered(seq));
  publish_all(end);
  end.keep(numbered(8));
  CHECK(end.covers(6));
  CHECK(end.covers(3));
  CHECK_FALSE(end.covers(2));  // 3 was published before it began
  CHECK_FALSE(end.covers(7));  // which is ahead of it
  auto const since = end.published_after(4);
  REQUIRE(since.size() == 2);
  CHECK(since[0].seq == 5);
  CHECK(since[1].seq == 6);
  end.forget_published();
  CHECK(end.covers(6));
  CHECK_FALSE(end.covers(5));
  end.keep(numbered(7));
  CHECK(publish_all(end) == seqs{7, 8});
}

TEST_CASE("chat: a tail is bounded: what was published goes first, then what is furthest ahead") {
  tail end;
  end.begin("e", 0);
  constexpr auto max = static_cast<std::int64_t>(tail::kept_messages_max);
  for (std::int64_t seq = 1; seq <= 10; ++seq) end.keep(numbered(seq));
  publish_all(end);
  for (std::int64_t seq = 12; seq <= max + 20; ++seq) end.keep(numbered(seq));
  CHECK_FALSE(end.covers(9));  // all ten went
  end.keep(numbered(11));
  auto const got = publish_all(end);
  CHECK(got.front() == 11);
  CHECK(got.size() == tail::kept_messages_max);
}

TEST_CASE("chat: ten wrong requests in a row, or forty that are too fast, earn a Close; a good one forgives") {
  fault const wrong{"bad_name", "", {}, {}};
  fault const fast{"rate_limited", "", {}, {}, 51};
  conduct client;
  for (int i = 0; i < 9; ++i) CHECK_FALSE(client.judge(wrong));
  CHECK_FALSE(client.judge(std::nullopt));
  for (int i = 0; i < 9; ++i) CHECK_FALSE(client.judge(wrong));
  for (int i = 0; i < 39; ++i) CHECK_FALSE(client.judge(fast));
  auto const limited = client.judge(fast);
  REQUIRE(limited);
  CHECK(limited->code == 4429);
  CHECK(limited->reason == "51");
  auto const invalid = client.judge(wrong);
  REQUIRE(invalid);
  CHECK(invalid->code == 1008);
}

TEST_CASE("chat: a refused message is not counted, neither for its user nor for its connection") {
  rates all({.per_second = 10, .burst = 2});
  conduct one, two;
  CHECK(all.take(one, "ada", 0) == 0);
  CHECK(all.take(two, "ada", 0) == 0);
  CHECK(all.take(one, "ada", 0) == 101);  // ada has said two
  CHECK(all.take(one, "bob", 0) == 0);    // and this connection one
  CHECK(all.take(one, "carol", 0) == 101);
  CHECK(all.take(two, "carol", 0) == 0);
  for (int i = 0; i < 1000; ++i) {  // users who come and go
    conduct somebody;
    CHECK(all.take(somebody, "user " + std::to_string(i), 1'000'000 * (i + 1)) == 0);
  }
}
