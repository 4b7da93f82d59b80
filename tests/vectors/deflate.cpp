// SPDX-License-Identifier: BSL-1.0

// The vectors of permessage-deflate, which need zlib.
#include "purews/deflate/permessage_deflate.hpp"

#include <memory>

#include "script.hpp"
#include "support/catch.hpp"

namespace {

using namespace purews;

// The peer's decompressor, by zlib alone, with no larger window than was agreed on.
class peer_inflate {
 public:
  explicit peer_inflate(deflate_side const& side) : side_(side) {
    if (inflateInit2(&stream_, -static_cast<int>(side.window_bits)) != Z_OK) throw std::runtime_error("no zlib");
  }
  peer_inflate(peer_inflate const&) = delete;
  peer_inflate& operator=(peer_inflate const&) = delete;
  ~peer_inflate() { inflateEnd(&stream_); }

  test::octets frame(test::octets packed, bool fin) {
    test::octets const tail = test::hex("0000ffff");
    bool const has_tail = packed.size() >= 4 && test::octets(packed.end() - 4, packed.end()) == tail;
    // RFC 7692 7.2.1: the tail is cut off from the message, and so from no other frame than its last.
    if (fin && has_tail) throw std::runtime_error("the tail was not cut off");
    if (fin) packed = test::join(packed, tail);
    test::octets text;
    std::byte room[512];
    stream_.next_in = reinterpret_cast<Bytef*>(packed.data());
    stream_.avail_in = static_cast<uInt>(packed.size());
    do {
      stream_.next_out = reinterpret_cast<Bytef*>(room);
      stream_.avail_out = sizeof room;
      int const code = inflate(&stream_, Z_SYNC_FLUSH);
      if (code != Z_OK && code != Z_BUF_ERROR) throw std::runtime_error("zlib does not inflate what was sent");
      text.insert(text.end(), room, room + (sizeof room - stream_.avail_out));
    } while (stream_.avail_out == 0);
    if (fin && stream_.data_type != 128) throw std::runtime_error("the message does not end where a block does");
    if (fin && side_.history == context::no_takeover) inflateReset(&stream_);
    return text;
  }

 private:
  deflate_side side_;
  z_stream stream_{};
};

// The frames of `output`, inflated; their masks taken off.
test::octets inflated(role own, deflate_side const& side, test::octets const& output) {
  peer_inflate oracle(side);
  test::octets result;
  bool compressed = false;
  for (test::parsed_frame const& frame : test::parse_frames(output)) {
    if (frame.masked != (own == role::client)) throw std::runtime_error("a wrong mask");
    bool const control = (frame.first & 0x08U) != 0;
    bool const first = !control && (frame.first & 0x0FU) != 0;
    if (!first && (frame.first & 0x40U) != 0) throw std::runtime_error("RSV1 on a frame that is no first one");
    if (first) compressed = (frame.first & 0x40U) != 0;
    bool const fin = (frame.first & 0x80U) != 0;
    test::octets const meaning = compressed && !control ? oracle.frame(frame.payload, fin) : frame.payload;
    result = test::join(result, test::own_frame(own, frame.first, meaning));
  }
  return result;
}

void read_line(test::vector& v, std::vector<std::string> const& line) {
  deflate_side own, peer;
  deflate_options with;
  bool inflates = false;
  for (std::size_t i = 1; i < line.size(); ++i) {
    std::size_t const equals = line[i].find('=');
    std::string const word = line[i].substr(0, equals);
    int const value = equals == std::string::npos ? 0 : std::stoi(line[i].substr(equals + 1));
    if (word == "own_no_takeover")
      own.history = context::no_takeover;
    else if (word == "peer_no_takeover")
      peer.history = context::no_takeover;
    else if (word == "own_window_bits")
      own.window_bits = static_cast<std::uint8_t>(value);
    else if (word == "peer_window_bits")
      peer.window_bits = static_cast<std::uint8_t>(value);
    else if (word == "message_bytes_min")
      with.message_bytes_min = static_cast<std::size_t>(value);
    else if (word == "level")
      with.effort.level = value;
    else if (word == "inflated")
      inflates = true;
    else
      throw std::runtime_error("no such word of deflate: " + word);
  }
  auto const extension = std::make_shared<permessage_deflate const>(with);
  bool const serves = v.own == role::server;
  deflate_parameters const agreed{.server = serves ? own : peer, .client = serves ? peer : own};
  v.begin = [extension, agreed, role = v.own](connection& c) {
    message_codec* const codec = extension->make_codec(role, agreed);
    if (codec == nullptr) throw std::runtime_error("no codec");
    if (c.use(*codec) != refusal::none) throw std::runtime_error("the codec is not taken");
  };
  if (inflates) v.read_output = [own, role = v.own](test::octets const& output) { return inflated(role, own, output); };
}

[[maybe_unused]] bool const known = [] {
  test::read_deflate = read_line;
  return true;
}();

}  // namespace

TEST_CASE(
    "7692 6 to 8: permessage-deflate, D-01 to D-44, F-06, U-05: D-02, D-03, D-04, D-30, D-31, D-32, D-33, D-34, "
    "D-35, D-36, D-37, D-38, D-39, D-41, D-42, D-43",
    "[hazard-35][hazard-36][hazard-40][hazard-42]") {
  test::check_file("deflate.vec");
}
