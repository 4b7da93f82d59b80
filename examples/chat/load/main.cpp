// SPDX-License-Identifier: BSL-1.0
// Many users of the chat: how many messages it keeps and delivers in a second, how long that takes, and whether it
// keeps its promises (docs/delivery.md) meanwhile. Kill the server, start it again: the promises hold.
#include <algorithm>
#include <deque>
#include <string>

#include "../../common/command_line.hpp"
#include "../../common/process.hpp"
#include "user.hpp"

namespace {

using namespace chat_load;

struct plan {
  std::uint64_t users = 50, channels = 5, seconds = 10, rate = 100, window = 4, bytes = 64, patience = 60;
};

/// The run from the first connection to the verdict.
class run {
 public:
  run(plan const& what, std::vector<purews::uri> const& servers, std::vector<purews::socket_address> const& at)
      : plan_(what), truth_(what.users), all_{.loop = loop_, .truth = truth_, .bytes = what.bytes} {
    std::string const name = "load-" + std::to_string(all_.random() % 1'000'000);
    for (std::uint64_t i = 0; i < what.channels; ++i)
      channels_.push_back({.number = i, .name = name + "-" + std::to_string(i)});
    for (std::uint64_t i = 0; i < what.users; ++i) {
      std::size_t const server = i % servers.size();
      users_.emplace_back(all_, i, channels_[i % what.channels], servers[server], at[server], name).start();
    }
  }

  int operator()() {
    stage_begun_ = purews::steady_now();
    timer_ = loop_.after({}, [this] { tick(); });
    loop_.run();
    return report();
  }

  void stop() noexcept { loop_.stop(); }

 private:
  enum class stage { joining, talking, settling, reading, comparing, leaving };
  static constexpr char const* waits_for[] = {"all users to join", "the end",        "acks",
                                              "the history",       "all deliveries", "the connections to end"};

  // Every few milliseconds: what a stage does, and whether it is over.
  void tick() {
    if (!all_.trouble.empty()) return loop_.stop();
    if (stage_over()) {
      if (stage_ == stage::leaving) return loop_.stop();
      next_stage();
    } else if (stage_ != stage::talking && since_stage() > purews::seconds(static_cast<std::int64_t>(plan_.patience))) {
      all_.trouble = "waited in vain for " + std::string(waits_for[static_cast<int>(stage_)]);
      return loop_.stop();
    }
    timer_ = loop_.after(purews::milliseconds(2), [this] { tick(); });
  }

  void next_stage() {
    if (stage_ == stage::joining) begun_ = loop_.now();
    if (stage_ == stage::settling) settled_ = loop_.now();
    stage_ = static_cast<stage>(static_cast<int>(stage_) + 1);
    stage_begun_ = loop_.now();
    if (stage_ != stage::leaving) return;
    for (channel const& c : channels_)
      if (c.number < users_.size()) truth_.ends(c.name, *reader(c).history());
    for (user& u : users_) u.leave();
  }

  purews::duration since_stage() const { return loop_.now() - stage_begun_; }
  bool each(auto const& is) const { return std::all_of(users_.begin(), users_.end(), is); }
  user& reader(channel const& of) { return users_[of.number]; }  // if there are so many

  bool stage_over() {
    switch (stage_) {
      case stage::joining:
        return each([](user const& u) { return u.joined(); });
      case stage::talking:
        talk();
        return since_stage() >= purews::seconds(static_cast<std::int64_t>(plan_.seconds));
      case stage::settling:
        return each([](user const& u) { return u.joined() && u.waiting() == 0; });
      case stage::reading: {
        bool all_read = true;
        for (channel const& c : channels_) {
          if (c.number >= users_.size()) continue;
          reader(c).read_history();
          all_read = all_read && reader(c).history().has_value();
        }
        return all_read;
      }
      case stage::comparing:
        return each([this](user const& u) {
          auto const& stored = *reader(u.in()).history();
          return stored.empty() || u.position() >= stored.back().seq;
        });
      case stage::leaving:
        break;
    }
    return each([](user const& u) { return u.gone(); });
  }

  // With a rate: as many as are due. Without: each user as soon as few enough are not acknowledged.
  void talk() {
    if (plan_.rate == 0) {
      for (user& u : users_)
        while (u.joined() && u.waiting() < plan_.window) u.say();
      return;
    }
    auto const due =
        static_cast<std::uint64_t>(static_cast<double>(since_stage().ns) / 1e9 * static_cast<double>(plan_.rate));
    for (; all_.sent < due; ++next_) {
      if (each([this](user const& u) { return u.waiting() >= 100 * plan_.window; })) return;  // a server that is away
      user& u = users_[next_ % users_.size()];
      if (u.waiting() < 100 * plan_.window) u.say();
    }
  }

