// SPDX-License-Identifier: BSL-1.0
// Sends each line of its input as a text message and prints what comes back.

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <purews/loop/clock.hpp>
#include <purews/loop/entropy.hpp>
#include <purews/loop/socket.hpp>
#include <purews/purews.hpp>

#include "../common/command_line.hpp"

namespace {

/// A client that waits for standard input and for its socket at the same time. poll() rather than one of the event
/// loops, because it takes files too: `echo_client URL < lines.txt`.
class echo_client {
 public:
  echo_client(int socket, purews::client_request const& request)
      : socket_(socket), machine_(purews::role::client, options_, purews::steady_now()), request_(request) {}

  int run() {
    if (purews::refusal const why = machine_.connect(request_); why != purews::refusal::none)
      return give_up(message(why));
    flush();
    while (!ended_) wait();
    return status_;
  }

 private:
  static constexpr std::size_t queue_high = 256 * 1024;
  static constexpr purews::duration patience = purews::seconds(5);  // for answers, after the end of the input

  int give_up(std::string_view why) {
    std::fprintf(stderr, "echo_client: %.*s\n", static_cast<int>(why.size()), why.data());
    ended_ = true;
    return status_ = 1;
  }

  void wait() {
    bool const reads = open_ && !input_ended_ && machine_.queued_bytes() < queue_high;
    pollfd waits[2] = {
        {socket_, static_cast<short>((machine_.wants_input() ? POLLIN : 0) | (blocked_ ? POLLOUT : 0)), 0},
        {reads ? STDIN_FILENO : -1, POLLIN, 0}};
    poll(waits, 2, milliseconds_left());
    if (waits[1].revents != 0) read_lines();
    if ((waits[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0) receive();
    machine_.advance(purews::steady_now());
    drain();
    if (input_ended_ && machine_.current() == purews::state::open &&
        (answers_due_ == 0 || purews::steady_now() >= heard_ + patience))
      static_cast<void>(machine_.close());
    flush();
    if (machine_.transport() == purews::transport_action::shut_write) shutdown(socket_, SHUT_WR);
    if (machine_.transport() == purews::transport_action::close) ended_ = true;
  }

  int milliseconds_left() const {
    purews::instant first = machine_.deadline();
    if (input_ended_ && heard_ + patience < first && machine_.current() == purews::state::open)
      first = heard_ + patience;
    if (first == purews::never) return -1;
    std::int64_t const left = (first - purews::steady_now()).ns / 1'000'000 + 1;
    return static_cast<int>(left < 0 ? 0 : left > 60'000 ? 60'000 : left);
  }

  void read_lines() {
    char block[65536];
    ssize_t const n = read(STDIN_FILENO, block, sizeof block);
    if (n > 0) line_.append(block, static_cast<std::size_t>(n));
    std::size_t from = 0;
    for (std::size_t end; (end = line_.find('\n', from)) != line_.npos; from = end + 1)
      send(line_.substr(from, end - from));
    line_.erase(0, from);
    if (n > 0) return;
    if (!line_.empty()) send(line_);
    input_ended_ = true;
    heard_ = purews::steady_now();
  }

  void send(std::string const& line) {
    purews::refusal const result = machine_.send(line);
    if (result == purews::refusal::none) {
      ++answers_due_;
    } else {
      std::string_view const why = message(result);
      std::fprintf(stderr, "echo_client: a line was not sent: %.*s\n", static_cast<int>(why.size()), why.data());
      status_ = 1;
    }
  }

  void receive() {
    purews::io_result const got = purews::receive(socket_, scratch_);
    if (got.would_block()) return;
    if (got.error != 0 || got.count == 0) {
      machine_.receive_eof(purews::steady_now());
    } else {
      machine_.receive({scratch_, got.count}, purews::steady_now());
    }
    drain();
  }

  void drain() {
    for (;;) {
      purews::event const e = machine_.next();
      switch (e.what) {
        case purews::kind::none:
          return;
        case purews::kind::open:
          open_ = true;
          break;
        case purews::kind::message:
          heard_ = purews::steady_now();
          if (answers_due_ > 0) --answers_due_;
          command_line::print(stdout, e.text());
          command_line::print(stdout, "\n");
          std::fflush(stdout);
          break;
        case purews::kind::closed:
          if (!e.clean)
            give_up("the connection broke");
          else if (!input_ended_ || answers_due_ > 0)
            give_up("the server closed the connection");
          break;
        case purews::kind::failed:
          give_up(message(e.fault));
          break;
        default:
          break;
      }
    }
  }

  void flush() {
    purews::bytes_view spans[64];
    while (std::size_t const count = machine_.gather(spans)) {
      purews::io_result const sent = purews::send_spans(socket_, {spans, count});
      machine_.consume_output(sent.count, purews::steady_now());
      blocked_ = sent.would_block();
      if (sent.error != 0) return;  // blocked, or broken: then recv() tells
    }
    blocked_ = false;
  }

  int socket_;
  purews::options options_{.entropy = purews::os_entropy};
  purews::endpoint machine_;
  purews::client_request request_;
  std::string line_;
  std::uint64_t answers_due_ = 0;
  purews::instant heard_{};
  bool open_ = false;
  bool input_ended_ = false;
  bool blocked_ = false;
  bool ended_ = false;
  int status_ = 0;
  std::byte scratch_[65536];
};

purews::descriptor connect(purews::uri const& where) {
  purews::os_error last{};
  std::string const host(where.server.host);
  purews::address_list const addresses = purews::resolve(host, where.port());
  last = addresses.error();
  for (purews::socket_address const address : addresses) {
    purews::connect_result attempt = purews::connect_tcp(address);
    last = attempt.error;
    if (!attempt) continue;
    pollfd waits{attempt.socket.number(), POLLOUT, 0};
    poll(&waits, 1, 5000);
    int const code = waits.revents == 0 ? ETIMEDOUT : purews::connect_outcome(attempt.socket.number());
    if (code == 0) return static_cast<purews::descriptor&&>(attempt.socket);
    last = {code, "connect", purews::os_error_kind::system};
  }
  std::fprintf(stderr, "echo_client: cannot reach %s port %u (%s): is the server running?\n", host.c_str(),
               static_cast<unsigned>(where.port()), purews::describe(last).c_str());
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  std::string url;
  command_line::program const program{
      "echo_client", "Sends each line of its input as a text message and prints the answers.", "URL", &url};
  switch (command_line::parse(argc, argv, program, {})) {
    case command_line::outcome::help:
      return 0;
    case command_line::outcome::usage_error:
      return 2;
    case command_line::outcome::run:
      break;
  }
  purews::uri const where = purews::parse_uri(url);
  bool const secure = where.valid() && where.transport == purews::security::tls;
  if (!where.valid() || secure) {
    std::fprintf(stderr, "echo_client: it needs a URL such as ws://127.0.0.1:9001/, not '%s'%s\n", url.c_str(),
                 secure ? " (wss: needs TLS, which this program is built without)" : "");
    return 2;
  }
  purews::descriptor const socket = connect(where);
  if (!socket) return 1;
  return echo_client(socket.number(), {.where = where}).run();
}
