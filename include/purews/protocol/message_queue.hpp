// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "send_options.hpp"

namespace purews::inline v0 {

/// What is to be sent: a message, a fragment of one, or a control frame. Borrows the payload.
struct outgoing {
  opcode op = opcode::binary;  ///< of the message also in its later fragments
  bytes_view payload{};
  bool first = true;                         ///< false: a fragment that continues a message
  bool last = true;                          ///< false: more fragments follow
  prepared_message const* shared = nullptr;  ///< it is one that is shared; `payload` is empty
  send_options how{};

  std::size_t size() const noexcept { return shared != nullptr ? shared->payload().size() : payload.size(); }
};

/// Messages that are accepted but not yet encoded, because the transport is behind. Here, and only here, a message can
/// still be dropped or replaced; once it is encoded it must be sent. First in, first out.
class message_queue {
 public:
  message_queue() noexcept = default;
  message_queue(message_queue const&) = delete;
  message_queue& operator=(message_queue const&) = delete;
  ~message_queue() {
    while (!empty()) pop();
  }

  bool empty() const noexcept { return head_ == nullptr; }
  std::size_t size() const noexcept { return bytes_; }                       ///< of all payloads, in bytes
  std::size_t droppable_bytes() const noexcept { return droppable_bytes_; }  ///< of those that drop_oldest() may drop

  /// Copies `what` to the end; a shared message is kept by reference. False, changing nothing, if memory ran out.
  [[nodiscard]] bool push(outgoing const& what) noexcept;

  enum class replacement : std::uint8_t { none, done, out_of_memory };
  /// Puts `what` in the place of the message that waits with overflow::conflate and the same key, if there is one.
  [[nodiscard]] replacement replace(outgoing const& what) noexcept;

  /// Drops the oldest message that may be dropped. False: there is none.
  bool drop_oldest() noexcept;

  /// The oldest: its views are valid until it is popped. Precondition (asserted): not empty.
  outgoing front() const noexcept;
  void pop() noexcept;

 private:
  struct node {
    node* next = nullptr;
    std::size_t size = 0;
    opcode op;
    bool first;
    bool last;
    send_options how;
    prepared_message shared{};
    std::byte* own() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
  };

  static node* make(outgoing const& what) noexcept;
  static void free(node* unused) noexcept;
  static bool is_whole(node const& n) noexcept { return n.first && n.last && !is_control(n.op); }
  static bool is_droppable(node const& n) noexcept {
    return is_whole(n) && (n.how.when_full == overflow::drop_oldest || n.how.when_full == overflow::conflate);
  }
  void count(node const& n) noexcept {
    bytes_ += n.size;
    if (is_droppable(n)) droppable_bytes_ += n.size;
  }
  void uncount(node const& n) noexcept {
    bytes_ -= n.size;
    if (is_droppable(n)) droppable_bytes_ -= n.size;
  }
  void unlink(node** at) noexcept;

  node* head_ = nullptr;
  node** end_ = &head_;  // where the next one is linked
  std::size_t bytes_ = 0;
  std::size_t droppable_bytes_ = 0;
};

inline bool message_queue::push(outgoing const& what) noexcept {
  node* const made = make(what);
  if (made == nullptr) return false;
  *end_ = made;
  end_ = &made->next;
  count(*made);
  return true;
}

inline message_queue::replacement message_queue::replace(outgoing const& what) noexcept {
  node** at = &head_;
  while (*at != nullptr &&
         !(is_whole(**at) && (*at)->how.when_full == overflow::conflate && (*at)->how.key == what.how.key))
    at = &(*at)->next;
  if (*at == nullptr) return replacement::none;
  node* const made = make(what);
  if (made == nullptr) return replacement::out_of_memory;
  made->next = (*at)->next;
  uncount(**at);
  count(*made);
  if (end_ == &(*at)->next) end_ = &made->next;
  free(*at);
  *at = made;
  return replacement::done;
}

inline bool message_queue::drop_oldest() noexcept {
  for (node** at = &head_; *at != nullptr; at = &(*at)->next) {
    if (!is_droppable(**at)) continue;
    unlink(at);
    return true;
  }
  return false;
}

inline outgoing message_queue::front() const noexcept {
  PUREWS_ASSERT(!empty());
  node& n = *head_;
  return {.op = n.op,
          .payload = {n.own(), n.shared ? 0 : n.size},
          .first = n.first,
          .last = n.last,
          .shared = n.shared ? &n.shared : nullptr,
          .how = n.how};
}

inline void message_queue::pop() noexcept {
  PUREWS_ASSERT(!empty());
  unlink(&head_);
}

inline message_queue::node* message_queue::make(outgoing const& what) noexcept {
  void* const memory = allocate_bytes(sizeof(node) + what.payload.size());
  if (memory == nullptr) return nullptr;
  auto* const made = new (memory) node{nullptr, what.size(), what.op, what.first, what.last, what.how, {}};
  if (what.shared != nullptr) {
    made->shared = *what.shared;
  } else {
    copy_bytes(made->own(), what.payload);
  }
  return made;
}

inline void message_queue::free(node* unused) noexcept {
  unused->~node();
  free_bytes(unused);
}

inline void message_queue::unlink(node** at) noexcept {
  node* const gone = *at;
  *at = gone->next;
  if (end_ == &gone->next) end_ = at;
  uncount(*gone);
  free(gone);
}

}  // namespace purews::inline v0
