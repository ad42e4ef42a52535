"""MkDocs hooks: documents that live elsewhere in the repository become pages of the site, with their links turned."""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
# document -> page; those that are not there are left out.
PAGES = {
    "ARCHITECTURE.md": "architecture.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "bench/layers.md": "measured/layers.md",
    "bench/parallel.md": "measured/parallel.md",
    "bench/results.md": "measured/sequential.md",
    "bench/without.md": "measured/mechanisms.md",
    "conformance.md": "measured/conformance.md",
    "examples/README.md": "examples.md",
}
LINK = re.compile(r"\[([^\]]+)\]\(([^)#\s]+)(#[^)\s]*)?\)")


def turn_links(text: str, document: str, page: str) -> str:
    """Links between these documents lead to their pages; those to other files of the repository become plain names."""

    def turned(match: re.Match[str]) -> str:
        label, target, anchor = match.group(1), match.group(2), match.group(3) or ""
        if "://" in target:
            return match.group(0)
        found = (ROOT / document).parent.joinpath(target).resolve()
        name = found.relative_to(ROOT).as_posix() if found.is_relative_to(ROOT) else target
        if name in PAGES:
            up = "../" * page.count("/")
            return f"[{label}]({up}{PAGES[name]}{anchor})"
        if name.startswith("docs/"):
            return f"[{label}]({'../' * page.count('/')}{name.removeprefix('docs/')}{anchor})"
        return label if label.startswith("`") else f"{label} (`{name}`)"

    return LINK.sub(turned, text)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """The table of mechanisms is in the navigation once it has been measured."""
    if (ROOT / "bench" / "without.md").is_file():
        [measured] = [section["Measured"] for section in config.nav or [] if "Measured" in section]
        measured.insert(2, {"Speed, by mechanism": PAGES["bench/without.md"]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages; the source of each example follows the list of them."""
    for document, page in PAGES.items():
        if not (ROOT / document).is_file():
            continue
        text = turn_links((ROOT / document).read_text(), document, page)
        if page == "examples.md":
            for program in sorted((ROOT / "examples").glob("*.py")):
                text += f"\n## {program.name}\n\n```python\n{program.read_text()}```\n"
        files.append(File.generated(config, page, content=text))
    return files
