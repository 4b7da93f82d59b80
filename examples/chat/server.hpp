// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <map>
#include <purews/server.hpp>
#include <random>
#include <set>

#include "admission.hpp"
#include "format.hpp"
#include "gate.hpp"
#include "hub.hpp"
#include "open_store.hpp"

namespace chat {

/// What the operator may choose.
struct server_setup {
  rate allowed{};  ///< of a user and of a connection
  address_limits per_address{};
  std::vector<network> proxies{};      ///< whose X-Forwarded-For is believed
  std::vector<std::string> origins{};  ///< of pages; empty: those of this server only. See origins_flaw()
  gate::verifier verify{};             ///< none: everybody is who they say
  policy may = allow_all;
};

/// The hub on a server: the page under /, the chat under /ws.
class server {
 public:
  explicit server(server_setup setup);
  ~server();

  /// To be called once, first. An error is for the operator.
  [[nodiscard]] std::optional<store_error> open(std::string const& where, retention keep);
  [[nodiscard]] purews::listening listen(std::string_view host, std::uint16_t port) { return io_.listen(host, port); }
  /// Waits until the store can be used, for at most some seconds. An error says why it cannot.
  [[nodiscard]] std::optional<store_error> check();
  void run() { io_.run(); }
  void review() { hub_.review(), settle(); }  ///< the policy says something else; on the loop's thread
  void stop() noexcept { io_.stop(); }        ///< also from signal handlers

 private:
  using timer = purews::default_loop::timer_handle;
  struct connection {
    purews::session* io;
    std::unique_ptr<format> speaks;
  };

  /// What is known of a connection before it is open.
  struct arrival {
    admission::place place;
    std::string token;
  };

  void arrive(purews::upgrade& asked);
  void admit(purews::upgrade& asked);
  void ask(client_id who, request what);
  void received(purews::session& from, purews::message_view const& m);
  void send(connection const& to, std::string const& written);
  void settle();
  void flush();
  void start(timer& which, purews::duration delay, void (server::*what)());
  void tell_presence() { hub_.tell_presence(), settle(); }
  void catch_up() { hub_.catch_up(), settle(); }
  void look() { hub_.look(), settle(), look_later(); }
  void look_later();
  void end_overdue();
  void release_held();

  void perform(to_client const& what);
  void perform(to_channel const& what);
  void perform(subscribe const& what);
  void perform(unsubscribe const& what);
  void perform(close_client const& what);
  void perform(report const& what);
  void perform(append_request& what) { store_->submit(std::move(what)); }
  void perform(read_request& what) { store_->submit(std::move(what)); }
  void perform(heads_request& what) { store_->submit(std::move(what)); }

  hub hub_;
  gate gate_;
  admission admission_;
  std::map<client_id, connection> connections_;
  std::map<std::string, std::map<client_id, connection const*>> members_;  // of each channel
  std::set<client_id> held_;            // for whom so much waits to be sent that nothing more is read for them
  std::optional<store_error> trouble_;  // the last that the store has told of
  std::minstd_rand random_{std::random_device()()};
  bool checking_ = false;
  bool flush_posted_ = false;
  bool ended_ = false;
  purews::server io_;  // ends before what is above, because its sessions tell the hub
  timer presence_, behind_, releasing_, looking_, overdue_;
  std::unique_ptr<store> store_;
};

}  // namespace chat
