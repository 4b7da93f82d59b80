// SPDX-License-Identifier: BSL-1.0
#include "chat/token.hpp"

#include <jwt.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "support/catch.hpp"

using chat::token_fault;
using chat::token_verifier;
using nlohmann::json;

namespace {

constexpr std::int64_t now_s = 1'764'000'000;
constexpr std::int64_t now_ms = now_s * 1000;
constexpr std::int64_t minute = 60;

std::string const secret = "a secret that nobody guesses: 32 bytes or more";

// ---- Keys ----

struct rsa_pair {
  std::string secret_pem, public_pem;
};

std::string drain(BIO* from) {
  char* text = nullptr;
  auto const size = BIO_get_mem_data(from, &text);
  std::string out(text, static_cast<std::size_t>(size));
  BIO_free(from);
  return out;
}

rsa_pair in_pem(EVP_PKEY* key) {
  BIO* const secret_text = BIO_new(BIO_s_mem());
  BIO* const public_text = BIO_new(BIO_s_mem());
  REQUIRE(PEM_write_bio_PrivateKey(secret_text, key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  REQUIRE(PEM_write_bio_PUBKEY(public_text, key) == 1);
  EVP_PKEY_free(key);
  return {drain(secret_text), drain(public_text)};
}

rsa_pair const& rsa(int which = 0) {
  static rsa_pair const pairs[] = {in_pem(EVP_RSA_gen(2048u)), in_pem(EVP_RSA_gen(2048u))};
  return pairs[which];
}

// A file for as long as the test lasts.
struct key_file {
  std::string path;
  explicit key_file(std::string const& content) {
    char name[] = "/tmp/purews-key-XXXXXX";
    int const made = ::mkstemp(name);
    REQUIRE(made >= 0);
    ::close(made);
    path = name;
    std::ofstream(path, std::ios::binary) << content;
  }
  key_file(key_file const&) = delete;
  key_file& operator=(key_file const&) = delete;
  ~key_file() { std::filesystem::remove(path); }
};

token_verifier opened(std::string const& key, std::string const& issuer = {}, std::string const& audience = {}) {
  key_file const file(key);
  auto made = token_verifier::open(file.path, issuer, audience);
  if (auto const* const error = std::get_if<std::string>(&made)) FAIL(*error);
  return std::get<token_verifier>(std::move(made));
}

std::string refused(std::string const& key) {
  key_file const file(key);
  auto const made = token_verifier::open(file.path, {}, {});
  if (!std::holds_alternative<std::string>(made)) return "it was opened";
  auto const& sentence = std::get<std::string>(made);
  auto const start = "the key file " + file.path + " ";
  return sentence.starts_with(start) ? sentence.substr(start.size()) : sentence;
}

// ---- Tokens ----

json const good = {{"sub", "ada"}, {"exp", now_s + 10 * minute}};

json with(json const& more) {
  json claims = good;
  claims.update(more);
  return claims;
}

json without(char const* claim) {
  json claims = good;
  claims.erase(claim);
  return claims;
}

/// Signed by libjwt.
std::string token(json const& claims, std::string const& key, jwt_alg_t by) {
  jwt_t* made = nullptr;
  REQUIRE(jwt_new(&made) == 0);
  REQUIRE(jwt_add_grants_json(made, claims.dump().c_str()) == 0);
  REQUIRE(jwt_set_alg(made, by, reinterpret_cast<unsigned char const*>(key.data()), static_cast<int>(key.size())) == 0);
  char* const text = jwt_encode_str(made);
  REQUIRE(text != nullptr);
  std::string out = text;
  std::free(text);
  jwt_free(made);
  return out;
}

std::string base64url(std::string_view bytes) {
  std::string out(bytes.size() * 2 + 4, '\0');
  out.resize(static_cast<std::size_t>(EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                                      reinterpret_cast<unsigned char const*>(bytes.data()),
                                                      static_cast<int>(bytes.size()))));
  for (auto& c : out) c = c == '+' ? '-' : c == '/' ? '_' : c;
  while (out.ends_with('=')) out.pop_back();
  return out;
}

/// Signed by OpenSSL with HMAC, whatever its texts are: for what no library signs.
std::string forged(std::string const& header, std::string const& claims, std::string const& key) {
  auto const text = base64url(header) + "." + base64url(claims);
  unsigned char sum[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<unsigned char const*>(text.data()),
       text.size(), sum, &size);
  return text + "." + base64url({reinterpret_cast<char const*>(sum), size});
}

std::string hs256(json const& claims, std::string const& key = secret) { return token(claims, key, JWT_ALG_HS256); }

std::string verdict(token_verifier const& by, std::string const& text, std::int64_t at_ms = now_ms) {
  auto const found = by.verify(text, at_ms);
  if (auto const* const fault = std::get_if<token_fault>(&found)) return std::string(describe(*fault));
  auto const& who = std::get<chat::identity>(found);
  return who.user + " until " + std::to_string(who.expires_ms / 1000 - now_s) + " s";
}

std::string const good_verdict = "ada until 600 s";
std::string const untrusted = "the token was not signed by whom this server trusts, or was changed";
std::string const other_algorithm = "the token was signed by another algorithm than this server's";
std::string const no_token = "this is no token";

}  // namespace

TEST_CASE("chat: a token of either algorithm says who its bearer is, and until when") {
  CHECK(verdict(opened(secret), hs256(good)) == good_verdict);
  CHECK(verdict(opened(secret + "\n"), hs256(good)) == good_verdict);
  CHECK(verdict(opened(secret + "\r\n"), hs256(good)) == good_verdict);
  CHECK(verdict(opened(rsa().public_pem), token(good, rsa().secret_pem, JWT_ALG_RS256)) == good_verdict);
  CHECK(verdict(opened(secret), hs256(with({{"exp", static_cast<double>(now_s) + 1.5}}))) == "ada until 1 s");
  CHECK(verdict(opened(secret), hs256(with({{"sub", "Ada Lovelace \u2665"}}))) == "Ada Lovelace \u2665 until 600 s");
}

TEST_CASE("chat: what the claims of a token must be") {
  auto const by = opened(secret);
  struct row {
    json claims;
    std::string wanted;
  };
  std::string const expired = "the token has expired";
  std::string const early = "the token is not valid yet";
  std::string const endless = "the token does not say when it expires";
  std::string const nobody = "the token does not say whose it is";
  std::string const no_name = "the token's subject cannot be a name here";
  row const rows[] = {
      {with({{"exp", now_s - 29}}), "ada until -29 s"},  // within the leeway
      {with({{"exp", now_s - 30}}), expired},
      {with({{"exp", 0}}), expired},
      {with({{"exp", -1e300}}), expired},
      {with({{"exp", std::to_string(now_s + minute)}}), endless},
      {with({{"exp", nullptr}}), endless},
      {without("exp"), endless},
      {with({{"nbf", now_s + 30}}), good_verdict},
      {with({{"nbf", now_s + 31}}), early},
      {with({{"nbf", 1e300}}), early},
      {with({{"nbf", "yesterday"}}), early},
      {with({{"nbf", now_s - minute}, {"iat", now_s}, {"iss", "x"}, {"aud", "y"}}), good_verdict},
      {without("sub"), nobody},
      {with({{"sub", 7}}), nobody},
      {with({{"sub", ""}}), no_name},
      {with({{"sub", " ada"}}), no_name},
      {with({{"sub", "a\nb"}}), no_name},
      {with({{"sub", "ada\u202E"}}), no_name},
      {with({{"sub", std::string(65, 'a')}}), no_name},
  };
  for (auto const& [claims, wanted] : rows) {
    INFO(claims.dump());
    CHECK(verdict(by, hs256(claims)) == wanted);
  }
  CHECK(verdict(by, hs256(good), now_ms + 10 * minute * 1000 + token_verifier::leeway_ms - 1) == good_verdict);
  CHECK(verdict(by, hs256(good), now_ms + 10 * minute * 1000 + token_verifier::leeway_ms) == expired);
}

TEST_CASE("chat: a token must be of the issuer and for the audience that the server was told") {
  auto const by = opened(secret, "https://id.example", "chat");
  auto const says = [&by](json const& issuer, json const& audience) {
    return verdict(by, hs256(with({{"iss", issuer}, {"aud", audience}})));
  };
  std::string const other_issuer = "the token is of another issuer";
  std::string const other_audience = "the token is for another audience";
  CHECK(says("https://id.example", "chat") == good_verdict);
  CHECK(says("https://id.example", {"mail", "chat"}) == good_verdict);
  CHECK(says("https://id.example/", "chat") == other_issuer);
  CHECK(says(nullptr, "chat") == other_issuer);
  CHECK(says("https://id.example", "chat2") == other_audience);
  CHECK(says("https://id.example", {"mail", "Chat"}) == other_audience);
  CHECK(says("https://id.example", json::array()) == other_audience);
  CHECK(says("https://id.example", nullptr) == other_audience);
  CHECK(verdict(by, hs256(good)) == other_issuer);
  CHECK(verdict(by, hs256(with({{"iss", "https://id.example"}}))) == other_audience);
}

TEST_CASE("chat: the key says by which algorithm a token is signed, not the token") {
  auto const by_secret = opened(secret);
  auto const by_public = opened(rsa().public_pem);
  auto const claims = good.dump();
  auto const none = [&claims](std::string const& name) {
    return base64url(R"({"alg":")" + name + R"(","typ":"JWT"})") + "." + base64url(claims) + ".";
  };
  for (auto const* by : {&by_secret, &by_public})
    for (auto const* const name : {"none", "None", "NONE", "nOnE", "", "XS256"}) {
      INFO(name);
      CHECK(verdict(*by, none(name)) == untrusted);
      CHECK(verdict(*by, none(name) + "c2ln") == untrusted);
    }
  CHECK(verdict(by_secret, base64url("{}") + "." + base64url(claims) + ".") == untrusted);

  // The public key is known to everybody: as the secret of an HMAC it proves nothing.
  CHECK(verdict(by_public, hs256(good, rsa().public_pem)) == other_algorithm);
  CHECK(verdict(by_public, token(good, rsa().public_pem, JWT_ALG_HS512)) == other_algorithm);
  CHECK(verdict(by_public, token(good, rsa().secret_pem, JWT_ALG_RS512)) == other_algorithm);
  CHECK(verdict(by_secret, token(good, secret, JWT_ALG_HS512)) == other_algorithm);
  CHECK(verdict(by_secret, token(good, rsa().secret_pem, JWT_ALG_RS256)) == untrusted);
}

TEST_CASE("chat: a token of another key, or one that was changed, is refused") {
  auto const by_secret = opened(secret);
  auto const by_public = opened(rsa().public_pem);
  auto const signed_by_secret = hs256(good);
  auto const signed_by_rsa = token(good, rsa().secret_pem, JWT_ALG_RS256);
  CHECK(verdict(by_secret, hs256(good, secret + "!")) == untrusted);
  CHECK(verdict(by_public, token(good, rsa(1).secret_pem, JWT_ALG_RS256)) == untrusted);

  for (auto const& [by, text] : {std::pair(&by_secret, signed_by_secret), std::pair(&by_public, signed_by_rsa)}) {
    auto const first = text.find('.');
    auto const last = text.rfind('.');
    auto const other = hs256(with({{"sub", "eve"}}));
    auto const claims = other.substr(other.find('.'), other.rfind('.') - other.find('.'));
    CHECK(verdict(*by, text) == good_verdict);
    CHECK(verdict(*by, text.substr(0, first) + claims + text.substr(last)) == untrusted);
    for (std::size_t size = 0; size < text.size(); ++size) {
      auto const cut = verdict(*by, text.substr(0, size));
      if (cut != untrusted && cut != no_token) FAIL("cut to " << size << " bytes: " << cut);
    }
  }
}

TEST_CASE("chat: what is no token at all is refused before anything reads it") {
  auto const by = opened(secret);
  auto const text = hs256(good);
  for (auto const& each : {std::string(), std::string("hello"), std::string("a.b"), text + ".x", text + "=", text + " ",
                           text + "\n", " " + text, text + std::string(1, '\0') + "x", "Bearer " + text,
                           std::string("\xFF\xFE.a.b"), std::string(1 << 20, 'a'), std::string(1 << 20, '.')})
    CHECK(verdict(by, each) == no_token);
  CHECK(verdict(by, "..") == untrusted);
  CHECK(verdict(by, "a.b.c") == untrusted);
  CHECK(verdict(by, forged("[]", good.dump(), secret)) == untrusted);

  auto const huge = hs256(with({{"note", std::string(token_verifier::token_bytes_max, 'x')}}));
  CHECK(verdict(by, huge) == no_token);
  auto const large = hs256(with({{"note", std::string(5000, 'x')}}));
  REQUIRE(large.size() < token_verifier::token_bytes_max);
  CHECK(verdict(by, large) == good_verdict);
}

TEST_CASE("chat: what OpenSSL has signed is read like what libjwt has, and odd texts are refused") {
  auto const by = opened(secret);
  std::string const header = R"({"alg":"HS256","typ":"JWT"})";
  auto const sub = [&header](std::string const& text) {
    return forged(header, R"({"exp":)" + std::to_string(now_s + 600) + R"(,"sub":")" + text + "\"}", secret);
  };
  CHECK(verdict(by, forged(header, good.dump(), secret)) == good_verdict);
  CHECK(verdict(by, forged(R"({"alg":"HS256"})", good.dump(), secret)) == good_verdict);
  CHECK(verdict(by, forged(R"({"alg":"HS256","crit":["b64"],"b64":false})", good.dump(), secret)) == no_token);
  CHECK(verdict(by, sub("ada")) == good_verdict);
  for (auto const* const flaw : {"a\\u0000b", "\xC3\x28", "\xED\xA0\x80", "\\ud800"})
    CHECK(verdict(by, sub(flaw)) == untrusted);  // it cannot be read
  CHECK(verdict(by, forged(header, "[]", secret)) == no_token);
  for (auto const* const text : {"", "7", "null", "{", "{\"exp\":1e999,\"sub\":\"a\"}"})
    CHECK(verdict(by, forged(header, text, secret)) == untrusted);
}

