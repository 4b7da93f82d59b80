// SPDX-License-Identifier: BSL-1.0
#include "token.hpp"

#include <jwt.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "words.hpp"

namespace chat {
namespace {

using nlohmann::json;

template <auto Free>
struct freed_by {
  template <class T>
  void operator()(T* what) const {
    Free(what);
  }
};

constexpr std::size_t key_bytes_max = 64 * 1024;

std::string read_key(std::string const& file) {
  std::ifstream from(file, std::ios::binary);
  std::string key(key_bytes_max, '\0');
  from.read(key.data(), static_cast<std::streamsize>(key.size()));
  key.resize(static_cast<std::size_t>(from.gcount()));
  return key;
}

/// What is wrong with a key in PEM; empty: nothing.
std::string pem_flaw(std::string const& pem) {
  if (pem.find("PRIVATE KEY-----") != pem.npos)
    return "has a private key, which does not belong on this server: give its public one (openssl pkey -pubout)";
  std::unique_ptr<BIO, freed_by<BIO_free>> const text(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>> const key(
      PEM_read_bio_PUBKEY(text.get(), nullptr, nullptr, nullptr));
  if (!key || EVP_PKEY_base_id(key.get()) != EVP_PKEY_RSA)
    return "has no public key of RSA: it needs one that begins with -----BEGIN PUBLIC KEY-----";
  if (EVP_PKEY_bits(key.get()) < token_verifier::rsa_bits_min)
    return "has an RSA key of " + std::to_string(EVP_PKEY_bits(key.get())) + " bits: it needs 2048 or more";
  return {};
}

/// Three parts of base64url, and nothing that one decoder skips and another does not.
bool is_well_formed(std::string_view token) {
  auto const allowed = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  };
  return token.size() <= token_verifier::token_bytes_max && std::count(token.begin(), token.end(), '.') == 2 &&
         std::all_of(token.begin(), token.end(), allowed);
}

json object(char* text) {
  std::unique_ptr<char, freed_by<std::free>> const owned(text);
  return owned ? json::parse(owned.get(), nullptr, false) : json();
}

/// A NumericDate in milliseconds: RFC 7519 section 2 allows fractions.
std::optional<std::int64_t> date_ms(json const& claims, char const* name) {
  constexpr double seconds_max = 1e11;  // in the year 5138
  auto const at = claims.find(name);
  if (at == claims.end() || !at->is_number()) return std::nullopt;
  return static_cast<std::int64_t>(std::clamp(at->get<double>(), -seconds_max, seconds_max) * 1000);
}

bool names(json const& claims, char const* claim, std::string const& wanted) {
  auto const at = claims.find(claim);
  if (at == claims.end()) return false;
  return at->is_array() ? std::find(at->begin(), at->end(), json(wanted)) != at->end() : *at == wanted;
}

}  // namespace

std::string_view describe(token_fault what) {
  switch (what) {
    case token_fault::malformed:
      return "this is no token";
    case token_fault::unverified:
      return "the token was not signed by whom this server trusts, or was changed";
    case token_fault::algorithm:
      return "the token was signed by another algorithm than this server's";
    case token_fault::expired:
      return "the token has expired";
    case token_fault::not_yet_valid:
      return "the token is not valid yet";
    case token_fault::issuer:
      return "the token is of another issuer";
    case token_fault::audience:
      return "the token is for another audience";
    case token_fault::no_expiry:
      return "the token does not say when it expires";
    case token_fault::no_subject:
      return "the token does not say whose it is";
    case token_fault::bad_subject:
      return "the token's subject cannot be a name here";
  }
  return {};
}

std::variant<token_verifier, std::string> token_verifier::open(std::string const& file, std::string issuer,
                                                               std::string audience) {
  auto const wrong = [&file](std::string const& flaw) { return "the key file " + file + " " + flaw; };
  token_verifier made;
  made.key_ = read_key(file);
  made.issuer_ = std::move(issuer);
  made.audience_ = std::move(audience);
  if (made.key_.empty()) return wrong("cannot be read, or is empty");
  if (made.key_.size() == key_bytes_max) return wrong("is too long for a key");
  if (made.key_.find("-----BEGIN ") != made.key_.npos) {  // and never a secret: public keys are known to everybody
    made.algorithm_ = algorithm::rs256;
    if (auto const flaw = pem_flaw(made.key_); !flaw.empty()) return wrong(flaw);
    return made;
  }
  if (made.key_.ends_with('\n')) made.key_.pop_back();
  if (made.key_.ends_with('\r')) made.key_.pop_back();
  if (made.key_.size() < secret_bytes_min)
    return wrong("has a secret of " + std::to_string(made.key_.size()) + " bytes: it needs 32 or more");
  return made;
}

std::variant<identity, token_fault> token_verifier::verify(std::string_view token, std::int64_t now_ms) const {
  if (!is_well_formed(token)) return token_fault::malformed;
  jwt_t* decoded = nullptr;
  auto const* const key = reinterpret_cast<unsigned char const*>(key_.data());
  if (jwt_decode(&decoded, std::string(token).c_str(), key, static_cast<int>(key_.size())) != 0)
    return token_fault::unverified;
  std::unique_ptr<jwt_t, freed_by<jwt_free>> const owned(decoded);
  if (jwt_get_alg(decoded) != (algorithm_ == algorithm::rs256 ? JWT_ALG_RS256 : JWT_ALG_HS256))
    return token_fault::algorithm;

  auto const header = object(jwt_get_headers_json(decoded, nullptr));
  auto const claims = object(jwt_get_grants_json(decoded, nullptr));
  // RFC 7515 section 4.1.11: what must be understood, and is not, makes a token invalid.
  if (!header.is_object() || header.contains("crit") || !claims.is_object()) return token_fault::malformed;
  auto const expires = date_ms(claims, "exp");
  if (!expires) return token_fault::no_expiry;
  if (now_ms >= *expires + leeway_ms) return token_fault::expired;
  if (claims.contains("nbf") && now_ms < date_ms(claims, "nbf").value_or(INT64_MAX) - leeway_ms)
    return token_fault::not_yet_valid;
  if (!issuer_.empty() && !names(claims, "iss", issuer_)) return token_fault::issuer;
  if (!audience_.empty() && !names(claims, "aud", audience_)) return token_fault::audience;
  auto const subject = claims.find("sub");
  if (subject == claims.end() || !subject->is_string()) return token_fault::no_subject;
  auto const& user = subject->get_ref<std::string const&>();
  if (!name_flaw(user).empty()) return token_fault::bad_subject;
  return identity{user, *expires};
}

}  // namespace chat
