// SPDX-License-Identifier: BSL-1.0
#include "purews/protocol/input.hpp"

#include <memory>
#include <random>

#include "support/catch.hpp"
#include "support/dies.hpp"
#include "support/hex.hpp"

using namespace purews;
using test::octets;

namespace {
octets content(input const& in) { return {in.unread().begin(), in.unread().end()}; }
}  // namespace

TEST_CASE("an input starts empty") {
  input in;
  CHECK(in.empty());
  CHECK_FALSE(in.parked());
  CHECK(in.unread().empty());
  CHECK(in.park());
  in.release();
  in.discard();
}

TEST_CASE("lent bytes are read where they are, and are writable") {
  test::exact_copy const lent(test::octets_of("hello"));
  input in;
  CHECK(in.lend(lent.view()));
  CHECK(in.unread().data() == lent.view().data());
  in.drop(2);
  CHECK(as_text(in.unread()) == "llo");
  in.unread()[0] = std::byte{'L'};
  CHECK(as_text(lent.view()) == "heLlo");
  in.drop(3);
  CHECK(in.empty());
}

TEST_CASE("lending no bytes is allowed") {
  input in;
  CHECK(in.lend({}));
  CHECK(in.empty());
  test::exact_copy const none{octets{}};
  CHECK(in.lend(none.view()));
  CHECK(in.empty());
}

TEST_CASE("parked bytes no longer need what was lent") {
  input in;
  {
    test::exact_copy const lent(test::octets_of("hello"));
    CHECK(in.lend(lent.view()));
    in.drop(2);
    CHECK(in.park());
  }
  CHECK(in.parked());
  CHECK(as_text(in.unread()) == "llo");
  CHECK(in.park());  // again changes nothing
  CHECK(as_text(in.unread()) == "llo");
  {
    test::exact_copy const more(test::octets_of(", world"));
    CHECK(in.lend(more.view()));
  }
  CHECK(as_text(in.unread()) == "llo, world");
  in.drop(10);
  in.release();
  CHECK_FALSE(in.parked());
}

TEST_CASE("parking an input that is used up keeps no memory") {
  test::exact_copy const lent(test::octets_of("hello"));
  input in;
  CHECK(in.lend(lent.view()));
  in.drop(5);
  CHECK(in.park());
  CHECK_FALSE(in.parked());
  CHECK(in.lend(lent.view()));
  CHECK(in.park());
  in.drop(5);
  CHECK(in.park());  // of what was parked before
  CHECK_FALSE(in.parked());
}

TEST_CASE("what is discarded is gone") {
  input in;
  for (bool const park : {false, true}) {
    test::exact_copy const lent(test::octets_of("hello"));
    CHECK(in.lend(lent.view()));
    if (park) CHECK(in.park());
    in.discard();
    CHECK(in.empty());
    CHECK_FALSE(in.parked());
  }
}

TEST_CASE("random lending, dropping and parking loses and repeats nothing", "[hazard-10]") {
  std::mt19937 random(2);
  auto const below = [&](std::size_t n) { return static_cast<std::size_t>(random()) % n; };
  for (int round = 0; round < 100; ++round) {
    input in;
    octets model;
    std::byte next{};
    std::unique_ptr<test::exact_copy> lent;
    for (int i = 0; i < 200; ++i) {
      if (in.empty() || in.parked()) {
        octets more(below(20));
        for (std::byte& b : more) b = next = static_cast<std::byte>(std::to_integer<unsigned>(next) + 1U);
        model = test::join(model, more);
        auto fresh = std::make_unique<test::exact_copy>(more);
        REQUIRE(in.lend(fresh->view()));
        lent = std::move(fresh);
      }
      std::size_t const dropped = below(model.size() + 1);
      in.drop(dropped);
      model.erase(model.begin(), model.begin() + static_cast<std::ptrdiff_t>(dropped));
      if (below(2) == 0) {
        REQUIRE(in.park());
        lent.reset();
      }
      if (below(4) == 0) in.release();
      REQUIRE(content(in) == model);
    }
  }
}

TEST_CASE("misuse of an input ends the program") {
  test::exact_copy const lent(test::octets_of("hello"));
  CHECK(dies([&] {  // not drained, not parked
    input in;
    static_cast<void>(in.lend(lent.view()));
    in.drop(4);
    static_cast<void>(in.lend(lent.view()));
  }));
  CHECK(dies([&] {
    input in;
    static_cast<void>(in.lend(lent.view()));
    in.drop(6);
  }));
  CHECK_FALSE(dies([&] {
    input in;
    static_cast<void>(in.lend(lent.view()));
    in.drop(5);
    static_cast<void>(in.lend(lent.view()));
    static_cast<void>(in.park());
    static_cast<void>(in.lend(lent.view()));
    in.drop(10);
  }));
}
