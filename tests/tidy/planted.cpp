// SPDX-License-Identifier: BSL-1.0
#include <algorithm>
#include <sstream>

#include "support/catch.hpp"
#include "tidy/functions.hpp"
#include "tidy/tidy.hpp"

// Each law on a small tree that keeps it and on one that breaks it.

namespace {

std::string const head = "// SPDX-License-Identifier: BSL-1.0\n#pragma once\n";

tidy::file text(std::string path, std::string const& content) {
  tidy::file result{std::move(path), {}};
  std::istringstream in(content);
  for (std::string line; std::getline(in, line);) result.lines.push_back(line);
  return result;
}

// "path:line" of each violation, in order.
std::vector<std::string> places(tidy::report const& report) {
  std::vector<std::string> result;
  for (tidy::violation const& v : report) result.push_back(v.path + ":" + std::to_string(v.line));
  return result;
}

using list = std::vector<std::string>;

std::string repeat(std::string const& what, int times) {
  std::string result;
  for (int i = 0; i < times; ++i) result += what;
  return result;
}

}  // namespace

TEST_CASE("arrows: a folder may include what its row permits, and nothing else") {
  tidy::tree const frame = {text("include/purews/wire/frame.hpp", head), text("include/purews/version.hpp", head)};
  auto const with = [&](std::string const& path, std::string const& line) {
    tidy::tree files = frame;
    files.push_back(text(path, head + line + "\n"));
    return places(tidy::arrows(files));
  };
  CHECK(with("include/purews/protocol/decoder.hpp", "#include \"../wire/frame.hpp\"").empty());
  CHECK(with("include/purews/protocol/decoder.hpp", "#include \"../version.hpp\"").empty());
  CHECK(with("include/purews/wire/mask.hpp", "#include \"frame.hpp\"").empty());
  CHECK(with("include/purews/purews.hpp", "#include \"wire/frame.hpp\"").empty());

  tidy::tree upward = frame;
  upward.push_back(text("include/purews/protocol/decoder.hpp", head));
  upward.push_back(text("include/purews/wire/uri.hpp", head + "  #  include \"../protocol/decoder.hpp\" // why\n"));
  CHECK(places(tidy::arrows(upward)) == list{"include/purews/wire/uri.hpp:3"});

  CHECK(with("include/purews/protocol/decoder.hpp", "#include <purews/wire/frame.hpp>") ==
        list{"include/purews/protocol/decoder.hpp:3"});
  CHECK(with("include/purews/protocol/decoder.hpp", "#include \"../wire/absent.hpp\"") ==
        list{"include/purews/protocol/decoder.hpp:3"});
  CHECK(with("include/purews/misc/decoder.hpp", "") == list{"include/purews/misc/decoder.hpp:1"});
}

TEST_CASE("arrows: a circle of includes is found") {
  tidy::tree const files = {text("include/purews/wire/a.hpp", head + "#include \"b.hpp\"\n"),
                            text("include/purews/wire/b.hpp", head + "#include \"a.hpp\"\n")};
  CHECK(places(tidy::arrows(files)) == list{"include/purews/wire/a.hpp:1"});
}

TEST_CASE("headers: the core has its list, and foreign headers have a home") {
  auto const with = [](std::string const& path, std::string const& what) {
    return tidy::headers({text(path, head + "#include " + what + "\n")}).size();
  };
  CHECK(with("include/purews/wire/frame.hpp", "<span>") == 0);
  CHECK(with("include/purews/loop/epoll.hpp", "<sys/epoll.h>") == 0);
  CHECK(with("include/purews/server/topic.hpp", "<string>") == 0);
  CHECK(with("include/purews/tls/layer.hpp", "<openssl/ssl.h>") == 0);
  CHECK(with("include/purews/sim/link.hpp", "<vector>") == 0);

  CHECK(with("include/purews/wire/frame.hpp", "<string>") == 1);
  CHECK(with("include/purews/protocol/endpoint.hpp", "<sys/socket.h>") == 1);
  CHECK(with("include/purews/purews.hpp", "<vector>") == 1);
  CHECK(with("include/purews/server/topic.hpp", "<chrono>") == 1);
  CHECK(with("include/purews/server/topic.hpp", "<openssl/ssl.h>") == 1);
  CHECK(with("include/purews/server.hpp", "<zlib.h>") == 1);
  CHECK(with("include/purews/loop/epoll.hpp", "<openssl/rand.h>") == 1);
  CHECK(with("include/purews/sim/dice.hpp", "<random>") == 1);
  CHECK(with("include/purews/sim/pair.hpp", "<memory>") == 1);
}

