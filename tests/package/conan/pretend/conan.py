# SPDX-License-Identifier: BSL-1.0
"""As much of Conan as the recipe uses: what its documentation says that these names do."""
import collections
import fnmatch
import os
import shutil
import sys
import types


class Component:
    def __init__(self):
        self.properties = {}
        self.components = {}
        self.requires, self.system_libs = [], []
        self.includedirs, self.libdirs, self.bindirs = ["include"], ["lib"], ["bin"]

    def set_property(self, name, value):
        self.properties[name] = value


class CppInfo(Component):
    def __init__(self):
        super().__init__()
        self.components = collections.defaultdict(Component)


class Info:
    cleared = False

    def clear(self):
        self.cleared = True


class ConanFile:
    options, default_options = {}, {}

    def __init__(self, settings, options):
        self.settings = types.SimpleNamespace(**settings)
        for name, value in options.items():
            if value not in self.options[name]:
                raise ValueError(f"the option {name} cannot be {value}")
        self.options = types.SimpleNamespace(**{**self.default_options, **options})
        self.required = []
        self.cpp_info = CppInfo()
        self.info = Info()

    def requires(self, reference):
        self.required.append(reference)


def load(recipe, path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def copy(recipe, pattern, src, dst):
    src, copied = os.path.abspath(src), []
    for folder, _, names in os.walk(src):
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), src)
            if fnmatch.fnmatch(path, pattern):
                target = os.path.join(dst, path)
                os.makedirs(os.path.dirname(target), exist_ok=True)
                shutil.copyfile(os.path.join(src, path), target)
                copied.append(target)
    return copied


def check_min_cppstd(recipe, standard):
    if int(recipe.settings.cppstd) < standard:
        raise RuntimeError("the recipe needs C++" + str(standard))


def module(name, **members):
    result = sys.modules[name] = types.ModuleType(name)
    result.__dict__.update(members)


module("conan.tools")
module("conan.tools.build", check_min_cppstd=check_min_cppstd)
module("conan.tools.files", copy=copy, load=load)
