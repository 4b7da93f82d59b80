// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../wire/http_message.hpp"
#include "prepared_message.hpp"

namespace purews::inline v0 {

/// Whether more fragments of the message follow.
enum class fragment : std::uint8_t { more, last };

/// Whether a message is compressed, where that was agreed on. RFC 7692 section 6.
enum class compression : std::uint8_t {
  automatic,  ///< if it is long enough to be worth it
  on,         ///< however short it is
  off,        ///< a secret beside text of somebody else: their common size would tell of it. RFC 7692 section 8
};

/// What a codec made of a piece of a compressed message.
struct decoded {
  std::size_t consumed = 0;  ///< bytes of the input
  std::size_t produced = 0;  ///< bytes of the output. Less than there was room for: more input is needed, or it is done
  bool finished = false;     ///< the message is whole
  error fault = error::none;
};

/// What an extension does to the messages of one connection: the one place where the protocol calls what it does not
/// know. Made by a message_extension, owned by the connection.
class message_codec {
 public:
  /// Decodes a piece of a message with RSV1 into `out`; with fragment::last it ends with `in`. To be called until
  /// less was produced than there was room for, and all of `in` is consumed. Faults: deflate_data, deflate_end,
  /// out_of_memory. Precondition: `out` is not empty.
  virtual decoded decode(bytes_view in, bytes out, fragment position) noexcept = 0;

  /// Whether a message of `size` bytes is to be encoded. Asked before anything is done to it, because what went into
  /// the history must be sent.
  virtual bool wants(std::size_t size, compression how) const noexcept = 0;

  struct encoded {
    bytes_view payload{};  ///< valid until settle
    bool done = false;     ///< false: memory ran out, and the message must be sent as it is
  };
  /// Encodes a message, or one fragment of it.
  virtual encoded encode(bytes_view payload, fragment position) noexcept = 0;
  /// To be told when what was encoded is copied.
  virtual void settle(fragment position) noexcept = 0;

  /// The encoded form of a shared message, made once for all connections that agreed on the same; empty if memory ran
  /// out. It needs no history, and this connection's is told of it, so that later messages may refer to it.
  virtual prepared_message share(prepared_message const& plain) noexcept = 0;

  /// Forgets what was encoded so far: to be called when some of it was not sent. A sender may always begin anew.
  virtual void forget_history() noexcept = 0;

  /// Gives back whatever memory can be rebuilt: for connections that say nothing for a while.
  virtual void trim() noexcept = 0;

  virtual void destroy() noexcept = 0;

 protected:
  ~message_codec() = default;
};

/// What an extension does in the opening handshake. One object serves any number of connections, on any thread, and
/// must outlive them. deflate/permessage_deflate.hpp has one. RFC 6455 section 9.
class message_extension {
 public:
  /// The value of a Sec-WebSocket-Extensions header. Null-sized: none.
  struct header_text {
    char text[160];
    std::size_t size = 0;
    std::string_view view() const noexcept { return {text, size}; }
  };

  /// What the handshake came to.
  struct agreement {
    header_text answer{};            ///< server: what to write into the 101
    message_codec* codec = nullptr;  ///< null: the extension is not used. To be destroyed by the connection
    error fault = error::none;       ///< client: answer_extension, out_of_memory
  };

  /// Server: takes the first of the client's offers that is acceptable; none is no fault.
  virtual agreement accept(http_request const& request) const noexcept = 0;

  /// Client: what to offer.
  virtual header_text offer() const noexcept = 0;

  /// Client: checks the server's answer to the offer; an empty one declines it.
  virtual agreement confirm(std::string_view answer) const noexcept = 0;

 protected:
  ~message_extension() = default;
};

}  // namespace purews::inline v0
