// SPDX-License-Identifier: BSL-1.0
#include "purews/wire/error.hpp"

#include <set>
#include <string>

#include "support/catch.hpp"

namespace {

using namespace purews;

constexpr bool table_is_in_order() {
  for (int i = 0; i < error_count; ++i)
    if (static_cast<int>(error_table[i].what) != i) return false;
  return true;
}
static_assert(table_is_in_order());
static_assert(message(error::none) == "no error");
static_assert(status_for(error::unmasked_frame) == status_code::protocol_error);
static_assert(http_status_for(error::upgrade_version) == 426);

}  // namespace

TEST_CASE("every error has one sentence of its own", "[error]") {
  std::set<std::string> sentences;
  for (error_info const& info : error_table) {
    std::string const text{message(info.what)};
    CAPTURE(text);
    CHECK(text.size() > 5);
    CHECK(text.size() < 100);
    CHECK(text.back() != '.');
    CHECK(sentences.insert(text).second);
    // It can be sent as the reason of a Close, and stand in a log as it is.
    CHECK(text.size() <= close_reason_bytes_max);
    for (char const c : text) CHECK((c >= ' ' && c <= '~'));
  }
}

TEST_CASE("7.4.1 C-17: every error that is announced has a code that may be on the wire", "[error]") {
  for (error_info const& info : error_table) {
    CAPTURE(message(info.what));
    status_code const code = status_for(info.what);
    CHECK((code == status_code::none || is_wire_status(code)));
    CHECK(code != status_code::normal);
  }
}

TEST_CASE("7.4.1: framing errors are 1002, bad UTF-8 is 1007, limits are 1008 and 1009", "[error]") {
  for (error const what : {error::unmasked_frame, error::masked_frame, error::reserved_bit, error::unknown_opcode,
                           error::length_not_minimal, error::length_too_large, error::control_fragmented,
                           error::control_too_long, error::unexpected_continuation, error::expected_continuation,
                           error::close_payload_short, error::close_code_invalid})
    CHECK(status_for(what) == status_code::protocol_error);
  CHECK(status_for(error::invalid_utf8) == status_code::invalid_payload);
  CHECK(status_for(error::close_reason_utf8) == status_code::invalid_payload);
  CHECK(status_for(error::frame_too_big) == status_code::message_too_big);
  CHECK(status_for(error::message_too_big) == status_code::message_too_big);
  CHECK(status_for(error::too_many_fragments) == status_code::policy_violation);
  CHECK(status_for(error::out_of_memory) == status_code::internal_error);
}

TEST_CASE("RFC 9110 15: an error of a request is answered with a status of the 4xx or 5xx class", "[error]") {
  for (error_info const& info : error_table) {
    CAPTURE(message(info.what));
    int const status = http_status_for(info.what);
    CHECK((status == 0 || (status >= 400 && status <= 599)));
  }
  CHECK(http_status_for(error::unmasked_frame) == 0);
  CHECK(http_status_for(error::answer_accept) == 0);
  CHECK(http_status_for(error::head_too_long) == 431);
  CHECK(http_status_for(error::request_line_too_long) == 414);
  CHECK(http_status_for(error::upgrade_method) == 405);
  CHECK(http_status_for(error::upgrade_key) == 400);
  CHECK(http_status_for(error::http_version) == 505);
}
