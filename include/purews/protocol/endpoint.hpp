// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "client_handshake.hpp"
#include "connection.hpp"
#include "http_answer.hpp"
#include "opening_handshake.hpp"
#include "origin.hpp"
#include "parsed_request.hpp"
#include "server_handshake.hpp"

namespace purews::inline v0 {

/// One end of a WebSocket connection from the first byte to the last: the opening handshake, then the open
/// connection, then the end. It satisfies byte_machine; nothing in it does I/O, asks a clock or calls back.
///
/// A server's endpoint reports each request as kind::request and waits for accept() or answer(). A client's sends its
/// request with connect() and reports kind::open, or failed. RFC 6455.
class endpoint : private connection {
 public:
  /// Begins at `now`, from which the deadline of the opening handshake counts. `with` must outlive the endpoint; a
  /// client needs `with.entropy`.
  endpoint(role own, options const& with, instant now) noexcept;
  endpoint(role own, options const&& with, instant now) = delete;  // it would not outlive the endpoint
  ~endpoint() { forget(); }

  // Server. Both decisions refuse with not_connecting when there is no undecided request.

  /// Takes a request whose head someone else has read: next() judges and reports it like one that was received. Then
  /// give receive() the bytes that came behind its head. The request is copied. Refuses: invalid_header if it cannot
  /// have been a head; not_connecting if anything was received before; out_of_memory.
  [[nodiscard]] refusal adopt(parsed_request const& request) noexcept;

  /// The undecided request; its views are valid until it is decided, or until the following next(), receive or park();
  /// after those it may be asked for again.
  /// Precondition (asserted): there is one.
  http_request request() const noexcept;

  /// Whether it asks for a WebSocket connection; nothing is wrong with it then.
  bool wants_upgrade() const noexcept { return opening_ != nullptr && opening_->what == request_kind::upgrade; }

  /// Answers 101: next() reports kind::open, and messages may be sent at once. Refuses: not_connecting, also for a
  /// plain request; invalid_header; out_of_memory. RFC 6455 section 4.2.2.
  [[nodiscard]] refusal accept(acceptance const& how = {}) noexcept;

  /// Answers as a web server, or refuses an upgrade; the connection ends afterwards, as a proxy may have begun to
  /// tunnel. Refuses: not_connecting, invalid_code, invalid_header, out_of_memory. A permanent body for whose reference
  /// there is no memory is no refusal: next() reports the end with error::out_of_memory.
  [[nodiscard]] refusal answer(http_answer const& with, body_lifetime body = body_lifetime::call) noexcept;

  // Client.

  /// Sends the request for an upgrade. Its views must stay valid until kind::open or a terminal event.
  /// Refuses: not_connecting if it was called before, invalid_uri, invalid_header, out_of_memory. RFC 6455 section 4.1.
  [[nodiscard]] refusal connect(client_request const& request) noexcept;

  /// What the server answered, for kind::open and for failed with error::answer_status: valid until the following
  /// next() or park(). That failure waits for the body, but not beyond limits::answer_body_bytes_max and the deadline
  /// of the handshake; what came of it is the event's payload, without the chunked coding. Precondition (asserted): the
  /// last event was one of those.
  http_response response() const noexcept;

  /// The subprotocol that was agreed on, from kind::open to the following next(); empty if none.
  std::string_view subprotocol() const noexcept { return opening_ != nullptr ? opening_->subprotocol : ""; }

  // Open. See connection.

  void abort() noexcept;
  using connection::buffered_bytes, connection::close, connection::current, connection::dropped;
  using connection::fault_offset, connection::own_role, connection::pause, connection::ping, connection::queued_bytes;
  using connection::record, connection::resume, connection::send, connection::send_fragment;

  // byte_machine

  bool wants_input() const noexcept { return !undecided() && !unasked() && connection::wants_input(); }
  event next() noexcept;
  instant deadline() const noexcept;
  void advance(instant t) noexcept;
  using connection::consume_output, connection::gather, connection::lend_output, connection::park, connection::receive;
  using connection::receive_eof, connection::receive_room, connection::transport;

 private:
  using stage = opening_handshake::stage;

