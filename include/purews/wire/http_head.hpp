// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "assert.hpp"
#include "error.hpp"
#include "known_header.hpp"
#include "uri.hpp"

namespace purews::inline v0 {

/// Bounds on an HTTP head, in bytes. Each is exact: as much is accepted, one more is refused as soon as it is seen.
struct head_limits {
  std::uint32_t bytes_max = 16U << 10;      ///< the whole head with its last empty line
  std::uint32_t line_bytes_max = 8U << 10;  ///< one line, the first one too, without its CRLF
  std::uint32_t lines_max = 100;            ///< header lines, counted as lines; at most http_head_parts::lines_capacity
};

enum class head_kind : std::uint8_t { request, response };

enum class http_progress : std::uint8_t {
  need_more,  ///< call parse() again when there are more bytes
  done,       ///< the head is whole
  failed,     ///< see fault(). It stays so
};

/// Where a piece of a head is. Offsets and not pointers: the bytes may move while the head is being read.
struct text_slice {
  std::uint32_t at = 0;
  std::uint32_t size = 0;

  constexpr std::string_view of(std::string_view text) const noexcept { return text.substr(at, size); }
};

/// Where everything in a head is. http_request and http_response make views of it.
struct http_head_parts {
  static constexpr std::uint32_t lines_capacity = 100;

  struct line {
    std::uint32_t at;  ///< of the name; the value begins after the colon, and the line ends where the next begins
    std::uint32_t name_size;
  };
  struct lines_of_name {
    std::uint8_t first = 0;  ///< the number of the first line
    std::uint8_t count = 0;
  };

  std::uint8_t version_minor = 1;  ///< HTTP/1.x
  std::uint16_t status = 0;        ///< response
  text_slice reason{};             ///< response
  text_slice method{};             ///< request
  text_slice target{};             ///< request: as written
  text_slice authority{};          ///< request, absolute form: the host in the target; empty otherwise
  text_slice path{};               ///< request: up to '?'; empty means "/"
  text_slice query{};              ///< request: after '?'
  std::uint32_t line_count = 0;
  line lines[lines_capacity];  ///< not initialised: zeros would cost more than the whole parsing of most heads
  lines_of_name known[static_cast<int>(known_header::other) + 1]{};
  std::uint32_t size = 0;  ///< of the whole head with its last empty line
};

/// Parses one request or response head at the front of a contiguous view, in as many calls as it takes.
///
/// No byte is looked at twice however the head is cut, nothing is allocated, and the outcome does not depend on
/// the cuts. Strict: every line ends with CRLF, folded lines, spaces before a colon and control characters are
/// refused. RFC 9112 sections 2 to 5.
class http_head {
 public:
  explicit http_head(head_kind what) noexcept : what_(what) {}

  /// Reads on in `in`: the same bytes as in the call before (they may have moved), with more appended.
  ///
  /// The bytes are not changed and not kept. Bytes behind the head are left alone; size() tells where they begin.
  /// Calls after done or failed change nothing.
  /// Preconditions (asserted): `in` has not become shorter; limits.lines_max is at most lines_capacity.
  http_progress parse(bytes_view in, head_limits const& limits) noexcept;

  http_progress progress() const noexcept { return progress_; }
  error fault() const noexcept { return fault_; }             ///< why it failed
  std::size_t fault_at() const noexcept { return line_at_; }  ///< where the line begins that did
  std::size_t size() const noexcept { return parts_.size; }   ///< of the head, when done
  http_head_parts const& parts() const noexcept { return parts_; }

 private:
  enum class stage : std::uint8_t { first_line, after_empty_line, fields };

  http_progress fail(error what) noexcept;
  error check_line(std::string_view line, head_limits const& limits) const noexcept;
  error take_line(std::string_view text, std::size_t end) noexcept;
  error take_request_line(std::string_view text, std::string_view line) noexcept;
  error take_status_line(std::string_view text, std::string_view line) noexcept;
  error take_field(std::string_view line) noexcept;
  error read_target(std::string_view text) noexcept;
  error read_version(std::string_view version, error malformed) noexcept;
  error line_fault() const noexcept;
  static text_slice slice(std::string_view text, std::string_view part) noexcept;

