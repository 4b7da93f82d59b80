// SPDX-License-Identifier: BSL-1.0

#include "purews/wire/http_chunks.hpp"

#include <memory>
#include <string>

#include "support/catch.hpp"

using namespace purews;

namespace {

/// What comes of a body that arrives in pieces that end at `cuts`: its content and how it ended. It moves between
/// the pieces, each time to an allocation of the exact size.
std::string decoded(std::string const& body, std::vector<std::size_t> const& cuts) {
  chunk_decoder decoder;
  http_progress progress = http_progress::need_more;
  std::unique_ptr<std::byte[]> kept;
  std::size_t kept_size = 0;
  for (std::size_t const cut : cuts) {
    auto grown = std::make_unique<std::byte[]>(cut);
    if (kept_size != 0) std::memcpy(grown.get(), kept.get(), kept_size);
    copy_bytes(grown.get() + kept_size, as_bytes(body).subspan(kept_size, cut - kept_size));
    kept = std::move(grown);
    kept_size = cut;
    if (progress == http_progress::need_more) progress = decoder.read({kept.get(), cut});
  }
  char const* const end = progress == http_progress::done     ? "|"
                          : progress == http_progress::failed ? "!"
                                                              : "...";
  return std::string(as_text({kept.get(), decoder.size()})) + end;
}

/// The same, after a check that it is the same for every cut.
std::string decoded(std::string const& body) {
  std::string const whole = decoded(body, {body.size()});
  std::vector<std::size_t> every;
  for (std::size_t i = 0; i <= body.size(); ++i) {
    CHECK(decoded(body, {i, body.size()}) == whole);
    every.push_back(i);
  }
  CHECK(decoded(body, every) == whole);
  return whole;
}

}  // namespace

TEST_CASE("RFC 9112 7.1: chunks are joined, extensions and trailers left out [K-02]") {
  CHECK(decoded("5\r\nhello\r\n0\r\n\r\n") == "hello|");
  CHECK(decoded("5\r\nhello\r\nA\r\n, world!!!\r\n0\r\nTrailer: x\r\n\r\n") == "hello, world!!!|");
  CHECK(decoded("00005;a=b;c=\"d\"\r\nhello\r\n6 \t;x\r\n world\r\n000\r\n") == "hello world|");
  CHECK(decoded("2\r\n\r\n\r\n0;last\r\n\r\n") == "\r\n|");
  CHECK(decoded("0\r\n") == "|");
  CHECK(decoded("1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nmore") == "abcdefghijklmnopqrstuvwxyz|");
}

TEST_CASE("RFC 9112 7.1: what came of chunks that are not whole is kept [K-02]") {
  CHECK(decoded("5\r\nhel") == "hel...");
  CHECK(decoded("5\r\nhello\r\n3") == "hello...");
  CHECK(decoded("fffffffffffffff\r\nhello") == "hello...");
}

TEST_CASE("RFC 9112 7.1: malformed chunks are refused, what came before them is kept [K-02]", "[hazard-61]") {
  for (char const* const body :
       {"\r\n", ";\r\n", "x\r\n", "5\nhello\r\n", "-1\r\n", "+5\r\nhello", " 5\r\nhello", "5x\r\nhello", "5;a\nhello",
        "5\r\r\nhello", "\"5\"\r\n", "0x5\r\nhello", "10000000000000000\r\nhello", "ffffffffffffffffffff\r\nhello"})
    CHECK(decoded(body) == "!");
  CHECK(decoded("5;" + std::string(252, 'x') + "\r\nhello\r\n0\r\n") == "hello|");
  CHECK(decoded("5;" + std::string(253, 'x') + "\r\nhello\r\n0\r\n") == "!");
  CHECK(decoded("5;" + std::string(254, 'x')) == "!");
  for (char const* const body :
       {"5\r\nhello0\r\n\r\n", "5\r\nhello!\r\n0\r\n", "5\r\nhello\r0\r\n", "5\r\nhello\n0\r\n"})
    CHECK(decoded(body) == "hello!");
}
