// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <sqlite3.h>

#include <atomic>

/// Files that fail: a VFS of SQLite in front of the real one.
namespace test {

/// While it lives, all of SQLite's files are behind it, and the nth call of one kind fails.
class faulty_files {
 public:
  enum class call { open, read, write, sync, truncate, remove, size, map };
  enum class then { works, fails };  ///< what the later calls of this kind do

  faulty_files() {
    vfs_.pAppData = this;
    vfs_.szOsFile = static_cast<int>(sizeof(file)) + real_->szOsFile;
    vfs_.zName = "faulty";
    vfs_.xOpen = [](sqlite3_vfs* vfs, char const* name, sqlite3_file* at, int flags, int* out) {
      return of(vfs).open(name, reinterpret_cast<file*>(at), flags, out);
    };
    vfs_.xDelete = [](sqlite3_vfs* vfs, char const* name, int) {
      auto& mine = of(vfs);
      return mine.fails(call::remove) ? SQLITE_IOERR_DELETE : mine.real_->xDelete(mine.real_, name, 0);
    };
    sqlite3_vfs_register(&vfs_, 1);
  }
  faulty_files(faulty_files const&) = delete;
  faulty_files& operator=(faulty_files const&) = delete;
  ~faulty_files() {
    sqlite3_vfs_unregister(&vfs_);
    sqlite3_vfs_register(real_, 1);
  }

  /// From now on.
  void fail(call what, int nth, then later) {
    what_ = what, later_ = later, left_ = nth;
    failed_ = false;
  }
  void heal() { left_ = 0; }
  bool failed() const { return failed_; }

 private:
  struct file {
    sqlite3_file base;
    faulty_files* whose;
    sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
  };

  static faulty_files& of(sqlite3_vfs* vfs) { return *static_cast<faulty_files*>(vfs->pAppData); }
  static file& in(sqlite3_file* at) { return *reinterpret_cast<file*>(at); }
  static bool fails(sqlite3_file* at, call what) { return in(at).whose->fails(what); }
  template <auto Method, class... Rest>
  static auto pass(sqlite3_file* at, Rest... rest) {
    auto* const real = in(at).real();
    return (real->pMethods->*Method)(real, rest...);
  }

  bool fails(call what) {
    if (what != what_ || left_ == 0) return false;
    if (left_ > 1) return --left_, false;
    if (later_ == then::works) left_ = 0;
    return failed_ = true;
  }

  int open(char const* name, file* at, int flags, int* out) {
    static sqlite3_io_methods const methods = make_methods();
    at->base.pMethods = nullptr;
    if (fails(call::open)) return SQLITE_CANTOPEN;
    auto const outcome = real_->xOpen(real_, name, at->real(), flags, out);
    at->whose = this;
    if (at->real()->pMethods != nullptr) at->base.pMethods = &methods;
    return outcome;
  }

  static sqlite3_io_methods make_methods() {
    using m = sqlite3_io_methods;
    sqlite3_io_methods all{};
    all.iVersion = 2;  // no xFetch: what is read goes through xRead
    all.xClose = [](sqlite3_file* at) { return pass<&m::xClose>(at); };
    all.xRead = [](sqlite3_file* at, void* to, int bytes, sqlite3_int64 from) {
      return fails(at, call::read) ? SQLITE_IOERR_READ : pass<&m::xRead>(at, to, bytes, from);
    };
    // A write that fails may have been done in part.
    all.xWrite = [](sqlite3_file* at, void const* from, int bytes, sqlite3_int64 to) {
      if (!fails(at, call::write)) return pass<&m::xWrite>(at, from, bytes, to);
      pass<&m::xWrite>(at, from, bytes / 2, to);
      return SQLITE_IOERR_WRITE;
    };
    all.xTruncate = [](sqlite3_file* at, sqlite3_int64 size) {
      return fails(at, call::truncate) ? SQLITE_IOERR_TRUNCATE : pass<&m::xTruncate>(at, size);
    };
    // The machine does not crash here: nothing need reach the disk.
    all.xSync = [](sqlite3_file* at, int) { return fails(at, call::sync) ? SQLITE_IOERR_FSYNC : SQLITE_OK; };
    all.xFileSize = [](sqlite3_file* at, sqlite3_int64* size) {
      return fails(at, call::size) ? SQLITE_IOERR_FSTAT : pass<&m::xFileSize>(at, size);
    };
    all.xLock = [](sqlite3_file* at, int level) { return pass<&m::xLock>(at, level); };
    all.xUnlock = [](sqlite3_file* at, int level) { return pass<&m::xUnlock>(at, level); };
    all.xCheckReservedLock = [](sqlite3_file* at, int* is) { return pass<&m::xCheckReservedLock>(at, is); };
    all.xFileControl = [](sqlite3_file* at, int what, void* with) { return pass<&m::xFileControl>(at, what, with); };
    all.xSectorSize = [](sqlite3_file* at) { return pass<&m::xSectorSize>(at); };
    all.xDeviceCharacteristics = [](sqlite3_file* at) { return pass<&m::xDeviceCharacteristics>(at); };
    all.xShmMap = [](sqlite3_file* at, int region, int bytes, int extend, void volatile** to) {
      return fails(at, call::map) ? SQLITE_IOERR_SHMMAP : pass<&m::xShmMap>(at, region, bytes, extend, to);
    };
    all.xShmLock = [](sqlite3_file* at, int from, int count, int flags) {
      return pass<&m::xShmLock>(at, from, count, flags);
    };
    all.xShmBarrier = [](sqlite3_file* at) { pass<&m::xShmBarrier>(at); };
    all.xShmUnmap = [](sqlite3_file* at, int remove) { return pass<&m::xShmUnmap>(at, remove); };
    return all;
  }

  sqlite3_vfs* const real_ = sqlite3_vfs_find(nullptr);
  sqlite3_vfs vfs_ = *real_;
  std::atomic<call> what_{};
  std::atomic<then> later_{};
  std::atomic<int> left_ = 0;  // until one fails; 0: none will
  std::atomic<bool> failed_ = false;
};

}  // namespace test
