// SPDX-License-Identifier: BSL-1.0
#include <purews/deflate/permessage_deflate.hpp>
#include <purews/purews.hpp>

// Compresses "Hello" from one connection to another. Both handshakes were made elsewhere.

// A real client masks by purews::os_entropy; this one sends nothing.
static void fill(purews::bytes out) noexcept { std::memset(out.data(), 0, out.size()); }

int main() {
  purews::permessage_deflate const deflate;
  purews::options const with{.entropy = fill, .extension = &deflate};
  purews::connection server(purews::role::server, with, {});
  purews::connection client(purews::role::client, with, {});
  purews::message_codec* const packs = deflate.make_codec(purews::role::server, {});
  purews::message_codec* const unpacks = deflate.make_codec(purews::role::client, {});
  if (packs == nullptr || server.use(*packs) != purews::refusal::none) return 1;
  if (unpacks == nullptr || client.use(*unpacks) != purews::refusal::none) return 2;
  if (server.send("Hello", {.compress = purews::compression::on}) != purews::refusal::none) return 3;

  // RFC 7692 section 7.2.3.1: the whole message in one frame.
  unsigned char const expected[] = {0xC1, 0x07, 0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00};
  purews::bytes_view spans[2];
  std::byte wire[64];
  std::size_t size = 0;
  for (purews::bytes_view const span : std::span(spans).first(server.gather(spans))) {
    if (span.size() > sizeof wire - size) return 4;
    purews::copy_bytes(wire + size, span);
    size += span.size();
  }
  if (size != sizeof expected || std::memcmp(wire, expected, size) != 0) return 5;

  client.receive(purews::bytes(wire).first(size), {});
  purews::event const e = client.next();
  return e.what == purews::kind::message && e.text() == "Hello" ? 0 : 6;
}
