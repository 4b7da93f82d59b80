// SPDX-License-Identifier: BSL-1.0

// chat.v1.proto on anything a client may send, and its writer on anything it may be given.
// Input: the bytes of one message; for the writer they are cut at each NUL.
#include "chat/format.hpp"
#include "chat_model.hpp"
#include "examples/chat_speaker.hpp"

namespace {

using fuzz::chat_model::write;

using test::json;

bool is_utf8(std::string_view text) { return fuzz::utf8_model(purews::as_bytes(text)).valid; }

// A request that was understood says the same when a client of this format says it again.
template <class Request>
void understood(Request const& request, chat::format& server) {
  test::proto_speaker client;
  auto const again = server.read(client.write(write(request)).back()).asked;
  auto const* const same = again ? std::get_if<Request>(&*again) : nullptr;
  fuzz::check(same != nullptr && write(*same) == write(request), "a request survives being written");
}
void understood(chat::fault const& wrong, chat::format& server) {
  fuzz::check(test::proto_speaker().read(server.write(wrong))["message"] == wrong.message, "so does a fault");
}

}  // namespace

void fuzz::one_input(purews::bytes_view in) {
  static auto const server = chat::make_format("chat.v1.proto");
  auto const got = server->read(purews::as_text(in));
  check(got.asked.has_value() && got.reply.empty(), "each message is a request");
  chat_model::judge(*got.asked);
  std::visit([](auto const& what) { understood(what, *server); }, *got.asked);

  auto const [channel, stored] = chat_model::delivery_of(in);
  if (!is_utf8(channel) || !is_utf8(stored.user) || !is_utf8(stored.text) || !is_utf8(stored.id)) return;
  test::proto_speaker client;
  auto const sent = client.read(server->write(chat::delivery{channel, stored}));
  check(sent["channel"] == channel && sent["user"] == stored.user && sent["text"] == stored.text &&
            sent["id"] == stored.id,
        "a message is written as it is");
  chat::history_page const page{{.channel = channel}, {stored.id, 2, {stored, stored}}};
  auto const history = client.read(server->write(page));
  check(history["messages"].size() == 2 && history["messages"][1]["text"] == stored.text, "so is a history");
}
