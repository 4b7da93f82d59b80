// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>

#include "../wire/bytes.hpp"
#include "os_error.hpp"

namespace purews::inline v0 {

/// The address of a socket: IPv4, IPv6, or what else the system says.
struct socket_address {
  sockaddr_storage storage{};
  socklen_t size = 0;

  sockaddr const* data() const noexcept { return reinterpret_cast<sockaddr const*>(&storage); }
  int family() const noexcept { return storage.ss_family; }

  /// The port in host order; 0 where the family has none.
  std::uint16_t port() const noexcept;

  /// The path of a local socket (AF_UNIX); empty for a client's, which has none, and for other families. A view of
  /// this object.
  std::string_view path() const noexcept;
};

/// The address of the local socket at `path`; with a size of 0 if the path is empty, has a NUL, or is longer than the
/// system allows (107 bytes on Linux).
socket_address local_path(std::string_view path) noexcept;

/// The address of a peer in 24 bytes instead of 132, for who keeps very many. The path of a local socket is not kept:
/// clients have none.
class compact_address {
 public:
  compact_address() noexcept = default;
  explicit compact_address(socket_address const& from) noexcept;

  socket_address expand() const noexcept;

 private:
  unsigned char ip_[16] = {};  // of an IPv4 address the first 4
  std::uint32_t scope_ = 0;    // of an IPv6 address
  std::uint16_t port_ = 0;     // in network order
  std::uint16_t family_ = 0;
};

/// The text of an address: the path of a local socket, or brackets, 45 characters of IPv6, a zone and a port.
using address_text = fixed_text<120>;

/// Writes the address without its port: "127.0.0.1", "::1"; "unix:/run/chat.sock" for a local socket. An IPv4 address
/// inside an IPv6 one is written as IPv4.
address_text host_text(socket_address const& address) noexcept;

/// Writes the address with its port, as in a URL: "127.0.0.1:8080", "[::1]:8080", "unix:/run/chat.sock".
address_text text(socket_address const& address) noexcept;

/// Asks for the addresses to which a socket is bound, or connected.
os_error local_address(int socket, socket_address& out) noexcept;
os_error remote_address(int socket, socket_address& out) noexcept;

/// What an address is looked up for.
enum class resolve_for : std::uint8_t { connecting, listening };

/// The addresses of a host, best first. Owns the resolver's list.
class address_list {
 public:
  class iterator {
   public:
    explicit iterator(addrinfo const* at) noexcept : at_(at) {}
    socket_address operator*() const noexcept;
    iterator& operator++() noexcept {
      at_ = at_->ai_next;
      return *this;
    }
    bool operator==(iterator const&) const noexcept = default;

   private:
    addrinfo const* at_;
  };

  address_list(addrinfo* first, os_error error) noexcept : first_(first), error_(error) {}
  address_list(address_list&& other) noexcept : first_(other.first_), error_(other.error_) { other.first_ = nullptr; }
  address_list& operator=(address_list&&) = delete;
  ~address_list() {
    if (first_ != nullptr) ::freeaddrinfo(first_);
  }

  os_error error() const noexcept { return error_; }
  bool empty() const noexcept { return first_ == nullptr; }
  iterator begin() const noexcept { return iterator(first_); }
  iterator end() const noexcept { return iterator(nullptr); }

 private:
  addrinfo* first_;
  os_error error_;
};

/// Looks up `host`: a number, "::1" with or without brackets, or a name. Blocks while a name is looked up. An empty
/// host means all of this machine's addresses when listening, and this machine when connecting.
address_list resolve(std::string_view host, std::uint16_t port, resolve_for what = resolve_for::connecting) noexcept;

inline std::uint16_t socket_address::port() const noexcept {
  if (family() == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &storage, sizeof v4);
    return ntohs(v4.sin_port);
  }
  if (family() == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, &storage, sizeof v6);
    return ntohs(v6.sin6_port);
  }
  return 0;
}

inline std::string_view socket_address::path() const noexcept {
  constexpr std::size_t front = offsetof(sockaddr_un, sun_path);
  if (family() != AF_UNIX || size <= front) return {};
  std::string_view const all{reinterpret_cast<char const*>(&storage) + front, size - front};
  return all.substr(0, all.find('\0'));
}

