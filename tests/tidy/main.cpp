// SPDX-License-Identifier: BSL-1.0
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "tidy.hpp"

// tidy LAW ROOT                       checks one law on the checkout at ROOT
// tidy budget ROOT HEADER MAX CXX...  counts what is left of HEADER after the preprocessor CXX...

namespace {

namespace fs = std::filesystem;

bool is_text(fs::path const& path) {
  static char const* const endings[] = {".hpp", ".cpp", ".h",   ".c",  ".cc",  ".md",   ".txt",  ".cmake", ".in",
                                        ".js",  ".mjs", ".css", ".sh", ".yml", ".html", ".json", ".proto", ".vec"};
  std::string const ending = path.extension().string();
  std::string const name = path.filename().string();
  return std::find(std::begin(endings), std::end(endings), ending) != std::end(endings) || name == "Makefile" ||
         name == "LICENSE" || name == "run" || name == "deps" || name == ".gitignore" || name == ".clang-format";
}

tidy::file read(fs::path const& root, fs::path const& path) {
  tidy::file result{fs::relative(path, root).generic_string(), {}};
  std::ifstream in(path, std::ios::binary);
  for (std::string line; std::getline(in, line);) result.lines.push_back(line);
  return result;
}

// The project's own text: neither what was built nor what npm brought.
tidy::tree read_tree(fs::path const& root) {
  tidy::tree files;
  for (auto at = fs::recursive_directory_iterator(root); at != fs::recursive_directory_iterator(); ++at) {
    std::string const name = at->path().filename().string();
    if (at->is_directory()) {
      bool const generated = at.depth() == 0 && name.starts_with("build");
      if (generated || name == ".git" || name == "node_modules" || name == ".cache") at.disable_recursion_pending();
    } else if (is_text(at->path()) && name != "package-lock.json") {
      files.push_back(read(root, at->path()));
    }
  }
  std::sort(files.begin(), files.end(), [](auto const& a, auto const& b) { return a.path < b.path; });
  return files;
}

// Include cost in lines, which unlike time is the same on every machine.
tidy::report budget(std::string const& root, std::string const& header, long max, std::string const& compiler) {
  std::string const command = compiler + " -std=c++20 -E -P -x c++ -include \"" + root + "/" + header + "\" /dev/null";
  std::FILE* const output = ::popen(command.c_str(), "r");
  if (output == nullptr) return {{header, 1, "cannot run " + command}};
  long lines = 0;
  for (int c = std::fgetc(output); c != EOF; c = std::fgetc(output)) lines += c == '\n' ? 1 : 0;
  if (::pclose(output) != 0 || lines == 0) return {{header, 1, "the preprocessor failed: " + command}};
  std::printf("%s: %ld lines after the preprocessor, %ld are allowed\n", header.c_str(), lines, max);
  if (lines <= max) return {};
  return {
      {header, 1,
       "including it costs " + std::to_string(lines) + " preprocessed lines, " + std::to_string(max) + " are allowed"}};
}

}  // namespace

int main(int argc, char** argv) {
  std::map<std::string, tidy::report (*)(tidy::tree const&)> const laws = {
      {"arrows", tidy::arrows},   {"headers", tidy::headers}, {"shape", tidy::shape}, {"twins", tidy::twins},
      {"hazards", tidy::hazards}, {"copies", tidy::copies},   {"docs", tidy::docs}};
  std::vector<std::string> const args(argv + 1, argv + argc);
  tidy::report found;
  if (args.size() == 2 && laws.count(args[0]) != 0) {
    tidy::tree const files = read_tree(args[1]);
    if (files.empty()) found.push_back({args[1], 1, "there is nothing to check here"});
    tidy::report const broken = laws.at(args[0])(files);
    found.insert(found.end(), broken.begin(), broken.end());
  } else if (args.size() > 4 && args[0] == "budget") {
    std::string compiler;
    for (std::size_t i = 4; i < args.size(); ++i) compiler += "\"" + args[i] + "\" ";
    found = budget(args[1], args[2], std::atol(args[3].c_str()), compiler);
  } else {
    std::fprintf(
        stderr,
        "usage: tidy arrows|headers|shape|twins|hazards|copies|docs ROOT\n       tidy budget ROOT HEADER MAX CXX...\n");
    return 2;
  }
  for (tidy::violation const& v : found) std::printf("%s:%zu: %s\n", v.path.c_str(), v.line, v.sentence.c_str());
  return found.empty() ? 0 : 1;
}
