"""Kinds of import contract for `.importlinter` that import-linter does not have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class DoorsContract(Contract):
    """A package's modules are imported by itself and its sub-packages only; all others use the package's door.

    Modules that lie directly in a root package are doors of their own.
    """

    type_name = "doors"

    root_packages = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        del verbose
        ours = cast(Sequence[str], self.root_packages)
        passed_by = [
            f"{importer} imports {imported}, which lies behind the door of {package}"
            for imported in sorted(graph.modules)
            if (package := imported.rpartition(".")[0]).count(".") >= 1
            and imported.partition(".")[0] in ours
            and not graph.find_children(imported)
            for importer in sorted(graph.find_modules_that_directly_import(imported))
            if importer != package and not importer.startswith(f"{package}.")
        ]
        return ContractCheck(kept=not passed_by, metadata={"broken": passed_by})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for sentence in check.metadata["broken"]:
            output.print_error(sentence)


class LibrariesContract(Contract):
    """Each library is imported in its rooms only; a line of `rooms` reads `library: package, package`."""

    type_name = "libraries"

    root_packages = fields.ListField(subfield=fields.StringField())
    rooms = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        del verbose
        strayed: list[str] = []
        for line in cast(Sequence[str], self.rooms):
            library, _, places = line.partition(":")
            rooms = [place.strip() for place in places.split(",")]
            if library.strip() not in graph.modules:
                strayed.append(f"nobody imports {library.strip()}; its line in the contract is out of date")
                continue
            strayed += (
                f"{importer} imports {library.strip()}, which lives in {', '.join(rooms)}"
                for importer in sorted(graph.find_modules_that_directly_import(library.strip()))
                if not any(importer == room or importer.startswith(f"{room}.") for room in rooms)
            )
        return ContractCheck(kept=not strayed, metadata={"broken": strayed})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for sentence in check.metadata["broken"]:
            output.print_error(sentence)
