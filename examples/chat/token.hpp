// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace chat {

/// Who a token says that its bearer is, and until when.
struct identity {
  std::string user;
  std::int64_t expires_ms = 0;  ///< since 1970
};

/// Why a token is refused.
enum class token_fault : std::uint8_t {
  malformed,      ///< no token, too long, or not of our kind
  unverified,     ///< the signature is not that of our key
  algorithm,      ///< signed in another way than the key is for
  expired,        ///< its "exp" is past
  not_yet_valid,  ///< its "nbf" is to come
  issuer,
  audience,
  no_expiry,
  no_subject,
  bad_subject,  ///< which cannot be a user's name
};

/// A sentence for who sent the token.
[[nodiscard]] std::string_view describe(token_fault what);

/// Checks JSON Web Tokens (RFC 7519) with one key, which alone says by which algorithm: what the token says of that
/// decides nothing.
class token_verifier {
 public:
  static constexpr std::size_t token_bytes_max = 8192;
  static constexpr std::size_t secret_bytes_min = 32;
  static constexpr int rsa_bits_min = 2048;
  static constexpr std::int64_t leeway_ms = 30'000;  ///< for clocks that differ

  /// Reads the key: a public key of RSA as PEM is for RS256, whatever is no PEM is a secret for HS256. Tokens must be
  /// of `issuer` and for `audience`, where these are not empty. An error is one sentence for the operator.
  [[nodiscard]] static std::variant<token_verifier, std::string> open(std::string const& file, std::string issuer,
                                                                      std::string audience);

  [[nodiscard]] std::variant<identity, token_fault> verify(std::string_view token, std::int64_t now_ms) const;

 private:
  enum class algorithm : std::uint8_t { rs256, hs256 };

  algorithm algorithm_ = algorithm::hs256;
  std::string key_, issuer_, audience_;
};

}  // namespace chat
