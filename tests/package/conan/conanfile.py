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
    options = {"deflate": [True, False]}
    default_options = {"deflate": False}
    no_copy_source = True

    def set_version(self):
        text = load(self, os.path.join(self.recipe_folder, CHECKOUT, "include", "purews", "version.hpp"))
        self.version = ".".join(re.findall(r"^#define PUREWS_VERSION_[A-Z]+ (\d+)$", text, re.MULTILINE))

    def export_sources(self):
        for pattern in ("LICENSE", "include/*"):
            copy(self, pattern, os.path.join(self.recipe_folder, CHECKOUT), self.export_sources_folder)

    def requirements(self):
        if self.options.deflate:
            self.requires("zlib/[>=1.2.11 <2]")

    def validate(self):
        check_min_cppstd(self, 20)

    def package_id(self):
        self.info.clear()

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        copy(self, "include/*", self.source_folder, self.package_folder)

    def package_info(self):
        self.cpp_info.set_property("cmake_file_name", "purews")
        requires = {"purews": [], "server": ["purews"], "sim": ["purews"]}
        if self.options.deflate:
            requires["deflate"] = ["purews", "zlib::zlib"]
        for name, needed in requires.items():
            component = self.cpp_info.components[name]
            component.set_property("cmake_target_name", "purews::" + name)
            component.requires = needed
            component.bindirs = component.libdirs = []
        if self.settings.os in ("Linux", "FreeBSD"):
            self.cpp_info.components["server"].system_libs = ["pthread"]
