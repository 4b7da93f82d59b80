// SPDX-License-Identifier: BSL-1.0

// Two open connections that compress: what arrives is what was sent, and what was dropped is counted; a zlib of its
// own, which keeps to the window that was agreed on, reads each compressed message too. Input: windows, takeover and
// limits, then one octet for each operation and the octets of its arguments.
#include <algorithm>
#include <memory>

#include "inflate_model.hpp"
#include "purews/deflate/permessage_deflate.hpp"
#include "purews/protocol/connection.hpp"
#include "support/machine_driver.hpp"

using namespace purews;
using test::octets;

namespace {

struct sent_message {
  octets payload{};
  opcode op = opcode::binary;
  send_options how{};
  bool arrived = false;
};

// One side: its connection, what it said, and a second reader of all that it transmits.
class side {
 public:
  side(role own, options const& with, permessage_deflate const& deflate, deflate_parameters const& agreed)
      : machine(own, with, {}),
        agreed_(agreed.of(own)),
        // With little room a distance beyond the window is noticed: zlib also accepts what lies in its output.
        reader_(agreed.of(own).window_bits, 16) {
    fuzz::check(machine.use(*deflate.make_codec(own, agreed)) == refusal::none, "there is memory for a codec");
  }

  connection machine;
  std::vector<sent_message> said{};
  octets output{};
  std::size_t delivered = 0;  // bytes of it
  bool ended = false;

  // A payload begins with its number, so that it is known again.
  octets numbered(octets const& body) const {
    octets result = test::octets_of(std::to_string(said.size()) + ":");
    result.insert(result.end(), body.begin(), body.end());
    return result;
  }

  void send(opcode op, octets const& body, send_options const& how, bool prepared) {
    octets const payload = numbered(body);
    std::uint64_t const before = dropped();
    refusal why;
    if (prepared) {
      prepared_message const shared(op, payload);
      why = machine.send(shared, how);
    } else {
      why = machine.send(op, payload, how);
    }
    bool const known =
        why == refusal::none || why == refusal::queue_full || why == refusal::message_open || why == refusal::not_open;
    fuzz::check(known, "nothing else is refused", test::name(why));
    fuzz::check(why != refusal::queue_full || how.when_full != overflow::drop_newest, "what may be dropped is taken");
    if (how.when_full == overflow::refuse || how.when_full == overflow::close)
      fuzz::check(dropped() == before, "only those drop who may");
    if (why == refusal::none) said.push_back({payload, op, how});
  }

  void send_fragment(opcode op, octets const& body, fragment position, compression compress) {
    octets const part = inside_ ? body : numbered(body);
    if (inside_) op = begun_.op;
    if (machine.send_fragment(op, part, position, compress) != refusal::none) return;
    if (!inside_) begun_ = {.op = op};
    begun_.payload.insert(begun_.payload.end(), part.begin(), part.end());
    inside_ = position == fragment::more;
    if (!inside_) said.push_back(begun_);
  }
  bool inside() const { return inside_; }

  // Takes what the socket takes at once.
  bool transmit(std::size_t spans, std::size_t most, instant t) {
    std::vector<bytes_view> list(spans);
    list.resize(machine.gather(list));
    std::size_t taken = 0;
    for (bytes_view const span : list) {
      bytes_view const part = span.first(span.size() < most - taken ? span.size() : most - taken);
      output.insert(output.end(), part.begin(), part.end());
      taken += part.size();
    }
    if (!list.empty()) machine.consume_output(taken, t);
    return taken != 0;
  }

  void toggle_room(std::size_t size) {
    if (room_ != nullptr) {
      machine.lend_output({});
      room_.reset();
    } else if (size != 0) {
      room_ = std::make_unique<test::exact_copy>(size);
      machine.lend_output(room_->view());
    }
  }

  std::uint64_t dropped() const {
    drop_counts const d = machine.dropped();
    return d.oldest + d.newest + d.conflated;
  }

  // What the peer heard: one of ours, once.
  void heard(opcode op, octets const& payload) {
    std::size_t const number = number_of(payload);
    fuzz::check(number < said.size(), "what is heard was said");
    sent_message& m = said[number];
    fuzz::check(!m.arrived, "each message arrives once");
    fuzz::check(m.op == op && m.payload == payload, "what arrives is what was sent");
    m.arrived = true;
    if (m.how.when_full == overflow::conflate) return;  // it takes the place of another
    fuzz::check(number >= next_, "messages arrive in order");
    next_ = number + 1;
  }

