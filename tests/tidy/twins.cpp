// SPDX-License-Identifier: BSL-1.0
#include <map>

#include "tidy.hpp"

namespace tidy {
namespace {

// Headers whose tests are with those of another header, and why.
std::map<std::string, std::string> const grouped = {
    // Nothing but other headers or two numbers: the consumers include them.
    {"include/purews/version.hpp", "tests/package/consumer/main.cpp"},
    {"include/purews/purews.hpp", "tests/package/consumer/main.cpp"},
    {"include/purews/server.hpp", "tests/package/consumer/server.cpp"},
    // Plain values, a concept, and the heap that another program counts.
    {"include/purews/protocol/byte_machine.hpp", "tests/protocol/values.cpp"},
    {"include/purews/protocol/event.hpp", "tests/protocol/values.cpp"},
    {"include/purews/protocol/limits.hpp", "tests/protocol/values.cpp"},
    {"include/purews/protocol/options.hpp", "tests/protocol/values.cpp"},
    {"include/purews/protocol/refusal.hpp", "tests/protocol/values.cpp"},
    {"include/purews/protocol/time.hpp", "tests/protocol/values.cpp"},
    {"include/purews/protocol/memory.hpp", "tests/protocol_oom/endpoint.cpp"},
    {"include/purews/protocol/opening_handshake.hpp", "tests/protocol/endpoint.cpp"},
    {"include/purews/protocol/extension.hpp", "tests/deflate/permessage_deflate.cpp"},
    {"include/purews/protocol/attachments.hpp", "tests/protocol/flight_recorder.cpp"},
    {"include/purews/protocol/send_options.hpp", "tests/protocol/outbox.cpp"},
    {"include/purews/deflate/deflate_pool.hpp", "tests/deflate/deflater.cpp"},
    // Small parts of the simulator, and what drives two machines.
    {"include/purews/sim/dice.hpp", "tests/sim/parts.cpp"},
    {"include/purews/sim/frame_reader.hpp", "tests/sim/parts.cpp"},
    {"include/purews/sim/heap.hpp", "tests/sim/parts.cpp"},
    {"include/purews/sim/link.hpp", "tests/sim/parts.cpp"},
    {"include/purews/sim/trace.hpp", "tests/sim/parts.cpp"},
    {"include/purews/sim/host.hpp", "tests/sim/pair.cpp"},
    {"include/purews/sim/poisoned.hpp", "tests/sim/pair.cpp"},
    {"include/purews/sim/world.hpp", "tests/sim/pair.cpp"},
    // Small parts of the loops, tested together; and what every loop shares, tested as a behaviour of all of them.
    {"include/purews/loop/address.hpp", "tests/loop/socket.cpp"},
    {"include/purews/loop/callback.hpp", "tests/loop/parts.cpp"},
    {"include/purews/loop/clock.hpp", "tests/loop/parts.cpp"},
    {"include/purews/loop/descriptor.hpp", "tests/loop/parts.cpp"},
    {"include/purews/loop/entropy.hpp", "tests/loop/parts.cpp"},
    {"include/purews/loop/error_code.hpp", "tests/loop/parts.cpp"},
    {"include/purews/loop/fixed_text.hpp", "tests/loop/parts.cpp"},
    {"include/purews/loop/flat_array.hpp", "tests/loop/parts.cpp"},
    {"include/purews/loop/os_error.hpp", "tests/loop/parts.cpp"},
    {"include/purews/loop/page_buffer.hpp", "tests/loop/parts.cpp"},
    {"include/purews/loop/handover_queue.hpp", "tests/loop/parts.cpp"},
    {"include/purews/loop/thread.hpp", "tests/loop/parts.cpp"},
    {"include/purews/loop/waker.hpp", "tests/loop/parts.cpp"},
    {"include/purews/loop/basic_asio_loop.hpp", "tests/loop/asio.cpp"},
    {"include/purews/loop/boost_asio.hpp", "tests/loop/asio.cpp"},
    {"include/purews/loop/default_loop.hpp", "tests/loop/loops.cpp"},
    {"include/purews/loop/epoll.hpp", "tests/loop/loops.cpp"},
    {"include/purews/loop/listener.hpp", "tests/loop/loops.cpp"},
    {"include/purews/loop/event_loop.hpp", "tests/loop/loops.cpp"},
    {"include/purews/loop/source.hpp", "tests/loop/loops.cpp"},
    {"include/purews/loop/timer_handle.hpp", "tests/loop/loops.cpp"},
    {"include/purews/loop/watch_handle.hpp", "tests/loop/loops.cpp"},
    {"include/purews/server/counters.hpp", "tests/server/home.cpp"},
    {"include/purews/server/inbox.hpp", "tests/server/home.cpp"},
    {"include/purews/server/session_handle.hpp", "tests/server/home.cpp"},
    {"include/purews/server/work_pool.hpp", "tests/server/home.cpp"},
    {"include/purews/server/options.hpp", "tests/server/server.cpp"},
    {"include/purews/server/shared.hpp", "tests/server/server.cpp"},
    {"include/purews/server/peer.hpp", "tests/server/worker.cpp"},
    {"include/purews/loop/uring_buffers.hpp", "tests/loop/io_uring.cpp"},
    {"include/purews/loop/uring_held.hpp", "tests/loop/io_uring.cpp"},
    {"include/purews/loop/uring_listener.hpp", "tests/loop/io_uring.cpp"},
    {"include/purews/loop/uring_ring.hpp", "tests/loop/io_uring.cpp"},
    {"include/purews/loop/uring_stream.hpp", "tests/loop/io_uring.cpp"},
};

// include/purews/wire/frame.hpp -> tests/wire/frame.cpp
std::string twin_of(std::string const& header) {
  if (auto const found = grouped.find(header); found != grouped.end()) return found->second;
  std::string_view const folder = "include/purews/";
  return "tests/" + header.substr(folder.size(), header.size() - folder.size() - 3) + "cpp";
}

}  // namespace

report twins(tree const& files) {
  report out;
  for (file const& header : files) {
    if (!header.in("include/purews/")) continue;
    std::string const twin = twin_of(header.path);
    if (find(files, twin) == nullptr) out.push_back({header.path, 1, "the header has no test " + twin});
  }
  return out;
}

}  // namespace tidy
