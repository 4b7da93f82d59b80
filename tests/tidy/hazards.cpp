// SPDX-License-Identifier: BSL-1.0
#include <map>
#include <set>

#include "tidy.hpp"

namespace tidy {
namespace {

constexpr int rows = 76;

// Rows of the list of known hazards whose test is not a tagged one, and where it is. This is the only such list: a row
// leaves it when its test comes.
std::map<int, std::string> const elsewhere = {
    {55, "tls: names and chains of certificates"},
    {56, "client: what a redirect may carry along"},
    {59, "service: passwords are compared in constant time; no layer here compares one"},
    {67, "tls: resets at each byte of its handshake"},
    {76, "http2: WebSocket over HTTP/2, RFC 8441"},
};

// The numbers after "[hazard-" in a line.
void collect(std::string_view line, std::set<int>& numbers) {
  std::string_view const mark = "[hazard-";
  for (std::size_t at = line.find(mark); at != line.npos; at = line.find(mark, at + 1)) {
    std::string_view const digits = line.substr(at + mark.size(), 2);
    auto const is_digit = [](char c) { return c >= '0' && c <= '9'; };
    bool const closed = line.substr(at + mark.size() + digits.size()).starts_with(']');
    bool const good = digits.size() == 2 && is_digit(digits[0]) && is_digit(digits[1]) && closed;
    numbers.insert(good ? (digits[0] - '0') * 10 + (digits[1] - '0') : 0);
  }
}

}  // namespace

report hazards(tree const& files) {
  std::string const home = "tests/tidy/hazards.cpp";
  report out;
  std::set<int> tagged;
  for (file const& source : files) {
    if (!source.in("tests/") || source.path == home || (!source.is(".cpp") && !source.is(".mjs"))) continue;
    for (std::size_t i = 0; i < source.lines.size(); ++i) {
      std::set<int> here;
      collect(source.lines[i], here);
      for (int const number : here) {
        if (number < 1 || number > rows)
          out.push_back(
              {source.path, i + 1, "a tag of a hazard is [hazard-01] to [hazard-" + std::to_string(rows) + "]"});
        tagged.insert(number);
      }
    }
  }
  for (int number = 1; number <= rows; ++number) {
    bool const listed = elsewhere.contains(number);
    std::string const name = "hazard " + std::to_string(number);
    if (!listed && !tagged.contains(number)) out.push_back({home, 1, name + " has neither a test nor a layer to come"});
    if (listed && tagged.contains(number)) out.push_back({home, 1, name + " has a test, and is listed as without"});
  }
  return out;
}

}  // namespace tidy
