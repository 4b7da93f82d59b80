// SPDX-License-Identifier: BSL-1.0

// Sec-WebSocket-Extensions against a second reading of RFC 6455 9.1, by words first and then by the grammar.
// Input: the value of the header.
#include "purews/wire/extension_reader.hpp"

#include "extension_model.hpp"

using namespace purews;
using namespace fuzz::extensions;

namespace {

std::string unescape(extension_parameter const& p) {
  char room[4096];
  std::string_view const text = p.unescaped(room);
  fuzz::check(p.value.empty() || text.data() != nullptr, "a value that fits is unescaped");
  fuzz::check(p.escaped || text == p.value, "a value without backslashes is a view");
  if (p.escaped) {
    test::exact_copy const exact(text.size());
    std::span<char> const chars{reinterpret_cast<char*>(exact.view().data()), text.size()};
    fuzz::check(p.unescaped(chars) == text, "room of the exact size is enough");
    if (!text.empty())
      fuzz::check(p.unescaped(chars.first(text.size() - 1)).data() == nullptr, "less room is not enough");
  }
  return std::string(text);
}

reading read(std::string_view text) {
  reading result;
  extension_reader reader(text);
  for (std::string_view name = reader.next(); !name.empty(); name = reader.next()) {
    fuzz::check(fuzz::within(name, text), "a name lies in the header");
    result.extensions.push_back({std::string(name)});
    for (extension_parameter p; reader.next_parameter(p);) {
      fuzz::check(fuzz::within(p.name, text) && fuzz::within(p.value, text), "a parameter lies in the header");
      fuzz::check(p.has_value || (p.value.empty() && !p.escaped), "without a value there is none");
      parameter found{std::string(p.name), {}};
      if (p.has_value) found.value = unescape(p);
      result.extensions.back().parameters.push_back(found);
    }
  }
  result.malformed = reader.malformed();
  fuzz::check(reader.next().empty() && reader.malformed() == result.malformed, "the end is the end");
  return result;
}

// Who does not ask for parameters gets the same names, and hears of the same faults.
void skim(std::string_view text, reading const& expected) {
  extension_reader reader(text);
  for (extension const& e : expected.extensions) {
    std::string_view const name = reader.next();
    fuzz::check(name == e.name, "names do not depend on whether parameters are read", text);
  }
  fuzz::check(reader.next().empty() && reader.malformed() == expected.malformed, "faults do not either", text);
}

}  // namespace

void fuzz::one_input(bytes_view in) {
  std::string_view const text = as_text(in);
  reading const expected = extension_model(text);
  check(read(text) == expected, "the header is read as the grammar has it", text);
  skim(text, expected);
}
