# SPDX-License-Identifier: BSL-1.0
"""create.py RECIPE WORK VERSION [OPTION...]: what `conan create` does with the recipe of headers, and then the files of CMakeDeps."""
import ast
import importlib.util
import os
import sys

recipe_path, work, version, *wanted = sys.argv[1:]
spec = importlib.util.spec_from_file_location("recipe", recipe_path)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)


def folder(name):
    path = os.path.join(work, name)
    os.makedirs(path)
    return path


def make(cppstd):
    recipe = module.Purews({"os": "Linux", "cppstd": cppstd}, {name: True for name in wanted})
    recipe.recipe_folder = os.path.dirname(os.path.abspath(recipe_path))
    return recipe


def check(condition, sentence):
    if not condition:
        sys.exit("conanfile.py: " + sentence)


recipe = make("20")
recipe.set_version()
check(recipe.name == "purews" and recipe.version == version, f"{recipe.name}/{recipe.version}, not {version}")
check(recipe.package_type == "header-library" and recipe.license == "BSL-1.0", "package_type or license")
recipe.export_sources_folder = recipe.source_folder = folder("source")
recipe.package_folder = folder("package")
recipe.export_sources()
recipe.recipe_folder = None  # once exported, the recipe is no longer in its checkout
recipe.requirements()
packages = [reference.split("/")[0] for reference in recipe.required]
check(packages == (["zlib"] if "deflate" in wanted else []), f"it requires {packages}")
recipe.validate()
recipe.package_id()
check(recipe.info.cleared, "headers have one package for all settings")
recipe.package()
recipe.package_info()
check(sorted(os.listdir(recipe.package_folder)) == ["include", "licenses"], "the package holds more, or less")

try:
    make("17").validate()
    check(False, "C++17 is not refused")
except RuntimeError:
    pass

# The test package cannot run without Conan, but it must at least be Python.
with open(os.path.join(os.path.dirname(recipe_path), "test_package", "conanfile.py"), encoding="utf-8") as file:
    ast.parse(file.read())

info = recipe.cpp_info
generators = folder("generators")
with open(os.path.join(generators, info.properties["cmake_file_name"] + "Config.cmake"), "w", encoding="utf-8") as out:
    found = {"zlib::zlib": "ZLIB::ZLIB"}  # what CMakeDeps calls the one target of another package
    if packages:
        out.write("find_package(ZLIB REQUIRED)\n")
    for name, component in info.components.items():
        check(component.libdirs == [] and component.bindirs == [], name + " has folders of binaries")
        target = component.properties["cmake_target_name"]
        includes = [os.path.join(recipe.package_folder, d) for d in component.includedirs]
        for needed in component.requires:
            check(needed in info.components or needed.split("::")[0] in packages, f"{name} needs {needed}")
        links = [found.get(n) or info.components[n].properties["cmake_target_name"] for n in component.requires]
        out.write(f"add_library({target} INTERFACE IMPORTED)\n")
        for key, values in (("INCLUDE_DIRECTORIES", includes), ("LINK_LIBRARIES", links + component.system_libs)):
            out.write(f"set_property(TARGET {target} PROPERTY INTERFACE_{key} \"{';'.join(values)}\")\n")
