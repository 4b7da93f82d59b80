// SPDX-License-Identifier: BSL-1.0
#include <utility>

#include "purews/purews.hpp"

// Each mistake stands before what is right in its place, and behind its number what the compilers say.

using namespace purews;

struct no_machine {
  void receive(bytes, instant) noexcept {}
};

void use(options const& with, message_codec& codec, prepared_message const& shared, std::span<std::byte> in) {
  instant const now{1};

#if MISUSE == 1  // deleted
  connection open(role::server, options{}, now);
#else
  connection open(role::server, with, now);
#endif

#if MISUSE == 2  // deleted
  endpoint opening(role::server, options{}, now);
#else
  endpoint opening(role::server, with, now);
#endif

#if MISUSE == 3  // deleted
  connection other(open);
#else
  connection& other(open);
#endif

#if MISUSE == 4  // deleted
  endpoint moved(std::move(opening));
#else
  endpoint& moved(opening);
#endif

#if MISUSE == 5  // deleted
  open = connection(role::server, with, now);
#else
  static_cast<void>(other.current());
#endif

  // There is always a codec where one is used.
#if MISUSE == 6  // convert|no matching|could not bind|cannot bind
  static_cast<void>(open.use(nullptr));
#else
  static_cast<void>(open.use(codec));
#endif

  // A refusal must be looked at.
#if MISUSE == 7  // nodiscard
  open.send("text");
#else
  static_cast<void>(open.send("text"));
#endif

#if MISUSE == 8  // nodiscard
  moved.accept();
#else
  static_cast<void>(moved.accept());
#endif

  // Input is unmasked in place.
#if MISUSE == 9  // convert|conversion
  open.receive(as_bytes("read-only"), now);
#else
  open.receive(in, now);
#endif

  // Numbers have no meaning of their own.
#if MISUSE == 10  // convert|conversion|no matching
  static_cast<void>(open.send(2, in));
#else
  static_cast<void>(open.send(opcode::binary, in));
#endif

#if MISUSE == 11  // convert|conversion|no matching
  static_cast<void>(open.close(1000));
#else
  static_cast<void>(open.close(status_code::normal));
#endif

#if MISUSE == 12  // convert|conversion|no matching
  static_cast<void>(open.send_fragment(opcode::text, in, true));
#else
  static_cast<void>(open.send_fragment(opcode::text, in, fragment::last));
#endif

#if MISUSE == 13  // convert|conversion|no matching
  open.advance(seconds(1));
#else
  open.advance(now + seconds(1));
#endif

#if MISUSE == 14  // no match|invalid operands
  static_cast<void>(now + now);
#else
  static_cast<void>(now - now);
#endif

  // What is shared is not changed.
#if MISUSE == 15  // read-only|const|discards|no viable
  shared.frame()[0] = std::byte{0};
#else
  static_cast<void>(shared.frame()[0]);
#endif

#if MISUSE == 16  // inaccessible|private|cannot cast|accessible
  connection& inner = moved;
#else
  endpoint& inner = moved;
#endif
  static_cast<void>(inner.current());
}

#if MISUSE == 17  // static assertion failed|static_assert failed
static_assert(byte_machine<no_machine>);
#else
static_assert(!byte_machine<no_machine>);
#endif
static_assert(byte_machine<connection> && byte_machine<endpoint>);
