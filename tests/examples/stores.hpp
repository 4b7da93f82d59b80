// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "chat/open_store.hpp"
#include "support/catch.hpp"

/// Stores on a loop of their own, used as if they answered at once.
namespace test {

using namespace chat;

/// A folder for one test, removed at its end.
class folder {
 public:
  folder() {
    std::string name = (std::filesystem::temp_directory_path() / "chat-store-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  folder(folder const&) = delete;
  folder& operator=(folder const&) = delete;
  ~folder() { std::filesystem::remove_all(path_); }
  std::filesystem::path const& path() const { return path_; }
  std::string file(char const* name = "chat.db") const { return (path_ / name).string(); }
  std::string store() const { return "sqlite:" + file(); }

 private:
  std::filesystem::path path_;
};

class opened {
 public:
  explicit opened(std::string const& where, retention keep = {}) : keep_(keep) {
    if (auto const error = open(where)) FAIL(error->sentence);
  }

  /// Null if it cannot be opened.
  static std::unique_ptr<opened> attempt(std::string const& where) {
    std::unique_ptr<opened> made(new opened);
    auto const error = made->open(where);
    if (!error) return made;
    CHECK(error->sentence.find("--store") != error->sentence.npos);
    return nullptr;
  }

  /// Why it cannot be opened.
  static std::string refusal(std::string const& where) {
    purews::default_loop loop;
    auto const made = open_store(where, loop, {});
    REQUIRE(std::holds_alternative<store_error>(made));
    auto const sentence = std::get<store_error>(made).sentence;
    CHECK(sentence.find('\n') == sentence.npos);
    CHECK(sentence.find("--store") != sentence.npos);  // says what to do
    return sentence;
  }

  answer ask(append_request what) {
    what.number = ++last_;
    store_->submit(what);
    return wait(last_);
  }
  answer ask(read_request what) {
    what.number = ++last_;
    store_->submit(what);
    return wait(last_);
  }
  answer ask(heads_request what) {
    what.number = ++last_;
    store_->submit(what);
    return wait(last_);
  }
  answer ask(std::vector<new_message> batch, std::int64_t now = 1000) {
    return ask(append_request{0, std::make_shared<std::vector<new_message> const>(std::move(batch)), now});
  }

  std::vector<receipt> append(std::vector<new_message> batch, std::int64_t now = 1000) {
    return good<std::vector<receipt>>(ask(std::move(batch), now));
  }
  page read(read_request const& what) { return good<page>(ask(what)); }
  page newest(std::string const& channel = "general", std::size_t limit = 50) {
    return read({.channel = channel, .limit = limit});
  }

  store& get() { return *store_; }
  purews::default_loop& loop() { return loop_; }
  std::vector<std::string> reports;
  std::vector<answer> answers;  ///< that nobody waited for

  template <class T>
  static T good(answer const& from) {
    if (auto const* const error = std::get_if<store_error>(&from.what)) FAIL(error->sentence);
    return std::get<T>(from.what);
  }

  answer wait(ticket for_what) {
    for (int turns = 0; turns < 100'000; ++turns) {
      for (auto at = answers.begin(); at != answers.end(); ++at) {
        if (at->to != for_what) continue;
        auto got = std::move(*at);
        answers.erase(at);
        return got;
      }
      loop_.run_once(purews::seconds(60));
    }
    FAIL("the store does not answer");
    return {};
  }

 private:
  opened() = default;

  std::optional<store_error> open(std::string const& where) {
    auto made = open_store(where, loop_, setup());
    if (auto const* const error = std::get_if<store_error>(&made)) return *error;
    store_ = std::move(std::get<0>(made));
    // On a busy machine a connection may take longer than a request waits for one.
    for (int turns = 0; !store_->ready(); ++turns) {
      if (turns == 10'000) FAIL("the store is never ready: " << (reports.empty() ? "" : reports.back()));
      loop_.run_once(purews::seconds(60));
    }
    return std::nullopt;
  }

  store_setup setup() {
    return {.answered = [this](answer what) { answers.push_back(std::move(what)); },
            .report = [this](store_error const& what) { reports.push_back(what.sentence); },
            .keep = keep_};
  }

  purews::default_loop loop_;
  retention keep_{};
  ticket last_ = 0;
  std::unique_ptr<store> store_;
};

inline new_message say(std::string const& text, std::string const& id, std::string const& user = "alice",
                       std::string const& channel = "general", std::string const& device = "d1") {
  return {channel, user, device, id, text};
}

inline bool failed(answer const& what) { return std::holds_alternative<store_error>(what.what); }

}  // namespace test
