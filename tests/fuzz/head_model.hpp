// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <vector>

#include "fuzz.hpp"
#include "purews/wire/http_message.hpp"

namespace fuzz {

/// An HTTP head, read with the simplest means: lines at CRLF, names before the first colon.
struct plain_head {
  std::string first_line{};
  std::vector<std::pair<std::string, std::string>> fields{};
  std::size_t size = 0;  ///< 0: there is no whole head

  std::vector<std::string> all(std::string_view name) const {
    std::vector<std::string> values;
    for (auto const& [own, value] : fields)
      if (purews::iequals(own, name)) values.push_back(value);
    return values;
  }
  std::string only(std::string_view name) const {
    auto const values = all(name);
    return values.size() == 1 ? values[0] : "none, or several";
  }
};

inline plain_head read_plain_head(std::string_view text) {
  plain_head head;
  if (text.starts_with("\r\n")) head.size = 2;  // an empty line before a request
  std::size_t const end = text.find("\r\n\r\n", head.size);
  if (end == text.npos) return {};
  std::string_view lines = text.substr(head.size, end + 2 - head.size);
  for (bool first = true; !lines.empty(); first = false) {
    std::string_view const line = lines.substr(0, lines.find("\r\n"));
    lines.remove_prefix(line.size() + 2);
    std::size_t const colon = line.find(':');
    if (first) {
      head.first_line = line;
    } else {
      std::string_view const value = colon == line.npos ? "" : line.substr(colon + 1);
      head.fields.emplace_back(line.substr(0, colon), purews::trim_ows(value));
    }
  }
  head.size = end + 4;
  return head;
}

/// A head that the library took is what the simple reading says, and has nothing in it that could mean two things.
inline void check_head(purews::http_message const& got, std::string_view text, plain_head const& plain) {
  check(got.head_size() == plain.size, "a head ends at the first empty line", text);
  check(got.line_count() == plain.fields.size(), "every line of a head is counted", text);
  for (char const c : text.substr(0, plain.size))
    check(c == '\r' || c == '\n' || c == '\t' || (c >= ' ' && c != 0x7F) || static_cast<unsigned char>(c) >= 0x80,
          "a head has no control characters in it", text);
  for (std::size_t i = 0; i < got.line_count(); ++i) {
    purews::header_field const line = got.line(i);
    auto const& [name, value] = plain.fields[i];
    check(line.name == name && line.value == value, "a header is what stands in its line", text);
    check(within(line.name, text) && within(line.value, text), "views lie in the head", text);
    check(purews::is_token(name) && value.find_first_of("\r\n") == value.npos, "a name is a token", text);
    check(got.header(name) == plain.all(name)[0] && got.header_count(name) == plain.all(name).size(),
          "a header is found by its name", text);
  }
}

}  // namespace fuzz
