// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <poll.h>

#include <deque>
#include <string>
#include <vector>

#include "hex.hpp"
#include "purews/loop/clock.hpp"
#include "purews/loop/entropy.hpp"
#include "purews/loop/socket.hpp"
#include "purews/protocol/endpoint.hpp"

/// Blocking clients for the tests of servers. They wait for at most ten seconds, which only a broken server needs.
namespace test {

/// Asked again and again while they wait: a test may learn that nothing will come.
inline int (*patience_ms)() = [] { return 10'000; };

/// Waits for what is asked for.
inline bool poll_patiently(pollfd& asked) {
  constexpr int slice_ms = 20;
  for (int waited = 0; waited < patience_ms(); waited += slice_ms)
    if (int const ready = ::poll(&asked, 1, slice_ms); ready != 0) return ready == 1;
  return false;
}

/// How a test's socket is made.
struct client_socket {
  int receive_buffer = 0;  ///< SO_RCVBUF, 0: the system's. A small one makes a reader slow sooner
};

/// A connected socket and nothing above it.
class raw_client {
 public:
  explicit raw_client(purews::socket_address const& to, client_socket how = {})
      : socket_(::socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (how.receive_buffer != 0)
      ::setsockopt(number(), SOL_SOCKET, SO_RCVBUF, &how.receive_buffer, sizeof how.receive_buffer);
    if (::connect(number(), to.data(), to.size) != 0) throw std::runtime_error("the test client cannot connect");
    if (purews::prepare_socket(number())) throw std::runtime_error("fcntl");
  }

  int number() const { return socket_.number(); }

  /// Sends everything. False: the peer is gone.
  bool send(std::string_view text) {
    while (!text.empty()) {
      std::size_t const sent = send_some(text);
      if (sent == 0 && (broken_ || !wait(POLLOUT))) return false;
      text.remove_prefix(sent);
    }
    return true;
  }
  bool send(octets const& data) { return send(purews::as_text(data)); }

  /// Sends what the socket takes at once.
  std::size_t send_some(std::string_view text) {
    purews::bytes_view const span = purews::as_bytes(text);
    purews::io_result const sent = purews::send_spans(number(), {&span, 1});
    broken_ = sent.error != 0 && !sent.would_block();
    return sent.count;
  }

  /// Appends what arrives next to received(). False: there is nothing, or the stream has ended.
  bool receive() {
    if (!wait(POLLIN)) return false;
    static thread_local std::byte room[65536];
    purews::io_result const got = purews::receive(number(), room);
    received_.append(purews::as_text({room, got.count}));
    return got.count != 0;
  }

  /// All until the end of the stream.
  std::string receive_all() {
    while (receive()) continue;
    return received_;
  }

  /// All until `mark`, which stays in received().
  bool receive_until(std::string_view mark) {
    for (std::size_t from = 0; received_.find(mark, from) == received_.npos;) {
      from = received_.size() < mark.size() ? 0 : received_.size() - mark.size();
      if (!receive()) return false;
    }
    return true;
  }

  std::string& received() { return received_; }

  bool wait(short what) const {
    pollfd asked{number(), what, 0};
    return poll_patiently(asked);
  }

  void shut() const { ::shutdown(number(), SHUT_WR); }

  /// Closes with a reset.
  void reset() {
    linger const at_once{1, 0};
    ::setsockopt(number(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    socket_.reset();
  }
  void drop() { socket_.reset(); }

 private:
  purews::descriptor socket_;
  std::string received_;
  bool broken_ = false;
};

/// Sends `request` on a connection of its own and returns all that comes back until the server closes.
inline std::string http(purews::socket_address const& to, std::string_view request) {
  raw_client client(to);
  client.send(request);
  return client.receive_all();
}

/// A request for an upgrade, with more header lines.
inline std::string upgrade_request(std::string_view path = "/", std::string_view headers = {}) {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: server.example:8080\r\nUpgrade: websocket\r\n" +
         "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
         std::string(headers) + "\r\n";
}

/// The status of the answer to an upgrade, and its whole head.
inline std::string answer_head(purews::socket_address const& to, std::string_view request) {
  raw_client client(to);
  client.send(request);
  client.receive_until("\r\n\r\n");
  return client.received();
}
inline int answer_status(purews::socket_address const& to, std::string_view request) {
  std::string const head = answer_head(to, request);
  return head.size() < 12 ? 0 : std::stoi(head.substr(9, 3));
}

/// An event with a payload of its own.
struct received_event {
  purews::kind what = purews::kind::none;
  purews::opcode op = purews::opcode::continuation;
  bool clean = false;
  purews::status_code code = purews::status_code::none;
  std::string text{};
};

/// What a WebSocket client asks for.
struct ws_request {
  std::string path = "/";
  std::vector<std::string_view> subprotocols{};
  std::string_view origin{};
  std::vector<purews::header_field> headers{};
  purews::limits limits{.message_bytes_max = 64U << 20, .queue_bytes_max = 64U << 20};
  client_socket socket{};
};

/// A WebSocket client: an endpoint on a socket. It answers pings and Close frames while it waits for an event.
class ws_client {
 public:
  explicit ws_client(purews::socket_address const& to, ws_request const& request = {})
      : with_{.limit = request.limits, .entropy = purews::os_entropy},
        raw_(to, request.socket),
        machine_(purews::role::client, with_, purews::steady_now()) {
    std::string const host = to.family() == AF_UNIX ? "localhost" : std::string(purews::text(to).view());
    std::string const url = "ws://" + host + request.path;
    purews::client_request const asked{.where = purews::parse_uri(url),
                                       .subprotocols = request.subprotocols,
                                       .origin = request.origin,
                                       .headers = request.headers};
    if (machine_.connect(asked) != purews::refusal::none) throw std::runtime_error("the request was refused");
    flush();
    while (events_.empty() && receive()) continue;
    if (!events_.empty() && events_.front().what == purews::kind::open) {
      open_ = true;
      events_.pop_front();
    }
  }

  explicit operator bool() const { return open_; }
  int status() const { return status_; }                           ///< of the answer
  std::string const& subprotocol() const { return subprotocol_; }  ///< that was agreed on
  std::string const& set_cookie() const { return set_cookie_; }
  purews::endpoint& machine() { return machine_; }
  raw_client& raw() { return raw_; }

  /// The next event; kind::none when the server says nothing more.
  received_event next() {
    while (events_.empty() && receive()) continue;
    if (events_.empty()) return {};
    received_event const first = events_.front();
    events_.pop_front();
    return first;
  }
  /// The text of the next message; or what has come instead.
  std::string next_text() {
    received_event const e = next();
    if (e.what == purews::kind::message) return e.text;
    if (e.what == purews::kind::closed) return "closed " + std::to_string(static_cast<int>(e.code)) + " " + e.text;
    return "event " + std::to_string(static_cast<int>(e.what));
  }
  /// The terminal event, after all others.
  received_event last() {
    for (;;) {
      received_event const e = next();
      if (e.what == purews::kind::none || e.what == purews::kind::closed || e.what == purews::kind::failed) return e;
    }
  }

  purews::refusal send(std::string_view text) { return flushed(machine_.send(text)); }
  purews::refusal send(purews::opcode op, std::string_view data) {
    return flushed(machine_.send(op, purews::as_bytes(data)));
  }
  purews::refusal send_fragment(std::string_view text, purews::fragment position) {
    return flushed(machine_.send_fragment(purews::opcode::text, purews::as_bytes(text), position));
  }
  purews::refusal ping(std::string_view payload) { return flushed(machine_.ping(purews::as_bytes(payload))); }

  /// Closes, and waits for the end of the closing handshake.
  received_event close(purews::status_code code = purews::status_code::normal, std::string_view reason = {}) {
    flushed(machine_.close(code, reason));
    return last();
  }

 private:
  purews::refusal flushed(purews::refusal result) {
    flush();
    return result;
  }

  void flush() {
    purews::bytes_view spans[16];
    while (std::size_t const count = machine_.gather(spans)) {
      purews::io_result const sent = purews::send_spans(raw_.number(), {spans, count});
      machine_.consume_output(sent.count, purews::steady_now());
      if (sent.error == 0) continue;
      // A server whose answers nobody takes stops reading.
      pollfd waits{raw_.number(), POLLIN | POLLOUT, 0};
      if (!sent.would_block() || !poll_patiently(waits)) return;
      if ((waits.revents & POLLIN) != 0) receive();
    }
  }

  bool receive() {
    if (machine_.transport() == purews::transport_action::close || ended_ || !raw_.wait(POLLIN)) return false;
    purews::io_result const got = purews::receive(raw_.number(), scratch_);
    ended_ = got.count == 0;
    if (ended_)
      machine_.receive_eof(purews::steady_now());
    else
      machine_.receive({scratch_.data(), got.count}, purews::steady_now());
    for (purews::event e = machine_.next(); e.what != purews::kind::none; e = machine_.next()) {
      if (e.what == purews::kind::open || e.fault == purews::error::answer_status) remember_answer();
      events_.push_back({e.what, e.op, e.clean, e.code, std::string(e.text())});
    }
    flush();
    return true;
  }

  void remember_answer() {
    purews::http_response const answer = machine_.response();
    status_ = answer.status();
    subprotocol_ = machine_.subprotocol();
    set_cookie_ = answer.header("Set-Cookie");
  }

  purews::options with_;
  raw_client raw_;
  purews::endpoint machine_;
  std::deque<received_event> events_;
  std::string subprotocol_;
  std::string set_cookie_;
  int status_ = 0;
  bool open_ = false;
  bool ended_ = false;
  octets scratch_ = octets(262'144);
};

}  // namespace test
