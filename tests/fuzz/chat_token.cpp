// SPDX-License-Identifier: BSL-1.0

// The chat's verifier on anything that may be shown as a token, and on anything that a signer may sign.
// Input: a token; or header, NUL, claims.
#include "chat/token.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "chat_model.hpp"

using nlohmann::json;

namespace {

constexpr std::int64_t now_ms = 1'764'000'000'000;

chat::token_verifier verifier(std::string const& secret) {
  char name[] = "/tmp/purews-key-XXXXXX";
  int const made = ::mkstemp(name);
  fuzz::check(made >= 0, "a key has a file");
  ::close(made);
  std::ofstream(name) << secret;
  auto opened = chat::token_verifier::open(name, {}, {});
  ::unlink(name);
  return std::get<chat::token_verifier>(std::move(opened));
}

std::string base64url(std::string_view octets) {
  std::string out(octets.size() * 2 + 4, '\0');
  out.resize(static_cast<std::size_t>(EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                                      reinterpret_cast<unsigned char const*>(octets.data()),
                                                      static_cast<int>(octets.size()))));
  for (auto& c : out) c = c == '+' ? '-' : c == '/' ? '_' : c;
  while (out.ends_with('=')) out.pop_back();
  return out;
}

std::string signed_by(std::string const& secret, std::string_view header, std::string_view claims) {
  auto const text = base64url(header) + "." + base64url(claims);
  unsigned char sum[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<unsigned char const*>(text.data()), text.size(), sum, &size);
  return text + "." + base64url({reinterpret_cast<char const*>(sum), size});
}

}  // namespace

void fuzz::one_input(purews::bytes_view in) {
  static std::string const ours = "a secret that nobody guesses: 32 bytes or more";
  static auto const by = verifier(ours);
  script parts(in);
  auto const header = parts.take_until('\0');
  auto const claims = purews::as_text(parts.rest());
  check(by.verify(purews::as_text(in), now_ms).index() == 1, "what nobody has signed is refused");
  check(by.verify(signed_by(ours + "!", header, claims), now_ms).index() == 1, "and what somebody else has");

  auto const found = by.verify(signed_by(ours, header, claims), now_ms);
  auto const* const who = std::get_if<chat::identity>(&found);
  if (who == nullptr) return check(!describe(std::get<chat::token_fault>(found)).empty(), "a fault is a sentence");
  check(chat_model::is_name(who->user), "a user has a name");
  check(who->expires_ms + chat::token_verifier::leeway_ms > now_ms, "a token has not expired");
  auto const said = json::parse(header, nullptr, false);
  check(said.is_object() && !said.contains("crit"), "a header is an object, and all of it understood");
  auto const claimed = json::parse(claims, nullptr, false);
  // A name that is there twice may be read by others in another way, if they read it at all.
  if (claimed.is_object()) check(claimed.value("sub", json()) == who->user, "a user is the subject");
}
