// SPDX-License-Identifier: BSL-1.0
// chat.v1.proto: each message is a Request or an Event of chat.proto.
#include <google/protobuf/stubs/common.h>
#if GOOGLE_PROTOBUF_VERSION < 3022000
#include <google/protobuf/stubs/logging.h>
#endif

#include "chat.pb.h"
#include "format.hpp"
#include "words.hpp"

namespace chat {
namespace {

request to_request(v1::Join const& r) { return join{r.channel(), r.user(), r.device(), r.epoch(), r.seq()}; }
request to_request(v1::Auth const& r) { return authenticate{r.token()}; }
request to_request(v1::Leave const& r) { return leave{r.channel()}; }
request to_request(v1::ChatMessage const& r) { return message{r.channel(), r.text(), r.id()}; }
request to_request(v1::History const& r) {
  history what{r.channel(), r.before()};
  if (r.limit() != 0) what.limit = static_cast<std::size_t>(r.limit());
  return what;
}
request to_request(v1::Typing const& r) { return typing{r.channel()}; }

request to_request(v1::Request const& from) {
  using enum v1::Request::RequestCase;
  switch (from.request_case()) {
    case kJoin:
      return to_request(from.join());
    case kLeave:
      return to_request(from.leave());
    case kMessage:
      return to_request(from.message());
    case kHistory:
      return to_request(from.history());
    case kTyping:
      return to_request(from.typing());
    case kPing:
      return ping{};
    case kAuth:
      return to_request(from.auth());
    case REQUEST_NOT_SET:
      break;
  }
  return fault{"unknown_type", "a request must be auth, join, leave, message, history, typing or ping", {}, {}};
}

void write(v1::ChatMessage& to, stored_message const& m) {
  to.set_user(m.user);
  to.set_text(m.text);
  to.set_id(m.id);
  to.set_seq(m.seq);
  to.set_timestamp(m.time);
}

void write(v1::Event& to, history_page const& what) {
  using enum read_request::from;
  auto const& [asked, found] = what;
  auto& page = *to.mutable_history();
  page.set_channel(asked.channel);
  page.set_epoch(found.epoch);
  if (asked.what == after) page.set_after(asked.seq);
  if (asked.what == before) page.set_before(asked.seq);
  if (asked.what != before) page.set_seq(found.newest);
  if (asked.what != after) page.set_more(found.more);
  for (auto const& m : found.messages) write(*page.add_messages(), m);
}
void write(v1::Event& to, authenticated const& what) {
  to.mutable_auth()->set_user(what.user);
  to.mutable_auth()->set_expires(what.expires_ms);
}
void write(v1::Event& to, reload const& what) { to.mutable_reload()->set_channel(what.channel); }
void write(v1::Event& to, delivery const& what) {
  auto& m = *to.mutable_message();
  m.set_channel(what.channel);
  write(m, what.what);
}
void write(v1::Event& to, ack const& what) {
  auto& a = *to.mutable_ack();
  a.set_channel(what.channel);
  a.set_id(what.id);
  a.set_seq(what.seq);
  a.set_timestamp(what.time);
}
void write(v1::Event& to, presence const& what) {
  auto& p = *to.mutable_presence();
  p.set_channel(what.channel);
  for (auto const& user : what.users) p.add_users(user);
  p.set_count(what.count);
}
void write(v1::Event& to, somebody_types const& what) {
  auto& t = *to.mutable_typing();
  t.set_channel(what.channel);
  t.set_user(what.user);
}
void write(v1::Event& to, pong const&) { to.mutable_pong(); }
void write(v1::Event& to, fault const& what) {
  auto& e = *to.mutable_error();
  e.set_code(what.code);
  e.set_message(what.message);
  e.set_channel(what.channel);
  e.set_id(what.id);
  e.set_retry_ms(what.retry_ms);
}

class proto_format final : public format {
 public:
  bool is_binary() const override { return true; }
  incoming read(std::string_view payload) override {
    v1::Request from;
    if (!from.ParseFromArray(payload.data(), static_cast<int>(payload.size())))
      return {fault{"bad_message", "this is no Request of chat.proto", {}, {}}};
    return {checked(to_request(from))};
  }
  std::string write(event const& what) const override {
    v1::Event to;
    std::visit([&to](auto const& e) { chat::write(to, e); }, what);
    return to.SerializeAsString();
  }
  way way_of(std::string const&) const override { return {"chat.v1.proto"}; }
};

}  // namespace

std::unique_ptr<format> make_proto_format() {
#if GOOGLE_PROTOBUF_VERSION < 3022000
  // It would write a line to stderr for each string that is not UTF-8; the client is told.
  static bool const quiet = (google::protobuf::SetLogHandler(nullptr), true);
  static_cast<void>(quiet);
#endif
  return std::make_unique<proto_format>();
}

}  // namespace chat
