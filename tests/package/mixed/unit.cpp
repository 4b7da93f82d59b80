// SPDX-License-Identifier: BSL-1.0
#if defined(UNIT_HEADER)
#include UNIT_HEADER
#else
#include <purews/purews.hpp>
#endif

#include "unit.hpp"

// Compiled several times, with other flags and another UNIT each time; once from the amalgamation. The inline functions
// of the headers are merged by the linker: they must mean the same in every unit.

namespace {

class digest {
 public:
  void add(std::uint64_t value) noexcept {
    for (int i = 0; i < 8; ++i) value_ = (value_ ^ (value >> (8 * i) & 0xFFU)) * 0x100'0000'01B3U;
  }
  void add(purews::bytes_view data) noexcept {
    add(data.size());
    for (std::byte b : data) value_ = (value_ ^ std::to_integer<std::uint64_t>(b)) * 0x100'0000'01B3U;
  }
  std::uint64_t value() const noexcept { return value_; }

 private:
  std::uint64_t value_ = 0xCBF2'9CE4'8422'2325U;
};

constexpr std::size_t size_max = 600;
constexpr purews::masking_key key{{std::byte{0x37}, std::byte{0xFA}, std::byte{0x21}, std::byte{0x3D}}};

// ASCII, with a two-byte code point now and then.
void fill(purews::bytes text) noexcept {
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<std::byte>('a' + i % 26);
  for (std::size_t i = 50; i + 1 < text.size(); i += 97) {
    text[i] = std::byte{0xC3};
    text[i + 1] = std::byte{0xA9};
  }
}

void try_wire(digest& out) noexcept {
  std::byte room[size_max];
  for (std::size_t size = 0; size <= size_max; ++size) {
    purews::bytes const text = purews::bytes(room).first(size);
    fill(text);
    out.add(purews::is_valid_utf8(text) ? 1U : 0U);
    purews::mask(text, key, size & 3U);
    out.add(text);
    out.add(purews::is_valid_utf8(text) ? 1U : 0U);
  }
  for (std::uint64_t length : {0U, 125U, 126U, 0xFFFFU, 0x1'0000U}) {
    std::byte head[purews::frame_header_bytes_max];
    std::size_t const size = purews::write_frame_header(head, {.masked = true, .length = length, .key = key});
    out.add(purews::bytes_view(head).first(size));
    out.add(purews::read_frame_header({head, size}).header.length);
  }
}

void drain(purews::endpoint& server, digest& out) noexcept {
  for (purews::event e = server.next(); e.what != purews::kind::none; e = server.next()) {
    out.add(static_cast<std::uint64_t>(e.what));
    out.add(e.payload);
    if (e.what == purews::kind::request) out.add(static_cast<std::uint64_t>(server.accept()));
    if (e.what == purews::kind::message) out.add(static_cast<std::uint64_t>(server.send(e.op, e.payload)));
    if (e.what == purews::kind::closed || e.what == purews::kind::failed) break;
  }
  purews::bytes_view spans[8];
  while (std::size_t const count = server.gather(spans)) {
    std::size_t sent = 0;
    for (purews::bytes_view span : std::span(spans).first(count)) {
      out.add(span);
      sent += span.size();
    }
    server.consume_output(sent, {});
  }
}

void try_endpoint(digest& out) noexcept {
  purews::options const with;
  purews::endpoint server(purews::role::server, with, {});
  char request[] =
      "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
  server.receive(std::as_writable_bytes(std::span(request).first(sizeof request - 1)), {});
  drain(server, out);
  for (std::size_t size = 0; size <= size_max; size += 37) {
    std::byte frame[purews::frame_header_bytes_max + size_max];
    std::size_t const head =
        purews::write_frame_header(frame, {.op = purews::opcode::text, .masked = true, .length = size, .key = key});
    purews::bytes const payload = purews::bytes(frame).subspan(head, size);
    fill(payload);
    purews::mask(payload, key);
    server.receive(purews::bytes(frame).first(head + size), {});
    drain(server, out);
  }
  std::byte unmasked[] = {std::byte{0x81}, std::byte{0}};
  server.receive(unmasked, {});
  drain(server, out);
}

}  // namespace

unit_result UNIT();

unit_result UNIT() {
  digest out;
  try_wire(out);
  try_endpoint(out);
  return {out.value(), UNIT_FLAGS};
}
