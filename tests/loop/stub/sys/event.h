// SPDX-License-Identifier: BSL-1.0
// What loop/kqueue.hpp uses of <sys/event.h>, so that it is tested on Linux, too: with numbers of our own, and with the
// kqueue of ../kqueue.cpp.
#pragma once
#pragma GCC system_header  // a function named as a struct is what the real header has, too

#include <stdint.h>
#include <time.h>

struct kevent {
  uintptr_t ident;
  short filter;
  unsigned short flags;
  unsigned int fflags;
  intptr_t data;
  void* udata;
};

#define EVFILT_READ (-1)
#define EVFILT_WRITE (-2)

#define EV_ADD 0x0001
#define EV_DELETE 0x0002
#define EV_EOF 0x8000
#define EV_ERROR 0x4000

#define EV_SET(event, i, fil, fl, ffl, d, u) \
  (*(event) = {(i), static_cast<short>(fil), static_cast<unsigned short>(fl), (ffl), (d), (u)})

extern "C" {
int kqueue();
int kevent(int queue, kevent const* changes, int change_count, struct kevent* events, int event_count,
           timespec const* timeout);
}
