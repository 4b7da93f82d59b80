// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "http_head.hpp"

namespace purews::inline v0 {

/// A view of the header lines of a parsed head. Names are compared without regard to case; values are trimmed of
/// white space and otherwise as the peer wrote them: bytes of 0x80 and above may be in them, so clean them before they
/// go into a log. Borrows the head and the bytes that it was parsed from.
class http_message {
 public:
  /// Precondition (asserted): the head is done, and `in` begins with the bytes that it was parsed from.
  http_message(http_head const& head, bytes_view in) noexcept : parts_(&head.parts()), text_(as_text(in)) {
    PUREWS_ASSERT(head.progress() == http_progress::done && in.size() >= head.size());
  }

  std::size_t line_count() const noexcept { return parts_->line_count; }
  /// The header line number `index`. Precondition (asserted): index < line_count().
  header_field line(std::size_t index) const noexcept;

  /// The value of the first header line with this name; empty if there is none: header_count() tells.
  std::string_view header(std::string_view name) const noexcept;
  /// How many header lines have this name.
  std::size_t header_count(std::string_view name) const noexcept { return match(name).count; }
  std::size_t header_count(known_header what) const noexcept { return same(what).count; }

  /// Both in one pass.
  struct header_match {
    std::size_t count = 0;
    std::string_view value{};  ///< of the first
  };
  header_match match(std::string_view name) const noexcept;
  header_match match(known_header what) const noexcept;
  /// The first header line from `from` on that has this name, or line_count().
  std::size_t find(std::string_view name, std::size_t from = 0) const noexcept {
    return find(classify_header(name), name, from);
  }
  std::size_t find(known_header what, std::size_t from = 0) const noexcept { return find(what, name_of(what), from); }

  int version_minor() const noexcept { return parts_->version_minor; }
  std::size_t head_size() const noexcept { return parts_->size; }  ///< in bytes, with the last empty line

 protected:
  http_head_parts const& parts() const noexcept { return *parts_; }
  std::string_view text() const noexcept { return text_; }

 private:
  friend class header_list;

  http_head_parts::lines_of_name same(known_header what) const noexcept {
    return parts_->known[static_cast<int>(what)];
  }
  std::size_t find(known_header what, std::string_view name, std::size_t from) const noexcept;

  http_head_parts const* parts_;
  std::string_view text_;
};

/// A view of a request's head.
class http_request : public http_message {
 public:
  using http_message::http_message;

  std::string_view method() const noexcept { return parts().method.of(text()); }  ///< case matters
  std::string_view target() const noexcept { return parts().target.of(text()); }  ///< as written
  /// The target up to '?'; "/" if it has none. Percent encoding is left as it is.
  std::string_view path() const noexcept { return parts().path.size == 0 ? "/" : parts().path.of(text()); }
  std::string_view query() const noexcept { return parts().query.of(text()); }  ///< the target after '?'
  /// Whom the client wants: the host in the target, or else the Host header. RFC 9112 section 3.2.2.
  std::string_view host() const noexcept {
    return parts().authority.size == 0 ? match(known_header::host).value : parts().authority.of(text());
  }
};

/// A view of a response's head.
class http_response : public http_message {
 public:
  using http_message::http_message;

  std::uint16_t status() const noexcept { return parts().status; }
  std::string_view reason() const noexcept { return parts().reason.of(text()); }
};

/// Reads the elements of all header lines with one name as one comma-separated list. RFC 9110 section 5.3.
///
///     for (auto item = list.next(); !item.empty(); item = list.next()) ...
class header_list {
 public:
  header_list(http_message const& message, std::string_view name) noexcept
      : header_list(message, classify_header(name), name) {}
  /// Precondition (asserted): `what` is one name, not one of the others.
  header_list(http_message const& message, known_header what) noexcept : header_list(message, what, name_of(what)) {}

  /// The next element, trimmed and never empty; empty at the end.
  std::string_view next() noexcept {
    while (line_ < message_.line_count()) {
      if (std::string_view const element = reader_.next(); !element.empty()) return element;
      line_ = message_.find(what_, name_, line_ + 1);
      if (line_ < message_.line_count()) reader_ = list_reader(message_.line(line_).value);
    }
    return {};
  }

 private:
  header_list(http_message const& message, known_header what, std::string_view name) noexcept
      : message_(message), name_(name), what_(what), line_(message.find(what, name, 0)) {
    if (line_ < message.line_count()) reader_ = list_reader(message.line(line_).value);
  }

  http_message message_;
  std::string_view name_;
  known_header what_;
  std::size_t line_;
  list_reader reader_{};
};

/// Whether one of the header lines with this name lists `token`, which has no comma, in either case.
template <class Name>
bool header_lists(http_message const& message, Name name, std::string_view token) noexcept {
  if (iequals(message.match(name).value, token)) return true;  // as it nearly always is
  header_list list(message, name);
  for (std::string_view item = list.next(); !item.empty(); item = list.next())
    if (iequals(item, token)) return true;
  return false;
}

inline header_field http_message::line(std::size_t index) const noexcept {
  PUREWS_ASSERT(index < parts_->line_count);
  http_head_parts::line const& at = parts_->lines[index];
  // A line ends with CRLF before the next one begins; behind the last one there is the empty line too.
  std::size_t const end = index + 1 < parts_->line_count ? parts_->lines[index + 1].at - 2U : parts_->size - 4U;
  char const* const name = text_.data() + at.at;
  char const* const value = name + at.name_size + 1U;
  return {{name, at.name_size}, trim_ows({value, static_cast<std::size_t>(text_.data() + end - value)})};
}

inline std::string_view http_message::header(std::string_view name) const noexcept {
  std::size_t const index = find(name);
  return index < line_count() ? line(index).value : std::string_view{};
}

inline http_message::header_match http_message::match(std::string_view name) const noexcept {
  known_header const what = classify_header(name);
  if (what < known_header::other_websocket) return match(what);
  std::size_t i = find(name);
  if (i == line_count()) return {};
  header_match result{0, line(i).value};
  for (; i < line_count(); i = find(name, i + 1)) ++result.count;
  return result;
}

inline http_message::header_match http_message::match(known_header what) const noexcept {
  std::size_t const count = same(what).count;
  return {count, count == 0 ? std::string_view{} : line(same(what).first).value};
}

inline std::size_t http_message::find(known_header what, std::string_view name, std::size_t from) const noexcept {
  std::size_t const count = line_count();
  http_head_parts::lines_of_name const known = same(what);
  if (known.count == 0) return count;
  if (from <= known.first && what < known_header::other_websocket) return known.first;
  if (known.count == 1 && from > known.first) return count;
  for (std::size_t i = from; i < count; ++i) {
    http_head_parts::line const& at = parts_->lines[i];
    if (at.name_size == name.size() && iequals(text_.substr(at.at, at.name_size), name)) return i;
  }
  return count;
}

}  // namespace purews::inline v0
