// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "frame_model.hpp"
#include "purews/protocol/connection.hpp"

namespace fuzz {

/// Any bytes into an open connection: whole and in pieces, by every kind of loop, as messages and as pieces of messages
/// it must say and answer what the model does. Input: limits and end, two approaches, and the bytes.
inline void try_frames(purews::role own, purews::bytes_view in) {
  script choices(in);
  unsigned const flags = choices.octet();
  purews::options with{.entropy = test::zero_entropy};
  if ((flags & 1U) != 0) with.limit.message_bytes_max = 200;
  if ((flags & 2U) != 0) with.limit.frame_bytes_max = 126;
  if ((flags & 4U) != 0) with.limit.fragments_max = 3;
  auto const end = (flags & 8U) != 0 ? ending::end_of_stream : ending::open;
  approach const ways[] = {{}, read_approach(choices), read_approach(choices)};

  frame_model model(own, with.limit);
  model.read(choices.rest(), end);
  for (purews::delivery const deliver : {purews::delivery::whole, purews::delivery::pieces})
    for (approach const& way : ways) {
      with.deliver = deliver;
      purews::connection machine(own, with, {});
      outcome const got = feed(machine, choices.rest(), way, end);
      outcome const expected{model.events, model.close, model.transport};
      check(got.events == model.events, "the events are those of the model", got, expected);
      check(model.allows(got.output), "the output is that of the model", got, expected);
      check(got.transport == model.transport, "the transport ends as in the model", got, expected);
    }
}

}  // namespace fuzz
