// SPDX-License-Identifier: BSL-1.0

// Sec-WebSocket-Extensions against a second reading of RFC 6455 9.1, by words first and then by the grammar.
// Input: the value of the header.
#include <optional>

#include "purews/wire/extension_reader.hpp"

#include "fuzz.hpp"
#include "support/hex.hpp"

using namespace purews;

namespace {

struct parameter {
  std::string name;
  std::optional<std::string> value;
  friend bool operator==(parameter const&, parameter const&) = default;
};
struct extension {
  std::string name;
  std::vector<parameter> parameters{};
  friend bool operator==(extension const&, extension const&) = default;
};
struct reading {
  std::vector<extension> extensions{};
  bool malformed = false;
  friend bool operator==(reading const&, reading const&) = default;
};

// One lexeme: a token, a quoted token, one of ; , = or something that has no place here.
struct lexeme {
  enum class kind : std::uint8_t { word, quoted, mark, wrong, end } what;
  std::string text{};
  bool is(char mark) const { return what == kind::mark && text[0] == mark; }
};

bool is_tchar(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
         (c != 0 && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
}

std::vector<lexeme> lexemes_of(std::string_view text) {
  using enum lexeme::kind;
  std::vector<lexeme> result;
  for (std::size_t i = 0; i < text.size();) {
    char const c = text[i];
    if (c == ' ' || c == '\t') {
      ++i;
    } else if (c == ';' || c == ',' || c == '=') {
      result.push_back({mark, {c}});
      ++i;
    } else if (c == '"') {
      lexeme found{quoted};
      for (++i; i < text.size() && text[i] != '"'; ++i) {
        if (text[i] == '\\') ++i;
        if (i == text.size() || !is_tchar(text[i])) return result.push_back({wrong, "\""}), result;
        found.text += text[i];
      }
      if (i >= text.size()) return result.push_back({wrong, "\""}), result;
      ++i;
      result.push_back(found);
    } else {
      lexeme found{word};
      for (; i < text.size() && is_tchar(text[i]); ++i) found.text += text[i];
      if (found.text.empty()) return result.push_back({wrong}), result;
      result.push_back(found);
    }
  }
  result.push_back({end});
  return result;
}

reading model(std::string_view text) {
  using enum lexeme::kind;
  std::vector<lexeme> const lexemes = lexemes_of(text);
  reading result;
  std::size_t at = 0;
  auto const broken = [&] { return result.malformed = true, result; };
  for (;;) {
    while (lexemes[at].is(',')) ++at;
    if (lexemes[at].what == end) return result;
    if (lexemes[at].what != word) return broken();
    result.extensions.push_back({lexemes[at++].text});
    while (lexemes[at].is(';')) {
      if (lexemes[++at].what != word) return broken();
      parameter found{lexemes[at++].text, {}};
      // A quoted string that is wrong is no value at all; anything else leaves an empty one before it.
      if (lexemes[at].is('=')) {
        ++at;
        bool const quote_is_wrong = lexemes[at].what == wrong && lexemes[at].text == "\"";
        if (quote_is_wrong) return broken();
        found.value = "";
        if (lexemes[at].what == word || lexemes[at].what == quoted) found.value = lexemes[at++].text;
      }
      result.extensions.back().parameters.push_back(found);
    }
    if (!lexemes[at].is(',') && lexemes[at].what != end) return broken();
  }
}

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
  reading const expected = model(text);
  check(read(text) == expected, "the header is read as the grammar has it", text);
  skim(text, expected);
}