  bool undecided() const noexcept {
    return current() == state::connecting && opening_ != nullptr && opening_->at == stage::undecided && !pipe_.broken();
  }
  bool unasked() const noexcept {
    return own_role() == role::client && current() == state::connecting && opening_ == nullptr;
  }
  bool begin() noexcept;
  void forget() noexcept;
  event next_opening() noexcept;
  event read_request() noexcept;
  event take_request() noexcept;
  event read_answer() noexcept;
  error take_extensions(answer_judgement const& found) noexcept;
  void opened() noexcept;
  event read_answer_body() noexcept;
  event wait_for_more() noexcept;
  event refuse(error why, ending how) noexcept;
  bool write_answer(http_answer const& with, std::string_view method, body_lifetime body) noexcept;

  opening_handshake* opening_ = nullptr;  // from the first byte to the first event after kind::open
};

inline endpoint::endpoint(role own, options const& with, instant now) noexcept : connection(own, with, now) {
  state_ = state::connecting;
}

inline http_request endpoint::request() const noexcept {
  PUREWS_ASSERT(undecided());
  return {opening_->head, pipe_.in.unread()};
}

inline refusal endpoint::adopt(parsed_request const& request) noexcept {
  PUREWS_ASSERT(own_role() == role::server);
  if (current() != state::connecting || opening_ != nullptr || !pipe_.in.empty()) return refusal::not_connecting;
  if (refusal const why = validate(request); why != refusal::none) return why;
  return write_head(pipe_.in, request) ? refusal::none : refusal::out_of_memory;
}

inline refusal endpoint::accept(acceptance const& how) noexcept {
  if (!undecided() || !wants_upgrade()) return refusal::not_connecting;
  http_request const asked = request();
  if (refusal const why = validate(how, asked); why != refusal::none) return why;
  message_extension::agreement agreed;
  if (with_->extension != nullptr && how.extension == extension_use::negotiated)
    agreed = with_->extension->accept(asked);
  // RFC 6455 9.1: an extension that memory does not suffice for is not accepted, and the connection is open all the
  // same.
  if (agreed.codec != nullptr && use(*agreed.codec) != refusal::none) agreed = {};
  std::string_view const extensions = agreed.answer.view();
  std::size_t const size = accept_size(how, extensions);
  std::byte* const at = pipe_.out.allocate(size);
  if (at == nullptr) {
    outbox_.free_codec();
    return refusal::out_of_memory;
  }
  write_accept({at, size}, how, extensions, asked.match(known_header::key).value);
  pipe_.out.pin();
  // RFC 6455 4.2.2: what follows the head are frames already.
  pipe_.in.drop(opening_->head.size());
  opening_->at = stage::opened;
  opened();
  return refusal::none;
}

inline void endpoint::opened() noexcept {
  move(trigger::upgraded);
  begun_ = heard_ = pipe_.now();
}

inline refusal endpoint::answer(http_answer const& with, body_lifetime body) noexcept {
  if (!undecided()) return refusal::not_connecting;
  if (refusal const why = validate(with); why != refusal::none) return why;
  if (!write_answer(with, request().method(), body))
    return current() == state::connecting ? refusal::out_of_memory : refusal::none;  // its end is reported by next()
  opening_->at = stage::reported;
  end({.what = kind::closed}, ending::shut_first);
  return refusal::none;
}

inline refusal endpoint::connect(client_request const& request) noexcept {
  PUREWS_ASSERT(own_role() == role::client);
  if (!unasked()) return refusal::not_connecting;
  if (refusal const why = validate(request); why != refusal::none) return why;
  std::byte random[16];
  with_->entropy({random, sizeof random});
  message_extension::header_text offer;
  if (with_->extension != nullptr && request.extension == extension_use::negotiated) offer = with_->extension->offer();
  std::size_t const size = request_size(request, offer.view());
  if (!begin()) return refusal::out_of_memory;
  std::byte* const at = pipe_.out.allocate(size);
  if (at == nullptr) {
    forget();
    return refusal::out_of_memory;
  }
  opening_->asked = request;
  opening_->key = make_key(random);
  opening_->offered = offer.size != 0;
  write_request({at, size}, request, offer.view(), opening_->key);
  return refusal::none;
}

inline http_response endpoint::response() const noexcept {
  PUREWS_ASSERT(own_role() == role::client && opening_ != nullptr && opening_->at == stage::reported);
  return opening_->answers.answer(opening_->answered);
}

inline void endpoint::abort() noexcept {
  connection::abort();
  if (opening_ != nullptr) opening_->at = stage::reported;  // an open that is not told yet never will be
}

inline event endpoint::next() noexcept {
  if (opening_ != nullptr && opening_->at == stage::reported) forget();
  if (current() == state::connecting || opening_ != nullptr) {
    event const e = next_opening();
    if (e.what != kind::none || current() == state::connecting) return e;
  }
  return connection::next();
}

inline instant endpoint::deadline() const noexcept {
  if (current() != state::connecting) return connection::deadline();
  if (pipe_.broken()) return pipe_.now();
  instant const mine = begun_ + with_->timeout.handshake;
  instant const first = pipe_.deadline(with_->timeout);
  return mine < first ? mine : first;
}

inline void endpoint::advance(instant t) noexcept {
  if (current() != state::connecting) {
    connection::advance(t);
  } else if (error const late = pipe_.advance(t, with_->timeout); late != error::none) {
    end({.what = kind::failed, .fault = late, .code = status_code::abnormal}, ending::at_once);
  } else if (t < begun_ + with_->timeout.handshake) {
    return;
  } else if (own_role() == role::client && opening_ != nullptr && opening_->at >= stage::body) {
    opening_->at = stage::cut;  // next() reports the answer
  } else {
    // A peer that has said nothing is not answered either: there is no request.
    bool const answers = own_role() == role::server && opening_ != nullptr;
    terminal_ = refuse(error::handshake_timeout, answers ? ending::shut_first : ending::at_once);
  }
}

inline bool endpoint::begin() noexcept {
  void* const memory = allocate_bytes(sizeof(opening_handshake));
  if (memory != nullptr) opening_ = new (memory) opening_handshake;
  return memory != nullptr;
}

inline void endpoint::forget() noexcept {
  free_bytes(opening_);
  opening_ = nullptr;
}

inline event endpoint::next_opening() noexcept {
  if (opening_ != nullptr && opening_->at == stage::opened) {
    opening_->at = stage::reported;
    return {.what = kind::open};
  }
  if (current() != state::connecting) return {};
  if (pipe_.broken()) return refuse(error::out_of_memory, ending::shut_first);
  if (own_role() == role::client)
    return unasked() ? wait_for_more() : opening_->at == stage::reading ? read_answer() : read_answer_body();
  if (opening_ == nullptr) {
    if (pipe_.in.empty()) return wait_for_more();
    if (!begin()) return refuse(error::out_of_memory, ending::shut_first);
  }
  switch (opening_->at) {
    case stage::reading:
      return read_request();
    case stage::body:
      return take_request();
    default:
      return wait_for_more();
  }
}

inline event endpoint::read_request() noexcept {
  bytes const in = pipe_.in.unread();
  http_progress const progress = opening_->head.parse(in, head_limits_of(with_->limit));
  if (progress == http_progress::need_more) return wait_for_more();
  if (progress == http_progress::failed) return refuse(opening_->head.fault(), ending::shut_first);
  http_request const asked(opening_->head, in);
  request_judgement const found = judge_request(asked, with_->limit.body_bytes_max);
  if (found.fault != error::none) return refuse(found.fault, ending::shut_first);
  opening_->what = found.what;
  opening_->body_bytes = found.body_bytes;
  opening_->at = stage::body;
  bool const body_lacks = in.size() < opening_->head.size() + found.body_bytes;
  if (body_lacks && expects_continue(asked) && !pipe_.out.append_static(as_bytes(continue_answer)))
    return refuse(error::out_of_memory, ending::shut_first);
  return take_request();
}

inline event endpoint::take_request() noexcept {
  bytes const in = pipe_.in.unread();
  std::size_t const head = opening_->head.size();
  if (in.size() < head + opening_->body_bytes) return wait_for_more();
  opening_->at = stage::undecided;
  return {.what = kind::request, .payload = in.subspan(head, opening_->body_bytes)};
}

inline event endpoint::read_answer() noexcept {
  bytes const in = pipe_.in.unread();
  http_progress const progress = opening_->answers.parse(in, head_limits_of(with_->limit));
  if (progress == http_progress::need_more) return wait_for_more();
  if (progress == http_progress::failed) return refuse(opening_->answers.fault(), ending::at_once);
  opening_->answered = in;
  http_response const answer = opening_->answers.answer(in);
  answer_judgement found = judge_answer(answer, opening_->asked, opening_->key);
  if (found.fault == error::answer_status) {
    opening_->body = answer_body(answer, with_->limit.answer_body_bytes_max);
    opening_->at = stage::body;
    return read_answer_body();
  }
  opening_->at = stage::reported;
  if (found.fault == error::none) found.fault = take_extensions(found);
  if (found.fault != error::none) return refuse(found.fault, ending::at_once);
  opening_->subprotocol = found.subprotocol;
  pipe_.in.drop(opening_->answers.size());
  opened();
  return {.what = kind::open};
}

// RFC 6455 4.1: the client fails the connection if the answer has an extension that it did not offer.
inline error endpoint::take_extensions(answer_judgement const& found) noexcept {
  if (found.extension_headers == 0) return error::none;
  if (!opening_->offered) return error::answer_extension;
  message_extension::agreement const agreed = with_->extension->confirm(found.extensions);
  if (agreed.fault != error::none) return agreed.fault;
  return agreed.codec == nullptr || use(*agreed.codec) == refusal::none ? error::none : error::out_of_memory;
}

inline event endpoint::read_answer_body() noexcept {
  bytes const in = pipe_.in.unread();
  bytes const body = in.subspan(opening_->answers.size());
  if (!opening_->body.read(body) && opening_->at == stage::body && !pipe_.eof()) return wait_for_more();
  opening_->answered = in;
  opening_->at = stage::reported;
  event last = refuse(error::answer_status, ending::at_once);
  last.payload = body.first(opening_->body.size());
  return last;
}

// Nothing more can be said of the input that is there. It is kept, because the loop will use its room again.
inline event endpoint::wait_for_more() noexcept {
  if (!undecided() && pipe_.eof()) {
    if (own_role() == role::client) return refuse(error::answer_eof, ending::at_once);
    end({.what = kind::closed, .code = status_code::abnormal}, ending::shut_first);
    return connection::next();
  }
  pipe_.park();
  return {};
}

// Every refusal ends the connection: a proxy may tunnel after any answer to an upgrade.
inline event endpoint::refuse(error why, ending how) noexcept {
  bool const answers = own_role() == role::server && how == ending::shut_first;
  bool const whole_head = answers && opening_ != nullptr && opening_->head.progress() == http_progress::done &&
                          opening_->head.size() <= pipe_.in.unread().size();
  std::string_view const method = whole_head ? http_request(opening_->head, pipe_.in.unread()).method() : "";
  if (answers && !write_answer(answer_for(why), method, body_lifetime::call)) how = ending::at_once;
  pipe_.note_fault(opening_ != nullptr ? opening_->fault_at(why) : 0);
  end({.what = kind::failed, .fault = why, .code = status_code::abnormal}, how);
  event const last = terminal_;
  terminal_ = {};
  return last;
}

inline bool endpoint::write_answer(http_answer const& with, std::string_view method, body_lifetime body) noexcept {
  bytes_view const content = has_body(with, method) ? with.body : bytes_view{};
  bytes_view const copied = body == body_lifetime::call ? content : bytes_view{};
  std::size_t const head = head_size(with);
  std::byte* const at = pipe_.out.allocate(head + copied.size());
  if (at == nullptr) return false;
  write_head({at, head}, with);
  copy_bytes(at + head, copied);
  if (body == body_lifetime::call || pipe_.out.append_static(content)) return true;
  // The head is queued already: without its body it must not be sent.
  end({.what = kind::failed, .fault = error::out_of_memory, .code = status_code::abnormal}, ending::at_once);
  return false;
}

}  // namespace purews::inline v0
