// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <zlib.h>

#include <iterator>
#include <random>
#include <string>

#include "purews/deflate/permessage_deflate.hpp"
#include "support/hex.hpp"

namespace test {

/// What messages of people and programs look like, and what nothing compresses.
inline std::string some_text(std::mt19937& random, std::size_t size) {
  static char const* const words[] = {"{\"type\":\"message\",",
                                      "\"channel\":\"general\",",
                                      "\"text\":\"",
                                      "hello ",
                                      "world ",
                                      "the quick brown fox ",
                                      "\"}",
                                      "\xC3\xA4\xE2\x82\xAC",
                                      "0123456789"};
  std::string text;
  bool const noise = random() % 4 == 0;
  while (text.size() < size)
    if (noise)
      text += static_cast<char>(random() & 0x7FU);
    else
      text += words[random() % std::size(words)];
  text.resize(size);
  while (!text.empty() && (text.back() & 0x80) != 0) text.pop_back();  // no code point is cut
  return text;
}

/// The peer's decompressor, by zlib alone: the oracle. Every message stands behind the one before.
class plain_inflate {
 public:
  explicit plain_inflate(int window_bits) { inflateInit2(&stream_, -window_bits); }
  plain_inflate(plain_inflate const&) = delete;
  plain_inflate& operator=(plain_inflate const&) = delete;
  ~plain_inflate() { inflateEnd(&stream_); }

  void reset() { inflateReset(&stream_); }

  /// Empty optional as "?": zlib refused it.
  std::string message(octets packed) {
    for (unsigned const octet : {0U, 0U, 0xFFU, 0xFFU}) packed.push_back(static_cast<std::byte>(octet));
    return beginning(std::move(packed));
  }

  /// All that these bytes tell.
  std::string beginning(octets packed) {
    std::string text;
    stream_.next_in = reinterpret_cast<Bytef*>(packed.data());
    stream_.avail_in = static_cast<uInt>(packed.size());
    char room[4096];
    do {
      stream_.next_out = reinterpret_cast<Bytef*>(room);
      stream_.avail_out = sizeof room;
      int const code = inflate(&stream_, Z_SYNC_FLUSH);
      if (code != Z_OK && code != Z_BUF_ERROR) return "?";
      text.append(room, sizeof room - stream_.avail_out);
    } while (stream_.avail_out == 0 || stream_.avail_in != 0);
    return text;
  }

 private:
  z_stream stream_{};
};

}  // namespace test