inline socket_address local_path(std::string_view path) noexcept {
  socket_address out;
  sockaddr_un local{};
  if (path.empty() || path.size() >= sizeof local.sun_path || path.find('\0') != path.npos) return out;
  local.sun_family = AF_UNIX;
  std::memcpy(local.sun_path, path.data(), path.size());
  std::memcpy(&out.storage, &local, sizeof local);
  out.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return out;
}

inline compact_address::compact_address(socket_address const& from) noexcept
    : family_(static_cast<std::uint16_t>(from.family())) {
  if (from.family() == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &from.storage, sizeof v4);
    std::memcpy(ip_, &v4.sin_addr, sizeof v4.sin_addr);
    port_ = v4.sin_port;
  } else if (from.family() == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, &from.storage, sizeof v6);
    std::memcpy(ip_, &v6.sin6_addr, sizeof v6.sin6_addr);
    port_ = v6.sin6_port;
    scope_ = v6.sin6_scope_id;
  }
}

inline socket_address compact_address::expand() const noexcept {
  socket_address out;
  out.storage.ss_family = static_cast<sa_family_t>(family_);
  out.size = offsetof(sockaddr_un, sun_path);
  if (family_ == AF_INET) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    std::memcpy(&v4.sin_addr, ip_, sizeof v4.sin_addr);
    v4.sin_port = port_;
    std::memcpy(&out.storage, &v4, sizeof v4);
    out.size = sizeof v4;
  } else if (family_ == AF_INET6) {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    std::memcpy(&v6.sin6_addr, ip_, sizeof v6.sin6_addr);
    v6.sin6_port = port_;
    v6.sin6_scope_id = scope_;
    std::memcpy(&out.storage, &v6, sizeof v6);
    out.size = sizeof v6;
  }
  return out;
}

inline address_text host_text(socket_address const& address) noexcept {
  address_text out;
  if (address.family() == AF_UNIX) {
    out += "unix:";
    return out += address.path();
  }
  char host[72] = "";
  if (::getnameinfo(address.data(), address.size, host, sizeof host, nullptr, 0, NI_NUMERICHOST) != 0) {
    return out += "?";
  }
  std::string_view shown = host;
  constexpr std::string_view mapped = "::ffff:";
  if (shown.starts_with(mapped) && shown.find('.') != shown.npos) shown.remove_prefix(mapped.size());
  return out += shown;
}

inline address_text text(socket_address const& address) noexcept {
  address_text const host = host_text(address);
  if (address.family() == AF_UNIX) return host;
  bool const bracket = host.view().find(':') != std::string_view::npos;
  address_text out;
  if (bracket) out += "[";
  out += host.view();
  out += bracket ? "]:" : ":";
  return out += static_cast<unsigned>(address.port());
}

inline os_error local_address(int socket, socket_address& out) noexcept {
  out.size = sizeof out.storage;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&out.storage), &out.size) == 0) return {};
  return last_os_error("getsockname");
}

inline os_error remote_address(int socket, socket_address& out) noexcept {
  out.size = sizeof out.storage;
  if (::getpeername(socket, reinterpret_cast<sockaddr*>(&out.storage), &out.size) == 0) return {};
  return last_os_error("getpeername");
}

inline socket_address address_list::iterator::operator*() const noexcept {
  socket_address out;
  out.size = static_cast<socklen_t>(at_->ai_addrlen);
  std::memcpy(&out.storage, at_->ai_addr, at_->ai_addrlen);
  return out;
}

inline address_list resolve(std::string_view host, std::uint16_t port, resolve_for what) noexcept {
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  fixed_text<255> name;  // the longest name that the DNS knows
  fixed_text<5> service;
  name += host;
  service += static_cast<unsigned>(port);
  if (name.view() != host || host.find('\0') != host.npos) {
    return {nullptr, {EAI_NONAME, "resolve", os_error_kind::resolver}};
  }
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_NUMERICSERV | (what == resolve_for::listening ? AI_PASSIVE : 0);
  addrinfo* found = nullptr;
  int const code = ::getaddrinfo(host.empty() ? nullptr : name.c_str(), service.c_str(), &wanted, &found);
  if (code == EAI_SYSTEM) return {nullptr, last_os_error("resolve")};
  if (code != 0) return {nullptr, {code, "resolve", os_error_kind::resolver}};
  return {found, {}};
}

}  // namespace purews::inline v0
