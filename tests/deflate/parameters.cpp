// SPDX-License-Identifier: BSL-1.0
#include "purews/deflate/parameters.hpp"

#include <string>

#include "support/catch.hpp"

using namespace purews;

namespace {

deflate_words read(std::string_view parameters) {
  std::string const header = "permessage-deflate" + std::string(parameters);
  extension_reader reader(header);
  CHECK(reader.next() == permessage_deflate_name);
  return read_deflate_words(reader);
}

bool valid(std::string_view parameters) { return read(parameters).valid; }

std::string written(deflate_words const& words) { return std::string(write_deflate_words(words).view()); }

std::string answered(std::string_view offer, deflate_parameters const& wanted = {}) {
  deflate_words const words = read(offer);
  REQUIRE(words.valid);
  return written(decide_deflate(words, wanted).answer);
}

constexpr deflate_side small{context::no_takeover, 10};

}  // namespace

TEST_CASE("7692 7.1 N-01, N-15: parameters are read, names in either case") {
  CHECK(read("") == deflate_words{});
  CHECK(read("; server_no_context_takeover").server_no_context_takeover);
  CHECK(read(";Client_No_Context_Takeover").client_no_context_takeover);
  CHECK(read("; SERVER_MAX_WINDOW_BITS=9").server_max_window_bits == 9);
  CHECK(read("; client_max_window_bits").client_window);
  CHECK(read("; client_max_window_bits").client_max_window_bits == 0);
  CHECK(read("; client_max_window_bits=12").client_max_window_bits == 12);
}

TEST_CASE("7692 7 N-02: unknown and repeated parameters, and wrong values, make an offer invalid") {
  for (char const* const bad :
       {"; x", "; server_no_context_takeover=1", "; client_no_context_takeover=\"\"", "; server_max_window_bits",
        "; server_max_window_bits=", "; client_max_window_bits=",
        "; server_max_window_bits=10; server_max_window_bits=10",
        "; server_no_context_takeover; server_no_context_takeover",
        "; client_max_window_bits; client_max_window_bits=9",
        "; client_no_context_takeover; client_no_context_takeover", "; server_max_window_bits=\"1 0\"", "; ;"}) {
    CAPTURE(bad);
    CHECK_FALSE(valid(bad));
  }
}

TEST_CASE("7692 7.1.2 N-10, N-11, N-13: a window is a canonical decimal from 8 to 15", "[hazard-38]") {
  for (std::string const name : {"server", "client"}) {
    for (int bits = 0; bits < 100; ++bits) {
      CAPTURE(bits);
      CHECK(valid("; " + name + "_max_window_bits=" + std::to_string(bits)) == (bits >= 8 && bits <= 15));
    }
    for (char const* const bad : {"08", "0x9", "+9", "9.0", "\"\"", "-1", "99999999999999999999", "015", "1O", "\"7\"",
                                  "\"16\"", "\"0\\15\"", "256", "264"}) {
      CAPTURE(bad);
      CHECK_FALSE(valid("; " + name + "_max_window_bits=" + bad));
    }
    CHECK(valid("; " + name + "_max_window_bits=\"10\""));
    CHECK(valid("; " + name + "_max_window_bits=\"1\\0\""));
  }
  CHECK(read("; server_max_window_bits=\"1\\0\"").server_max_window_bits == 10);
}