  // Everything has left. Where both sides closed in good order, everything that was not dropped arrived.
  void judge(bool all) const {
    std::uint64_t missing = 0;
    for (sent_message const& m : said) {
      if (m.arrived) continue;
      ++missing;
      bool const may = m.how.when_full != overflow::refuse && m.how.when_full != overflow::close;
      fuzz::check(may || !all, "what may not be dropped arrives");
    }
    if (all) fuzz::check(missing == dropped(), "each drop is counted", std::to_string(missing));
  }

  // The second reader: what was transmitted, message by message, without the library.
  void read_again() {
    octets message;
    bool packed = false;
    for (test::parsed_frame const& f : test::parse_frames(output)) {
      if ((f.first & 0x8U) != 0) continue;
      if ((f.first & 0xFU) != 0) {
        message.clear();
        packed = (f.first & 0x40U) != 0;
      }
      message.insert(message.end(), f.payload.begin(), f.payload.end());
      if (f.first < 0x80) continue;
      if (packed) message = unpack(message);
      std::size_t const number = number_of(message);
      fuzz::check(number < said.size() && said[number].payload == message, "zlib reads what was sent");
      fuzz::check(!packed || said[number].how.compress != compression::off, "what must not be compressed is not");
    }
  }

 private:
  static std::size_t number_of(octets const& payload) {
    std::size_t number = 0;
    for (std::byte const b : payload) {
      if (b == std::byte{':'}) return number;
      number = number * 10 + (std::to_integer<std::size_t>(b) - '0') % 10;
    }
    return SIZE_MAX;
  }

  octets unpack(octets const& message) {
    reader_.begin_message();
    fuzz::check(reader_.feed(message) && reader_.end(), "what is transmitted is DEFLATE within its window");
    octets const text = reader_.text;
    if (agreed_.history == context::no_takeover) reader_.forget();
    return text;
  }

  deflate_side agreed_;
  fuzz::inflate_model reader_;
  sent_message begun_{};
  bool inside_ = false;
  std::size_t next_ = 0;
  std::unique_ptr<test::exact_copy> room_{};
};

class life {
 public:
  life(options const& with, permessage_deflate const& deflate, deflate_parameters const& agreed, fuzz::script choices)
      : choices_(choices), sides_{{role::server, with, deflate, agreed}, {role::client, with, deflate, agreed}} {}

