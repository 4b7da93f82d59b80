// SPDX-License-Identifier: BSL-1.0

// Hostile text costs work in proportion to its length. The work is counted, not timed: see counted_text.
#if !defined(_WIN32)

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "purews/wire/cookie.hpp"
#include "purews/wire/extension_reader.hpp"
#include "purews/wire/upgrade.hpp"
#include "support/catch.hpp"

using namespace purews;

namespace {

/// A text in pages of memory of which only the two that were entered last can be read. To enter another one is a fault,
/// which is counted: one pass over the text enters each page once, and code that goes back enters them again. One text
/// is read at a time.
class counted_text {
 public:
  explicit counted_text(std::string_view text) : size_(text.size()) {
    void* const block = ::mmap(nullptr, mapped_bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(block != MAP_FAILED);
    data_ = static_cast<char*>(block);
    std::memcpy(data_, text.data(), text.size());
    ::mprotect(data_, mapped_bytes(), PROT_NONE);
    current = this;
    struct sigaction action {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO;
    for (int i = 0; i < 2; ++i) ::sigaction(signals[i], &action, &before_[i]);
  }
  counted_text(counted_text const&) = delete;
  counted_text& operator=(counted_text const&) = delete;
  ~counted_text() {
    for (int i = 0; i < 2; ++i) ::sigaction(signals[i], &before_[i], nullptr);
    ::munmap(data_, mapped_bytes());
  }

  std::string_view view() const { return {data_, size_}; }
  std::size_t pages() const { return size_ / page_bytes + 1; }
  std::size_t entered() const { return entered_; }

 private:
  static constexpr int signals[] = {SIGSEGV, SIGBUS};
  static inline std::size_t const page_bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  static inline counted_text* current = nullptr;

  static void on_fault(int signal, siginfo_t* info, void*) {
    counted_text& text = *current;
    auto const at = static_cast<std::size_t>(static_cast<char*>(info->si_addr) - text.data_);
    if (at < text.mapped_bytes())
      text.enter(text.data_ + at / page_bytes * page_bytes);
    else
      ::signal(signal, SIG_DFL);  // a fault of somebody else, which comes again
  }
  void enter(char* page) {
    if (open_[0] != nullptr) ::mprotect(open_[0], page_bytes, PROT_NONE);
    open_[0] = open_[1];
    open_[1] = page;
    ::mprotect(page, page_bytes, PROT_READ);
    ++entered_;
  }
  std::size_t mapped_bytes() const { return pages() * page_bytes; }

  std::size_t size_;
  std::size_t entered_ = 0;
  char* data_ = nullptr;
  char* open_[2]{};
  struct sigaction before_[2];
};

template <class Reader>
std::size_t read_all(Reader reader) {
  std::size_t count = 0;
  while (!reader.next().empty()) ++count;
  return count;
}

std::string times(std::size_t n, std::string_view part) {
  std::string all;
  while (n-- != 0) all += part;
  return all;
}

constexpr std::size_t mebibyte = 1U << 20;
constexpr head_limits long_heads{.bytes_max = UINT32_MAX, .line_bytes_max = UINT32_MAX};

}  // namespace

TEST_CASE("what tells the passes over a text tells one from many", "[hazard-52]") {
  for (std::size_t const passes : {std::size_t{1}, std::size_t{10}}) {
    counted_text text(std::string(mebibyte, 'x'));
    std::size_t found = 0;
    for (std::size_t i = 0; i < passes; ++i) found += text.view().find('y') == std::string_view::npos ? 0 : 1;
    CHECK(found == 0);
    CHECK(text.entered() <= passes * text.pages());
    CHECK(text.entered() >= passes * (text.pages() - 3));
  }
}

TEST_CASE("lists and extensions are read in one pass, whatever is in them", "[hazard-52]") {
  std::string const lines[] = {
      "b" + std::string(mebibyte, ' ') + "x",
      std::string(mebibyte, ','),
      std::string(mebibyte, '\t'),
      times(mebibyte / 4, "a ,\t"),
      "a;b=\"" + times(mebibyte / 2, "\\c"),
      "a;b=\"" + times(mebibyte / 2, "\\c") + "\"",
      "a" + times(mebibyte / 4, ";b=c"),
      times(mebibyte / 8, "a;b=\"c\","),
      "a;b=\"" + std::string(mebibyte, '\\'),
      std::string(mebibyte, 'a'),
  };
  for (std::string const& line : lines) {
    CAPTURE(line.substr(0, 10), line.size());
    counted_text list(line);
    read_all(list_reader(list.view()));
    CHECK(list.entered() >= list.pages() - 1);
    CHECK(list.entered() <= 3 * list.pages());
    counted_text extensions(line);
    read_all(extension_reader(extensions.view()));
    CHECK(extensions.entered() <= 2 * extensions.pages());
  }
}

TEST_CASE("H-64: a head is read in a few passes, however it is cut and whatever is in its lines",
          "[hazard-47][hazard-52]") {
  std::string const lines[] = {
      "Cookie: " + times(mebibyte / 3, "a; "),
      "Cookie: " + std::string(mebibyte, '='),
      "Sec-WebSocket-Protocol: b" + std::string(mebibyte, ' ') + "x",
      "Sec-WebSocket-Protocol: " + times(mebibyte / 2, "a,"),
      "Sec-WebSocket-Extensions: a;b=\"" + times(mebibyte / 2, "\\c"),
      std::string(mebibyte, 'n') + ": v",
  };
  for (std::string const& line : lines)
    for (std::size_t const step : {std::size_t{1000}, 4 * mebibyte}) {
      CAPTURE(line.substr(0, 40), step);
      counted_text text("GET / HTTP/1.1\r\n" + line + "\r\n\r\n");
      http_head head(head_kind::request);
      for (std::size_t fed = 0; fed < text.view().size() && head.progress() == http_progress::need_more;) {
        fed = text.view().size() - fed < step ? text.view().size() : fed + step;
        head.parse(as_bytes(text.view().substr(0, fed)), long_heads);
      }
      CHECK(text.entered() <= 4 * text.pages());
      if (head.progress() != http_progress::done) continue;
      std::size_t const parsed = text.entered();
      http_request const request(head, as_bytes(text.view()));
      static_cast<void>(cookie(request, "absent"));
      static_cast<void>(has_valid_subprotocols(request));
      CHECK(text.entered() - parsed <= 8 * text.pages());
    }
}

#endif
