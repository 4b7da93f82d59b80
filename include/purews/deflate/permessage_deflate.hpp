// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "deflate_pool.hpp"
#include "parameters.hpp"

namespace purews::inline v0 {

/// How an endpoint compresses. Everything has a default.
struct deflate_options {
  /// The most that is agreed to: smaller windows and no_takeover save memory on both sides. With takeover an active
  /// connection has a compressor (a quarter of a megabyte at 15 bits) until it is idle for timeouts::idle_codec.
  deflate_parameters most{};

  deflate_effort effort{};

  /// Shorter messages are sent as they are: what is won is less than what it costs.
  std::size_t message_bytes_min = 64;

  /// Compressors, and decompressors, that are kept for the next connection that needs one.
  std::size_t kept_max = 16;
};

/// The extension permessage-deflate. Put its address into options::extension; one object serves any number of
/// connections, on any thread, and must outlive them. RFC 7692.
class permessage_deflate final : public message_extension {
 public:
  /// Preconditions (asserted): windows of 8 to 15 bits, level and memory level of 1 to 9.
  explicit permessage_deflate(deflate_options const& with = {}) noexcept;
  permessage_deflate(permessage_deflate const&) = delete;
  permessage_deflate& operator=(permessage_deflate const&) = delete;
  ~permessage_deflate() = default;

  agreement accept(http_request const& request) const noexcept override;
  header_text offer() const noexcept override { return write_deflate_words(offer_deflate(with_.most)); }
  agreement confirm(std::string_view answer) const noexcept override;

  /// A codec for a connection whose handshake was made elsewhere, to be given to connection::use; null if memory ran
  /// out. Precondition: both peers agreed on the parameters.
  message_codec* make_codec(role own, deflate_parameters const& agreed) const noexcept;

  deflate_pool& pool() const noexcept { return pool_; }

 private:
  class codec;

  bool can_compress(deflate_side const& side) const noexcept { return side.window_bits > 8 || window_of_8_works_; }

  deflate_options with_;
  bool window_of_8_works_;
  mutable deflate_pool pool_;
};

/// The compression of one connection. It has a compressor and a decompressor only while they are in use.
class permessage_deflate::codec final : public message_codec {
 public:
  codec(permessage_deflate const& home, role own, deflate_parameters const& agreed) noexcept
      : home_(home), own_(agreed.of(own)), peer_(agreed.of(own == role::server ? role::client : role::server)) {}
  codec(codec const&) = delete;
  codec& operator=(codec const&) = delete;

  decoded decode(bytes_view in, bytes out, fragment position) noexcept override;
  bool wants(std::size_t size, compression how) const noexcept override {
    return how == compression::on || (how == compression::automatic && size >= home_.with_.message_bytes_min);
  }
  encoded encode(bytes_view payload, fragment position) noexcept override;
  void settle(fragment position) noexcept override;
  prepared_message share(prepared_message const& plain) noexcept override;
  void forget_history() noexcept override { give_deflater(); }
  void trim() noexcept override;
  void destroy() noexcept override;

 private:
  ~codec() = default;
  void give_deflater() noexcept {
    if (deflater_ != nullptr) home_.pool().give(deflater_);
    deflater_ = nullptr;
  }
  void give_inflater() noexcept {
    if (inflater_ != nullptr) home_.pool().give(inflater_);
    inflater_ = nullptr;
  }
  bool have_inflater() noexcept;