TEST_CASE("chat: a key that cannot be meant is refused at start, in one sentence") {
  CHECK(refused("") == "cannot be read, or is empty");
  CHECK(std::get<std::string>(token_verifier::open("/nowhere/key", {}, {})) ==
        "the key file /nowhere/key cannot be read, or is empty");
  CHECK(std::get<std::string>(token_verifier::open("/tmp", {}, {})) == "the key file /tmp cannot be read, or is empty");
  CHECK(refused(std::string(31, 'x') + "\n") == "has a secret of 31 bytes: it needs 32 or more");
  CHECK(refused(std::string(64 * 1024, 'x')) == "is too long for a key");

  std::string const not_ours =
      "has a private key, which does not belong on this server: give its public one "
      "(openssl pkey -pubout)";
  CHECK(refused(rsa().secret_pem) == not_ours);
  CHECK(refused(rsa().public_pem + rsa().secret_pem) == not_ours);
  CHECK(refused(in_pem(EVP_RSA_gen(1024u)).public_pem) == "has an RSA key of 1024 bits: it needs 2048 or more");
  std::string const no_rsa = "has no public key of RSA: it needs one that begins with -----BEGIN PUBLIC KEY-----";
  CHECK(refused(in_pem(EVP_EC_gen("P-256")).public_pem) == no_rsa);
  CHECK(refused("-----BEGIN PUBLIC KEY-----\nnonsense\n-----END PUBLIC KEY-----\n") == no_rsa);
  CHECK(refused("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n") == no_rsa);
}
