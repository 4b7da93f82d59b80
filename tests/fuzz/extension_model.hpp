// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <optional>

#include "fuzz.hpp"
#include "support/hex.hpp"

/// Sec-WebSocket-Extensions by a second reading of RFC 6455 9.1, by words first and then by the grammar.
namespace fuzz::extensions {

struct parameter {
  std::string name;
  std::optional<std::string> value;
  friend bool operator==(parameter const&, parameter const&) = default;
};
struct extension {
  std::string name;
  std::vector<parameter> parameters{};
  bool whole = false;  ///< nothing in it is malformed
  friend bool operator==(extension const& a, extension const& b) {
    return a.name == b.name && a.parameters == b.parameters;
  }
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

inline bool is_tchar(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
         (c != 0 && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
}

inline std::vector<lexeme> lexemes_of(std::string_view text) {
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

inline reading extension_model(std::string_view text) {
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
    result.extensions.back().whole = true;
  }
}

}  // namespace fuzz::extensions
