// SPDX-License-Identifier: BSL-1.0

// A program of API calls, of bytes and of time, on a client and a server that are connected, or on one endpoint that
// is fed with raw bytes. api_side.hpp checks each call; here the whole lives are checked, and that each of them ends.
// Input: options, then one octet for each operation and the octets of its arguments.
#include "api_side.hpp"
#include "frames.hpp"
#include "head_model.hpp"

using namespace purews;
using test::octets;

namespace {

// The front of a stream that consists of whole frames.
octets whole_frames(octets const& stream) {
  std::size_t end = 0;
  for (;;) {
    if (stream.size() - end < 2) break;
    unsigned const second = std::to_integer<unsigned>(stream[end + 1]);
    std::size_t const extended = (second & 127U) == 126 ? 2 : (second & 127U) == 127 ? 8 : 0;
    std::size_t const head = 2 + extended + (second >= 128 ? 4U : 0U);
    if (stream.size() - end < head) break;
    std::uint64_t size = extended == 0 ? second & 127U : 0;
    for (std::size_t i = 0; i < extended; ++i) size = size * 256 + std::to_integer<unsigned>(stream[end + 2 + i]);
    if (stream.size() - end - head < size) break;
    end += head + static_cast<std::size_t>(size);
  }
  return {stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(end)};
}

// The frames in what an endpoint has said, behind its head; none if it did not come to that.
octets frames_in(octets const& output, role own) {
  std::string_view text = as_text(output);
  fuzz::plain_head head = fuzz::read_plain_head(text);
  if (head.first_line.starts_with("HTTP/1.1 100 ")) {
    text.remove_prefix(head.size);
    head = fuzz::read_plain_head(text);
  }
  bool const upgraded = own == role::client || head.first_line.starts_with("HTTP/1.1 101 ");
  return head.size == 0 || !upgraded ? octets{} : test::octets_of(text.substr(head.size));
}

// They are in the right order, at most one is a Close, and nothing comes after it; only the first frame of a message
// may have a reserved bit, that of compression.
void check_frames(octets const& frames, role own, unsigned rsv1) {
  bool inside = false, closed = false;
  for (test::parsed_frame const& f : test::parse_frames(whole_frames(frames))) {
    unsigned const op = f.first & 0xFU;
    unsigned const rsv = f.first & 0x70U;
    fuzz::check(!closed, "nothing follows a Close frame");
    fuzz::check(f.masked == (own == role::client), "a client masks, a server does not");
    fuzz::check(rsv == 0 || (rsv == rsv1 && (op == 1 || op == 2)), "no reserved bit is sent");
    fuzz::check(op <= 2 || (op >= 8 && op <= 10), "no reserved opcode is sent");
    fuzz::check(op < 8 || (f.first >= 0x80 && f.payload.size() <= 125), "control frames are whole and short");
    fuzz::check(op >= 8 || (op == 0) == inside, "fragments are in order");
    if (op < 8) inside = f.first < 0x80;
    closed = op == 8;
  }
}

// Whether what was heard is the front of what was said, but for what may have been dropped.
bool follows(std::vector<std::string> const& heard, std::vector<fuzz::said_message> const& said) {
  std::vector<bool> here(said.size() + 1);  // how many of those that were said may be behind us
  here[0] = true;
  for (std::string const& text : heard) {
    std::vector<bool> next(said.size() + 1);
    bool reached = false, any = false;
    for (std::size_t i = 0; i < said.size(); ++i) {
      reached = reached || here[i];
      next[i + 1] = reached && said[i].text == text;
      any = any || next[i + 1];
      reached = reached && said[i].droppable();
    }
    if (!any) return false;
    here = next;
  }
  return true;
}

// The lines of a record are short, its numbers and places follow from each other, and time does not go back.
void check_record(flight_recorder const& record) {
  flight_recorder::entry last[2]{};
  instant at{};
  for (std::size_t i = 0; i < record.size(); ++i) {
    flight_recorder::entry const& e = record[i];
    flight_recorder::entry& before = last[static_cast<int>(e.way)];
    fuzz::check(before.number == 0 || e.number == before.number + 1, "frames are counted");
    std::uint64_t const end = before.offset + frame_header_size(before.length, before.masked) + before.length;
    fuzz::check(before.number == 0 || e.offset == end, "a frame begins where the one before ends");
    fuzz::check(e.at >= at, "what is recorded later came later");
    before = e;
    at = e.at;
    test::exact_copy const line(flight_recorder::json_bytes_max);
    std::size_t const size = flight_recorder::write_json(line.view(), e);
    fuzz::check(as_text(line.view().first(size)).ends_with("}\n"), "an entry is a line");
  }
}

class life {
 public:
  life(options const& with, fuzz::script choices, unsigned flags)
      : choices_(choices),
        rsv1_(with.extension != nullptr ? 0x40U : 0U),
        paired_((flags & 1U) == 0),
        sides_{{(flags & 2U) != 0 ? role::server : role::client, with},
               {(flags & 2U) != 0 ? role::client : role::server, with}} {}

