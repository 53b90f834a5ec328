"""The results as Markdown."""

from typing import Any

from benchmarks.timing import table


def page(results: dict[str, Any], about: str) -> str:
    """Return all tables; those of aims come first."""
    described = "\n".join(f"- {name}: {value}" for name, value in results["card"].items())
    sections = ["# On a GPU", about.strip(), described]
    if results["tiny"]:
        sections.append("**Tiny sizes: a trial of the command. No number below says anything about speed.**")
    parts = results["parts"]
    aims = [row for part in parts.values() for row in part["tables"].get("aims", [])]
    sections += [f"## Aims\n\n{table(aims)}"] if aims else []
    for name, part in parts.items():
        sections.append(f"## {name} ({part['seconds']:.0f} s)")
        sections += [f"### {title}\n\n{table(rows)}" for title, rows in part["tables"].items() if title != "aims"]
        sections += [f"**This part failed.**\n\n```\n{part['error']}```"] if "error" in part else []
    return "\n\n".join(sections) + "\n"
