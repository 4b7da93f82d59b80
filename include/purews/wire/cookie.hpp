// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "http_message.hpp"

namespace purews::inline v0 {

/// The value of the first cookie of a request that is called `name`, in this case. It is what the browser sent: nothing
/// is decoded, and quotes stay. A view with a null pointer if there is none; a cookie may be empty.
/// RFC 6265 sections 4.2.1 and 5.4.
inline std::string_view cookie(http_message const& request, std::string_view name) noexcept {
  constexpr known_header what = known_header::cookie;
  for (std::size_t i = request.find(what); i < request.line_count(); i = request.find(what, i + 1)) {
    list_reader pairs(request.line(i).value, ';');
    for (std::string_view pair = pairs.next(); !pair.empty(); pair = pairs.next()) {
      std::size_t const end = pair.find('=');
      if (end != std::string_view::npos && pair.substr(0, end) == name) return pair.substr(end + 1);
    }
  }
  return {};
}

}  // namespace purews::inline v0
