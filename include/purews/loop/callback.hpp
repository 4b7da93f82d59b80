// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <cstddef>
#include <new>
#include <type_traits>

#include "../wire/assert.hpp"

namespace purews::inline v0 {

template <class Signature>
class callback;

/// Owns something that can be called. Move-only, so that it can hold a descriptor or a handle; what fits in three
/// pointers and moves without throwing is stored inside, anything else in one block of the heap.
template <class R, class... A>
class callback<R(A...)> {
 public:
  callback() noexcept = default;

  /// Takes `f`. Throws only what the heap or the move of `f` throws.
  template <class F>
    requires(!std::same_as<std::remove_cvref_t<F>, callback> && std::is_invocable_r_v<R, std::remove_cvref_t<F>&, A...>)
  callback(F&& f) {  // NOLINT(google-explicit-constructor): a lambda is to be passed as it is
    using held = std::remove_cvref_t<F>;
    if constexpr (fits<held>) {
      ::new (static_cast<void*>(store_)) held(static_cast<F&&>(f));
      operations_ = &inside_operations<held>;
    } else {
      ::new (static_cast<void*>(store_)) held*(new held(static_cast<F&&>(f)));
      operations_ = &outside_operations<held>;
    }
  }

  callback(callback&& other) noexcept { take(other); }
  callback& operator=(callback&& other) noexcept;
  ~callback() { clear(); }

  /// Whether there is something to call.
  explicit operator bool() const noexcept { return operations_ != nullptr; }

  /// Destroys what is held; empty afterwards.
  void clear() noexcept;

  /// Calls it. Preconditions: not empty; it does not destroy or clear this object while it runs.
  R operator()(A... a);

 private:
  struct operations {
    R (*call)(void* store, A&&... a);
    void (*move)(void* to, void* from) noexcept;  ///< and ends what was at `from`
    void (*destroy)(void* store) noexcept;
  };

  static constexpr std::size_t room = 3 * sizeof(void*);

  template <class F>
  static constexpr bool fits =
      sizeof(F) <= room && alignof(F) <= alignof(void*) && std::is_nothrow_move_constructible_v<F>;

  template <class F>
  static F& inside(void* store) noexcept { return *std::launder(static_cast<F*>(store)); }
  template <class F>
  static F*& outside(void* store) noexcept { return *std::launder(static_cast<F**>(store)); }

  template <class F>
  static constexpr operations inside_operations{
      [](void* store, A&&... a) -> R { return static_cast<R>(inside<F>(store)(static_cast<A&&>(a)...)); },
      [](void* to, void* from) noexcept {
        ::new (to) F(static_cast<F&&>(inside<F>(from)));
        inside<F>(from).~F();
      },
      [](void* store) noexcept { inside<F>(store).~F(); }};

  template <class F>
  static constexpr operations outside_operations{
      [](void* store, A&&... a) -> R { return static_cast<R>((*outside<F>(store))(static_cast<A&&>(a)...)); },
      [](void* to, void* from) noexcept { ::new (to) F*(outside<F>(from)); },
      [](void* store) noexcept { delete outside<F>(store); }};

  void take(callback& other) noexcept;

  operations const* operations_ = nullptr;
  alignas(void*) std::byte store_[room];
};

template <class R, class... A>
callback<R(A...)>& callback<R(A...)>::operator=(callback&& other) noexcept {
  if (this != &other) {
    clear();
    take(other);
  }
  return *this;
}

template <class R, class... A>
void callback<R(A...)>::clear() noexcept {
  if (operations_ == nullptr) return;
  operations const* const held = operations_;
  operations_ = nullptr;
  held->destroy(store_);
}

template <class R, class... A>
R callback<R(A...)>::operator()(A... a) {
  PUREWS_ASSERT(operations_ != nullptr);
  return operations_->call(store_, static_cast<A&&>(a)...);
}

template <class R, class... A>
void callback<R(A...)>::take(callback& other) noexcept {
  operations_ = other.operations_;
  if (operations_ != nullptr) operations_->move(store_, other.store_);
  other.operations_ = nullptr;
}

}  // namespace purews::inline v0
