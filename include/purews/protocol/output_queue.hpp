// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "../wire/masking.hpp"
#include "prepared_message.hpp"

namespace purews::inline v0 {

/// What waits to be transmitted: first the lent room, into which frames are encoded while input is handled, then a
/// list of segments on the heap, which exists only while the transport takes less than it is given. A segment holds
/// whole frames, its own or shared ones.
///
/// Order: data goes out in the order in which it was queued. Pongs overtake frames that are not begun and not gathered;
/// they are bounded (RFC 6455 section 5.5.3).
class output_queue {
 public:
  static constexpr std::size_t pongs_max = 16;  ///< unsent ones, in order; beyond them only the newest ping counts

  output_queue() noexcept = default;
  output_queue(output_queue const&) = delete;
  output_queue& operator=(output_queue const&) = delete;
  ~output_queue();

  /// Unsent bytes, lent room included.
  std::size_t size() const noexcept { return room_used_ - room_sent_ + backlog_bytes_; }
  bool empty() const noexcept { return size() == 0; }

  /// Whether something waits that did not fit into lent room: the transport is behind.
  bool behind() const noexcept { return head_ != nullptr; }

  /// Lends room for frames; an empty span ends the loan and copies what is unsent. Returns false if that copy could
  /// not be made: the output is broken. Preconditions: one loan at a time, and no gather is outstanding at its end.
  [[nodiscard]] bool lend(bytes room) noexcept;

  /// Room for `n` bytes in one piece at the end of the queue, which the caller fills at once; null if memory ran out.
  [[nodiscard]] std::byte* allocate(std::size_t n) noexcept;

  /// Queues a shared frame: by reference, or copied where that is cheaper. False if memory ran out.
  [[nodiscard]] bool append(prepared_message const& shared) noexcept;

  /// Queues bytes of static storage duration by reference. False if memory ran out.
  [[nodiscard]] bool append_static(bytes_view data) noexcept { return append_reference(data, {}); }

  /// Lets no pong overtake what is queued now: an opening handshake comes before all frames. Precondition: nothing else
  /// was queued before it.
  void pin() noexcept {
    if (head_ != nullptr) head_->pinned = true;
  }

  /// Queues a pong for a ping with `payload` (at most 125 bytes), masked if `key` is given. False if memory ran out.
  [[nodiscard]] bool append_pong(bytes_view payload, masking_key const* key) noexcept;

  /// Lets the newest ping beyond pongs_max go unanswered. RFC 6455 section 5.5.3 allows it.
  void forget_newest_ping() noexcept {
    if (pongs_ != nullptr) pongs_->has_newest = false;
  }

  /// Fills `spans` with what to transmit, in order, and returns how many. They stay unchanged until consume().
  /// Precondition: no gather is outstanding.
  std::size_t gather(std::span<bytes_view> spans) noexcept;

  /// Ends the gather: the first `n` bytes of it were transmitted. Precondition: it had as many.
  void consume(std::size_t n) noexcept;

 private:
  struct segment {
    segment* next = nullptr;
    std::byte const* data = nullptr;
    std::size_t size = 0;
    std::size_t sent = 0;
    std::size_t capacity = 0;  // 0: `data` is a reference
    bool pinned = false;       // encoded into lent room before, or an opening handshake: nothing overtakes it
    prepared_message owner{};
    std::byte* own() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
  };
  // The pongs that are not in the lent room, and the newest ping beyond them.
  struct pong_box {
    segment* frames = nullptr;  // one of the list's segments; null when all are sent
    std::uint8_t count = 0;
    bool sealed = false;  // gathered, with more behind it: it must not grow
    bool has_newest = false;
    bool newest_masked = false;
    masking_key newest_key{};
    std::uint8_t newest_size = 0;
    std::byte newest[control_payload_bytes_max];
  };

