// SPDX-License-Identifier: BSL-1.0

// What the pages of docs/ say of limits and errors is what the headers say.
#include <algorithm>

#include "purews/protocol/client_handshake.hpp"
#include "purews/protocol/connection.hpp"

#include "support/catch.hpp"
#include "support/frames.hpp"
#include "support/machine_driver.hpp"
#include "support/names.hpp"
#include "support/page.hpp"

using namespace purews;

namespace {

struct row {
  std::string name;
  std::string value;
};

// Taken apart, so that a field that is added here and not below does not compile.
std::vector<row> rows_of(limits const& of) {
  auto const [message, frame, fragments, ratio, queue, high, head, line, lines, body, answer, linger] = of;
  return {{"message_bytes_max", test::size(message)},    {"frame_bytes_max", test::size(frame)},
          {"fragments_max", test::count(fragments)},     {"inflate_ratio_max", ratio == 0 ? "off" : test::count(ratio)},
          {"queue_bytes_max", test::size(queue)},        {"queue_bytes_high", test::size(high)},
          {"head_bytes_max", test::size(head)},          {"head_line_bytes_max", test::size(line)},
          {"head_lines_max", test::count(lines)},        {"body_bytes_max", test::size(body)},
          {"answer_body_bytes_max", test::size(answer)}, {"linger_bytes_max", test::size(linger)}};
}

std::string text_of(duration d) { return d == forever ? "off" : std::to_string(d.ns / 1'000'000'000) + " s"; }

std::vector<row> rows_of(timeouts const& of) {
  auto const [handshake, ping, pong, close, write, lifetime, idle_codec, linger] = of;
  return {{"handshake", text_of(handshake)},   {"ping", text_of(ping)},    {"pong", text_of(pong)},
          {"close", text_of(close)},           {"write", text_of(write)},  {"lifetime", text_of(lifetime)},
          {"idle_codec", text_of(idle_codec)}, {"linger", text_of(linger)}};
}

std::vector<row> named_bounds() {
  return {{"control_payload_bytes_max", test::size(control_payload_bytes_max)},
          {"close_reason_bytes_max", test::size(close_reason_bytes_max)},
          {"output_queue::pongs_max", test::count(output_queue::pongs_max)},
          {"http_head_parts::lines_capacity", test::count(http_head_parts::lines_capacity)},
          {"subprotocols_max", test::count(subprotocols_max)},
          {"answer_reader::interim_answers_max", test::count(answer_reader::interim_answers_max)},
          {"flight_recorder::capacity", test::count(flight_recorder::capacity)},
          {"flight_recorder::json_bytes_max", test::size(flight_recorder::json_bytes_max)}};
}

std::string or_dash(std::string_view text) { return text.empty() ? "-" : std::string(text); }
std::string or_dash(unsigned code) { return code == 0 ? "-" : std::to_string(code); }

}  // namespace

TEST_CASE("10.4: docs/limits.md has every limit and deadline with its default", "[hazard-12]") {
  std::string const page = test::page("docs/limits.md");
  std::vector<std::string> known{"message_bytes_min", "kept_max",  // of other folders' tests
                                 "drain.deadline",    "drain.spread",       "backlog", "inbox_max", "work_max",
                                 "memory_bytes_max",  "tcp.keep_alive.idle"};
  for (auto const& table : {rows_of(limits{}), rows_of(timeouts{}), named_bounds()})
    for (row const& r : table) {
      INFO("it should have a row that begins with: | `" << r.name << "` | " << r.value << " |");
      CHECK(test::has_row(page, r.name, r.value));
      known.push_back(r.name);
    }
  for (std::string const& name : test::rows(page)) {
    INFO("no header has " << name);
    CHECK(std::find(known.begin(), known.end(), name) != known.end());
  }
}

TEST_CASE("docs/errors.md has every error as the table has it") {
  std::string table =
      "| rule | what happened | section | Close | HTTP |\n"
      "|---|---|---|---|---|\n";
  for (error_info const& info : error_table) {
    if (info.what == error::none) continue;
    std::string_view sentence = message(info.what);
    sentence = sentence.substr(0, sentence.rfind(" (RFC "));
    table += "| `" + std::string(rule(info.what)) + "` | " + std::string(sentence) + " | " +
             or_dash(section(info.what)) + " | " + or_dash(info.close) + " | " + or_dash(info.http) + " |\n";
  }
  INFO("it should have:\n" << table);
  CHECK(test::generated_part(test::page("docs/errors.md"), "errors") == table);
}

TEST_CASE("docs/errors.md has every refusal with its sentence") {
  std::string table = "| refusal | says |\n|---|---|\n";
  for (int i = 1; i <= static_cast<int>(refusal::out_of_memory); ++i) {
    auto const why = static_cast<refusal>(i);
    table += "| `" + test::name(why) + "` | " + std::string(message(why)) + " |\n";
  }
  INFO("it should have:\n" << table);
  CHECK(test::generated_part(test::page("docs/errors.md"), "refusals") == table);
}

TEST_CASE("docs/errors.md has a failure as it is explained") {
  options const with;
  connection c(role::server, with, instant{1'000'000'000});
  flight_recorder recorder;
  REQUIRE(c.record(recorder) == refusal::none);
  test::machine_driver<connection> loop(c);
  loop.now = instant{1'250'000'000};
  loop.receive(test::peer_frame(role::server, 0x81, "Hello"));
  REQUIRE(c.send("Hi") == refusal::none);
  loop.flush();
  loop.now = instant{1'500'000'000};
  error fault = error::none;
  test::octets const bytes = test::peer_frame(role::server, 0x81, "caf\xE9.");
  test::exact_copy lent(bytes);
  c.receive(lent.view(), loop.now);
  for (event e = c.next(); e.what != kind::none; e = c.next())
    if (e.what == kind::failed) fault = e.fault;
  std::string text = "```\n" + std::string(rule(fault)) + ": " + std::string(message(fault)) +
                     ", in the frame at byte " + std::to_string(c.fault_offset()) + "\n";
  for (std::size_t i = 0; i < recorder.size(); ++i) {
    std::byte line[flight_recorder::json_bytes_max];
    text += as_text(bytes_view(line).first(flight_recorder::write_json(line, recorder[i])));
  }
  text += "```\n";
  INFO("it should have:\n" << text);
  CHECK(test::generated_part(test::page("docs/errors.md"), "explanation") == text);
}