  permessage_deflate const& home_;
  deflate_side own_;
  deflate_side peer_;
  bool receiving_ = false;  // inside a message
  bool sending_ = false;    // inside a message
  deflater* deflater_ = nullptr;
  inflater* inflater_ = nullptr;
  buffer history_;  // of the decompressor that was given back
};

inline permessage_deflate::permessage_deflate(deflate_options const& with) noexcept
    : with_(with), window_of_8_works_(deflater::window_of_8_works(with.effort)), pool_(with.kept_max) {
  for (deflate_side const& side : {with.most.server, with.most.client})
    PUREWS_ASSERT(side.window_bits >= 8 && side.window_bits <= 15);
  PUREWS_ASSERT(with.effort.level >= 1 && with.effort.level <= 9);
  PUREWS_ASSERT(with.effort.memory_level >= 1 && with.effort.memory_level <= 9);
}

inline message_extension::agreement permessage_deflate::accept(http_request const& request) const noexcept {
  std::size_t line = request.find(header_name::extensions);
  for (; line < request.line_count(); line = request.find(header_name::extensions, line + 1)) {
    extension_reader reader(request.line(line).value);
    for (std::string_view name = reader.next(); !name.empty(); name = reader.next()) {
      if (!iequals(name, permessage_deflate_name)) continue;
      deflate_words const offer = read_deflate_words(reader);
      // RFC 7692 7: an offer that is not valid is declined, not the connection.
      if (!offer.valid) continue;
      deflate_decision const decision = decide_deflate(offer, with_.most);
      if (!can_compress(decision.agreed.server)) continue;
      message_codec* const made = make_codec(role::server, decision.agreed);
      if (made == nullptr) return {};
      return {.answer = write_deflate_words(decision.answer), .codec = made};
    }
  }
  return {};
}

inline message_extension::agreement permessage_deflate::confirm(std::string_view answer) const noexcept {
  extension_reader reader(answer);
  std::string_view const name = reader.next();
  deflate_parameters agreed;
  if (!iequals(name, permessage_deflate_name) || !confirm_deflate(read_deflate_words(reader), with_.most, agreed) ||
      !reader.next().empty() || reader.malformed() || !can_compress(agreed.client))
    return {.fault = error::answer_extension};
  message_codec* const made = make_codec(role::client, agreed);
  return {.codec = made, .fault = made != nullptr ? error::none : error::out_of_memory};
}

inline message_codec* permessage_deflate::make_codec(role own, deflate_parameters const& agreed) const noexcept {
  void* const memory = allocate_bytes(sizeof(codec));
  return memory == nullptr ? nullptr : new (memory) codec(*this, own, agreed);
}

inline bool permessage_deflate::codec::have_inflater() noexcept {
  if (inflater_ != nullptr) return true;
  inflater_ = home_.pool().take_inflater();
  if (inflater_ == nullptr) return false;
  bool const restored = inflater_->restore_history(history_.view());
  history_.clear();
  return restored;
}

inline decoded permessage_deflate::codec::decode(bytes_view in, bytes out, fragment position) noexcept {
  if (!have_inflater()) return {.fault = error::out_of_memory};
  receiving_ = true;
  decoded const result = inflater_->decode(in, out, position);
  if (!result.finished) return result;
  receiving_ = false;
  if (peer_.history == context::no_takeover) give_inflater();
  return result;
}

inline message_codec::encoded permessage_deflate::codec::encode(bytes_view payload, fragment position) noexcept {
  if (deflater_ == nullptr) deflater_ = home_.pool().take_deflater(own_.window_bits, home_.with_.effort);
  if (deflater_ == nullptr) return {};
  encoded const result = deflater_->encode(payload, position);
  sending_ = result.done && position == fragment::more;
  return result;
}

inline void permessage_deflate::codec::settle(fragment position) noexcept {
  if (deflater_ == nullptr || position == fragment::more) return;
  if (own_.history == context::no_takeover)
    give_deflater();
  else
    deflater_->free_result();
}

inline prepared_message permessage_deflate::codec::share(prepared_message const& plain) noexcept {
  prepared_message packed = plain.variant(own_.window_bits);
  if (!packed) {
    deflater* const fresh = home_.pool().take_deflater(own_.window_bits, home_.with_.effort);
    if (fresh == nullptr) return {};
    encoded const made = fresh->encode(plain.payload(), fragment::last);
    if (made.done) packed = plain.add_variant(own_.window_bits, 4, made.payload);
    home_.pool().give(fresh);
  }
  // The peer's window has it from now on, and so must ours, or distances would point at the wrong bytes.
  if (packed && deflater_ != nullptr) deflater_->note(plain.payload());
  return packed;
}

inline void permessage_deflate::codec::trim() noexcept {
  if (!sending_) give_deflater();
  if (receiving_ || inflater_ == nullptr) return;
  // What the peer's compressor may refer to has to be kept.
  if (inflater_->save_history(history_, std::size_t{1} << peer_.window_bits))
    give_inflater();
  else
    history_.clear();
}

inline void permessage_deflate::codec::destroy() noexcept {
  give_deflater();
  give_inflater();
  this->~codec();
  free_bytes(this);
}

}  // namespace purews::inline v0