  head_kind what_;
  stage stage_ = stage::first_line;
  http_progress progress_ = http_progress::need_more;
  error fault_ = error::none;
  std::uint32_t line_at_ = 0;  ///< where the line begins that is being read
  std::uint32_t scanned_ = 0;  ///< no line feed is in [line_at_, scanned_)
  http_head_parts parts_;
};

inline http_progress http_head::parse(bytes_view in, head_limits const& limits) noexcept {
  PUREWS_ASSERT(limits.lines_max <= http_head_parts::lines_capacity);
  if (progress_ != http_progress::need_more) return progress_;
  PUREWS_ASSERT(in.size() >= scanned_);
  std::string_view const text = as_text(in).substr(0, limits.bytes_max);
  while (line_at_ < text.size()) {
    std::size_t const end = text.find('\n', scanned_);
    // Of a whole field line within the limits take_field() finds all that can be wrong.
    if (stage_ != stage::fields || end - line_at_ > limits.line_bytes_max || parts_.line_count == limits.lines_max)
      if (error const what = check_line(text.substr(line_at_, end - line_at_), limits); what != error::none)
        return fail(what);
    if (end == std::string_view::npos) {
      scanned_ = static_cast<std::uint32_t>(text.size());
      break;
    }
    if (error const what = take_line(text, end); what != error::none) return fail(what);
    if (progress_ == http_progress::done) return progress_;
    line_at_ = scanned_ = static_cast<std::uint32_t>(end + 1);
  }
  if (in.size() > text.size()) return fail(error::head_too_long);
  return progress_;
}

inline http_progress http_head::fail(error what) noexcept {
  fault_ = what;
  return progress_ = http_progress::failed;
}

/// Judges a line, which may lack its end, by its first byte and by its size, so that the outcome is known as early as
/// possible and is the same for every cut.
inline error http_head::check_line(std::string_view line, head_limits const& limits) const noexcept {
  if (line.empty()) return line_fault();  // its end is a bare LF
  if (line[0] == '\r') {
    // RFC 9112 2.2: a server "SHOULD ignore at least one empty line" before the request line. One, here.
    bool const may_be_empty = stage_ == stage::fields || (stage_ == stage::first_line && what_ == head_kind::request);
    if (!may_be_empty) return line_fault();
  } else if (!is_http_char(line[0], http_char_table::token)) {
    // A field may not begin with white space, and a folded line is refused. RFC 9112 2.2 and 5.2.
    return line_fault();
  } else if (stage_ == stage::fields && parts_.line_count == limits.lines_max) {
    return error::too_many_lines;
  }
  // The CR may be the one byte above the limit.
  std::size_t const limit = limits.line_bytes_max;
  if (line.size() <= limit || (line.size() == limit + 1 && line.back() == '\r')) return error::none;
  bool const is_request_line = stage_ != stage::fields && what_ == head_kind::request;
  return is_request_line ? error::request_line_too_long : error::head_line_too_long;
}

inline error http_head::line_fault() const noexcept {
  if (stage_ == stage::fields) return error::head_syntax;
  return what_ == head_kind::request ? error::request_line_syntax : error::status_line_syntax;
}

/// Takes the line that ends with the line feed at `end`.
inline error http_head::take_line(std::string_view text, std::size_t end) noexcept {
  // A bare LF. RFC 9112 2.2 allows refusing it. A line without a byte follows a line feed: check_line() saw the first.
  if (text[end - 1] != '\r') return line_fault();
  std::string_view const line(text.data() + line_at_, end - 1 - line_at_);
  if (stage_ == stage::fields) {
    if (!line.empty()) return take_field(line);
    parts_.size = static_cast<std::uint32_t>(end + 1);
    progress_ = http_progress::done;
    return error::none;
  }
  if (line.empty()) {
    stage_ = stage::after_empty_line;
    return error::none;
  }
  error const what = what_ == head_kind::request ? take_request_line(text, line) : take_status_line(text, line);
  stage_ = stage::fields;
  return what;
}

inline text_slice http_head::slice(std::string_view text, std::string_view part) noexcept {
  return {static_cast<std::uint32_t>(part.data() - text.data()), static_cast<std::uint32_t>(part.size())};
}

/// request-line = method SP request-target SP HTTP-version. RFC 9112 section 3.
inline error http_head::take_request_line(std::string_view text, std::string_view line) noexcept {
  std::size_t const method_size = http_span(line, 0, http_char_table::token);
  if (method_size == 0 || !line.substr(method_size).starts_with(' ')) return error::request_line_syntax;
  std::size_t const target_at = method_size + 1;
  std::size_t const target_size = http_span(line, target_at, http_char_table::target);
  std::size_t const target_end = target_at + target_size;
  if (target_size == 0 || !line.substr(target_end).starts_with(' ')) return error::request_line_syntax;
  parts_.method = slice(text, line.substr(0, method_size));
  parts_.target = slice(text, line.substr(target_at, target_size));
  // The version first: the preface of HTTP/2 is "PRI * HTTP/2.0".
  error const what = read_version(line.substr(target_end + 1), error::request_line_syntax);
  return what != error::none ? what : read_target(text);
}

/// status-line = HTTP-version SP status-code SP [ reason-phrase ]; the second SP may be missing. RFC 9112 section 4.
inline error http_head::take_status_line(std::string_view text, std::string_view line) noexcept {
  if (line.size() < 12 || line[8] != ' ') return error::status_line_syntax;
  error const what = read_version(line.substr(0, 8), error::status_line_syntax);
  if (what != error::none) return what;
  decimal const status = parse_decimal(line.substr(9, 3), 999);
  if (!status.valid || status.value < 100) return error::status_line_syntax;
  parts_.status = static_cast<std::uint16_t>(status.value);
  std::string_view const rest = line.substr(12);
  if (rest.empty()) return error::none;
  if (rest[0] != ' ' || !is_field_value(rest)) return error::status_line_syntax;
  parts_.reason = slice(text, rest.substr(1));
  return error::none;
}

/// "HTTP/1.x" is read as 1.1 for every x above 0; other majors are refused. RFC 9110 section 2.5.
inline error http_head::read_version(std::string_view version, error malformed) noexcept {
  bool const well_formed = version.size() == 8 && version.starts_with("HTTP/") && version[6] == '.' &&
                           is_http_char(version[5], http_char_table::digit) &&
                           is_http_char(version[7], http_char_table::digit);
  if (!well_formed) return malformed;
  if (version[5] != '1') return error::http_version;
  parts_.version_minor = static_cast<std::uint8_t>(version[7] - '0');
  return error::none;
}

/// Origin form, absolute form, and "*" for OPTIONS. Authority form (CONNECT) is refused. RFC 9112 section 3.2.
inline error http_head::read_target(std::string_view text) noexcept {
  std::string_view const target = parts_.target.of(text);
  std::string_view rest = target;
  if (target == "*") {
    if (parts_.method.of(text) != "OPTIONS") return error::request_line_syntax;
  } else if (target[0] != '/') {
    scheme_split const split = split_scheme(target);
    bool const known = iequals(split.scheme, "http") || iequals(split.scheme, "https") || iequals(split.scheme, "ws") ||
                       iequals(split.scheme, "wss");
    if (!known) return error::request_line_syntax;
    std::string_view const host = split.rest.substr(0, split.rest.find_first_of("/?"));
    if (parse_authority(host).fault != uri_fault::none) return error::request_line_syntax;
    parts_.authority = slice(text, host);
    rest = split.rest.substr(host.size());
  }
  std::size_t const mark = rest.find('?');
  parts_.path = slice(text, rest.substr(0, mark));
  if (mark != std::string_view::npos) parts_.query = slice(text, rest.substr(mark + 1));
  return error::none;
}

/// field-line = field-name ":" OWS field-value OWS. RFC 9112 section 5.
inline error http_head::take_field(std::string_view line) noexcept {
  std::size_t const name_size = field_name_size(line);
  // RFC 9112 5.1: no white space "is allowed between the field name and colon".
  if (name_size == 0 || name_size == line.size() || line[name_size] != ':') return error::head_syntax;
  std::string_view const name(line.data(), name_size);
  if (!is_field_value({line.data() + name_size + 1, line.size() - name_size - 1})) return error::head_syntax;
  http_head_parts::lines_of_name& same = parts_.known[static_cast<int>(classify_header(name))];
  if (same.count++ == 0) same.first = static_cast<std::uint8_t>(parts_.line_count);
  parts_.lines[parts_.line_count++] = {line_at_, static_cast<std::uint32_t>(name_size)};
  return error::none;
}

}  // namespace purews::inline v0
