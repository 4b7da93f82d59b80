// SPDX-License-Identifier: BSL-1.0
#include "script.hpp"

#include <fstream>
#include <map>
#include <random>
#include <set>

#include "support/catch.hpp"

namespace {

using namespace purews;
using cuts = std::vector<std::size_t>;

struct outcome {
  std::vector<std::string> events;
  test::octets out;
  transport_action transport;
};

// After the end of a connection nothing that the peer sends is reported or answered.
void go_on_after_the_end(test::vector const& v, connection& c, test::machine_driver<connection>& driver) {
  if (c.current() != state::closed || c.transport() == transport_action::close) return;
  driver.receive(test::peer_frame(v.own, 0x81, "too late"));
  driver.receive(test::peer_frame(v.own, 0x89, "too late"));
  driver.receive(test::peer_frame(v.own, 0x88, "\x03\xe8"));
  driver.flush();
  if (c.transport() == transport_action::close) throw std::runtime_error("closed too early");
  driver.receive_eof();
  driver.flush();
  if (c.transport() != transport_action::close) throw std::runtime_error("not closed after the peer's end");
}

// What a loop may do in a manner, if the vector says when its output is taken.
test::manner allowed(test::vector const& v, test::manner how) {
  if (v.output == test::taking::any) return how;
  how.overlap = false;
  how.withhold = v.output == test::taking::withheld;
  if (v.output == test::taking::taken) how.writes_max = SIZE_MAX;
  return how;
}

// Which of a vector's two inputs is received. The frames of a client have the key zero in one, another key in the
// other.
enum class masks { zero, keyed };

outcome run(test::vector const& v, cuts const& at, test::manner const& how, masks of_frames) {
  test::restart_keys(v.masks);
  connection c(v.own, v.with, instant{1'000'000'000});
  if (v.begin) v.begin(c);
  test::machine_driver<connection> driver(c, allowed(v, how));
  std::size_t base = 0;
  auto cut = at.begin();
  for (test::step const& step : v.steps) {
    if (step.act) {
      step.act(c, driver);
      continue;
    }
    std::span<std::byte const> const in = of_frames == masks::zero ? step.in : step.keyed;
    for (std::size_t done = 0; done < in.size();) {
      while (cut != at.end() && *cut <= base + done) ++cut;
      std::size_t const end = cut == at.end() || *cut > base + in.size() ? in.size() : *cut - base;
      driver.receive(in.subspan(done, end - done));
      done = end;
    }
    base += in.size();
  }
  driver.drain();
  driver.flush();
  outcome result{driver.events, driver.output, c.transport()};
  go_on_after_the_end(v, c, driver);
  if (driver.events != result.events) throw std::runtime_error("an event after the end");
  if (driver.output != result.out) throw std::runtime_error("output after the end");
  if (v.read_output) result.out = v.read_output(result.out);
  return result;
}

std::vector<test::manner> const manners = {
    {},
    {.park_after = 0},
    {.park_after = 1},
    {.room = 4096},
    {.room = 40},
    {.write_max = 1},
    {.write_max = 3, .writes_max = 1, .spans_max = 1},
    {.write_max = 5, .overlap = true},
    {.direct = true},
    {.withhold = true},
    {.park_after = 0, .room = 200, .write_max = 7, .writes_max = 1},
    {.room = 60, .withhold = true},
};

std::string describe(cuts const& at, test::manner const& how) {
  std::string text = "cut at";
  for (std::size_t i = 0; i < at.size() && i < 20; ++i) text += ' ' + std::to_string(at[i]);
  return text + (at.size() > 20 ? " ..." : "") + "; " + how.describe();
}

std::string describe(std::vector<std::string> const& events, test::octets const& out, transport_action transport) {
  std::string text;
  for (std::size_t i = 0; i < events.size() && i < 20; ++i) text += "\n  event " + events[i];
  if (events.size() > 20) text += "\n  ... " + std::to_string(events.size()) + " events";
  return text + "\n  out " + test::describe(out) + "\n  transport " + test::name(transport);
}

// Empty if the outcome is the expected one.
std::string check(test::vector const& v, cuts const& at, test::manner const& how, masks of_frames) {
  std::string problem;
  try {
    outcome const got = run(v, at, how, of_frames);
    if (got.events == v.events && got.out == v.out && got.transport == v.transport) return {};
    problem = describe(got.events, got.out, got.transport);
  } catch (std::exception const& e) {
    problem = e.what();
  }
  return v.where + ": " + v.name + "\n" + describe(at, how) + (of_frames == masks::zero ? "" : ", keyed") +
         "\ngot: " + problem + "\nexpected: " + describe(v.events, v.out, v.transport);
}

cuts random_cuts(std::size_t size, std::mt19937& random) {
  cuts at;
  std::size_t const step = size / (1 + random() % 8) + 1;
  for (std::size_t i = 1 + random() % step; i < size; i += 1 + random() % step) at.push_back(i);
  return at;
}

// Every place to cut an input of this size: all near both ends, and every `stride`-th between.
cuts places(std::size_t size, std::size_t stride) {
  cuts at;
  for (std::size_t i = 1; i < size; i += i < 200 || size - i < 200 ? 1 : stride) at.push_back(i);
  return at;
}

std::string check_all_ways(test::vector const& v) {
  std::size_t const size = v.input_bytes();
  bool const is_short = size <= 2048;
  // What is long is cut at every byte too, but not in every manner; of its pieces, and of a megabyte, some are enough.
  bool const everywhere = is_short || (size <= 80'000 && v.with.deliver == delivery::whole);
  std::string problem;
  std::size_t turn = 0;
  auto const holds = [&](cuts const& at, test::manner const& how) {
    problem = check(v, at, how, turn++ % 2 == 0 ? masks::zero : masks::keyed);
    return problem.empty();
  };
  cuts const some = places(size, is_short ? 1 : 97), all = places(size, everywhere ? 1 : 97);
  for (test::manner const& how : manners)
    if (!holds({}, how) || !holds({}, how) || !holds(some, how) || !holds(some, how)) return problem;
  if (!is_short && !holds(all, {})) return problem;
  std::mt19937 random(static_cast<unsigned>(size));
  for (std::size_t i = 0; i < 24; ++i)
    if (!holds(random_cuts(size, random), manners[i % manners.size()])) return problem;
  for (std::size_t const i : all) {
    if (!holds({i}, manners[i % manners.size()])) return problem;
    if (is_short && !holds({i}, {})) return problem;
  }
  return problem;
}

// The tests run in the project's root. Elsewhere this file may say where it is, unless its path was made relative.
std::string folder() {
  std::string const root = "tests/vectors/";
  std::string const here = __FILE__;
  return std::ifstream(root + "vectors.cpp") ? root : here.substr(0, here.find_last_of('/') + 1);
}

std::vector<test::vector> const& vectors(std::string const& file) {
  static std::map<std::string, std::vector<test::vector>> read;
  auto const found = read.find(file);
  return found != read.end() ? found->second : read.emplace(file, test::read_vectors(folder() + file)).first->second;
}

constexpr std::string_view files[] = {"examples.vec", "framing.vec", "fragments.vec", "utf8.vec",
                                      "close.vec",    "calls.vec",   "time.vec",      "deflate.vec"};

}  // namespace

void test::check_file(std::string const& file) {
  for (test::vector const& v : vectors(file)) CHECK(check_all_ways(v) == "");
}

using test::check_file;

TEST_CASE("5.7: the examples of RFC 6455") { check_file("examples.vec"); }

TEST_CASE("5: framing, F-01 to F-63", "[hazard-02][hazard-03][hazard-16][hazard-18]") { check_file("framing.vec"); }

TEST_CASE("5.4: fragments and limits, F-25 to F-61", "[hazard-09][hazard-23][hazard-24][hazard-25][hazard-27]") {
  check_file("fragments.vec");
}

TEST_CASE("8.1: UTF-8, U-01 to U-08") { check_file("utf8.vec"); }

TEST_CASE("5 to 7: what the application says, F-04 to C-17") { check_file("calls.vec"); }

TEST_CASE("5.5.2 and 7: what time does, C-12 to C-17", "[hazard-31]") { check_file("time.vec"); }

TEST_CASE("5.5.1 and 7: Close, C-01 to C-17", "[hazard-17][hazard-19]") { check_file("close.vec"); }

// Two vectors are different if something else happens in them, to a connection of this role or of the other.
TEST_CASE("there are at least 600 vectors, all of them different, and all with names of their own") {
  std::set<std::string> scripts, names, all;
  std::size_t runs = 0;
  for (std::string_view const file : files) {
    if (file == "deflate.vec" && !test::read_deflate) continue;
    for (test::vector const& v : vectors(std::string(file))) {
      ++runs;
      scripts.insert(v.script);
      names.insert(v.name);
      std::string const mode = v.with.deliver == delivery::whole ? "whole\n" : "pieces\n";
      INFO(v.where << ": " << v.name);
      CHECK(all.insert("name " + mode + v.name).second);
      CHECK(all.insert("script " + mode + v.script).second);
    }
  }
  WARN(scripts.size() << " different vectors with " << names.size() << " names, delivered in " << runs << " ways");
  CHECK(scripts.size() >= 600);
  CHECK(names.size() >= 600);
}

TEST_CASE("a vector that expects something else is noticed") {
  auto const& good = vectors("examples.vec").front();
  auto const differs = [&](auto change) {
    test::vector v = good;
    change(v);
    outcome const got = run(v, {}, {}, masks::zero);
    return got.events != v.events || got.out != v.out || got.transport != v.transport;
  };
  CHECK_FALSE(differs([](test::vector&) {}));
  CHECK(differs([](test::vector& v) { v.events.clear(); }));
  CHECK(differs([](test::vector& v) { v.out.push_back(std::byte{0}); }));
  CHECK(differs([](test::vector& v) { v.transport = transport_action::close; }));
}
