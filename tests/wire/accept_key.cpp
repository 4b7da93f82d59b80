// SPDX-License-Identifier: BSL-1.0
#include "purews/wire/accept_key.hpp"

#include <cstring>
#include <memory>
#include <random>
#include <string>

#include "support/catch.hpp"
#include "support/dies.hpp"
#include "support/sha1.hpp"

namespace {

using namespace purews;
using test::sha1;

constexpr bool is(sha1_digest digest, std::string_view hexadecimal) {
  constexpr char digits[] = "0123456789abcdef";
  for (std::size_t i = 0; i < 20; ++i) {
    unsigned const octet = std::to_integer<unsigned>(digest.octets[i]);
    if (digits[octet >> 4] != hexadecimal[2 * i] || digits[octet & 15U] != hexadecimal[2 * i + 1]) return false;
  }
  return true;
}

// FIPS 180-4's own examples, and the empty text.
static_assert(is(sha1("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d"));
static_assert(is(sha1("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
                 "84983e441c3bd26ebaae4aa1f95129e5e54670f1"));
static_assert(is(sha1(""), "da39a3ee5e6b4b0d3255bfef95601890afd80709"));

// H-22: section 4.2.2's example.
static_assert(std::string_view{accept_key("dGhlIHNhbXBsZSBub25jZQ==")} == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
static_assert(is_valid_key("dGhlIHNhbXBsZSBub25jZQ=="));

// 4.1 (7): the bytes 1 to 16 are "AQIDBAUGBwgJCgsMDQ4PEA==", after the erratum.
constexpr bool makes_the_example() {
  std::byte random[16]{};
  for (unsigned i = 0; i < 16; ++i) random[i] = static_cast<std::byte>(i + 1);
  return std::string_view{make_key(random)} == "AQIDBAUGBwgJCgsMDQ4PEA==";
}
static_assert(makes_the_example());

// RFC 4648 section 10.
constexpr bool encodes(std::string_view text, std::string_view expected) {
  std::byte data[6]{};
  char out[8]{};
  for (std::size_t i = 0; i < text.size(); ++i) data[i] = static_cast<std::byte>(text[i]);
  base64_encode(out, bytes_view{data, text.size()});
  return std::string_view{out, expected.size()} == expected;
}
static_assert(encodes("", "") && encodes("f", "Zg==") && encodes("fo", "Zm8=") && encodes("foo", "Zm9v") &&
              encodes("foob", "Zm9vYg==") && encodes("fooba", "Zm9vYmE=") && encodes("foobar", "Zm9vYmFy"));

}  // namespace

TEST_CASE("4.2.2: SHA-1, base64 and the accept key are at run time what they are for the compiler", "[accept_key]") {
  std::string text = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
  CHECK(is(sha1(text), "84983e441c3bd26ebaae4aa1f95129e5e54670f1"));
  text.assign(1'000'000, 'a');
  CHECK(is(sha1(text), "34aa973cd4c4daa4f61eeb2bdbad27316534016f"));
  CHECK(encodes("fooba", "Zm9vYmE="));
  text = "dGhlIHNhbXBsZSBub25jZQ==";
  CHECK(std::string_view{accept_key(text)} == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

#if defined(__GNUC__) && defined(__x86_64__)
TEST_CASE("4.2.2: the processor's SHA-1 agrees with the portable one on every block, wherever it stands",
          "[accept_key]") {
  if (!has_sha_instructions()) {
    WARN("this processor has no instructions for SHA-1: the portable version alone was tested");
    return;
  }
  std::mt19937 random{5};
  auto const some_block = [&random] {
    std::string block(64, '\0');
    for (char& c : block) c = static_cast<char>(random());
    return block;
  };
  sha1_kernel portable;
  sha1_kernel quick;
  for (std::size_t n = 0; n < 500; ++n) {
    auto const room = std::make_unique<char[]>(64 + n % 16);  // of the exact size
    std::string const block = n < 2 ? std::string(64, n == 0 ? '\0' : '\xFF') : some_block();
    std::memcpy(room.get() + n % 16, block.data(), 64);
    portable.add(sha1_kernel::expand(block.data()));
    quick.add_by_instructions(room.get() + n % 16);
    REQUIRE(quick.digest() == portable.digest());
  }
}
#endif

TEST_CASE("4.2.1 H-20: a key that is not 16 bytes in base64 is refused", "[accept_key][hazard-51]") {
  for (std::string_view const key : {
           "",
           "==",
           "dGhlIHNhbXBsZSBub25jZQ",     // no padding
           "dGhlIHNhbXBsZSBub25jZQ=",    // half of it
           "dGhlIHNhbXBsZSBub25jZQ===",  // too much of it
           "dGhlIHNhbXBsZSBub25j",       // 15 bytes
           "dGhlIHNhbXBsZSBub25jZQo=",   // 17 bytes
           "dGhlIHNhbXBsZSBub25jZ===",   // 22nd character is padding
           "dGhlIHNhbXBsZSBub25jZQ=A",   // padding of the wrong form
           "dGhlIHNhbXBsZSBub25jZQA=",   //
           "dGhlIHNhbXBs ZSBub25jZ==",   // white space inside
           " GhlIHNhbXBsZSBub25jZQ==",   // and in front
           "dGhlIHNhbXBsZSBub25jZQ== ",  // and behind
           "dGhlIHNhbXBs=SBub25jZQ==",   // padding inside
           "dGhlIHNhbXBsZSBub25-ZQ==",   // the URL's alphabet
           "dGhlIHNhbXBsZSBub25_ZQ==",   //
           "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==",
       })
    CHECK_FALSE(is_valid_key(key));
}

TEST_CASE("4.2.1 H-20: exactly the 64 characters of base64 may stand in a key, in every place", "[accept_key]") {
  std::string const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  int failures = 0;
  for (std::size_t at = 0; at < 24; ++at)
    for (int c = 0; c < 256; ++c) {
      std::string key = "dGhlIHNhbXBsZSBub25jZQ==";
      key[at] = static_cast<char>(c);
      bool const expected = at < 22 ? alphabet.find(key[at]) != std::string::npos : c == '=';
      failures += is_valid_key(key) != expected;
    }
  CHECK(failures == 0);
}

TEST_CASE("4.1 H-21: the bits left over in the last character of a key may be set", "[accept_key]") {
  std::string const key = "AQIDBAUGBwgJCgsMDQ4PEC==";
  CHECK(is_valid_key(key));
  CHECK(std::string_view{accept_key(key)} == "OfS0wDaT5NoxF2gqm7Zj2YtetzM=");  // as OpenSSL says
}

TEST_CASE("4.2.2: the answer to a key of another length is a bug of the caller", "[accept_key]") {
  CHECK(dies([] { static_cast<void>(accept_key("")); }));
  CHECK(dies([] { static_cast<void>(accept_key("dGhlIHNhbXBsZSBub25jZQ===")); }));
  CHECK(dies([] { static_cast<void>(accept_key("dGhlIHNhbXBsZSBub25jZQ=")); }));
  CHECK_FALSE(dies([] { static_cast<void>(accept_key("dGhlIHNhbXBsZSBub25jZQ==")); }));
}
