// SPDX-License-Identifier: BSL-1.0
#include <algorithm>

#include "tidy.hpp"

namespace tidy {
namespace {

bool contains(std::vector<std::string_view> const& list, std::string_view what) {
  return std::find(list.begin(), list.end(), what) != list.end();
}

// The core is cheap and portable: these, and nothing of the operating system.
std::vector<std::string_view> const core_may = {
    "<span>",     "<stdio.h>", "<cstddef>", "<cstdint>", "<cstring>",     "<string_view>",
    "<concepts>", "<new>",     "<compare>", "<cstdlib>", "<type_traits>", "<limits>",
    "<intrin.h>",  // only where the compiler is MSVC: its builtins are declared there
};

// Headers for those who ask for them, and what dear thing each is about: Asio has all of it anyway.
struct exception {
  std::string_view header;
  std::string_view dear;
};
std::vector<exception> const asked_for = {
    {"include/purews/loop/error_code.hpp", "<system_error>"},
    {"include/purews/loop/basic_asio_loop.hpp", "<memory>"},
    {"include/purews/loop/basic_asio_loop.hpp", "<chrono>"},
};

// Dear to include, everywhere outside co/.
std::vector<std::string_view> const dear = {"<memory>", "<functional>", "<thread>",   "<mutex>",        "<chrono>",
                                            "<atomic>", "<algorithm>",  "<iostream>", "<system_error>", "<regex>",
                                            "<ranges>", "<future>",     "<format>",   "<filesystem>"};

// The simulator is for tests, but it must run wherever the core does and give the same numbers there: no <random>.
std::vector<std::string_view> const sim_may = {"<deque>", "<string>", "<vector>"};  // beside what the core may

// Headers of other projects, and the one file or folder that may have them.
struct guest {
  std::string_view prefix;
  std::string_view home;
};
std::vector<guest> const guests = {
    {"<openssl/", "include/purews/tls/"},
    {"<zlib", "include/purews/deflate/"},
    {"<liburing", "include/purews/loop/uring_"},
    {"<uv.h", "include/purews/loop/libuv.hpp"},
    {"<boost/", "include/purews/loop/boost_asio.hpp"},
    {"<asio", "include/purews/loop/asio.hpp"},
    {"<nlohmann/", "nowhere"},
    {"<sqlite3", "nowhere"},
    {"<immintrin.h", "nowhere"},
    {"<x86intrin.h", "nowhere"},
};

}  // namespace

report headers(tree const& files) {
  report out;
  for (file const& header : files) {
    if (!header.in("include/purews/")) continue;
    bool const core = header.in("include/purews/wire/") || header.in("include/purews/protocol/") ||
                      header.is("purews/purews.hpp") || header.is("purews/version.hpp");
    bool const cheap = !header.in("include/purews/co/");
    for (std::size_t line = 0; line < header.lines.size(); ++line) {
      std::string const what = included(header.lines[line]);
      if (!what.starts_with('<')) continue;
      if (header.in("include/purews/sim/") && !contains(core_may, what) && !contains(sim_may, what)) {
        out.push_back({header.path, line + 1, what + " is not on the simulator's list of standard headers"});
        continue;
      }
      if (core && !contains(core_may, what)) {
        out.push_back({header.path, line + 1, what + " is not on the core's list of standard headers"});
        continue;
      }
      bool const excepted = std::any_of(asked_for.begin(), asked_for.end(), [&](exception const& e) {
        return e.header == header.path && e.dear == what;
      });
      if (cheap && !excepted && contains(dear, what))
        out.push_back({header.path, line + 1, what + " costs too much to include"});
      for (guest const& foreign : guests)
        if (what.starts_with(foreign.prefix) && !header.in(foreign.home))
          out.push_back({header.path, line + 1, what + " must not be included here"});
    }
  }
  return out;
}

}  // namespace tidy