  void run() {
    constexpr int operations_max = 400;
    for (int i = 0; i < operations_max && !choices_.empty(); ++i) operate();
    for (int round = 0; round < 1000 && !over(); ++round) end_of_life();
    for (fuzz::api_side& s : living()) judge(s);
  }

 private:
  std::span<fuzz::api_side> living() { return {sides_, paired_ ? 2U : 1U}; }
  fuzz::api_side& other(fuzz::api_side const& s) { return &s == &sides_[0] ? sides_[1] : sides_[0]; }
  bool over() {
    for (fuzz::api_side& s : living())
      if (!s.closed()) return false;
    return true;
  }

  // Few octets for short payloads, one for a long one.
  octets payload() {
    unsigned const size = choices_.octet();
    if (size >= 200) return octets((size - 199) * 100, std::byte{'x'});
    bytes_view const some = choices_.take(size % 64);
    return {some.begin(), some.end()};
  }

  send_options manner(unsigned what) {
    if ((what & 64U) == 0) return {};
    unsigned const flags = choices_.octet();
    return {.when_full = static_cast<overflow>((flags & 7U) % 5),
            .key = flags >> 3 & 1U,
            .compress = static_cast<compression>((flags >> 5) % 3)};
  }

  void operate() {
    unsigned const what = choices_.octet();
    fuzz::api_side& s = paired_ && (what & 1U) != 0 ? sides_[1] : sides_[0];
    if (s.closed()) return;  // its loop has closed the socket
    opcode const op = (what & 32U) != 0 ? opcode::text : opcode::binary;
    switch (what >> 1 & 15U) {
      case 0:
      case 1:
        receive(s, choices_.octet());
        break;
      case 2:
        s.next();
        break;
      case 3:
        s.park();
        break;
      case 4:
        s.toggle_room(choices_.octet() * 4U);
        break;
      case 5:
        s.gather(1 + choices_.octet() % 5);
        break;
      case 6:
        s.consume(choices_.word(), now_);
        break;
      case 7: {
        send_options const how = manner(what);
        s.send(op, payload(), how);
        break;
      }
      case 8: {
        send_options const how = manner(what);
        s.send_prepared(op, payload(), how);
        break;
      }
      case 9:
        s.send_fragment(op, payload(), (what & 64U) != 0 ? fragment::last : fragment::more,
                        (what & 128U) != 0 ? compression::off : compression::automatic);
        break;
      case 10:
        s.ping(payload());
        break;
      case 11: {
        unsigned const code = choices_.word();
        s.close((what & 64U) != 0 ? 1000 : code, as_text(payload()));
        break;
      }
      case 12:
        if ((what & 192U) == 192U) s.abort();
        if ((what & 192U) == 64U) s.record();
        break;
      case 13:
        pass(s, choices_.octet());
        break;
      case 14:
        s.open((what & 64U) == 0);
        break;
      default:
        if (!paired_ && !s.eof && (what & 64U) != 0) s.receive_eof(now_);
        break;
    }
    s.check_gathered();
  }

