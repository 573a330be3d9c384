"""The house rules that a compiler does not see: who may include whom (DESIGN.md, Folders), which library shows where, how long a file may
be, and that every `./dev` subcommand the documents name is there. Run by meson (suite `house`), by `./dev lint`, or by itself.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Longest matching prefix of a file's path -> prefixes of what it may include with quotes. tests/ may include anything.
ARROWS = {
    "base/": ["base/"],
    "pki/": ["pki/", "base/"],
    "store/": ["store/", "pki/", "base/"],
    "signer/": ["signer/", "store/", "pki/", "base/"],
    "signer/engine/": ["signer/engine/", "signer/[^/]+$", "store/", "pki/", "base/"],
    "signer/vault/": ["signer/vault/", "signer/[^/]+$", "pki/", "base/"],
    "responder/": ["responder/", "store/", "pki/", "base/"],
    "responder/answer/": ["responder/answer/", "store/", "pki/", "base/"],
    "responder/http/": ["responder/http/", "responder/answer/", "store/", "pki/", "base/"],
    "responder/conn/": ["responder/conn/", "responder/http/", "responder/answer/", "store/", "pki/", "base/"],
    "tools/": ["tools/", "pki/", "base/"],
    "bench/": ["bench/", "pki/", "base/"],
    "bench/rawsign.c": ["signer/vault/", "pki/", "base/"],  # opens the token as the vault does
    "bench/mkstore.c": ["bench/made.h", "store/", "pki/", "base/"],
    "bench/mkcrl.c": ["bench/made.h", "signer/engine/crl_file.h", "store/", "pki/", "base/"],  # issues as the engine does
}

# A library's headers -> path prefixes where they may show.
LIBRARIES = {
    r"lmdb\.h": ["store/"],
    r"event2?[/.]": ["signer/engine/", "responder/conn/", "responder/answer/sign_client", "bench/"],
    r"nghttp2/": ["bench/"],
    # pki: digests, verification, X.509. The vault hashes and makes the CSR itself.
    r"openssl/": ["pki/hash_alg.c", "pki/sig_alg.c", "pki/certificate.c", "pki/private_key.c", "signer/vault/", "bench/made.", "bench/mkstore.c", "bench/mkcrl.c", "responder/conn/tls.c"],
    r"jansson\.h": ["signer/engine/", "tools/"],
    r"(p11-kit/|pkcs11)": ["signer/vault/", "bench/rawsign.c"],
    r"yaml\.h": ["base/conf"],
    r"seccomp\.h": ["base/jail", "signer/vault/", "responder/sandbox"],
    r"cmocka\.h": [],
}

# Headers of a folder that are its own affair: nobody outside includes them.
PRIVATE = {
    "store/env_lmdb.h": ["store/"],
    "responder/http/http2_session.h": ["responder/http/"],
    "responder/conn/conn_private.h": ["responder/conn/"],
}

LINES_MAX = 600
LONGER_ALLOWED = {}  # path: reason

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


def sources():
    for folder in ("base", "pki", "store", "signer", "responder", "tools", "bench"):
        for path in sorted((ROOT / folder).rglob("*.[ch]")):
            yield path.relative_to(ROOT).as_posix(), path.read_text()


def includes(text, kind):
    return [name for mark, name in INCLUDE.findall(text) if mark == kind]


def allowed_for(path):
    return ARROWS[max((prefix for prefix in ARROWS if path.startswith(prefix)), key=len)]


def rule_a_folder_includes_only_what_stands_below_it():
    wrong = []
    for path, text in sources():
        for name in includes(text, '"'):
            if not any(re.match(prefix, name) for prefix in allowed_for(path)):
                wrong.append(f"{path} includes {name}; it may include {', '.join(allowed_for(path))}")
    return wrong


def rule_an_include_names_a_file_from_the_root():
    return [f"{path} includes {name}: no such file" for path, text in sources() for name in includes(text, '"') if not (ROOT / name).is_file()]


def rule_a_library_shows_only_where_it_may():
    wrong = []
    for path, text in sources():
        for name in includes(text, "<"):
            for library, places in LIBRARIES.items():
                if re.match(library, name) and not any(path.startswith(place) for place in places):
                    wrong.append(f"{path} includes <{name}>, which belongs to {', '.join(places) or 'tests/'}")
    return wrong


def rule_private_headers_stay_private():
    return [
        f"{path} includes {name}, which is private to {', '.join(PRIVATE[name])}"
        for path, text in sources()
        for name in includes(text, '"')
        if name in PRIVATE and not any(path.startswith(place) for place in PRIVATE[name])
    ]


def rule_no_file_is_longer_than_a_reader_can_hold():
    return [
        f"{path} has {len(text.splitlines())} lines; {LINES_MAX} is the most"
        for path, text in sources()
        if len(text.splitlines()) > LINES_MAX and path not in LONGER_ALLOWED
    ]


def rule_each_file_opens_with_its_job():
    texts = dict(sources())

    def told(path):
        return texts[path].startswith("/*") or texts.get(path[:-1] + "h", "").startswith("/*")

    return [f"neither {path} nor its header opens with a comment of its job" for path in texts if not told(path)]


def _dev_subcommands():
    text = (ROOT / "dev").read_text()
    defined = set(re.findall(r"^cmd_(\w+)\(\)", text, re.M))
    explained = set(re.findall(r"^(?:HELP=')?(\w+)[^\n]* :: ", text, re.M))
    return defined, explained


def rule_every_dev_subcommand_is_explained():
    defined, explained = _dev_subcommands()
    return [f"./dev {name}: not in ./dev help" for name in sorted(defined - explained)] + [
        f"./dev help names {name}, which is not there" for name in sorted(explained - defined)
    ]


def rule_every_dev_subcommand_the_documents_name_exists():
    defined, _ = _dev_subcommands()
    wrong = []
    for pattern in ("README.md", "docs/*.md", "man/*", "conf/*"):
        for path in sorted(ROOT.glob(pattern)):
            for name in re.findall(r"\./dev ([a-z]+)", path.read_text()):
                if name not in defined:
                    wrong.append(f"{path.relative_to(ROOT)} names ./dev {name}, which is not there")
    return wrong


def broken_rules():
    rules = [(name[5:].replace("_", " "), rule) for name, rule in globals().items() if name.startswith("rule_")]
    return {name: rule() for name, rule in rules}


def test_house_rules():
    assert not {name: wrong for name, wrong in broken_rules().items() if wrong}


def main():
    results = broken_rules()
    for name, wrong in results.items():
        print(f"{'FAIL' if wrong else 'ok  '} {name}")
        for line in wrong:
            print(f"     {line}")
    return 1 if any(results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