  int report() {
    double const talked = static_cast<double>((settled_ - begun_).ns) / 1e9;
    auto const rate = [&](std::uint64_t n) { return talked > 0 ? static_cast<double>(n) / talked : 0.0; };
    std::printf("%zu users in %zu channels, %.1f s\n", users_.size(), channels_.size(), talked);
    std::printf("  sent          %10llu, of them again %llu\n", count(all_.sent), count(all_.repeats));
    std::printf("  acknowledged  %10llu  %10.0f durable messages/s\n", count(truth_.acknowledged()),
                rate(truth_.acknowledged()));
    std::printf("  delivered     %10llu  %10.0f deliveries/s\n", count(truth_.deliveries()), rate(truth_.deliveries()));
    std::printf("  stored        %10llu\n", count(truth_.stored()));
    print("send to ack", all_.to_ack);
    print("commit to delivery", all_.delivery);
    std::printf("  connections lost %llu, reloads %llu, too fast %llu\n", count(all_.reconnects), count(all_.reloads),
                count(all_.too_fast));
    for (std::string const& sentence : truth_.first_faults()) std::printf("  FAULT %s\n", sentence.c_str());
    if (!all_.trouble.empty()) {
      std::fflush(stdout);
      std::fprintf(stderr, "chat_load: %s\n", all_.trouble.c_str());
      return 1;
    }
    std::printf(truth_.faults() == 0 ? "  every promise was kept\n" : "  %llu faults\n", count(truth_.faults()));
    return truth_.faults() == 0 ? 0 : 1;
  }

  static unsigned long long count(std::uint64_t n) { return n; }
  static void print(char const* what, latencies& times) {
    std::printf("  %-18s p50 %.2f, p90 %.2f, p99 %.2f, p99.9 %.2f, most %.2f ms\n", what, times.percentile(0.5),
                times.percentile(0.9), times.percentile(0.99), times.percentile(0.999), times.percentile(1));
  }

  plan plan_;
  purews::default_loop loop_;
  checker truth_;
  crowd all_;
  std::deque<channel> channels_;
  std::deque<user> users_;
  purews::default_loop::timer_handle timer_;
  purews::instant begun_{}, settled_{}, stage_begun_{};
  stage stage_ = stage::joining;
  std::size_t next_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  plan what;
  std::string urls = "ws://127.0.0.1:8080/ws";
  command_line::program const program{"chat_load", "Talks to chat servers as many users, and checks what they promise.",
                                      "URL[,URL...]", &urls};
  command_line::flag const flags[] = {
      {"--users", "N", command_line::number{&what.users, 1, 1'000'000}, "users, each on a connection (50)"},
      {"--channels", "M", command_line::number{&what.channels, 1, 100'000}, "channels, among which they are dealt (5)"},
      {"--seconds", "S", command_line::number{&what.seconds, 1, 1'000'000}, "how long they talk (10)"},
      {"--rate", "R", command_line::number{&what.rate, 0, 10'000'000},
       "messages a second of all; 0: at --window (100)"},
      {"--window", "W", command_line::number{&what.window, 1, 10'000},
       "unacknowledged messages of each, at rate 0 (4)"},
      {"--bytes", "B", command_line::number{&what.bytes, 1, 16'384}, "of a text (64)"},
      {"--patience", "S", command_line::number{&what.patience, 1, 1'000'000},
       "seconds to wait for what must come (60)"},
  };
  auto const outcome = command_line::parse(argc, argv, program, flags);
  if (outcome != command_line::outcome::run) return outcome == command_line::outcome::help ? 0 : 2;
  auto const fail = [](int status, std::string const& sentence) {
    std::fprintf(stderr, "chat_load: %s\n", sentence.c_str());
    return status;
  };

  std::deque<std::string> texts;  // the servers are views of them
  std::vector<purews::uri> servers;
  std::vector<purews::socket_address> addresses;
  for (std::size_t from = 0, to = 0; to != urls.npos; from = to + 1) {
    to = urls.find(',', from);
    std::string const& url = texts.emplace_back(urls.substr(from, to - from));
    purews::uri const where = purews::parse_uri(url);
    if (!where.valid() || where.transport == purews::security::tls)
      return fail(2, "it needs a URL such as ws://127.0.0.1:8080/ws, not '" + url + "'");
    purews::address_list const found = purews::resolve(std::string(where.server.host), where.port());
    if (found.begin() == found.end())
      return fail(1, "there is no " + std::string(where.server.host) + " (" + describe(found.error()).c_str() + ")");
    servers.push_back(where);
    addresses.push_back(*found.begin());
  }
  process::raise_descriptor_limit();
  run load(what, servers, addresses);
  process::stopping_signals const stopping(load);
  return load();
}