  // Brings bytes: of the peer, or of the input.
  void receive(fuzz::api_side& s, unsigned how) {
    if (s.eof || (!s.machine.wants_input() && how % 8 != 0)) return;  // one more may come after that
    std::size_t const size = 1U + (how >> 2) * (how >= 128 ? 50U : 1U);
    if (paired_) {
      deliver(s, size, (how & 1U) != 0);
    } else if (bytes_view const piece = choices_.take(size); !piece.empty()) {
      for (bytes_view rest = piece; !rest.empty();) rest = rest.subspan(s.receive(rest, now_, (how & 1U) != 0));
    }
    if ((how & 2U) != 0) s.drain();
  }

  bool deliver(fuzz::api_side& s, std::size_t size, bool direct) {
    octets const& wire = other(s).output;
    std::size_t const left = wire.size() - s.received;
    if (left != 0) s.receive(bytes_view(wire).subspan(s.received, size < left ? size : left), now_, direct);
    if (left == 0 && (other(s).shut() || other(s).closed())) s.receive_eof(now_);
    return left != 0;
  }

  void pass(fuzz::api_side& s, unsigned how) {
    static constexpr std::int64_t steps_ms[] = {0, 1, 900, 1000, 4999, 5000, 10'000, 25'000};
    instant const deadline = s.machine.deadline();
    if ((how & 8U) != 0 && deadline != never && deadline > now_)
      now_ = (how & 16U) != 0 ? deadline : instant{deadline.ns - 1};
    else
      now_ = now_ + milliseconds(steps_ms[how % 8]);
    s.advance(now_);
  }

  // Everything flows, everybody says goodbye, and the time runs to whatever is due.
  void end_of_life() {
    bool moved = false;
    instant due = never;
    for (fuzz::api_side& s : living()) {
      if (s.closed()) continue;
      s.settle();
      s.drain();
      if (s.machine.current() == state::open) s.close(1000, {});
      s.gather(4);
      moved = moved || s.gathering();
      s.consume(SIZE_MAX, now_);
      if (paired_ && !s.eof && s.machine.wants_input()) moved = deliver(s, SIZE_MAX, false) || moved;
      s.drain();
      if (!s.closed() && s.machine.deadline() < due) due = s.machine.deadline();
    }
    if (moved || due == never) return;
    if (due > now_) now_ = due;
    for (fuzz::api_side& s : living())
      if (!s.closed()) s.advance(now_);
  }

  void judge(fuzz::api_side& s) {
    fuzz::check(s.closed(), "every life ends");
    s.settle();
    s.drain();
    fuzz::check(s.ended || s.aborted, "every end is told");
    check_frames(frames_in(s.output, s.machine.own_role()), s.machine.own_role(), rsv1_);
    check_record(s.recorder);
    if (!paired_) return;
    fuzz::api_side const& peer = other(s);
    if (s.recorded_from_start) fuzz::check_record(s.recorder, frames_in(peer.output, peer.machine.own_role()));
    fuzz::check(follows(s.heard, peer.said), "what is heard is what was said, in order");
    fuzz::check(s.heard.size() + peer.machine.dropped().oldest <= peer.said.size(), "what was dropped is not heard");
    static constexpr error possible[] = {error::none,          error::handshake_timeout, error::pong_timeout,
                                         error::close_timeout, error::write_timeout,     error::answer_status,
                                         error::answer_eof};
    bool known = false;
    for (error const e : possible) known = known || s.fault == e;
    fuzz::check(known, "two endpoints of ours break no rule", test::name(s.fault));
  }

  fuzz::script choices_;
  unsigned rsv1_;
  bool paired_;
  instant now_{};
  fuzz::api_side sides_[2];
};

}  // namespace

void fuzz::one_input(bytes_view in) {
  static permessage_deflate const deflate;
  script choices(in);
  unsigned const flags = choices.octet();
  options with{.entropy = test::zero_entropy};
  if ((flags & 4U) != 0) with.deliver = delivery::pieces;
  if ((flags & 8U) != 0) with.limit.queue_bytes_max = 1000;
  if ((flags & 16U) != 0) with.limit.queue_bytes_high = 500;
  if ((flags & 32U) != 0) with.limit.linger_bytes_max = 100;
  if ((flags & 64U) != 0) with.timeout.ping = forever;
  if ((flags & 128U) != 0) with.extension = &deflate;
  life(with, choices, flags).run();
}