TEST_CASE("shape: the licence, #pragma once, columns, white space, detail and the length of headers") {
  auto const of = [](std::string const& path, std::string const& content) {
    return places(tidy::shape({text(path, content)}));
  };
  std::string const path = "include/purews/wire/a.hpp";
  CHECK(of(path, head + "int x;\n").empty());
  CHECK(of(path, "#pragma once\n") == list{path + ":1", path + ":2"});
  CHECK(of(path, head.substr(0, head.find('#'))) == list{path + ":2"});
  CHECK(of(path, head + "// " + repeat("x", 117) + "\n").empty());
  CHECK(of(path, head + "// " + repeat("x", 118) + "\n") == list{path + ":3"});
  CHECK(of(path, head + "// " + repeat("\xC3\xA9", 117) + "\n").empty());
  std::string const wide = "// " + repeat("x", 118) + "\n";
  CHECK(of(path, head + "// clang-format off\n" + wide + "// clang-format on\n").empty());
  CHECK(of(path, head + "// clang-format off\n// clang-format on\n" + wide) == list{path + ":5"});
  CHECK(of(path, head + "int x; \n") == list{path + ":3"});
  CHECK(of(path, head + "int\tx;\n") == list{path + ":3"});
  CHECK(of(path, head + "namespace detail {}\n") == list{path + ":3"});
  CHECK(of(path, head + repeat("\n", 398)).empty());
  CHECK(of(path, head + repeat("\n", 399)) == list{path + ":401"});
  CHECK(of("Makefile", "# SPDX-License-Identifier: BSL-1.0\nall:\n\techo\n").empty());
  CHECK(of("Makefile", "all:\n\techo\ta\n") == list{"Makefile:1", "Makefile:2"});
  CHECK(of("tests/CMakeLists.txt", "project(x)\n") == list{"tests/CMakeLists.txt:1"});
}

TEST_CASE("shape: a function of the library has at most 70 lines") {
  std::string const path = "include/purews/wire/a.hpp";
  auto const of = [&](std::string const& content) { return places(tidy::shape({text(path, head + content)})); };
  std::string const before = "namespace x {\nclass a {\n public:\n";
  CHECK(of(before + "  void f() {\n" + repeat("    g();\n", 68) + "  }\n};\n}\n").empty());
  CHECK(of(before + "  void f() {\n" + repeat("    g();\n", 69) + "  }\n};\n}\n") == list{path + ":6"});
  CHECK(of("void f() {\n#if X\n  if (a) {\n#else\n  if (b) {\n#endif\n  }\n}\n") == list{path + ":10"});
}

TEST_CASE("functions are measured from the signature to the closing brace") {
  auto const of = [](std::string const& content) {
    std::vector<std::pair<std::size_t, std::size_t>> result;
    tidy::function_lengths const found = tidy::measure_functions(text("", content).lines);
    CHECK(found.balanced);
    for (tidy::function_length const& f : found.functions) result.emplace_back(f.first, f.lines);
    return result;
  };
  using spans = std::vector<std::pair<std::size_t, std::size_t>>;
  CHECK(of("int f() {\n}\nint g()\n{\n}\n") == spans{{1, 2}, {3, 3}});
  CHECK(of("a::a()\n    : x_{1}, y_{2} {\n  f();\n}\n") == spans{{1, 4}});
  CHECK(of("void f(options o = {}) {\n}\n") == spans{{1, 2}});
  CHECK(of("struct alignas(64) a {\n  void f() {\n  }\n};\n") == spans{{2, 2}});
  CHECK(of("template <class T>\nstruct a {\n  int x = 1'000;\n  void f() { '{'; }\n};\n") == spans{{4, 1}});
  CHECK(of("char const* page = R\"(\n#a { } }\n)\";\nvoid f() {\n  \"}\"; // }\n}\n") == spans{{4, 3}});
  CHECK(of("#define M(x) \\\n  { x\nvoid f() {\n  auto l = [] {\n  };\n}\n") == spans{{3, 4}});
  CHECK(of("enum class e : int { a, b };\nint t[] = {\n  {1}, {2}\n};\nint f() { return 1; }\n") == spans{{5, 1}});
  CHECK(of("extern \"C\" {\nint f() {\n}\n}\n") == spans{{2, 2}});
}