TEST_CASE("7692 7.1.2 N-01: the answer to an offer") {
  CHECK(answered("") == "permessage-deflate");
  CHECK(answered("; client_max_window_bits") == "permessage-deflate");
  CHECK(answered("; server_max_window_bits=15") == "permessage-deflate; server_max_window_bits=15");
  CHECK(answered("; server_max_window_bits=8") == "permessage-deflate; server_max_window_bits=8");
  CHECK(answered("; client_max_window_bits=9") == "permessage-deflate; client_max_window_bits=9");
  CHECK(answered("; server_no_context_takeover; client_no_context_takeover") ==
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover");
}

TEST_CASE("7692 7.1.2.2 N-01, N-13: a bound of ours is in the answer, the client's only if it can obey it") {
  deflate_parameters const wanted{small, small};
  std::string const base = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
  CHECK(answered("", wanted) == base + "; server_max_window_bits=10");
  CHECK(answered("; client_max_window_bits", wanted) ==
        base + "; server_max_window_bits=10; client_max_window_bits=10");
  CHECK(answered("; client_max_window_bits=9; server_max_window_bits=8", wanted) ==
        base + "; server_max_window_bits=8; client_max_window_bits=9");
  CHECK(answered("; client_max_window_bits=15; server_max_window_bits=15", wanted) ==
        base + "; server_max_window_bits=10; client_max_window_bits=10");
  CHECK(decide_deflate(read(""), wanted).agreed.client.window_bits == 15);
  CHECK(decide_deflate(read("; client_max_window_bits"), wanted).agreed == wanted);
  CHECK(decide_deflate(read(""), {}).agreed == deflate_parameters{});
}

TEST_CASE("7692 7.1: what a client offers") {
  CHECK(written(offer_deflate({})) == "permessage-deflate; client_max_window_bits");
  CHECK(written(offer_deflate({small, {}})) ==
        "permessage-deflate; server_no_context_takeover; server_max_window_bits=10; client_max_window_bits");
  CHECK(written(offer_deflate({{}, small})) ==
        "permessage-deflate; client_no_context_takeover; client_max_window_bits=10");
  // The longest that there is.
  CHECK(written(offer_deflate({small, small})).size() < sizeof(message_extension::header_text::text));
}

TEST_CASE("7692 7.1 N-20: a client takes only an answer to what it offered") {
  auto const takes = [](std::string_view answer, deflate_parameters const& wanted = {}) {
    deflate_parameters agreed;
    return confirm_deflate(read(answer), wanted, agreed);
  };
  for (char const* const good :
       {"", "; server_no_context_takeover", "; client_no_context_takeover", "; server_max_window_bits=8",
        "; server_max_window_bits=15", "; client_max_window_bits=8", "; client_max_window_bits=15"})
    CHECK(takes(good));
  for (char const* const bad :
       {"; client_max_window_bits", "; x", "; server_max_window_bits=7", "; server_no_context_takeover=1",
        "; server_max_window_bits=9; server_max_window_bits=9"})
    CHECK_FALSE(takes(bad));
  deflate_parameters const bounded{small, small};
  CHECK(takes("; server_no_context_takeover; server_max_window_bits=10; client_max_window_bits=10", bounded));
  CHECK(takes("; server_no_context_takeover; server_max_window_bits=9", bounded));
  CHECK_FALSE(takes("; server_max_window_bits=10", bounded));                              // keeps its context
  CHECK_FALSE(takes("; server_no_context_takeover", bounded));                             // 15 bits
  CHECK_FALSE(takes("; server_no_context_takeover; server_max_window_bits=11", bounded));  // more than offered
  CHECK_FALSE(takes("; server_no_context_takeover; server_max_window_bits=10; client_max_window_bits=11", bounded));
}

TEST_CASE("7692 7.1: both sides come to the same agreement") {
  std::vector<deflate_side> sides;
  for (std::uint8_t bits = 8; bits <= 15; ++bits)
    for (context const history : {context::takeover, context::no_takeover}) sides.push_back({history, bits});
  for (deflate_side const& a : sides)
    for (deflate_side const& b : sides)
      for (deflate_side const& c : sides)
        for (deflate_side const& d : {deflate_side{}, small, a}) {
          deflate_parameters const client{a, b};
          deflate_decision const decision =
              decide_deflate(read(written(offer_deflate(client)).substr(permessage_deflate_name.size())), {c, d});
          deflate_parameters agreed;
          bool const taken =
              confirm_deflate(read(written(decision.answer).substr(permessage_deflate_name.size())), client, agreed);
          bool const same = agreed == decision.agreed;
          if (!taken || !same) {
            CAPTURE(written(offer_deflate(client)), written(decision.answer));
            CHECK(taken);
            CHECK(same);
          }
        }
}
