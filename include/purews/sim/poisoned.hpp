// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../protocol/byte_machine.hpp"

namespace purews::inline v0::sim {

/// A machine that destroys what it has lent: the payload of an event is filled with 0xDD when next(), park() or
/// receive() ends its time. Who keeps a view for too long reads rubbish at once, not only when the loop happens to use
/// the room again.
template <byte_machine Machine>
class poisoned : public Machine {
 public:
  using Machine::Machine;

  event next() noexcept {
    spoil();
    event const e = Machine::next();
    lent_ = e.payload;
    return e;
  }

  void park() noexcept {
    spoil();
    Machine::park();
  }

  void receive(bytes in, instant t) noexcept {
    spoil();
    Machine::receive(in, t);
  }

 private:
  void spoil() noexcept {
    for (std::byte& b : lent_) b = std::byte{0xDD};
    lent_ = {};
  }

  bytes lent_{};
};

}  // namespace purews::inline v0::sim
