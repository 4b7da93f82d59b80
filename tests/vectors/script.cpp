// SPDX-License-Identifier: BSL-1.0
#include "script.hpp"

#include <fstream>
#include <map>
#include <sstream>

namespace test {
namespace {

using words = std::vector<std::string>;

// Splits at blanks outside of quotes.
words split(std::string const& line) {
  words result;
  std::string word;
  bool quoted = false;
  for (char const c : line + ' ') {
    if (c == '"') quoted = !quoted;
    if (c != ' ' || quoted) {
      word += c;
    } else if (!word.empty()) {
      result.push_back(word);
      word.clear();
    }
  }
  if (quoted) throw std::runtime_error("a quote is not closed");
  return result;
}

std::size_t to_number(std::string const& word) {
  std::size_t used = 0;
  unsigned long long const n = std::stoull(word, &used, 0);
  if (used != word.size()) throw std::runtime_error("not a number: " + word);
  return static_cast<std::size_t>(n);
}

octets payload(words const& line, std::size_t from) {
  octets result;
  for (std::size_t i = from; i < line.size(); ++i) {
    std::string word = line[i];
    std::size_t times = 1;
    if (std::size_t const star = word.rfind('*'); star != word.npos && word.back() != '"') {
      times = to_number(word.substr(star + 1));
      word.resize(star);
    }
    bool const text = word.front() == '"' && word.back() == '"' && word.size() > 1;
    result = join(result, repeated(times, text ? octets_of(word.substr(1, word.size() - 2)) : hex(word)));
  }
  return result;
}

unsigned first_byte(std::string const& word) { return std::to_integer<unsigned>(hex(word).at(0)); }

octets code_payload(std::size_t code) { return {static_cast<std::byte>(code >> 8), static_cast<std::byte>(code)}; }

void set_limit(purews::limits& limit, std::string const& field, std::size_t value) {
  if (field == "message_bytes_max")
    limit.message_bytes_max = value;
  else if (field == "frame_bytes_max")
    limit.frame_bytes_max = value;
  else if (field == "fragments_max")
    limit.fragments_max = static_cast<std::uint32_t>(value);
  else if (field == "linger_bytes_max")
    limit.linger_bytes_max = static_cast<std::uint32_t>(value);
  else
    throw std::runtime_error("no such limit: " + field);
}

void accepted(purews::refusal why) {
  if (why != purews::refusal::none) throw std::runtime_error("a call was refused: " + name(why));
}

step call(words const& line) {
  std::string const what = line.at(1);
  auto const op = [](std::string const& word) {
    return word == "text" ? purews::opcode::text : purews::opcode::binary;
  };
  using purews::connection;
  using driver = machine_driver<connection>;
  if (what == "close") {
    auto const code = static_cast<purews::status_code>(line.size() > 2 ? to_number(line[2]) : 1005);
    octets const reason = payload(line, 3);
    return {{}, [=](connection& c, driver&) { accepted(c.close(code, purews::as_text(reason))); }};
  }
  if (what == "text" || what == "binary") {
    octets const data = payload(line, 2);
    return {{}, [=](connection& c, driver&) { accepted(c.send(op(what), data)); }};
  }
  if (what == "ping") {
    octets const data = payload(line, 2);
    return {{}, [=](connection& c, driver&) { accepted(c.ping(data)); }};
  }
  if (what == "fragment") {
    octets const data = payload(line, 4);
    auto const position = line.at(3) == "last" ? purews::fragment::last : purews::fragment::more;
    purews::opcode const of = op(line.at(2));
    return {{}, [=](connection& c, driver&) { accepted(c.send_fragment(of, data, position)); }};
  }
  throw std::runtime_error("no such call: " + what);
}

std::string expected_event(words const& line) {
  std::string const what = line.at(1);
  if (what == "message") return "message " + line.at(2) + " " + describe(payload(line, 3));
  if (what == "ping" || what == "pong") return what + " " + describe(payload(line, 2));
  if (what == "closed") return "closed " + line.at(2) + " " + line.at(3) + " " + describe(payload(line, 4));
  if (what == "failed") return "failed " + line.at(2) + " " + line.at(3);
  throw std::runtime_error("no such event: " + what);
}

void add_output(vector& v, octets const& more) { v.out = join(v.out, more); }

void fails(vector& v, words const& line) {
  v.events.push_back("failed " + line.at(1) + " " + line.at(2));
  add_output(v, own_frame(v.own, 0x88, code_payload(to_number(line.at(1)))));
  v.transport = purews::transport_action::shut_write;
}

purews::transport_action action(std::string const& word) {
  using enum purews::transport_action;
  for (purews::transport_action const a : {keep, shut_write, close})
    if (name(a) == word) return a;
  throw std::runtime_error("no such action: " + word);
}

// What arrives together is one piece of input, so that the whole of it can be received at once.
void add_input(vector& v, octets const& more) {
  if (v.steps.empty() || v.steps.back().act) v.steps.emplace_back();
  v.steps.back().in = join(v.steps.back().in, more);
}

void read_line(vector& v, words const& line) {
  using driver = machine_driver<purews::connection>;
  std::string const& word = line[0];
  if (word == "limit") {
    set_limit(v.limit, line.at(1), to_number(line.at(2)));
  } else if (word == "output" && line.at(1) == "withheld") {
    v.withheld = true;
  } else if (word == "in") {
    add_input(v, payload(line, 1));
  } else if (word == "frame") {
    add_input(v, peer_frame(v.own, first_byte(line.at(1)), payload(line, 2)));
  } else if (word == "eof") {
    v.steps.push_back({{}, [](purews::connection&, driver& d) { d.receive_eof(); }});
  } else if (word == "call") {
    v.steps.push_back(call(line));
  } else if (word == "event") {
    v.events.push_back(expected_event(line));
  } else if (word == "out") {
    add_output(v, payload(line, 1));
  } else if (word == "reply") {
    add_output(v, own_frame(v.own, first_byte(line.at(1)), payload(line, 2)));
  } else if (word == "transport") {
    v.transport = action(line.at(1));
  } else if (word == "fails") {
    fails(v, line);
  } else {
    throw std::runtime_error("no such word: " + word);
  }
}

struct numbered {
  std::size_t number;
  std::string text;
};

// One vector as it stands in the file, with everything that multiplies it taken out.
struct block {
  std::string path;
  numbered title;
  std::vector<numbered> lines{};
  std::string role = "both";
  std::string deliver = "both";
  std::vector<std::pair<std::string, words>> variables{};
};

std::string part_of(std::string const& value, std::size_t n) {
  std::istringstream parts(value);
  std::string part;
  for (std::size_t i = 0; i <= n; ++i)
    if (!std::getline(parts, part, ',')) throw std::runtime_error(value + " has too few parts");
  return part;
}

std::string replaced(std::string text, std::map<std::string, std::string> const& values) {
  for (auto const& [variable, value] : values)
    for (std::size_t at = text.find('$' + variable); at != text.npos; at = text.find('$' + variable, at)) {
      std::size_t const end = at + variable.size() + 1;
      bool const one_part = end + 2 < text.size() && text[end] == '[' && text[end + 2] == ']';
      std::string const by = one_part ? part_of(value, hex_digit(text[end + 1])) : value;
      text.replace(at, variable.size() + 1 + (one_part ? 3 : 0), by);
    }
  return text;
}

vector build(block const& b, std::map<std::string, std::string> const& values, purews::role own,
             purews::delivery deliver) {
  vector v;
  v.name = replaced(b.title.text, values) + (own == purews::role::server ? ", server" : ", client") +
           (deliver == purews::delivery::whole ? "" : ", pieces");
  v.own = own;
  v.deliver = deliver;
  for (numbered const& line : b.lines) {
    v.where = b.path + ":" + std::to_string(line.number);
    try {
      words parts = split(replaced(line.text, values));
      std::size_t times = 1;
      if (parts.size() > 2 && parts[1] == "times") {
        times = to_number(parts[0]);
        parts.erase(parts.begin(), parts.begin() + 2);
      }
      for (std::size_t i = 0; i < times; ++i) read_line(v, parts);
    } catch (std::exception const& e) {
      throw std::runtime_error(v.where + ": " + e.what());
    }
  }
  v.where = b.path + ":" + std::to_string(b.title.number);
  return v;
}

void multiply(block const& b, std::size_t variable, std::map<std::string, std::string>& values,
              std::vector<vector>& result) {
  if (variable < b.variables.size()) {
    for (std::string const& value : b.variables[variable].second) {
      values[b.variables[variable].first] = value;
      multiply(b, variable + 1, values, result);
    }
    return;
  }
  for (purews::role const own : {purews::role::server, purews::role::client}) {
    if (b.role != "both" && b.role != (own == purews::role::server ? "server" : "client")) continue;
    for (purews::delivery const deliver : {purews::delivery::whole, purews::delivery::pieces}) {
      if (b.deliver != "both" && b.deliver != (deliver == purews::delivery::whole ? "whole" : "pieces")) continue;
      result.push_back(build(b, values, own, deliver));
    }
  }
}

// Takes what belongs to the whole block; false: the line is one of the vector itself.
bool read_setting(block& b, words const& parts) {
  if (parts[0] == "role") {
    b.role = parts.at(1);
  } else if (parts[0] == "deliver") {
    b.deliver = parts.at(1);
  } else if (parts[0] == "for") {
    if (parts.at(2) != "=") throw std::runtime_error("for wants an =");
    b.variables.emplace_back(parts[1], words(parts.begin() + 3, parts.end()));
  } else {
    return false;
  }
  return true;
}

}  // namespace

std::vector<vector> read_vectors(std::string const& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error(path + ": cannot be read");
  std::vector<block> blocks;
  std::string text;
  for (std::size_t number = 1; std::getline(file, text); ++number) {
    words const parts = split(text.starts_with('#') || text.starts_with("vector ") ? "" : text);
    if (text.starts_with("vector ")) {
      blocks.push_back({path, {number, text.substr(7)}});
    } else if (!parts.empty()) {
      if (blocks.empty()) throw std::runtime_error(path + ": a line stands before the first vector");
      if (!read_setting(blocks.back(), parts)) blocks.back().lines.push_back({number, text});
    }
  }
  std::vector<vector> result;
  for (block const& b : blocks) {
    std::map<std::string, std::string> values;
    multiply(b, 0, values, result);
  }
  return result;
}

}  // namespace test
