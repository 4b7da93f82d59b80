// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "deflater.hpp"
#include "inflater.hpp"

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#endif

namespace purews::inline v0 {

/// Compressors and decompressors that no connection needs right now, for whoever needs one next, on any thread: making
/// one takes several times as long as compressing a chat message with it, and a quarter of a megabyte.
class deflate_pool {
 public:
  explicit deflate_pool(std::size_t kept_max) noexcept : kept_max_(kept_max) {}
  deflate_pool(deflate_pool const&) = delete;
  deflate_pool& operator=(deflate_pool const&) = delete;
  ~deflate_pool() {
    for (deflater* d = pop(deflaters_); d != nullptr; d = pop(deflaters_)) destroy(d);
    for (inflater* i = pop(inflaters_); i != nullptr; i = pop(inflaters_)) destroy(i);
  }

  /// One without history; null if memory ran out.
  deflater* take_deflater(std::uint8_t window_bits, deflate_effort effort) noexcept;
  inflater* take_inflater() noexcept;

  /// Takes one back, and keeps it if there are not enough.
  void give(deflater* unused) noexcept {
    unused->free_result();
    give_to(deflaters_, unused);
  }
  void give(inflater* unused) noexcept { give_to(inflaters_, unused); }

  std::size_t kept_deflaters() noexcept { return count(deflaters_); }
  std::size_t kept_inflaters() noexcept { return count(inflaters_); }

 private:
  template <class T>
  struct list {
    T* first = nullptr;
    std::size_t size = 0;
  };
  // Held for a few instructions only.
  class guard {
   public:
    explicit guard(char volatile& busy) noexcept : busy_(busy) {
#if defined(_MSC_VER) && !defined(__clang__)
      while (_InterlockedExchange8(&busy_, 1) != 0) {
      }
#else
      while (__atomic_test_and_set(&busy_, __ATOMIC_ACQUIRE)) {
      }
#endif
    }
    guard(guard const&) = delete;
    guard& operator=(guard const&) = delete;
    ~guard() {
#if defined(_MSC_VER) && !defined(__clang__)
      _InterlockedExchange8(&busy_, 0);
#else
      __atomic_clear(&busy_, __ATOMIC_RELEASE);
#endif
    }

   private:
    char volatile& busy_;
  };

  template <class T>
  static T* make() noexcept;
  template <class T>
  static void destroy(T* unused) noexcept;
  template <class T>
  T* pop(list<T>& from) noexcept;
  template <class T>
  void give_to(list<T>& kept, T* unused) noexcept;
  template <class T>
  std::size_t count(list<T>& kept) noexcept {
    guard const held(busy_);
    return kept.size;
  }

  std::size_t kept_max_;
  list<deflater> deflaters_;
  list<inflater> inflaters_;
  char volatile busy_ = 0;
};

inline deflater* deflate_pool::take_deflater(std::uint8_t window_bits, deflate_effort effort) noexcept {
  deflater* taken = pop(deflaters_);
  if (taken == nullptr) taken = make<deflater>();
  if (taken == nullptr || taken->begin(window_bits, effort)) return taken;
  destroy(taken);
  return nullptr;
}

inline inflater* deflate_pool::take_inflater() noexcept {
  inflater* taken = pop(inflaters_);
  if (taken == nullptr) taken = make<inflater>();
  if (taken == nullptr || taken->begin()) return taken;
  destroy(taken);
  return nullptr;
}

template <class T>
T* deflate_pool::make() noexcept {
  void* const memory = allocate_bytes(sizeof(T));
  return memory == nullptr ? nullptr : new (memory) T;
}

template <class T>
void deflate_pool::destroy(T* unused) noexcept {
  unused->~T();
  free_bytes(unused);
}

template <class T>
T* deflate_pool::pop(list<T>& from) noexcept {
  guard const held(busy_);
  T* const taken = from.first;
  if (taken == nullptr) return nullptr;
  from.first = taken->next;
  --from.size;
  return taken;
}

template <class T>
void deflate_pool::give_to(list<T>& kept, T* unused) noexcept {
  {
    guard const held(busy_);
    if (kept.size < kept_max_) {
      unused->next = kept.first;
      kept.first = unused;
      ++kept.size;
      return;
    }
  }
  destroy(unused);
}

}  // namespace purews::inline v0
