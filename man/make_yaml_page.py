#!/usr/bin/env python3
"""Writes tocsin.yaml(5) from the samples in conf/, which are printed from the table of options: nothing lists them twice.

usage: make_yaml_page.py tocsin.yaml issuer.yaml OUTPUT
"""
import re
import sys

HEAD = r""".\" Made by man/make_yaml_page.py from the samples in conf/.
.Dd November 21, 2026
.Dt TOCSIN.YAML 5
.Os
.Sh NAME
.Nm tocsin.yaml
.Nd configuration of Tocsin
.Sh DESCRIPTION
One YAML file for all of Tocsin's programs, and one
.Pa issuers/NAME/issuer.yaml
for each issuer.
Relative paths are taken from the folder of the file that names them.
A wrong key, type or range, and a missing file, is refused with file, line and what would be right;
.Nm tocsin Cm check
tells whether all is well.
.Pp
Durations are numbers with a unit: 30s, 5m, 1h, 4d.
Sizes are bytes, or numbers with K, M, G, T.
.Nm tocsin Cm init
writes a file with every option commented.
"""
TAIL = r""".Sh SEE ALSO
.Xr tocsin 1 ,
.Xr tocsin-responder 8 ,
.Xr tocsin-signer 8
"""


def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in (".", "'") else text


def options(path):
    """(path, help, range and default) of each option in a sample."""
    group, comments = "", []
    for line in open(path, encoding="utf-8"):
        line = line.rstrip("\n")
        option = re.match(r"( *)#?([a-z_0-9]+):( .*)?$", line)
        if option and not (option[3] or "").strip() and not line.lstrip().startswith("#"):
            group, comments = option[2], []
        elif option and len(comments) >= 2:
            yield (group + "." if option[1] else "") + option[2], comments[-2], comments[-1]
            comments = []
        elif line.lstrip().startswith("# "):
            comments.append(line.lstrip()[2:])
        else:
            comments = []


def section(title, path):
    rows = list(options(path))
    if not rows:
        sys.exit(f"{path}: no options found")
    out = [f".Sh {title}", ".Bl -tag -width Ds"]
    for name, text, values in rows:
        out += [f".It Cm {roff(name)}", roff(text), ".br", roff(values[0].upper() + values[1:]) + "."]
    return "\n".join(out + [".El", ""])


def main():
    page = HEAD + section("TOCSIN.YAML", sys.argv[1]) + section("ISSUER.YAML", sys.argv[2]) + TAIL
    with open(sys.argv[3], "w", encoding="utf-8") as out:
        out.write(page)


main()
