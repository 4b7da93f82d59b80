// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "protocol.hpp"

namespace chat {

/// How one connection writes the protocol down: a WebSocket subprotocol.
class format {
 public:
  struct incoming {
    std::optional<request> asked{};  ///< nothing: it was the format's own business
    std::string reply{};             ///< to be sent when the request has been handled; empty: none
  };
  /// Connections with equal ways write what is told of a channel with the same bytes.
  struct way {
    std::string_view subprotocol;
    std::uint32_t channel_id = 0;
    auto operator<=>(way const&) const = default;
  };

  virtual ~format() = default;
  virtual bool is_binary() const = 0;
  /// Whatever is wrong with a message becomes a fault; nothing is thrown. A text is UTF-8.
  [[nodiscard]] virtual incoming read(std::string_view payload) = 0;
  [[nodiscard]] virtual std::string write(event const& what) const = 0;
  [[nodiscard]] virtual way way_of(std::string const& channel) const = 0;
};

struct format_kind {
  std::string_view subprotocol;
  std::unique_ptr<format> (*make)();
};

/// What this program was built with; the first one is for who asks for none.
[[nodiscard]] std::span<format_kind const> formats();

/// Of a subprotocol of formats(), or the first one.
[[nodiscard]] std::unique_ptr<format> make_format(std::string_view subprotocol);

// One removable file for each.
std::unique_ptr<format> make_json_format();
std::unique_ptr<format> make_mux_format();
std::unique_ptr<format> make_proto_format();

}  // namespace chat