TEST_CASE("twins: every public header has its test") {
  tidy::file const header = text("include/purews/wire/frame.hpp", head);
  CHECK(tidy::twins({header, text("tests/wire/frame.cpp", "")}).empty());
  CHECK(places(tidy::twins({header, text("tests/protocol/frame.cpp", "")})) == list{"include/purews/wire/frame.hpp:1"});
}

TEST_CASE("docs: the headers, functions and tests that the pages on RFCs name exist") {
  tidy::tree const files = {
      text("include/purews/version.hpp", "#define PUREWS_VERSION_MAJOR 1\n"),
      text("docs/changelog.md", "## 1\n"),
      text("README.md", ""),
      text("include/purews/wire/frame.hpp", "int read_frame_header();\n"),
      text("tests/wire/frame.cpp", "// F-10\nTEST_CASE(\"5.2 F-07: a reserved opcode is a fault\") {}\n"),
      text("tests/vectors/a.vec", "vector F-02 5.1: an unmasked frame\n# F-11\n")};
  auto const with = [&](std::string const& row) {
    tidy::tree all = files;
    all.push_back(text("docs/rfc6455.md", "# F-99 `none`\n" + row + "\n"));
    return places(tidy::docs(all));
  };
  CHECK(with("| 5.2 | what | `wire/frame.hpp` `read_frame_header` | F-07, F-02, \"a reserved opcode\" |").empty());
  CHECK(with("| 5.2 | what | the application | - |").empty());
  list const second = {"docs/rfc6455.md:2"};
  CHECK(with("| 5.2 | what | `wire/none.hpp` | F-07 |") == second);
  CHECK(with("| 5.2 | what | `wire/frame.hpp` `write_frame_header` | F-07 |") == second);
  CHECK(with("| 5.2 | what | `read_frame_header` | F-07 |") == second);
  CHECK(with("| 5.2 | what | `wire/frame.hpp` | F-10 |") == second);
  CHECK(with("| 5.2 | what | `wire/frame.hpp` | F-11 |") == second);
  CHECK(with("| 5.2 | what | `wire/frame.hpp` | \"a reserved bit\" |") == second);
}

