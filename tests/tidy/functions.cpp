// SPDX-License-Identifier: BSL-1.0
#include "functions.hpp"

#include <cctype>
#include <string_view>

namespace tidy {
namespace {

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool is_space(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

/// Blanks comments, literals and preprocessor lines, and keeps the line ends, so that only code is left to look at.
class code_only {
 public:
  explicit code_only(std::vector<std::string> const& lines) {
    for (std::string const& line : lines) text_ += line + '\n';
    for (std::size_t at = 0; at < text_.size();) at = step(at);
  }

  std::string const& text() const { return text_; }

 private:
  std::size_t step(std::size_t at) {
    std::string_view const rest = std::string_view(text_).substr(at);
    if (rest.starts_with("//")) return blank(at, text_.find('\n', at));
    if (rest.starts_with("/*")) return blank_past(at, "*/", at + 2);
    if (rest.starts_with("R\"") && (at == 0 || !is_word(text_[at - 1]))) {
      std::size_t const open = text_.find('(', at);
      if (open == text_.npos) return blank(at, text_.size());
      return blank_past(at, ')' + text_.substr(at + 2, open - at - 2) + '"', open);
    }
    if (rest[0] == '"') return blank_literal(at, '"');
    if (rest[0] == '\'' && (at == 0 || !is_word(text_[at - 1]))) return blank_literal(at, '\'');  // else 1'000
    if (rest[0] == '#') return blank_directive(at);
    return at + 1;
  }

  std::size_t blank_directive(std::size_t at) {
    std::size_t end = text_.find('\n', at);
    while (end != text_.npos && text_[end - 1] == '\\') end = text_.find('\n', end + 1);
    return blank(at, end);
  }

  std::size_t blank_literal(std::size_t at, char quote) {
    std::size_t end = at + 1;
    while (end < text_.size() && text_[end] != quote && text_[end] != '\n') end += text_[end] == '\\' ? 2U : 1U;
    return blank(at, end + 1);
  }

  std::size_t blank_past(std::size_t from, std::string const& end, std::size_t search) {
    std::size_t const found = text_.find(end, search);
    return blank(from, found == text_.npos ? text_.size() : found + end.size());
  }

  std::size_t blank(std::size_t from, std::size_t to) {
    to = to > text_.size() ? text_.size() : to;
    for (std::size_t i = from; i < to; ++i)
      if (text_[i] != '\n') text_[i] = ' ';
    return to;
  }

  std::string text_;
};

std::string_view first_word(std::string_view text) {
  std::size_t end = 0;
  while (end < text.size() && is_word(text[end])) ++end;
  return text.substr(0, end);
}

// Drops "template <...>" from the front.
std::string_view without_template(std::string_view text) {
  if (first_word(text) != "template") return text;
  std::size_t depth = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '<') ++depth;
    if (text[at] == '>' && --depth == 0) {
      text.remove_prefix(at + 1);
      break;
    }
  }
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  return text;
}

enum class block { scope, function, other };

// What an opening brace opens, from the text of its statement so far. A scope holds declarations.
block kind_of(std::string_view statement) {
  statement = without_template(statement);
  std::string_view const word = first_word(statement);
  if (word == "class" || word == "struct" || word == "union" || word == "namespace") return block::scope;
  if (statement.find('(') != statement.npos) return block::function;
  if (word == "extern" || statement.find("namespace") != statement.npos) return block::scope;
  return block::other;
}

/// Walks over code and finds the functions of its scopes.
class walker {
 public:
  explicit walker(std::string_view text) : text_(text) {
    for (; at_ < text_.size() && result_.balanced; ++at_) step(text_[at_]);
    result_.balanced = result_.balanced && open_.empty();
  }

  function_lengths const& result() const { return result_; }

 private:
  void step(char c) {
    if (c == '\n') ++line_;
    if (c == '{') return opening();
    if (c == '}') return closing();
    if (inside_ > 0) return;
    if (c == '(') ++parentheses_;
    if (c == ')' && parentheses_ > 0) --parentheses_;
    bool const access = c == ':' && (statement_ == "public" || statement_ == "private" || statement_ == "protected");
    if ((c == ';' && parentheses_ == 0) || access) return statement_.clear();
    if (statement_.empty() && is_space(c)) return;
    if (statement_.empty()) statement_line_ = line_;
    statement_ += c;
  }

  void opening() {
    if (inside_ > 0) {
      ++inside_;
      return;
    }
    open_.push_back(parentheses_ > 0 ? block::other : kind_of(statement_));  // f(options o = {}) opens nothing
    if (open_.back() == block::scope)
      statement_.clear();
    else
      inside_ = 1;
  }

  void closing() {
    if (inside_ > 0 && --inside_ > 0) return;
    if (open_.empty()) {
      result_.balanced = false;
      return;
    }
    block const closed = open_.back();
    open_.pop_back();
    if (closed == block::other) return;
    std::size_t const next = text_.find_first_not_of(" \n", at_ + 1);
    // The braces of a constructor's initialiser list: the body is still to come.
    if (closed == block::function && next != text_.npos && (text_[next] == ',' || text_[next] == '{')) return;
    if (closed == block::function) result_.functions.push_back({statement_line_, line_ - statement_line_ + 1});
    statement_.clear();
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
  std::vector<block> open_;
  std::size_t inside_ = 0;       // braces open within a function or an initialiser
  std::size_t parentheses_ = 0;  // open in the statement
  std::string statement_;        // of the scope that is open, so far
  std::size_t statement_line_ = 1;
  function_lengths result_{{}, true};
};

}  // namespace

function_lengths measure_functions(std::vector<std::string> const& lines) {
  code_only const code(lines);
  return walker(code.text()).result();
}

}  // namespace tidy
