// SPDX-License-Identifier: BSL-1.0
#include "format.hpp"

namespace chat {

std::span<format_kind const> formats() {
  static constexpr format_kind all[] = {
      {"chat.v1.json", make_json_format},
      {"chat.v1.mux", make_mux_format},
#ifdef CHAT_PROTOBUF
      {"chat.v1.proto", make_proto_format},
#endif
  };
  return all;
}

std::unique_ptr<format> make_format(std::string_view subprotocol) {
  for (auto const& [name, make] : formats())
    if (name == subprotocol) return make();
  return formats().front().make();
}

}  // namespace chat
