// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "purews/wire/http_message.hpp"

/// What parsing a head came to, in a form that can be compared.
struct head_outcome {
  purews::http_progress progress = purews::http_progress::need_more;
  purews::error fault = purews::error::none;
  std::size_t size = 0;
  std::string content{};

  friend bool operator==(head_outcome const&, head_outcome const&) = default;
};

inline head_outcome outcome_of(purews::http_head const& head, purews::bytes_view in, purews::head_kind what) {
  head_outcome result{head.progress(), head.fault(), head.size(), {}};
  if (head.progress() != purews::http_progress::done) return result;
  std::string& content = result.content;
  if (what == purews::head_kind::request) {
    purews::http_request const request(head, in);
    for (std::string_view const part : {request.method(), request.target(), request.path(), request.query(),
                                        request.host()})
      content.append(part).append("|");
  } else {
    purews::http_response const response(head, in);
    content.append(std::to_string(response.status())).append(response.reason());
  }
  purews::http_message const message(head, in);
  content += std::to_string(message.version_minor());
  for (std::size_t i = 0; i < message.line_count(); ++i)
    content.append("\n").append(message.line(i).name).append("=").append(message.line(i).value);
  return result;
}

/// Parses `text`, which arrives in pieces that end at `cuts`. Before each call everything moves to another
/// allocation of the exact size, so that a kept pointer or a byte read too far is found by ASan.
inline head_outcome parse_cut(std::string const& text, std::vector<std::size_t> const& cuts, purews::head_kind what,
                              purews::head_limits const& limits = {}) {
  purews::http_head head(what);
  head_outcome result;
  for (std::size_t const cut : cuts) {
    auto const copy = std::make_unique<std::byte[]>(cut);
    std::memcpy(copy.get(), text.data(), cut);
    purews::bytes_view const in{copy.get(), cut};
    head.parse(in, limits);
    result = outcome_of(head, in, what);
  }
  return result;
}

inline head_outcome parse_whole(std::string const& text, purews::head_kind what = purews::head_kind::request,
                                purews::head_limits const& limits = {}) {
  return parse_cut(text, {text.size()}, what, limits);
}

/// Whether `text` comes to the same whole, byte by byte, and cut into two anywhere.
inline bool same_for_every_cut(std::string const& text, purews::head_kind what = purews::head_kind::request,
                               purews::head_limits const& limits = {}) {
  head_outcome const whole = parse_whole(text, what, limits);
  std::vector<std::size_t> every_byte;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (parse_cut(text, {i, text.size()}, what, limits) != whole) return false;
    every_byte.push_back(i);
  }
  return parse_cut(text, every_byte, what, limits) == whole;
}

/// After how many bytes of `text`, fed one by one, the outcome is known; npos if it never is.
inline std::size_t known_after(std::string const& text, purews::head_kind what = purews::head_kind::request,
                               purews::head_limits const& limits = {}) {
  purews::http_head head(what);
  for (std::size_t i = 0; i <= text.size(); ++i)
    if (head.parse(purews::as_bytes({text.data(), i}), limits) != purews::http_progress::need_more) return i;
  return std::string::npos;
}