TEST_CASE("docs: the changelog has the version, and the README's code is in files that are built") {
  tidy::file const version = text("include/purews/version.hpp",
                                  "#define PUREWS_VERSION_MAJOR 1\n#define PUREWS_VERSION_MINOR 2\n"
                                  "#define PUREWS_VERSION_PATCH 3\n");
  tidy::file const changelog = text("docs/changelog.md", "# Changelog\n\n## 1.2.3 (unreleased)\n\n## 1.2.2\n");
  tidy::file const source = text("examples/readme/a.cpp", "// SPDX\n#include <x>\n\nint main() {}\n");
  auto const with = [&](std::string const& readme) {
    return places(tidy::docs({version, changelog, source, text("README.md", readme)}));
  };
  std::string const named = "<!-- file: examples/readme/a.cpp -->\n";
  CHECK(with(named + "```cpp\n#include <x>\n\nint main() {}\n```\n").empty());
  CHECK(with("```sh\nmake chat\n```\n").empty());
  CHECK(with("```cpp\nint main() {}\n```\n") == list{"README.md:1"});
  CHECK(with(named + "```cpp\nint main() { }\n```\n") == list{"README.md:2"});
  CHECK(with(named + "```cpp\n#include <x>\nint main() {}\n```\n") == list{"README.md:2"});
  CHECK(with("<!-- file: examples/readme/b.cpp -->\n```cpp\nint main() {}\n```\n") == list{"README.md:1"});
  CHECK(with("[a](examples/readme/a.cpp#L1) [b](https://x.org) [c](#use) [d](examples)\n").empty());
  CHECK(with("[a](docs/changelog.md) [b](docs/none.md)\n") == list{"README.md:1"});
  tidy::file const page = text("docs/guide/a.md", "[a](../../README.md) [b](../changelog.md)\n[c](../README.md)\n");
  CHECK(places(tidy::docs({version, changelog, page, text("README.md", "")})) == list{"docs/guide/a.md:2"});
  tidy::file const code = text("docs/code.md", named + "```cpp\n#include <x>\n```\n```cpp\nint main() {}\n```\n");
  CHECK(places(tidy::docs({version, changelog, source, code, text("README.md", "")})) == list{"docs/code.md:5"});
  tidy::file const guide = text("docs/guide/b.md", "```cmake\nfind_package(x)\n```\n");
  CHECK(places(tidy::docs({version, changelog, guide, text("README.md", "")})) == list{"docs/guide/b.md:1"});

  CHECK(places(tidy::docs({version, text("docs/changelog.md", "\n## 1.2.4\n"), text("README.md", "")})) ==
        list{"docs/changelog.md:2"});
  CHECK(places(tidy::docs({version, text("docs/changelog.md", "\n## 1.2.34\n"), text("README.md", "")})) ==
        list{"docs/changelog.md:2"});
  CHECK(places(tidy::docs({version, changelog})) == list{"README.md:1"});
}

TEST_CASE("hazards: every row has a test or a layer to come, not both; tags are of rows") {
  std::string const tag = std::string("[") + "hazard-";  // in one piece it would be taken for a tag
  auto const tests = [&](auto... without) {
    std::string all;
    for (int i = 1; i <= 76; ++i) {
      bool const left_out = ((i == without) || ...);
      if (!left_out) all += "TEST_CASE(\"\", \"" + tag + (i < 10 ? "0" : "") + std::to_string(i) + "]\")\n";
    }
    return all;
  };
  auto const found = [&](std::string const& content, std::string const& path = "tests/a/b.cpp") {
    return tidy::hazards({text(path, content)}).size();
  };
  // What is listed as without a test has one here, and what is not listed has none.
  std::size_t const listed = found(tests());
  CHECK(listed > 0);
  CHECK(listed < 20);
  CHECK(found("") == 76 - listed);
  CHECK(found(tests(1)) == listed + 1);
  CHECK(found(tests(1, 48)) == listed + 2);
  CHECK(found(tests(55)) == listed - 1);
  CHECK(found(tests(1) + "\"" + tag + "01]\"") == listed);
  CHECK(found(tests(), "tests/a/b.mjs") == listed);
  CHECK(found(tests(), "include/a/b.cpp") == 76 - listed);
  for (std::string const bad : {"00]", "77]", "1]", "001]", "x1]", "01", ""})
    CHECK(found(tests() + "\n\"" + tag + bad + "\"") == listed + 1);
}

TEST_CASE("copies: zlib is the system's", "[hazard-45]") {
  auto const found = [](std::string const& path, std::string const& content = "") {
    return tidy::copies({text(path, content)}).size();
  };
  CHECK(found("include/purews/deflate/zlib.h") == 1);
  CHECK(found("examples/third_party/inflate.c") == 1);
  CHECK(found("include/miniz.hpp") == 1);
  CHECK(found("include/other.h", "#define ZLIB_VERSION \"1.2.11\"") == 1);
  CHECK(found("tests/bench/deflate.cpp") == 0);
  CHECK(found("include/purews/wire/frame.hpp", "#include <zlib.h>") == 0);
  auto const built = [](std::string const& build) {
    return tidy::copies({text("include/purews/deflate/inflater.hpp", ""), text("CMakeLists.txt", build)}).size();
  };
  CHECK(built("purews_add_component(deflate FOLDERS deflate FIND_PACKAGE ZLIB LINK purews::purews ZLIB::ZLIB)") == 0);
  CHECK(built("purews_add_component(deflate FOLDERS deflate LINK purews::purews)") == 1);
}
