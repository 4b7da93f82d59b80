// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "frame_model.hpp"
#include "purews/deflate/permessage_deflate.hpp"
#include "purews/protocol/connection.hpp"

namespace fuzz {

/// Whether each header that was recorded stands in `in` where the recorder says.
inline void check_record(purews::flight_recorder const& record, purews::bytes_view in) {
  std::uint64_t next = 0;
  for (std::size_t i = 0; i < record.size(); ++i) {
    auto const& e = record[i];
    if (e.way == purews::flight_recorder::direction::sent) continue;
    check(next == 0 || e.number == next, "each frame is recorded, in order");
    next = e.number + 1;
    check(e.offset + 2 <= in.size(), "a recorded frame was received");
    unsigned const first = std::to_integer<unsigned>(in[static_cast<std::size_t>(e.offset)]);
    unsigned const recorded = (e.fin ? 0x80U : 0U) | static_cast<unsigned>(e.rsv) << 4 | static_cast<unsigned>(e.op);
    check(first == recorded, "a header is recorded as it came");
  }
}

/// Any bytes into an open connection: whole and in pieces, by every kind of loop, as messages and as pieces of messages
/// it must say and answer what the model does. Input: limits, compression and end, two approaches, and the bytes.
inline void try_frames(purews::role own, purews::bytes_view in) {
  static purews::permessage_deflate const deflate;
  script choices(in);
  unsigned const flags = choices.octet();
  bool const packed = (flags & 16U) != 0, takeover = (flags & 32U) == 0;
  purews::options with{.entropy = test::zero_entropy};
  if (packed) with.limit.message_bytes_max = 70'000;  // the most that one input can make of itself, in time
  if ((flags & 1U) != 0) with.limit.message_bytes_max = 200;
  if ((flags & 2U) != 0) with.limit.frame_bytes_max = 126;
  if ((flags & 4U) != 0) with.limit.fragments_max = 3;
  auto const end = (flags & 8U) != 0 ? ending::end_of_stream : ending::open;
  approach const ways[] = {{}, read_approach(choices), read_approach(choices)};

  inflate_model unpack;
  frame_model model(own, with.limit, packed ? &unpack : nullptr, takeover);
  model.read(choices.rest(), end);
  purews::deflate_parameters agreed;
  if (!takeover) agreed.server.history = agreed.client.history = purews::context::no_takeover;
  for (purews::delivery const deliver : {purews::delivery::whole, purews::delivery::pieces})
    for (approach const& way : ways) {
      with.deliver = deliver;
      purews::connection machine(own, with, {});
      purews::flight_recorder record;
      if (packed)
        check(machine.use(*deflate.make_codec(own, agreed)) == purews::refusal::none, "there is memory for a codec");
      bool const recorded = (way.seed & 1U) != 0;
      if (recorded) check(machine.record(record) == purews::refusal::none, "there is memory for a recorder");
      outcome const got = feed(machine, choices.rest(), way, end);
      outcome const expected{model.events, model.close, model.transport};
      check(got.events == model.events, "the events are those of the model", got, expected);
      check(model.allows(got.output), "the output is that of the model", got, expected);
      check(got.transport == model.transport, "the transport ends as in the model", got, expected);
      if (model.failed)
        check(machine.fault_offset() == model.last_frame, "a fault is where its frame begins",
              std::to_string(machine.fault_offset()) + ", not " + std::to_string(model.last_frame));
      if (recorded) check_record(record, choices.rest());
    }
}

}  // namespace fuzz