  void run() {
    constexpr int operations_max = 300;
    for (int i = 0; i < operations_max && !choices_.empty() && made_ < 300'000; ++i) operate();
    for (side& s : sides_) s.toggle_room(0);
    finish();
    bool const all = !sides_[0].ended && !sides_[1].ended;
    for (side& s : sides_) {
      s.judge(all);
      s.read_again();
    }
  }

 private:
  side& other(side const& s) { return &s == &sides_[0] ? sides_[1] : sides_[0]; }

  // ASCII of every kind: from the input, one letter, noise, or a part of what was made before.
  octets body() {
    unsigned const what = choices_.octet();
    std::size_t const size = (what & 4U) != 0 ? choices_.word() % 40'000 : choices_.octet();
    octets result;
    if ((what & 3U) == 0) {
      bytes_view const some = choices_.take(size % 64);
      for (std::byte const b : some) result.push_back(b & std::byte{0x7F});
    } else if ((what & 3U) == 1) {
      result.assign(size, static_cast<std::byte>('a' + (what >> 3) % 16));
    } else if ((what & 3U) == 2) {
      std::uint32_t random = what;
      for (std::size_t i = 0; i < size; ++i) {
        random = random * 1664525U + 1013904223U;
        result.push_back(static_cast<std::byte>('0' + (random >> 24) % 64));
      }
    } else {
      std::size_t const back = choices_.word();
      std::size_t const from = pool_.size() > back ? pool_.size() - back : 0;
      std::size_t const there = std::min(size, pool_.size() - from);
      result.assign(pool_.begin() + static_cast<std::ptrdiff_t>(from),
                    pool_.begin() + static_cast<std::ptrdiff_t>(from + there));
    }
    pool_.insert(pool_.end(), result.begin(), result.end());
    made_ += result.size();
    return result;
  }

  send_options how() {
    unsigned const flags = choices_.octet();
    return {.when_full = static_cast<overflow>((flags & 7U) % 5),
            .key = flags >> 3 & 3U,
            .compress = static_cast<compression>((flags >> 5) % 3)};
  }

  void operate() {
    unsigned const what = choices_.octet();
    side& s = sides_[what & 1U];
    opcode const op = (what & 16U) != 0 ? opcode::text : opcode::binary;
    switch (what >> 1 & 7U) {
      case 0:
      case 1: {
        send_options const options = how();
        s.send(op, body(), options, (what & 2U) != 0);
        break;
      }
      case 2: {
        send_options const options = how();
        s.send_fragment(op, body(), (what & 32U) != 0 ? fragment::last : fragment::more, options.compress);
        break;
      }
      case 3:
        s.transmit(1 + choices_.octet() % 5, (what & 32U) != 0 ? SIZE_MAX : choices_.octet() * 16U, now_);
        break;
      case 4:
        deliver(s, 1 + choices_.octet() * ((what & 32U) != 0 ? 256U : 1U));
        break;
      case 5: {
        // All that is there, in small pieces.
        std::size_t const step = 1 + choices_.octet();
        while (deliver(s, step)) continue;
        break;
      }
      case 6:
        now_ = now_ + ((what & 32U) != 0 ? seconds(11) : seconds(1));
        s.machine.advance(now_);
        hear(s);
        break;
      default:
        s.toggle_room(choices_.octet() * 16U);
        break;
    }
  }

  // Brings the next bytes of the other side.
  bool deliver(side& s, std::size_t size) {
    side& from = other(s);
    std::size_t const left = from.output.size() - from.delivered;
    if (left == 0) return false;
    size = std::min(size, left);
    test::exact_copy const lent(bytes_view(from.output).subspan(from.delivered, size));
    from.delivered += size;
    s.machine.receive(lent.view(), now_);
    hear(s);
    return true;
  }

  void hear(side& s) {
    for (;;) {
      event const e = s.machine.next();
      if (e.what == kind::none) return;
      fuzz::check(e.what != kind::failed, "two connections of ours break no rule", test::name(e.fault));
      if (e.what == kind::closed) s.ended = true;
      octets& piece = pieces_[&s == &sides_[0] ? 0 : 1];
      if (e.what != kind::message && e.what != kind::fragment) continue;
      piece.insert(piece.end(), e.payload.begin(), e.payload.end());
      if (e.what == kind::fragment && !e.fin) continue;
      other(s).heard(e.op, piece);
      piece.clear();
    }
  }

  void finish() {
    for (side& s : sides_) {
      flow();
      if (s.inside()) s.send_fragment(opcode::binary, {}, fragment::last, compression::automatic);
      fuzz::check(!s.inside() || s.machine.current() != state::open, "a queue that is empty takes a fragment");
    }
    flow();
    for (side& s : sides_) fuzz::check(s.machine.queued_bytes() == 0, "everything leaves");
  }

  void flow() {
    for (bool moved = true; moved;) {
      moved = false;
      for (side& s : sides_) {
        moved = s.transmit(4, SIZE_MAX, now_) || moved;
        moved = deliver(s, SIZE_MAX) || moved;
      }
    }
  }

  fuzz::script choices_;
  instant now_{};
  octets pool_ = test::octets_of("the quick brown fox jumps over the lazy dog");
  octets pieces_[2];
  std::size_t made_ = 0;
  side sides_[2];
};

deflate_side read_side(fuzz::script& choices) {
  unsigned const octet = choices.octet();
  return {.history = (octet & 8U) != 0 ? context::no_takeover : context::takeover,
          .window_bits = static_cast<std::uint8_t>(8 + (octet & 7U))};
}

}  // namespace

void fuzz::one_input(bytes_view in) {
  script choices(in);
  deflate_parameters const agreed{.server = read_side(choices), .client = read_side(choices)};
  unsigned const flags = choices.octet();
  deflate_options const deflate_with{
      .most = agreed, .effort = {.level = static_cast<int>(1 + (flags >> 4) % 9)}, .kept_max = flags & 1U};
  permessage_deflate const deflate(deflate_with);
  options with{.entropy = test::zero_entropy, .extension = &deflate};
  with.timeout.ping = with.timeout.write = with.timeout.close = forever;
  if ((flags & 2U) != 0) with.deliver = delivery::pieces;
  if ((flags & 4U) != 0) with.limit.queue_bytes_max = 2000;
  if ((flags & 8U) != 0) with.limit.queue_bytes_max = 30'000;
  life(with, deflate, agreed, choices).run();
}
