// SPDX-License-Identifier: BSL-1.0
#include "purews.hpp"

#include "frame.hpp"

// The one file in two translation units: what a client sends comes back.

int main() {
  purews::options const with;
  purews::connection server(purews::role::server, with, {});
  std::byte in[64];
  server.receive(write_hello(in), {});
  for (purews::event e = server.next(); e.what != purews::kind::none; e = server.next())
    if (e.what != purews::kind::message || server.send(e.op, e.payload) != purews::refusal::none) return 1;

  // RFC 6455 section 5.7: a text frame with "Hello", unmasked.
  unsigned char const expected[] = {0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f};
  purews::bytes_view spans[1];
  if (server.gather(spans) != 1 || spans[0].size() != sizeof expected) return 2;
  return std::memcmp(spans[0].data(), expected, sizeof expected) == 0 ? 0 : 3;
}
