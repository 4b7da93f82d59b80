// SPDX-License-Identifier: BSL-1.0
#include "words.hpp"

#include <algorithm>
#include <purews/wire/utf8.hpp>
#include <string_view>

namespace chat {
namespace {

/// Reads a code point of valid UTF-8 and moves past it.
char32_t next_code_point(std::string_view& text) {
  auto const first = static_cast<unsigned char>(text.front());
  auto const size = first < 0x80 ? 1u : first < 0xE0 ? 2u : first < 0xF0 ? 3u : 4u;
  char32_t point = size == 1 ? first : first & (0x7Fu >> size);
  for (auto const c : text.substr(1, size - 1)) point = point << 6 | (static_cast<unsigned char>(c) & 0x3Fu);
  text.remove_prefix(std::min<std::size_t>(size, text.size()));
  return point;
}

/// Tells what has no place in a name: controls, line ends, and what hides or turns text around (bidi).
bool is_deceptive(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c <= 0x9F) || c == 0xAD || c == 0x61C || c == 0x200B || c == 0x200E || c == 0x200F ||
         (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF;
}

bool is_utf8(std::string_view text) { return purews::is_valid_utf8(purews::as_bytes(text)); }

std::string_view text_flaw(std::string_view text) {
  if (!is_utf8(text)) return "is not UTF-8";
  if (text.find_first_not_of(" \t\r\n") == text.npos) return "must not be empty";
  if (text.find('\0') != text.npos) return "contains U+0000";
  return text.size() > text_bytes_max ? "has more than 16384 bytes" : "";
}

/// Keeps the first thing that is wrong.
struct checker {
  fault wrong{};

  void fail(char const* code, std::string const& field, std::string_view flaw) {
    if (!flaw.empty() && wrong.code.empty()) wrong = {code, "\"" + field + "\" " + std::string(flaw), {}, {}};
  }
  void name(char const* field, std::string const& value) { fail("bad_name", field, name_flaw(value)); }
  void optional_name(char const* field, std::string const& value) {
    if (!value.empty()) name(field, value);
  }
  void number(char const* field, std::int64_t value, std::int64_t min, std::int64_t max) {
    if (value < min || value > max)
      fail("bad_message", field, "must be a whole number from " + std::to_string(min) + " to " + std::to_string(max));
  }

  void check(authenticate const&) {}  // the token's verifier does
  void check(join const& r) {
    name("channel", r.channel);
    optional_name("user", r.user);
    optional_name("device", r.device);
    optional_name("epoch", r.epoch);
    number("seq", r.seq, 0, number_max);
    if (r.epoch.empty() && r.seq != 0) fail("bad_message", "epoch", "is missing");
  }
  void check(leave const& r) { name("channel", r.channel); }
  void check(message const& r) {
    name("channel", r.channel);
    fail("bad_text", "text", text_flaw(r.text));
    optional_name("id", r.id);
  }
  void check(history const& r) {
    name("channel", r.channel);
    number("before", r.before, 1, number_max);
    number("limit", static_cast<std::int64_t>(r.limit), 1, page_limit_max);
  }
  void check(typing const& r) { name("channel", r.channel); }
  void check(ping const&) {}
  void check(fault const& r) { wrong = r; }
};

}  // namespace

std::string_view name_flaw(std::string_view name) {
  if (name.empty()) return "must not be empty";
  if (!is_utf8(name)) return "is not UTF-8";
  if (name.size() > name_bytes_max) return "has more than 64 bytes";
  if (name.front() == ' ' || name.back() == ' ') return "must not begin or end with a space";
  while (!name.empty())
    if (is_deceptive(next_code_point(name))) return "contains control characters";
  return {};
}

fault about(request const& what, std::string code, std::string sentence) {
  fault wrong{std::move(code), std::move(sentence), {}, {}};
  std::visit(
      [&wrong](auto const& r) {
        if constexpr (requires { r.channel; }) wrong.channel = r.channel;
        if constexpr (requires { r.id; }) wrong.id = r.id;
      },
      what);
  return wrong;
}

request checked(request what) {
  checker all;
  std::visit([&](auto const& r) { all.check(r); }, what);
  if (all.wrong.code.empty()) return what;
  return about(what, std::move(all.wrong.code), std::move(all.wrong.message));
}

}  // namespace chat