  static segment* make_segment(std::size_t capacity) noexcept;
  static void free_segment(segment* s) noexcept;
  static std::size_t write_pong(std::byte* out, bytes_view payload, masking_key const* key) noexcept;
  bool append_reference(bytes_view data, prepared_message owner) noexcept;
  void push_back(segment* s) noexcept;
  static std::size_t end_of_begun_frame(segment const& s) noexcept;
  static void split(segment& s, std::size_t at) noexcept;
  void insert_early(segment* s) noexcept;
  bool have_pong_box() noexcept;
  bool start_pongs(bytes_view payload, masking_key const* key) noexcept;
  void consume_segments(std::size_t n) noexcept;
  void pongs_left() noexcept;

  std::byte* room_ = nullptr;
  std::uint32_t room_size_ = 0;
  std::uint32_t room_used_ = 0;
  std::uint32_t room_sent_ = 0;
  std::uint8_t room_pongs_ = 0;  // encoded into the room since it, or what it left behind, was last empty
  std::size_t gathered_ = 0;     // bytes of the outstanding gather
  segment* head_ = nullptr;
  segment* tail_ = nullptr;
  segment* last_gathered_ = nullptr;
  pong_box* pongs_ = nullptr;
  std::size_t backlog_bytes_ = 0;
};

inline output_queue::~output_queue() {
  while (head_ != nullptr) {
    segment* const next = head_->next;
    free_segment(head_);
    head_ = next;
  }
  free_bytes(pongs_);
}

inline bool output_queue::lend(bytes room) noexcept {
  if (!room.empty()) {
    PUREWS_ASSERT(room_ == nullptr);
    room_ = room.data();
    room_size_ = room.size() > UINT32_MAX ? UINT32_MAX : static_cast<std::uint32_t>(room.size());
    return true;
  }
  PUREWS_ASSERT(gathered_ == 0);
  bool kept = true;
  if (std::size_t const unsent = room_used_ - room_sent_; unsent != 0) {
    segment* const copy = make_segment(unsent);
    kept = copy != nullptr;
    if (kept) {
      copy_bytes(copy->own(), {room_ + room_sent_, unsent});
      copy->size = unsent;
      copy->pinned = true;
      // What is in the room is older than every segment.
      copy->next = head_;
      head_ = copy;
      if (tail_ == nullptr) tail_ = copy;
      backlog_bytes_ += unsent;
    }
  }
  room_ = nullptr;
  room_size_ = room_used_ = room_sent_ = 0;
  return kept;
}

inline std::byte* output_queue::allocate(std::size_t n) noexcept {
  if (head_ == nullptr && room_size_ - room_used_ >= n) {
    std::byte* const at = room_ + room_used_;
    room_used_ += static_cast<std::uint32_t>(n);
    return at;
  }
  bool const pongs_last = pongs_ != nullptr && pongs_->frames == tail_;
  if (tail_ == nullptr || pongs_last || tail_->capacity - tail_->size < n || tail_->capacity == 0) {
    std::size_t const growing = backlog_bytes_ < 512 ? 512 : backlog_bytes_ > 16384 ? 16384 : backlog_bytes_;
    segment* const fresh = make_segment(n > growing ? n : growing);
    if (fresh == nullptr) return nullptr;
    push_back(fresh);
  }
  std::byte* const at = tail_->own() + tail_->size;
  tail_->size += n;
  backlog_bytes_ += n;
  return at;
}

inline bool output_queue::append(prepared_message const& shared) noexcept {
  // A reference costs an allocation of its own and a span in the system call: below this a copy is cheaper.
  constexpr std::size_t copied_bytes_max = 1024;
  bytes_view const frame = shared.frame();
  bool const fits_room = head_ == nullptr && room_size_ - room_used_ >= frame.size();
  if (frame.size() > copied_bytes_max && !(fits_room && frame.size() <= 4 * copied_bytes_max))
    return append_reference(frame, shared);
  std::byte* const at = allocate(frame.size());
  if (at == nullptr) return false;
  copy_bytes(at, frame);
  return true;
}

inline bool output_queue::append_pong(bytes_view payload, masking_key const* key) noexcept {
  PUREWS_ASSERT(payload.size() <= control_payload_bytes_max);
  std::size_t const size = frame_header_size(payload.size(), key != nullptr) + payload.size();
  bool const boxed = pongs_ != nullptr && pongs_->frames != nullptr;
  // Once a ping is remembered as the newest, those after it take its place, or their pongs would come before its own.
  bool const over = pongs_ != nullptr && pongs_->has_newest;
  std::size_t const waiting = over ? pongs_max : room_pongs_ + (boxed ? pongs_->count : 0U);
  if (waiting < pongs_max && head_ == nullptr && room_size_ - room_used_ >= size) {
    write_pong(room_ + room_used_, payload, key);
    room_used_ += static_cast<std::uint32_t>(size);
    ++room_pongs_;
    return true;
  }
  if (waiting < pongs_max && boxed && !pongs_->sealed) {
    segment* const frames = pongs_->frames;
    std::size_t const written = write_pong(frames->own() + frames->size, payload, key);
    frames->size += written;
    backlog_bytes_ += written;
    ++pongs_->count;
    return true;
  }
  if (waiting < pongs_max) return start_pongs(payload, key);
  if (!have_pong_box()) return false;
  pongs_->has_newest = true;
  pongs_->newest_masked = key != nullptr;
  if (key != nullptr) pongs_->newest_key = *key;
  pongs_->newest_size = static_cast<std::uint8_t>(payload.size());
  copy_bytes(pongs_->newest, payload);
  return true;
}

inline std::size_t output_queue::gather(std::span<bytes_view> spans) noexcept {
  PUREWS_ASSERT(gathered_ == 0);
  std::size_t filled = 0;
  if (room_used_ != room_sent_ && filled < spans.size())
    spans[filled++] = {room_ + room_sent_, static_cast<std::size_t>(room_used_ - room_sent_)};
  for (segment* s = head_; s != nullptr && filled < spans.size(); s = s->next) {
    if (pongs_ != nullptr && last_gathered_ != nullptr && pongs_->frames == last_gathered_) pongs_->sealed = true;
    spans[filled++] = {s->data + s->sent, s->size - s->sent};
    last_gathered_ = s;
  }
  for (std::size_t i = 0; i < filled; ++i) gathered_ += spans[i].size();
  return filled;
}

inline void output_queue::consume(std::size_t n) noexcept {
  PUREWS_ASSERT(n <= gathered_);
  gathered_ = 0;
  last_gathered_ = nullptr;
  if (pongs_ != nullptr) pongs_->sealed = false;
  std::size_t const in_room = room_used_ - room_sent_;
  std::size_t const of_room = n < in_room ? n : in_room;
  room_sent_ += static_cast<std::uint32_t>(of_room);
  if (room_sent_ == room_used_) room_used_ = room_sent_ = 0;
  consume_segments(n - of_room);
  if (room_used_ == 0 && (head_ == nullptr || !head_->pinned)) room_pongs_ = 0;
  if (pongs_ != nullptr && room_pongs_ == 0) pongs_left();
}

inline output_queue::segment* output_queue::make_segment(std::size_t capacity) noexcept {
  void* const memory = allocate_bytes(sizeof(segment) + capacity);
  if (memory == nullptr) return nullptr;
  auto* const made = new (memory) segment;
  made->capacity = capacity;
  made->data = made->own();
  return made;
}

inline void output_queue::free_segment(segment* s) noexcept {
  s->~segment();
  free_bytes(s);
}

inline std::size_t output_queue::write_pong(std::byte* out, bytes_view payload, masking_key const* key) noexcept {
  frame_header const header{.op = opcode::pong,
                            .masked = key != nullptr,
                            .length = payload.size(),
                            .key = key != nullptr ? *key : masking_key{}};
  std::size_t const at = write_frame_header({out, frame_header_bytes_max}, header);
  if (key != nullptr)
    mask_copy(out + at, payload, *key);
  else
    copy_bytes(out + at, payload);
  return at + payload.size();
}

inline bool output_queue::append_reference(bytes_view data, prepared_message owner) noexcept {
  if (data.empty()) return true;
  segment* const made = make_segment(0);
  if (made == nullptr) return false;
  made->data = data.data();
  made->size = data.size();
  made->owner = static_cast<prepared_message&&>(owner);
  backlog_bytes_ += data.size();
  push_back(made);
  return true;
}

inline void output_queue::push_back(segment* s) noexcept {
  (tail_ != nullptr ? tail_->next : head_) = s;
  tail_ = s;
}

// How much of the segment is sent when the frame that is being sent is.
inline std::size_t output_queue::end_of_begun_frame(segment const& s) noexcept {
  std::size_t end = 0;
  while (end < s.sent) {
    frame_header_result const frame = read_frame_header({s.data + end, s.size - end});
    // What is no frame, or not whole, is sent in one piece.
    if (frame.size == 0 || frame.header.length > s.size - end - frame.size) return s.size;
    end += frame.size + static_cast<std::size_t>(frame.header.length);
  }
  return end;
}

// Moves what stands behind `at` into a segment of its own. If memory runs out, nothing comes between.
inline void output_queue::split(segment& s, std::size_t at) noexcept {
  std::size_t const size = s.size - at;
  segment* const rest = size == 0 ? nullptr : make_segment(size);
  if (rest == nullptr) return;
  copy_bytes(rest->own(), {s.data + at, size});
  rest->size = size;
  rest->next = s.next;
  s.next = rest;
  s.size = at;
}

inline void output_queue::insert_early(segment* s) noexcept {
  // RFC 6455 5.4: control frames may come between the frames of a message, never inside a frame.
  segment* before = last_gathered_;
  if (before == nullptr && head_ != nullptr && head_->pinned) before = head_;
  if (before == nullptr && head_ != nullptr) {
    std::size_t const boundary = end_of_begun_frame(*head_);
    if (boundary != head_->sent) {
      split(*head_, boundary);
      before = head_;
      if (tail_->next != nullptr) tail_ = tail_->next;
    }
  }
  if (before == nullptr) {
    s->next = head_;
    head_ = s;
  } else {
    s->next = before->next;
    before->next = s;
  }
  if (s->next == nullptr) tail_ = s;
}

inline bool output_queue::have_pong_box() noexcept {
  if (pongs_ != nullptr) return true;
  void* const memory = allocate_bytes(sizeof(pong_box));
  if (memory != nullptr) pongs_ = new (memory) pong_box;
  return memory != nullptr;
}

inline bool output_queue::start_pongs(bytes_view payload, masking_key const* key) noexcept {
  if (!have_pong_box()) return false;
  constexpr std::size_t frame_bytes_max = 2 + 4 + control_payload_bytes_max;
  segment* const made = make_segment(pongs_max * frame_bytes_max);
  if (made == nullptr) return false;
  made->size = write_pong(made->own(), payload, key);
  backlog_bytes_ += made->size;
  pongs_->frames = made;
  ++pongs_->count;
  pongs_->sealed = false;
  insert_early(made);
  return true;
}

inline void output_queue::consume_segments(std::size_t n) noexcept {
  backlog_bytes_ -= n;
  while (head_ != nullptr && head_->size - head_->sent <= n) {
    segment* const done = head_;
    n -= done->size - done->sent;
    head_ = done->next;
    if (head_ == nullptr) tail_ = nullptr;
    if (pongs_ != nullptr && pongs_->frames == done) {
      pongs_->frames = nullptr;
      pongs_->count = 0;
    }
    free_segment(done);
  }
  PUREWS_ASSERT(head_ != nullptr || n == 0);
  if (head_ != nullptr) head_->sent += n;
}

// RFC 6455 5.5.3: an endpoint may answer only the most recent ping.
inline void output_queue::pongs_left() noexcept {
  if (pongs_->frames != nullptr) return;
  if (!pongs_->has_newest) {
    free_bytes(pongs_);
    pongs_ = nullptr;
    return;
  }
  pong_box const box = *pongs_;
  pongs_->has_newest = false;
  static_cast<void>(append_pong({box.newest, box.newest_size}, box.newest_masked ? &box.newest_key : nullptr));
}

}  // namespace purews::inline v0
