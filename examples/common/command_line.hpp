// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// Command lines of the example programs: `--name VALUE` or `--name=VALUE`, or `--name` alone, in any order.
namespace command_line {

struct number {
  std::uint64_t* value;
  std::uint64_t min = 0;
  std::uint64_t max = UINT64_MAX;
};

/// One of a few words.
struct word {
  std::string* value;
  std::string_view words;  // separated by '|'
};

/// Any number of values: the flag may be given several times, and has commas between the values that it is given at
/// once.
struct list {
  std::vector<std::string>* values;
};

struct flag {
  std::string_view name;   // with its dashes
  std::string_view value;  // what stands for the value in the help; empty: there is none
  std::variant<std::string*, list, number, word, bool*> target;
  std::string_view help;
};

enum class outcome { run, help, usage_error };

struct program {
  std::string_view name;
  std::string_view summary;
  std::string_view operand{};  // the name of the one argument without dashes; empty: there is none
  std::string* operand_target = nullptr;
};

inline void print(std::FILE* to, std::string_view text) { std::fwrite(text.data(), 1, text.size(), to); }

inline void print_help(program const& what, std::span<flag const> flags) {
  std::string text = "Usage: " + std::string(what.name);
  auto const usage = [](flag const& f) {
    return std::string(f.name) + (f.value.empty() ? "" : " ") + std::string(f.value);
  };
  for (flag const& f : flags) text += " [" + usage(f) + "]";
  if (!what.operand.empty()) text += " " + std::string(what.operand);
  text += "\n" + std::string(what.summary) + "\n\n";
  for (flag const& f : flags) {
    std::string head = "  " + usage(f);
    head.resize(head.size() < 24 ? 24 : head.size() + 1, ' ');
    text += head + std::string(f.help) + "\n";
  }
  print(stdout, text);
}

/// Says on standard error what is wrong and what to do about it, in one sentence.
inline outcome complain(program const& what, std::string const& sentence) {
  print(stderr, std::string(what.name) + ": " + sentence + " (see --help)\n");
  return outcome::usage_error;
}

inline outcome assign(program const& what, flag const& f, std::string_view text) {
  if (auto* const* const to = std::get_if<std::string*>(&f.target)) {
    if (text.empty()) return complain(what, std::string(f.name) + " needs a " + std::string(f.value));
    **to = text;
    return outcome::run;
  }
  if (auto const* const to = std::get_if<list>(&f.target)) {
    for (std::size_t at = 0; at <= text.size();) {
      auto const one = text.substr(at, text.find(',', at) - at);
      if (one.empty()) return complain(what, std::string(f.name) + " has a value that is empty");
      to->values->emplace_back(one);
      at += one.size() + 1;
    }
    return outcome::run;
  }
  if (auto const* const to = std::get_if<word>(&f.target)) {
    bool const known = ("|" + std::string(to->words) + "|").find("|" + std::string(text) + "|") != std::string::npos;
    if (!known || text.empty() || text.find('|') != text.npos)
      return complain(
          what, std::string(f.name) + " is one of " + std::string(to->words) + ", not '" + std::string(text) + "'");
    *to->value = text;
    return outcome::run;
  }
  number const& to = std::get<number>(f.target);
  std::uint64_t parsed = 0;
  auto const end = text.data() + text.size();
  auto const result = std::from_chars(text.data(), end, parsed);
  if (result.ec != std::errc{} || result.ptr != end || parsed < to.min || parsed > to.max)
    return complain(what, std::string(f.name) + " needs a number from " + std::to_string(to.min) + " to " +
                              std::to_string(to.max) + ", not '" + std::string(text) + "'");
  *to.value = parsed;
  return outcome::run;
}

/// Reads the arguments into the targets. With `help` everything is printed already; with `usage_error` too, and the
/// program should end with status 2.
inline outcome parse(int argc, char** argv, program const& what, std::span<flag const> flags) {
  bool operand_seen = what.operand.empty();
  for (int i = 1; i < argc; ++i) {
    std::string_view argument = argv[i];
    if (argument == "--help" || argument == "-h") return print_help(what, flags), outcome::help;
    if (!argument.starts_with("--")) {
      if (operand_seen) return complain(what, "'" + std::string(argument) + "' is one argument too many");
      *what.operand_target = argument;
      operand_seen = true;
      continue;
    }
    std::size_t const equals = argument.find('=');
    std::string_view const name = argument.substr(0, equals);
    flag const* found = nullptr;
    for (flag const& f : flags)
      if (f.name == name) found = &f;
    if (found == nullptr) return complain(what, "there is no flag " + std::string(name));
    if (auto* const* const on = std::get_if<bool*>(&found->target)) {
      if (equals != argument.npos) return complain(what, std::string(name) + " takes no value");
      **on = true;
      continue;
    }
    if (equals == argument.npos && i + 1 == argc)
      return complain(what, std::string(name) + " needs a " + std::string(found->value));
    std::string_view const value = equals == argument.npos ? std::string_view(argv[++i]) : argument.substr(equals + 1);
    if (outcome const o = assign(what, *found, value); o != outcome::run) return o;
  }
  return operand_seen ? outcome::run : complain(what, "it needs a " + std::string(what.operand));
}

}  // namespace command_line
