# SPDX-License-Identifier: BSL-1.0
import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.files import copy, load

# The recipe lies in its checkout: `conan create tests/package/conan` packs what is there.
CHECKOUT = os.path.join("..", "..", "..")


class Purews(ConanFile):
    name = "purews"
    description = "WebSocket as pure C++20 headers"
    license = "BSL-1.0"
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    no_copy_source = True

    def set_version(self):
        text = load(self, os.path.join(self.recipe_folder, CHECKOUT, "include", "purews", "version.hpp"))
        self.version = ".".join(re.findall(r"^#define PUREWS_VERSION_[A-Z]+ (\d+)$", text, re.MULTILINE))

    def export_sources(self):
        for pattern in ("LICENSE", "include/*"):
            copy(self, pattern, os.path.join(self.recipe_folder, CHECKOUT), self.export_sources_folder)

    def validate(self):
        check_min_cppstd(self, 20)

    def package_id(self):
        self.info.clear()

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        copy(self, "include/*", self.source_folder, self.package_folder)

    def package_info(self):
        self.cpp_info.set_property("cmake_file_name", "purews")
        core = self.cpp_info.components["purews"]
        server = self.cpp_info.components["server"]
        server.requires = ["purews"]
        if self.settings.os in ("Linux", "FreeBSD"):
            server.system_libs = ["pthread"]
        for name, component in (("purews", core), ("server", server)):
            component.set_property("cmake_target_name", "purews::" + name)
            component.bindirs = component.libdirs = []
