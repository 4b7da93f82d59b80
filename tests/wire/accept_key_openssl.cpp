// SPDX-License-Identifier: BSL-1.0
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <random>
#include <string>

#include "support/catch.hpp"
#include "support/sha1.hpp"

// The second opinion on SHA-1 and base64, where there is OpenSSL.

namespace {

using namespace purews;
using test::sha1;

std::string random_text(std::size_t size, std::mt19937& random) {
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

sha1_digest openssl_sha1(std::string_view text) {
  sha1_digest digest{};
  unsigned size = 0;
  REQUIRE(EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(digest.octets), &size, EVP_sha1(),
                     nullptr) == 1);
  return digest;
}

std::string openssl_base64(bytes_view data) {
  std::string text(4 * ((data.size() + 2) / 3) + 1, '\0');
  int const size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                   reinterpret_cast<unsigned char const*>(data.data()), static_cast<int>(data.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

}  // namespace

TEST_CASE("4.2.2: SHA-1 agrees with OpenSSL on every length around its blocks", "[accept_key]") {
  std::mt19937 random{1};
  for (std::size_t size = 0; size <= 260; ++size) {
    std::string const text = random_text(size, random);
    CHECK(sha1(text) == openssl_sha1(text));
  }
  std::string const text = random_text(1'000'001, random);
  CHECK(sha1(text) == openssl_sha1(text));
}

TEST_CASE("4.2.2: base64 agrees with OpenSSL", "[accept_key]") {
  std::mt19937 random{2};
  for (std::size_t size = 0; size <= 100; ++size) {
    std::string const data = random_text(size, random);
    std::string const expected = openssl_base64(as_bytes(data));
    std::string text(expected.size() + 1, '#');
    std::string const more = data + "\xff";  // which is not encoded
    base64_encode(text.data(), as_bytes(more).first(size));
    CHECK(text == expected + '#');
  }
}

TEST_CASE("4.2.2 H-22: keys and their answers agree with OpenSSL", "[accept_key]") {
  std::mt19937 random{3};
  for (int n = 0; n < 1'000; ++n) {
    std::string const entropy = random_text(16, random);
    std::string const key{make_key(as_bytes(entropy).first<16>())};
    CHECK(key == openssl_base64(as_bytes(entropy)));
    CHECK(is_valid_key(key));
    sha1_digest const digest = openssl_sha1(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    CHECK(std::string_view{accept_key(key)} == openssl_base64(digest.octets));
  }
}
