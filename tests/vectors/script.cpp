// SPDX-License-Identifier: BSL-1.0
#include "script.hpp"

#include <fstream>
#include <map>
#include <sstream>

namespace test {
namespace {

keys drawing = keys::counting;
unsigned keys_drawn = 0;

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

std::uint64_t to_number(std::string const& word) {
  std::size_t used = 0;
  unsigned long long const n = std::stoull(word, &used, 0);
  if (used != word.size()) throw std::runtime_error("not a number: " + word);
  return n;
}

std::size_t to_size(std::string const& word) { return static_cast<std::size_t>(to_number(word)); }

octets payload(words const& line, std::size_t from) {
  octets result;
  for (std::size_t i = from; i < line.size(); ++i) {
    std::string word = line[i];
    std::size_t times = 1;
    if (std::size_t const star = word.rfind('*'); star != word.npos && word.back() != '"') {
      times = to_size(word.substr(star + 1));
      word.resize(star);
    }
    bool const text = word.front() == '"' && word.back() == '"' && word.size() > 1;
    result = join(result, repeated(times, text ? octets_of(word.substr(1, word.size() - 2)) : hex(word)));
  }
  return result;
}

unsigned first_byte(std::string const& word) { return std::to_integer<unsigned>(hex(word).at(0)); }

octets code_payload(std::uint64_t code) { return {static_cast<std::byte>(code >> 8), static_cast<std::byte>(code)}; }

void set_limit(purews::limits& limit, std::string const& field, std::uint64_t value) {
  using purews::limits;
  static std::map<std::string, void (*)(limits&, std::uint64_t)> const fields = {
      {"message_bytes_max", [](limits& l, std::uint64_t n) { l.message_bytes_max = n; }},
      {"frame_bytes_max", [](limits& l, std::uint64_t n) { l.frame_bytes_max = n; }},
      {"inflate_ratio_max", [](limits& l, std::uint64_t n) { l.inflate_ratio_max = static_cast<std::uint32_t>(n); }},
      {"fragments_max", [](limits& l, std::uint64_t n) { l.fragments_max = static_cast<std::uint32_t>(n); }},
      {"queue_bytes_max", [](limits& l, std::uint64_t n) { l.queue_bytes_max = static_cast<std::size_t>(n); }},
      {"linger_bytes_max", [](limits& l, std::uint64_t n) { l.linger_bytes_max = static_cast<std::uint32_t>(n); }},
  };
  fields.at(field)(limit, value);
}

void set_timeout(purews::timeouts& timeout, std::string const& field, std::size_t ms) {
  static std::map<std::string, purews::duration purews::timeouts::*> const fields = {
      {"ping", &purews::timeouts::ping},     {"pong", &purews::timeouts::pong},
      {"close", &purews::timeouts::close},   {"write", &purews::timeouts::write},
      {"linger", &purews::timeouts::linger}, {"idle_codec", &purews::timeouts::idle_codec},
  };
  timeout.*fields.at(field) = purews::milliseconds(static_cast<std::int64_t>(ms));
}

using application_call = std::function<purews::refusal(purews::connection&)>;

// What `line` says from its word `at` on.
application_call call_of(words const& line, std::size_t at) {
  purews::send_options how;
  if (line.at(at) == "on") how.compress = purews::compression::on;
  if (line.at(at) == "off") how.compress = purews::compression::off;
  if (how.compress != purews::compression::automatic) ++at;
  std::string const what = line.at(at);
  auto const op = [](std::string const& word) {
    if (word != "text" && word != "binary") throw std::runtime_error("neither text nor binary: " + word);
    return word == "text" ? purews::opcode::text : purews::opcode::binary;
  };
  using purews::connection;
  if (what == "close") {
    auto const code = static_cast<purews::status_code>(line.size() > at + 1 ? to_number(line[at + 1]) : 1005);
    octets const reason = payload(line, at + 2);
    return [=](connection& c) { return c.close(code, purews::as_text(reason)); };
  }
  if (what == "text" || what == "binary") {
    octets const data = payload(line, at + 1);
    return [=](connection& c) { return c.send(op(what), data, how); };
  }
  if (what == "prepared") {
    purews::prepared_message const shared(op(line.at(at + 1)), payload(line, at + 2));
    return [=](connection& c) { return c.send(shared, how); };
  }
  if (what == "ping") {
    octets const data = payload(line, at + 1);
    return [=](connection& c) { return c.ping(data); };
  }
  if (what == "fragment") {
    octets const data = payload(line, at + 3);
    auto const position = line.at(at + 2) == "last" ? purews::fragment::last : purews::fragment::more;
    purews::opcode const of = op(line.at(at + 1));
    return [=](connection& c) { return c.send_fragment(of, data, position, how.compress); };
  }
  throw std::runtime_error("no such call: " + what);
}

step call(application_call const& f, std::string const& expected) {
  return {{}, {}, [=](purews::connection& c, machine_driver<purews::connection>&) {
            if (std::string const why = name(f(c)); why != expected)
              throw std::runtime_error("a call was answered with " + why + ", not with " + expected);
          }};
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

octets key_of(unsigned n) {
  auto const octet = [](unsigned value) { return static_cast<std::byte>(value); };
  return {octet(n), octet(~n), octet(7 * n), octet(0x5a ^ n)};
}

void draw_key(purews::bytes out) noexcept {
  ++keys_drawn;
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = drawing == keys::zero ? std::byte{} : key_of(keys_drawn)[i];
}

// `frame`, which is masked with the key zero, masked with another one.
octets masked_with(octets const& key, octets frame, std::size_t payload_bytes) {
  std::size_t const begin = frame.size() - payload_bytes;
  for (std::size_t i = 0; i < 4; ++i) frame[begin - 4 + i] = key[i];
  for (std::size_t i = 0; i < payload_bytes; ++i) frame[begin + i] ^= key[i % 4];
  return frame;
}

void add_reply(vector& v, unsigned first, octets const& data) {
  octets const frame = own_frame(v.own, first, data);
  bool const keyed = v.own == purews::role::client && v.masks == keys::counting && !v.read_output;
  add_output(v, keyed ? masked_with(key_of(++v.replies), frame, data.size()) : frame);
}

void fails(vector& v, words const& line) {
  v.events.push_back("failed " + line.at(1) + " " + line.at(2));
  add_reply(v, 0x88, code_payload(to_number(line.at(1))));
  v.transport = purews::transport_action::shut_write;
}

purews::transport_action action(std::string const& word) {
  using enum purews::transport_action;
  for (purews::transport_action const a : {keep, shut_write, close})
    if (name(a) == word) return a;
  throw std::runtime_error("no such action: " + word);
}

// What arrives together is one piece of input, so that the whole of it can be received at once.
void add_input(vector& v, octets const& more, octets const& keyed) {
  if (v.steps.empty() || v.steps.back().act) v.steps.emplace_back();
  v.steps.back().in = join(v.steps.back().in, more);
  v.steps.back().keyed = join(v.steps.back().keyed, keyed);
}

void add_frame(vector& v, unsigned first, octets const& data) {
  octets const frame = peer_frame(v.own, first, data);
  bool const masked = v.own == purews::role::server;
  add_input(v, frame, masked ? masked_with(hex("37fa213d"), frame, data.size()) : frame);
}

void act(vector& v, std::function<void(machine_driver<purews::connection>&)> const& what) {
  v.steps.push_back({{}, {}, [=](purews::connection&, machine_driver<purews::connection>& d) { what(d); }});
}

// Reads a line that sets something up or lets something happen. False: it is another one.
bool read_happening(vector& v, words const& line) {
  using driver = machine_driver<purews::connection>;
  std::string const& word = line[0];
  if (word == "limit") {
    set_limit(v.with.limit, line.at(1), to_number(line.at(2)));
  } else if (word == "timeout") {
    set_timeout(v.with.timeout, line.at(1), to_size(line.at(2)));
  } else if (word == "output") {
    v.output = line.at(1) == "withheld" ? taking::withheld : taking::taken;
  } else if (word == "masks") {
    v.masks = line.at(1) == "zero" ? keys::zero : keys::counting;
  } else if (word == "outgoing_text") {
    v.with.text = line.at(1) == "trusted" ? purews::outgoing_text::trusted : purews::outgoing_text::checked;
  } else if (word == "deflate") {
    read_deflate(v, line);
  } else if (word == "in") {
    add_input(v, payload(line, 1), payload(line, 1));
  } else if (word == "frame") {
    add_frame(v, first_byte(line.at(1)), payload(line, 2));
  } else if (word == "eof") {
    act(v, [](driver& d) { d.receive_eof(); });
  } else if (word == "after") {
    auto const time = purews::milliseconds(static_cast<std::int64_t>(to_number(line.at(1))));
    act(v, [=](driver& d) { d.advance(time); });
  } else if (word == "take") {
    std::size_t const n = to_size(line.at(1));
    act(v, [=](driver& d) { d.take(n); });
  } else if (word == "call") {
    v.steps.push_back(call(call_of(line, 1), "none"));
  } else if (word == "refused") {
    v.steps.push_back(call(call_of(line, 2), line.at(1)));
  } else {
    return false;
  }
  return true;
}

void read_expectation(vector& v, words const& line) {
  std::string const& word = line[0];
  if (word == "event") {
    v.events.push_back(expected_event(line));
  } else if (word == "out") {
    add_output(v, payload(line, 1));
  } else if (word == "reply") {
    add_reply(v, first_byte(line.at(1)), payload(line, 2));
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
  v.name = replaced(b.title.text, values);
  for (auto const& [variable, value] : values)
    if (b.title.text.find('$' + variable) == std::string::npos) v.name += ", " + value;
  v.script = own == purews::role::server ? "role server" : "role client";
  v.name += own == purews::role::server ? ", server" : ", client";
  v.own = own;
  v.with.deliver = deliver;
  if (own == purews::role::client) v.with.entropy = draw_key;
  for (numbered const& line : b.lines) {
    v.where = b.path + ":" + std::to_string(line.number);
    try {
      words parts = split(replaced(line.text, values));
      std::size_t times = 1;
      if (parts.size() > 2 && parts[1] == "times") {
        times = to_size(parts[0]);
        parts.erase(parts.begin(), parts.begin() + 2);
      }
      for (std::size_t i = 0; i < times; ++i)
        if (read_happening(v, parts))
          v.script += "\n" + replaced(line.text, values);
        else
          read_expectation(v, parts);
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

void restart_keys(keys how) {
  drawing = how;
  keys_drawn = 0;
}

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
