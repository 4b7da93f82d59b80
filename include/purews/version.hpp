// SPDX-License-Identifier: BSL-1.0
#pragma once

/// The one source of the version: CMake, the packages and the changelog's check read it from here (SemVer 2.0).
#define PUREWS_VERSION_MAJOR 0
#define PUREWS_VERSION_MINOR 1
#define PUREWS_VERSION_PATCH 0

/// The inline namespace follows the major version, so that two majors in one program cannot be mixed up
/// by the linker. There is no promise of a stable ABI before 1.0.
namespace purews::inline v0 {

struct version {
  int major = PUREWS_VERSION_MAJOR;
  int minor = PUREWS_VERSION_MINOR;
  int patch = PUREWS_VERSION_PATCH;
};

}  // namespace purews::inline v0
