// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <map>
#include <purews/server.hpp>

#include "hub.hpp"

namespace chat {

/// The hub on a server: the page under /, the chat under /ws.
class server {
 public:
  explicit server(store& truth);

  [[nodiscard]] purews::listening listen(std::string_view host, std::uint16_t port) { return io_.listen(host, port); }
  void run() { io_.run(); }
  void stop() noexcept { io_.stop(); }  ///< also from signal handlers

 private:
  void settle();
  void commit();
  void perform(output const& what);

  hub hub_;
  std::map<client_id, purews::session*> sessions_;
  bool commit_posted_ = false;
  purews::server io_;  // last: it ends first, and its sessions tell the hub
};

}  // namespace chat
